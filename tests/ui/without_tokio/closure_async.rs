fn main() {
    ppool::closure!(async |x: u64| -> u64 { x * 2 });
}
