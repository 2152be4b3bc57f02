use ppool::task;

struct Failure;

#[task]
fn open(path: &str) -> Result<u64, Failure> {
    path.parse().map_err(|_| Failure)
}

fn main() {}
