use ppool::task;

#[task]
fn largest<T: Ord, const N: usize>(values: [T; N]) -> Option<T> {
    values.into_iter().max()
}

fn main() {}
