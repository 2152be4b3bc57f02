use ppool::task;

#[task]
fn show(value: &dyn ToString) -> String {
    value.to_string()
}

fn main() {}
