use ppool::task;

#[task]
fn count(values: Vec<_>) -> usize {
    values.len()
}

fn main() {}
