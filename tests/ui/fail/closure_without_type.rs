fn main() {
    ppool::closure!(|x, k: u64| -> u64 { x * k });
}
