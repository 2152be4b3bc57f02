//! What the users of a pool do, one random step at a time.

use std::time::Duration;

use super::{Submission, World};
use crate::{
    ids::WorkId,
    queue_manager::{
        effect::Refusal,
        reactor::{Cancel, Terms},
    },
};

impl World {
    pub(super) fn step(&mut self) {
        match self.random.u8(0..100) {
            0..=24 => self.submit(),
            25..=29 => self.cancel(),
            30..=31 => self.kill(),
            32..=79 => self.let_a_process_act(),
            80..=84 => self.crash(),
            85..=86 => self.haunt(),
            87 => self.broadcast(),
            88..=96 => self.pass_time(),
            97 => self.resize(),
            98 => self.tell(|world, effects| {
                if world.random.bool() {
                    world.reactor.close(world.now, effects);
                } else {
                    world.reactor.cancel_pending(effects);
                }
            }),
            _ => {
                if self.random.u8(0..3) == 0 {
                    self.terminate();
                }
            }
        }
    }

    pub(super) fn submit(&mut self) {
        let count = if self.random.bool() {
            1
        } else {
            self.random.u32(1..5)
        };
        let terms = Terms {
            count,
            retries: self.random.u32(0..3) / 2,
            timeout: (self.random.u8(0..4) == 0).then(|| Duration::from_millis(20)),
            priority: if self.random.bool() {
                0
            } else {
                self.random.i32(-2..3)
            },
        };
        let cargo = self.submissions.len();
        self.submissions.push(Submission {
            resolved: vec![0; count as usize],
            begun: vec![0; count as usize],
            retries: terms.retries,
            priority: terms.priority,
            pinned: false,
            was_sent: false,
            id: WorkId::default(),
        });
        let admitted = self.reactor.admits().is_ok();
        let submitted =
            self.tell(|world, effects| world.reactor.submit(cargo, terms, world.now, effects));
        assert_eq!(submitted.is_ok(), admitted);
        match submitted {
            Ok(id) => self.submissions[cargo].id = id,
            Err(_) => {
                self.submissions.pop();
            }
        }
    }

    pub(super) fn resize(&mut self) {
        let max = self.random.u32(1..7);
        let min = self.random.u32(1..=max);
        (self.limits.min_workers, self.limits.max_workers) = (min, max);
        self.widest = self.widest.max(max);
        self.tell(|world, effects| world.reactor.resize(min, max, world.now, effects));
        assert_eq!(self.reactor.min_and_max(), (min, max));
    }

    pub(super) fn broadcast(&mut self) {
        let terms = Terms {
            count: 1,
            retries: self.random.u32(0..2),
            timeout: None,
            priority: 0,
        };
        let first = self.submissions.len();
        let admitted = !matches!(
            self.reactor.admits(),
            Err(Refusal::Closed | Refusal::Broken(_))
        );
        // More than there can be workers.
        for _ in 0..2 * self.widest {
            self.submissions.push(Submission {
                resolved: vec![0],
                begun: vec![0],
                retries: terms.retries,
                pinned: true,
                ..Submission::default()
            });
        }
        let calls = self.tell(|world, effects| {
            let mut next = first;
            world.reactor.broadcast(terms, world.now, effects, || {
                next += 1;
                next - 1
            })
        });
        assert_eq!(calls.is_ok(), admitted);
        let calls = calls.unwrap_or_default();
        if admitted {
            let workers = calls.len();
            assert!(workers >= self.limits.min_workers as usize || self.reactor.broken().is_some());
        }
        self.submissions.truncate(first + calls.len());
        for (submission, id) in self.submissions[first..].iter_mut().zip(calls) {
            submission.id = id;
        }
    }

    pub(super) fn any_id(&mut self) -> Option<WorkId> {
        let len = self.submissions.len();
        (len > 0).then(|| self.submissions[self.random.usize(len.saturating_sub(8)..len)].id)
    }

    pub(super) fn cancel(&mut self) {
        let Some(id) = self.any_id() else { return };
        let answer = self.tell(|world, effects| world.reactor.cancel(id, effects));
        if let Cancel::Ask(worker) = answer {
            let revoked = self.takes_back(worker, id);
            if revoked {
                self.tell(|world, effects| world.reactor.revoked(worker, id, world.now, effects));
            }
        }
    }

    pub(super) fn kill(&mut self) {
        let Some(id) = self.any_id() else { return };
        match self.tell(|world, effects| world.reactor.cancel(id, effects)) {
            Cancel::Done | Cancel::TooLate => {}
            Cancel::Ask(worker) if self.takes_back(worker, id) => {
                self.tell(|world, effects| world.reactor.revoked(worker, id, world.now, effects));
            }
            Cancel::Ask(worker) => {
                self.tell(|world, effects| world.reactor.kill(worker, id, world.now, effects));
            }
        }
    }
}
