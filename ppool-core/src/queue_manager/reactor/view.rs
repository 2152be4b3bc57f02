//! What a reactor knows, for those who only want to look.

use std::time::Duration;

use super::{Reactor, Row, State, TimeStats, Totals};
use crate::ids::{WorkId, WorkerId};

/// A pool at one moment.
#[derive(Debug)]
pub(crate) struct PoolView {
    pub(crate) workers: Vec<WorkerView>,
    /// Calls that have not begun.
    pub(crate) pending: u64,
    /// Calls that run.
    pub(crate) in_flight: u64,
    pub(crate) totals: Totals,
    /// Results for each second, of the last ten.
    pub(crate) throughput: f64,
    /// How long calls waited and ran, where that is counted.
    pub(crate) times: Option<(TimeStats, TimeStats)>,
}

/// A worker at one moment.
#[derive(Debug)]
pub(crate) struct WorkerView {
    pub(crate) id: WorkerId,
    pub(crate) activity: Activity,
    /// The call that it runs.
    pub(crate) call: Option<WorkId>,
    /// For how long it has been running it, or has had nothing to do.
    pub(crate) since: Duration,
    /// How many calls it has that it has not begun.
    pub(crate) queued: u64,
    pub(crate) calls_done: u64,
}

/// What a worker is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Activity {
    /// Its process starts, or runs the initializer.
    Starting,
    /// It has no call.
    Idle,
    /// It runs a call.
    Busy,
    /// It was told to leave.
    Leaving,
    /// It was sent a signal.
    Stopping,
}

impl<C: Clone> Reactor<C> {
    /// Everything at once.
    pub(crate) fn view(&self, now: Duration) -> PoolView {
        let rows = self.slots().zip(&self.rows);
        let workers: Vec<WorkerView> = rows
            .filter_map(|(slot, row)| {
                let held = self.calls_of(row);
                Some(WorkerView {
                    id: self.worker(slot),
                    activity: row.activity()?,
                    call: row.in_flight.front().copied(),
                    since: now.saturating_sub(match held {
                        0 => row.idle_since,
                        _ => row.running_since,
                    }),
                    queued: held.saturating_sub(1),
                    calls_done: row.calls_done,
                })
            })
            .collect();
        // Of what a worker has, a chunk's calls too, it runs one at a time.
        let in_flight = (self.busy() + self.running_here) as u64;
        PoolView {
            workers,
            pending: self.totals.unresolved() - in_flight,
            in_flight,
            totals: self.totals,
            throughput: self.rate.per_second(self.first_call, now),
            times: self.times.look(),
        }
    }

    /// How many calls the worker of a row has that are not resolved.
    fn calls_of(&self, row: &Row) -> u64 {
        let items = row.in_flight.iter().filter_map(|&id| self.items.get(id));
        items
            .map(|item| u64::from(item.sent + item.sent_count - item.next))
            .sum()
    }
}

impl Row {
    fn activity(&self) -> Option<Activity> {
        match self.state {
            State::Vacant { .. } => None,
            State::Starting { .. } => Some(Activity::Starting),
            State::Ready if self.in_flight.is_empty() => Some(Activity::Idle),
            State::Ready => Some(Activity::Busy),
            State::Leaving { .. } => Some(Activity::Leaving),
            State::Asked { .. } | State::Terminating { .. } | State::Killed => {
                Some(Activity::Stopping)
            }
        }
    }
}
