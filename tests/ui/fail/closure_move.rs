fn main() {
    ppool::closure!(move |x: u64| -> u64 { x * 2 });
}
