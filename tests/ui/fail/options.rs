use ppool::task;

#[task(retry = 2)]
fn unknown() {}

#[task(name = "a", retries = 1, name = "b")]
fn twice() {}

#[task(retries)]
fn no_value() {}

#[task("name")]
fn no_key() {}

#[task(name = "")]
fn empty_name() {}

#[task(name = nothing)]
fn name_that_is_no_text() {}

#[task(retries = -1)]
fn negative_retries() {}

fn main() {}
