use ppool::task;

#[task]
fn length(text: &'static str) -> usize {
    text.len()
}

fn main() {}
