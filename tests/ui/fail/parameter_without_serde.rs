use ppool::task;

struct Handle(u64);

#[task]
fn close(handle: Handle, others: Vec<Handle>, more: &[Handle]) -> u64 {
    handle.0 + others.len() as u64 + more.len() as u64
}

fn main() {}
