use ppool::task;

use std::borrow::Cow;

#[task]
fn longest(texts: Vec<&str>, other: &[&str], more: Cow<'_, str>) -> usize {
    texts.len() + other.len() + more.len()
}

fn main() {}
