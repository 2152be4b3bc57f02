//! The pipes by which workers print, where the pool captures that.
//!
//! Each call begins with a mark in both pipes. So that short calls don't wake this process for each
//! of them, the set rests for [`REST`] after it was read empty.
//!
//! # Failure
//!
//! QM-1: nothing here blocks. A worker that closes its streams, or leaves descendants behind that
//! keep them open, is forgotten with them when it ends.

use std::{io, os::fd::OwnedFd, time::Duration};

use crate::{
    ids::{Generation, Slot, WorkerId},
    output::{CallMark, OutputLine, OutputStream, Splitter, Tail},
    sys::{
        epoll::{Events, Interest, Poller},
        streams,
    },
    task::{Registry, TaskKey},
};

/// How long the pipes are left alone after they were read.
const REST: Duration = Duration::from_millis(2);
/// How much is read at once: as much as a pipe holds.
const AT_ONCE: usize = 64 << 10;
/// How much of a worker that has ended is read from each pipe: what it can hold at most. More can
/// come only from descendants.
const AT_THE_END: usize = 1 << 20;

/// The pipes of all workers.
pub(super) struct Outlets {
    poller: Poller,
    events: Events,
    buffer: Vec<u8>,
    by_slot: Vec<Option<Outlet>>,
    /// Until when the pipes are left alone.
    resting: Option<Duration>,
    lines: Vec<OutputLine>,
}

/// The pipes of a worker.
struct Outlet {
    worker: WorkerId,
    pid: u32,
    streams: [Stream; 2],
    tail: Tail,
}

struct Stream {
    name: OutputStream,
    /// Until its end.
    pipe: Option<OwnedFd>,
    splitter: Splitter,
}

impl Outlets {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Outlets {
            poller: Poller::new()?,
            events: Events::with_capacity(64),
            buffer: vec![0; AT_ONCE],
            by_slot: Vec::new(),
            resting: None,
            lines: Vec::new(),
        })
    }

    /// What becomes readable when a pipe does.
    pub(super) fn poller(&self) -> &Poller {
        &self.poller
    }

    /// Makes the pipes of a new worker, and gives the ends that it writes to.
    pub(super) fn open(&mut self, worker: WorkerId, pid: u32) -> io::Result<[OwnedFd; 2]> {
        let (stdout, to_stdout) = streams::output_pipe()?;
        let (stderr, to_stderr) = streams::output_pipe()?;
        let outlet = Outlet {
            worker,
            pid,
            streams: [
                Stream::new(OutputStream::Stdout, stdout),
                Stream::new(OutputStream::Stderr, stderr),
            ],
            tail: Tail::default(),
        };
        for (index, stream) in outlet.streams.iter().enumerate() {
            let token = token(worker, index);
            if let Some(pipe) = &stream.pipe {
                self.poller.add(pipe, token, Interest::READ)?;
            }
        }
        let slot = worker.slot.0 as usize;
        if self.by_slot.len() <= slot {
            self.by_slot.resize_with(slot + 1, || None);
        }
        self.by_slot[slot] = Some(outlet);
        Ok([to_stdout, to_stderr])
    }

    /// Reads what is there, from each pipe once.
    pub(super) fn read(&mut self, now: Duration) {
        let mut events = std::mem::replace(&mut self.events, Events::with_capacity(1));
        // It fails only for a set that is not open.
        let _ = self.poller.wait(&mut events, Some(Duration::ZERO));
        let mut all_is_read = true;
        for event in events.iter() {
            let (worker, index) = worker_of(event.token);
            let Some(outlet) = self
                .by_slot
                .get_mut(worker.slot.0 as usize)
                .and_then(Option::as_mut)
                .filter(|outlet| outlet.worker == worker)
            else {
                continue;
            };
            let count = outlet.read(index, &mut self.buffer, &self.poller, &mut self.lines);
            all_is_read &= count < AT_ONCE;
        }
        self.events = events;
        self.resting = all_is_read.then(|| now + REST);
    }

    /// Until when the pipes are left alone.
    pub(super) fn resting(&self) -> Option<Duration> {
        self.resting
    }

    /// They are looked at again.
    pub(super) fn wake_up(&mut self) {
        self.resting = None;
    }

    /// A worker has ended: takes the rest of what it printed, and gives the end of its standard
    /// error.
    pub(super) fn finish(&mut self, worker: WorkerId) -> Option<String> {
        let outlet = self.by_slot.get_mut(worker.slot.0 as usize)?;
        let mut outlet = outlet.take_if(|outlet| outlet.worker == worker)?;
        for index in 0..outlet.streams.len() {
            let mut read = 0;
            while outlet.streams[index].pipe.is_some() && read < AT_THE_END {
                match outlet.read(index, &mut self.buffer, &self.poller, &mut self.lines) {
                    0 => break,
                    count => read += count,
                }
            }
            outlet.close(index, &self.poller, &mut self.lines);
        }
        outlet.tail.into_text()
    }

    /// The lines that have come since the last time.
    pub(super) fn take_lines(&mut self) -> Vec<OutputLine> {
        std::mem::take(&mut self.lines)
    }
}

impl Outlet {
    /// Reads from a pipe once; gives how much it was.
    fn read(
        &mut self,
        index: usize,
        buffer: &mut [u8],
        poller: &Poller,
        lines: &mut Vec<OutputLine>,
    ) -> usize {
        let Some(pipe) = &self.streams[index].pipe else {
            return 0;
        };
        match streams::read_some(pipe, buffer) {
            Ok(None) => 0,
            Ok(Some(0)) | Err(_) => {
                self.close(index, poller, lines);
                0
            }
            Ok(Some(count)) => {
                let (stream, mut take) = self.taker(index, lines);
                stream.splitter.feed(&buffer[..count], &mut take);
                count
            }
        }
    }

    fn close(&mut self, index: usize, poller: &Poller, lines: &mut Vec<OutputLine>) {
        if let Some(pipe) = self.streams[index].pipe.take() {
            // Descendants of the worker may keep the other end open.
            let _ = poller.remove(&pipe);
        }
        let (stream, take) = self.taker(index, lines);
        stream.splitter.finish(take);
    }

    /// A stream, and what takes its lines.
    fn taker<'a>(
        &'a mut self,
        index: usize,
        lines: &'a mut Vec<OutputLine>,
    ) -> (&'a mut Stream, impl FnMut(Option<CallMark>, &[u8])) {
        let Outlet {
            worker,
            pid,
            streams,
            tail,
        } = self;
        let (slot, pid) = (worker.slot.0, *pid);
        let stream = &mut streams[index];
        let name = stream.name;
        let take = move |mark: Option<CallMark>, text: &[u8]| {
            if name == OutputStream::Stderr {
                tail.push_line(text);
            }
            lines.push(OutputLine {
                slot,
                pid,
                stream: name,
                call: mark.and_then(call_of),
                text: String::from_utf8_lossy(text).into_owned(),
                lost_before: 0,
            });
        };
        (stream, take)
    }
}

impl Stream {
    fn new(name: OutputStream, pipe: OwnedFd) -> Self {
        Stream {
            name,
            pipe: Some(pipe),
            splitter: Splitter::default(),
        }
    }
}

/// The call of a mark, as users see it; `None` when a task has made the mark up.
fn call_of(mark: CallMark) -> Option<(u64, &'static str)> {
    let entry = Registry::get().ok()?.find(TaskKey(mark.task))?;
    Some((mark.work_id.sequence(), entry.name()))
}

fn token(worker: WorkerId, index: usize) -> u64 {
    u64::from(worker.generation.0) << 32 | u64::from(worker.slot.0) << 1 | (index as u64 & 1)
}

fn worker_of(token: u64) -> (WorkerId, usize) {
    let low = u32::try_from(token & u64::from(u32::MAX)).expect("32 bits fit");
    let worker = WorkerId {
        slot: Slot(low >> 1),
        generation: Generation(u32::try_from(token >> 32).expect("32 bits fit")),
    };
    (worker, (low & 1) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_names_the_stream_of_a_worker() {
        let worker = WorkerId {
            slot: Slot(1 << 20),
            generation: Generation(u32::MAX),
        };
        for index in [0, 1] {
            assert_eq!(worker_of(token(worker, index)), (worker, index));
        }
    }
}
