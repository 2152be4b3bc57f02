use ppool::task;

#[task]
fn length(text: &str) -> usize
where
    String: Clone,
{
    text.len()
}

fn main() {}
