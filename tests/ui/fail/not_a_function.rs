use ppool::task;

#[task]
struct Job {
    width: u32,
}

#[task]
impl Job {
    fn call(self) -> u32 {
        self.width
    }
}

fn main() {}
