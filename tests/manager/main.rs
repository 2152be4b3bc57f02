//! What a manager keeps is one thing to all processes that have handles to it, and outlives none that
//! it should not.
#![forbid(unsafe_code)]

#[path = "../common/mod.rs"]
mod common;

mod collections;
mod deaths;
mod handles;
mod locks;
mod namespaces;
mod objects;

use ppool::manager::Manager;

fn manager() -> Manager {
    Manager::start().expect("a process can be started")
}
