use ppool::{
    channel::{self, Channel},
    process::Process,
    task,
};

fn plain() {}

#[task]
fn without_a_channel(_n: u64) {}

#[task]
fn with_a_channel(_numbers: Channel<u64, String>, _n: u64) {}

struct Unsendable;

fn main() {
    let _ = Process::spawn(plain, ());
    let _ = channel::start(without_a_channel, ());
    let numbers = channel::start(with_a_channel, 7);
    let _ = numbers.send(7_u64);
    let _: String = numbers.receive().unwrap();
    let anything: Channel = numbers.typed();
    let _ = anything.send(Unsendable);
}
