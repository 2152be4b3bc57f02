//! Nothing that a task's code names is hidden by the code that is written around it, and that code
//! doesn't rely on names that the user can give to other things.
#![no_implicit_prelude]
#![allow(clippy::no_effect, dead_code, reason = "it is here to be compiled")]

extern crate std;

use ::ppool::task;
use ::std::primitive::{str, u64};
use ::std::{assert_eq, option::Option::Some};

struct Vec;
struct String;
struct Lane;
struct TaskEntry;
struct Result;
struct Task;
struct Some1(Vec, String, Lane, TaskEntry, Result, Task);

const ENTRY: u64 = 1;
const FUNCTION: u64 = 2;
const CHECK: u64 = 3;

fn invoke() -> u64 {
    4
}

fn lanes() -> u64 {
    5
}

fn lane() -> u64 {
    6
}

fn entry() -> u64 {
    7
}

fn call() -> u64 {
    8
}

fn argument_0() -> u64 {
    9
}

#[task]
fn sum(text: &str, numbers: &[u64]) -> u64 {
    let _ = Some(text);
    let _ = numbers;
    ENTRY + FUNCTION + CHECK + invoke() + lanes() + lane() + entry() + call() + argument_0()
}

#[task]
fn result(n: u64) -> u64 {
    n
}

#[task]
fn f(n: u64) -> u64 {
    n
}

#[task]
fn invocation(text: &str) {
    let _ = text;
}

#[task]
fn argument_1(n: u64, argument_1: u64) -> u64 {
    n + argument_1
}

fn main() {
    assert_eq!(sum("", &[]), 45);
    assert_eq!(result(1), 1);
    assert_eq!(f(1), 1);
    invocation("");
    assert_eq!(argument_1(1, 2), 3);
}
