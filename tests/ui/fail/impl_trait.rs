use ppool::task;

#[task]
fn show(value: impl ToString) -> impl ToString {
    value.to_string()
}

fn main() {}
