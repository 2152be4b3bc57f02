fn submit_object<T: ppool::TaskObject>(_job: T) {}

struct Job;

impl ppool::Callable for Job {
    type Output = ();

    fn call(self) {}
}

fn main() {
    submit_object(Job);
}
