use ppool::task;

#[task]
fn sort(values: &mut Vec<u64>) {
    values.sort();
}

fn main() {}
