use ppool::task;

#[task]
fn fill<T>(values: &mut Vec<T>, value: impl Into<T>) -> &Vec<T> {
    values.push(value.into());
    values
}

fn main() {}
