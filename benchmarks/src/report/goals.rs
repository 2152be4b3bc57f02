//! The goals of ppool.
//!
//! A goal is best a ratio to what was measured in the same run, since that holds on any machine.
//! Where it was set as a number, the number stands, and below it the ratio to the best peer or the
//! physical limit on the machine where it was set.

use super::goal::{
    Goal,
    Is::{AtLeast, AtMost, Exactly},
};

const MIB: f64 = 1024.0 * 1024.0;

/// All of them, in the order of the figures.
pub(super) const GOALS: &[Goal] = &[
    Goal {
        of: ("round_trip", "p50"),
        text: "one no-op: within 2 × rayon's threads",
        is: AtMost,
        target: |peers| Some(2.0 * peers.rayon("round_trip", "p50")?),
    },
    Goal {
        of: ("no_ops", "rate"),
        text: "no-ops one by one: as many as rayon's threads",
        is: AtLeast,
        target: |peers| peers.rayon("no_ops", "rate"),
    },
    Goal {
        of: ("no_ops", "rate"),
        text: "the same: 20 × the best Python pool",
        is: AtLeast,
        target: |peers| Some(20.0 * peers.best_python("no_ops", "rate")?),
    },
    Goal {
        of: ("map", "rate"),
        text: "map of a million u64: 100 M/s",
        is: AtLeast,
        target: |_| Some(100e6),
    },
    Goal {
        of: ("map", "rate"),
        text: "the same: 100/48 × procspawn with chunks by hand",
        is: AtLeast,
        target: |peers| Some(100.0 / 48.0 * peers.procspawn("map", "rate")?),
    },
    Goal {
        of: ("map_one_by_one", "rate"),
        text: "map, chunk_size(1): as rayon's no-ops one by one",
        is: AtLeast,
        target: |peers| peers.rayon("no_ops", "rate"),
    },
    Goal {
        of: ("bytes_argument", "rate"),
        text: "64 MiB as an argument: 5 GB/s",
        is: AtLeast,
        target: |_| Some(5e9),
    },
    Goal {
        of: ("bytes_argument", "rate"),
        text: "the same: 5/11.7 of a warm copy",
        is: AtLeast,
        target: |peers| Some(5.0 / 11.7 * peers.limit("copy_warm")?),
    },
    Goal {
        of: ("bytes_echo", "rate"),
        text: "64 MiB there and back: 3 GB/s",
        is: AtLeast,
        target: |_| Some(3e9),
    },
    Goal {
        of: ("bytes_echo", "rate"),
        text: "the same: 3/3.9 of two warm copies",
        is: AtLeast,
        target: |peers| Some(3.0 / 3.9 * peers.limit("copy_twice")?),
    },
    Goal {
        of: ("start_stop", "time"),
        text: "pool of 2, start to stop: 3 ms",
        is: AtMost,
        target: |_| Some(3e-3),
    },
    Goal {
        of: ("start_stop", "time"),
        text: "the same: 3/3.5 of procspawn",
        is: AtMost,
        target: |peers| Some(3.0 / 3.5 * peers.procspawn("start_stop", "time")?),
    },
    Goal {
        of: ("start_many", "per_worker"),
        text: "pool of 32, per worker: 1.15 ms",
        is: AtMost,
        target: |_| Some(1.15e-3),
    },
    Goal {
        of: ("start_many", "per_worker"),
        text: "the same: 1.15/1.07 × start and end of a Rust program",
        is: AtMost,
        target: |peers| Some(1.15 / 1.07 * peers.limit("process_start")?),
    },
    Goal {
        of: ("idle_memory", "pss"),
        text: "idle worker: PSS of 1.0 MiB",
        is: AtMost,
        target: |_| Some(MIB),
    },
    Goal {
        of: ("idle_memory", "pss"),
        text: "the same: 1.0/0.76 of procspawn",
        is: AtMost,
        target: |peers| Some(1.0 / 0.76 * peers.procspawn("idle_memory", "pss")?),
    },
    Goal {
        of: ("idle_memory", "private"),
        text: "idle worker: 0.25 MiB private",
        is: AtMost,
        target: |_| Some(0.25 * MIB),
    },
    Goal {
        of: ("idle_memory", "private"),
        text: "the same: 0.25/0.17 of procspawn",
        is: AtMost,
        target: |peers| Some(0.25 / 0.17 * peers.procspawn("idle_memory", "private")?),
    },
    Goal {
        of: ("queued_memory", "per_call"),
        text: "queued call: 200 B and its payload of 8 B",
        is: AtMost,
        target: |_| Some(208.0),
    },
    Goal {
        of: ("million", "rate"),
        text: "a million queued and done: within 1.5 × rayon's time",
        is: AtLeast,
        target: |peers| Some(peers.rayon("million", "rate")? / 1.5),
    },
    Goal {
        of: ("crashes", "failed"),
        text: "100 calls, 5 kill their worker: 5 fail",
        is: Exactly,
        target: |_| Some(5.0),
    },
    Goal {
        of: ("crashes", "named"),
        text: "the same: the error names the signal",
        is: Exactly,
        target: |_| Some(1.0),
    },
    Goal {
        of: ("crashes", "settled"),
        text: "the same: settled within 5 × (start of a program + 2 ms)",
        is: AtMost,
        target: |peers| Some(5.0 * (peers.limit("process_start")? + 2e-3)),
    },
    Goal {
        of: ("compute", "share"),
        text: "64 × 20 ms of computing: 98 % of ideal",
        is: AtLeast,
        target: |_| Some(0.98),
    },
    Goal {
        of: ("compute", "share"),
        text: "the same: 98/98.3 of rayon's threads",
        is: AtLeast,
        target: |peers| Some(98.0 / 98.3 * peers.rayon("compute", "share")?),
    },
    Goal {
        of: ("idle", "wake_ups"),
        text: "idle pool: no wake-up",
        is: Exactly,
        target: |_| Some(0.0),
    },
    Goal {
        of: ("idle", "cpu"),
        text: "idle pool: no CPU time",
        is: Exactly,
        target: |_| Some(0.0),
    },
    Goal {
        of: ("waiting", "cpu"),
        text: "pool that waits for a long call: no CPU time",
        is: Exactly,
        target: |_| Some(0.0),
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_goal_is_about_a_figure_that_exists() {
        for goal in GOALS {
            assert!(goal.figure().is_some(), "{:?}", goal.of);
        }
    }

    #[test]
    fn a_goal_is_reached_from_its_side() {
        assert!(GOALS[0].is_reached(1.0, 2.0) && !GOALS[0].is_reached(3.0, 2.0));
        assert!(GOALS[1].is_reached(3.0, 2.0) && !GOALS[1].is_reached(1.0, 2.0));
    }
}
