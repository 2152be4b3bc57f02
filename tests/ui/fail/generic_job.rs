use ppool::{Callable, task};

struct Job<T>(T);

#[task]
impl<T: Clone> Callable for Job<T> {
    type Output = T;

    fn call(self) -> T {
        self.0
    }
}

fn main() {}
