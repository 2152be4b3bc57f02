fn main() {
    let k = 3;
    ppool::closure!(|x: u64| -> u64 { x * k });
}
