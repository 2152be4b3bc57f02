fn square(n: u64) -> u64 {
    n * n
}

fn main() {
    ppool::closure!(square);
    ppool::closure!();
    ppool::closure!(|x: u64| -> u64 { x }, |y: u64| -> u64 { y });
}
