//! Deadlines.

use std::time::Duration;

use super::{Reactor, Row, State};
use crate::{error::BrokenPool, queue::StopReason, queue_manager::effect::Effect};

impl<C: Clone> Reactor<C> {
    /// When `tick` is wanted next.
    pub(crate) fn next_deadline(&self) -> Option<Duration> {
        self.rows
            .iter()
            .filter_map(|row| match row.state {
                State::Starting { deadline }
                | State::Asked { deadline }
                | State::Leaving { deadline }
                | State::Terminating { deadline } => Some(deadline),
                State::Ready => self.deadline(row),
                State::Vacant { .. } | State::Killed => None,
            })
            // That of a worker that waits for its template, which has one of its own.
            .filter(|deadline| *deadline != Duration::MAX)
            .chain(self.next_start())
            .chain(self.next_idle_end())
            .min()
    }

    /// When the running call of a worker has to be stopped.
    pub(super) fn deadline(&self, row: &Row) -> Option<Duration> {
        let limit = self.items.get(*row.in_flight.front()?)?.timeout?;
        Some(row.running_since.saturating_add(limit))
    }

    /// Time has passed.
    pub(crate) fn tick(&mut self, now: Duration, effects: &mut Vec<Effect<C>>) {
        for slot in self.slots() {
            let row = &self.rows[slot.0 as usize];
            let worker = self.worker(slot);
            match row.state {
                State::Starting { deadline } if deadline <= now => {
                    let waited = self.limits.start_timeout;
                    self.break_pool(
                        BrokenPool::new(format!(
                            "a worker process did not shake hands within {waited:?}; raise \
                             `start_timeout` if starting your program takes so long, or call \
                             `ppool::init()` first thing in `main`"
                        )),
                        effects,
                    );
                    self.kill_worker(slot, effects);
                }
                State::Asked { deadline } | State::Leaving { deadline } if deadline <= now => {
                    self.terminate_worker(slot, now, effects);
                }
                State::Terminating { deadline } if deadline <= now => {
                    self.kill_worker(slot, effects);
                }
                State::Ready => {
                    if let (Some(&id), Some(deadline)) = (row.in_flight.front(), self.deadline(row))
                        && deadline <= now
                    {
                        self.stop(worker, id, StopReason::TimedOut, now, effects);
                    }
                }
                _ => {}
            }
        }
        self.advance(now, effects);
        self.drop_idle(now, effects);
    }
}
