fn submit<T: ppool::Task>(_task: T) {}

fn square(n: u64) -> u64 {
    n * n
}

fn main() {
    submit(square);
}
