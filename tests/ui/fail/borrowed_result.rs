use ppool::task;

#[task]
fn first_word(text: &str) -> &str {
    text
}

#[task]
fn maybe(text: &str) -> Option<&str> {
    Some(text)
}

fn main() {}
