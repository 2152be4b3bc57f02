use ppool::{Callable, task};

struct Job;

struct Answer;

#[task]
impl Callable for Job {
    type Output = Option<Answer>;

    fn call(self) -> Option<Answer> {
        None
    }
}

fn main() {}
