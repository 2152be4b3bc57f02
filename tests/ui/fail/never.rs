use ppool::task;

#[task]
fn forever() -> ! {
    loop {}
}

fn main() {}
