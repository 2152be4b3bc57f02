//! Takes real processes over, as its own test harness: what happens before and instead of `main` is
//! of interest here.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "it is its own test harness"
)]

mod suite;

fn main() {
    suite::main();
}
