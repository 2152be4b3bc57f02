//! The parent's end of the result ring.

use std::sync::Arc;

use super::{
    super::{
        Broken,
        atomic::Ordering::{Acquire, Release},
        layout::{Layout, RESULTS_HEAD, RESULTS_OPEN, RESULTS_TAIL, wrapped},
        memory::Memory,
        region::Region,
    },
    record::{HEAD_LEN, Measure, OpenRecord, PAD, Record, RecordHead, room_for},
};
use crate::codec::Payload;

/// Takes results from one ring.
#[derive(Debug)]
pub(crate) struct ResultReader {
    memory: Arc<Memory>,
    layout: Layout,
    /// Up to where records were taken.
    head: u64,
    /// Up to where the worker had published, when the reader last looked.
    tail: u64,
    /// What the worker was told of `head`.
    given_back: u64,
    /// How many results of the record at `head` were taken while it was open, and their bytes.
    taken_early: OpenRecord,
    /// Where few bytes are copied to first.
    buffer: Vec<u8>,
}

impl ResultReader {
    pub(crate) fn new(region: &Region) -> Self {
        ResultReader {
            memory: region.memory.clone(),
            layout: region.layout,
            head: 0,
            tail: 0,
            given_back: 0,
            taken_early: OpenRecord { count: 0, len: 0 },
            buffer: Vec::new(),
        }
    }

    /// Whether there is something to take.
    ///
    /// # Errors
    /// When the ring holds what can't be there.
    #[inline]
    pub(crate) fn has_some(&mut self) -> Result<bool, Broken> {
        if self.head == self.tail {
            self.look()?;
        }
        Ok(self.head != self.tail)
    }

    /// Takes the next record; [`ResultReader::give_back`] gives its room back.
    ///
    /// # Errors
    /// When the ring holds what can't be there.
    #[inline]
    pub(crate) fn next(&mut self) -> Result<Option<Record>, Broken> {
        while self.has_some()? {
            let offset = wrapped(self.head, self.layout.results_len);
            let at = self.layout.results() + offset;
            let Measure { kind, count, len } = Measure::read(&self.memory, at);
            let available = (self.layout.results_len - offset) as u64;
            let available = available.min(self.tail - self.head);
            if kind == PAD {
                let skipped = len as u64 + 8;
                // A pad reaches to the end of the ring, so that the next record is at the front.
                if skipped > available || offset as u64 + skipped != self.layout.results_len as u64
                {
                    return Err(Broken("a pad in the result ring"));
                }
                self.head += skipped;
                continue;
            }
            let room = room_for(len) as u64;
            if room > available || count == 0 {
                return Err(Broken("the length of a result"));
            }
            let record = self.copy(at, kind, OpenRecord { count, len })?;
            self.head += room;
            self.taken_early = OpenRecord { count: 0, len: 0 };
            if record.count > 0 {
                return Ok(Some(record));
            }
        }
        Ok(None)
    }

    /// Takes what the worker has written of a record that it has not published; nothing when there is
    /// none. Take everything else first.
    ///
    /// # Errors
    /// When the ring holds what can't be there.
    pub(crate) fn take_open(&mut self) -> Result<Option<Record>, Broken> {
        if self.has_some()? {
            return Ok(None);
        }
        // Acquire: pairs with the store in `ResultWriter::add`.
        let noted = self.memory.word(RESULTS_OPEN).load(Acquire);
        let Some(written) = OpenRecord::unpack(noted, self.head) else {
            return Ok(None);
        };
        let offset = wrapped(self.head, self.layout.results_len);
        if offset + room_for(written.len) > self.layout.results_len {
            return Err(Broken("the length of an open result"));
        }
        let at = self.layout.results() + offset;
        let kind = Measure::read(&self.memory, at).kind;
        let record = self.copy(at, kind, written)?;
        self.taken_early = written;
        Ok((record.count > 0).then_some(record))
    }

    /// Gives the room of everything that was taken back to the worker; whether that was anything.
    /// The worker must be told when it waits for room (see [`super::super::bell`]).
    #[inline]
    pub(crate) fn give_back(&mut self) -> bool {
        let changed = self.given_back != self.head;
        if changed {
            self.given_back = self.head;
            // Release: pairs with the load in `ResultWriter::look`; what was there has been copied.
            self.memory.word(RESULTS_HEAD).store(self.head, Release);
        }
        changed
    }

    /// Copies a record out, without what was taken early. The lengths were checked.
    #[inline]
    fn copy(&mut self, at: usize, kind: u8, written: OpenRecord) -> Result<Record, Broken> {
        let early = self.taken_early;
        let (Some(count), Some(len)) = (
            written.count.checked_sub(early.count),
            written.len.checked_sub(early.len),
        ) else {
            return Err(Broken("a result that gets shorter"));
        };
        let mut head = RecordHead::read(kind, &self.memory, at);
        head.index = head.index.wrapping_add(early.count);
        self.buffer.clear();
        self.memory
            .append_to(&mut self.buffer, at + HEAD_LEN + early.len, len);
        let bytes = Payload::of_few(&self.buffer)
            .unwrap_or_else(|| std::mem::take(&mut self.buffer).into());
        Ok(Record { head, count, bytes })
    }

    /// Looks how much the worker has published.
    #[inline]
    fn look(&mut self) -> Result<(), Broken> {
        // Acquire: pairs with the store in `ResultWriter::publish`; the records are seen then.
        let tail = self.memory.word(RESULTS_TAIL).load(Acquire);
        let used = tail.wrapping_sub(self.head);
        if !tail.is_multiple_of(8) || used > self.layout.results_len as u64 {
            return Err(Broken("the end of the result ring"));
        }
        self.tail = tail;
        Ok(())
    }
}
