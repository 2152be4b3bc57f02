fn main() {
    ppool::closure!(|x: u64| x * 2);
    ppool::closure!(|x: u64| { x * 2 });
}
