use ppool::task;

#[task]
fn open(#[cfg(unix)] path: String) -> usize {
    path.len()
}

fn main() {}
