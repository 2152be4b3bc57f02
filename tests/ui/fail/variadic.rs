use ppool::task;

#[task]
unsafe extern "C" fn print(format: u64, _values: ...) -> u64 {
    format
}

fn main() {}
