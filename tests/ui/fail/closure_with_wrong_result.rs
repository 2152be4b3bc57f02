fn double(x: u64) -> u64 {
    x * 2
}

fn main() {
    ppool::closure!(|x: u64| double(x));
}
