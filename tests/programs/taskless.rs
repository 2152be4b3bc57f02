//! A program with a manager and without a task: its server is taken over before `main` too.
#![forbid(unsafe_code)]

use ppool::manager::Manager;

fn main() {
    let manager = Manager::start().expect("a process can be started");
    let list = manager.list_of([1_u32]).expect("the server answers");
    list.push(2).expect("the server answers");
    assert_eq!(list.to_vec().expect("the server answers"), [1, 2]);
}
