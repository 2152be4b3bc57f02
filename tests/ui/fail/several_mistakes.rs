use ppool::task;

#[task]
async fn fill<T>(values: &mut Vec<T>, value: impl Into<T>) -> &Vec<T> {
    values.push(value.into());
    values
}

fn main() {}
