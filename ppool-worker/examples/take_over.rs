//! The test of the same name once more. A test can't be built without unwinding, an example can:
//! `cargo run -p ppool-worker --profile abort --example take_over`.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "it is a test harness"
)]

#[path = "../tests/suite/mod.rs"]
mod suite;

fn main() {
    suite::main();
}
