//! Processes that are killed at any moment, by chance, while they talk.

use std::collections::HashMap;

use ppool::{
    channel::{self, Channel, ChannelError, Exchange},
    process::Process,
    task,
};

use crate::common::watchdog;

const PROCESSES: usize = 30;
const MESSAGES: u64 = 100;

/// Counts, now and then with values that are too long for a packet.
#[task]
fn count(out: Channel<(u64, String), ()>, acknowledged: bool) {
    for n in 0..MESSAGES {
        let padding = "x".repeat(if n % 17 == 0 { 100_000 } else { 3 });
        let sent = match acknowledged {
            true => out.send((n, padding)),
            false => out.send_unacknowledged((n, padding)),
        };
        if sent.is_err() {
            return;
        }
    }
}

/// What comes of each is a part of what it sent, from its begin and without a gap, and all of it where
/// nobody killed it.
#[test]
fn kills_at_any_moment_cost_the_rest_of_one_process_and_nothing_else() {
    let _watchdog = watchdog();
    for seed in 0..2 {
        let mut chance = fastrand::Rng::with_seed(seed);
        let mut received: HashMap<u32, u64> = HashMap::new();
        let exchange = Exchange::new();
        let mut processes: Vec<Process> = Vec::new();
        for n in 0..PROCESSES {
            let channel = channel::start(count, n % 2 == 0);
            processes.extend(channel.process().cloned());
            exchange.add(channel).unwrap();
        }
        let mut killed = Vec::new();
        while !exchange.active().is_empty() {
            for channel in exchange.ready(None) {
                let (n, padding) = channel.receive().unwrap();
                let next = received.entry(channel.pid()).or_default();
                assert_eq!((n, padding.bytes().all(|byte| byte == b'x')), (*next, true));
                *next += 1;
                if chance.u32(0..100) == 0 && killed.len() < PROCESSES / 2 {
                    let process = &processes[chance.usize(0..PROCESSES)];
                    process.kill().unwrap();
                    killed.push(process.pid());
                }
            }
        }
        assert!(!killed.is_empty());
        for process in &processes {
            let exit = process.join().unwrap();
            let came = received.get(&process.pid()).copied().unwrap_or_default();
            if !killed.contains(&process.pid()) {
                assert!(exit.success(), "{exit}");
                assert_eq!(came, MESSAGES, "seed {seed}");
            }
        }
    }
}

/// The one who receives is killed: whoever sends hears of it, at every moment.
#[test]
fn who_talks_with_a_process_that_is_killed_never_waits_for_ever() {
    #[task]
    fn echo(both: Channel<u64, u64>) -> Result<(), String> {
        loop {
            let n = both.receive().map_err(|error| error.to_string())?;
            both.send(n).map_err(|error| error.to_string())?;
        }
    }

    let _watchdog = watchdog();
    let mut chance = fastrand::Rng::with_seed(7);
    for _ in 0..40 {
        let channel = channel::start(echo, ());
        let process = channel.process().unwrap().clone();
        let turns = chance.u32(0..20_000);
        let killer = std::thread::spawn(move || {
            for _ in 0..turns {
                std::hint::spin_loop();
            }
            process.kill()
        });
        let error = (0..)
            .find_map(|n| match channel.send(n).and_then(|()| channel.receive()) {
                Ok(back) => (back != n).then_some(ChannelError::Closed),
                Err(error) => Some(error),
            })
            .unwrap();
        assert!(matches!(error, ChannelError::HungUp), "{error}");
        killer.join().unwrap().unwrap();
        assert_eq!(channel.wait().unwrap().signal_name(), Some("SIGKILL"));
    }
}
