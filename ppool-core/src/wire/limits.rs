//! What a worker puts on itself before its first call: limits of the kernel, and where it runs.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The limits of a worker process. The default is none at all.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct WorkerLimits {
    /// How many bytes of private memory it may have.
    pub memory: Option<u64>,
    /// How much processor time a call may take.
    pub cpu_time: Option<Duration>,
    /// Its niceness, from -20 to 19.
    pub nice: Option<i32>,
    /// The processors that it may run on; empty means wherever its parent may.
    pub cpus: Vec<usize>,
    /// Whether it takes only one of these: the one whose turn it is by its slot.
    pub one_cpu: bool,
    /// Whether it leads a process group of its own, with all that its tasks start.
    pub own_group: bool,
}

impl WorkerLimits {
    /// The processors for the worker in this slot; empty means that nothing is to be changed.
    #[must_use]
    pub fn cpus_of(&self, slot: u32) -> &[usize] {
        if !self.one_cpu || self.cpus.is_empty() {
            return &self.cpus;
        }
        let turn = slot as usize % self.cpus.len();
        &self.cpus[turn..=turn]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_take_turns_where_each_gets_one() {
        let mut limits = WorkerLimits {
            cpus: vec![2, 5],
            ..WorkerLimits::default()
        };
        assert_eq!(limits.cpus_of(1), [2, 5]);
        limits.one_cpu = true;
        assert_eq!(limits.cpus_of(0), [2]);
        assert_eq!(limits.cpus_of(1), [5]);
        assert_eq!(limits.cpus_of(2), [2]);
        limits.cpus.clear();
        assert!(limits.cpus_of(7).is_empty());
    }
}
