use ppool::task;

#[task(timeout = 30)]
fn no_text() {}

#[task(timeout = "30 seconds")]
fn unreadable() {}

#[task(timeout = "0s")]
fn zero() {}

#[task(timeout = "-1.5s")]
fn negative() {}

#[task(timeout = "9999999999999999999h")]
fn too_long() {}

fn main() {}
