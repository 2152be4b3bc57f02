//! The worker's end of the result ring.

use std::sync::Arc;

#[cfg(not(loom))]
use crate::codec::Places;

use super::{
    super::{
        atomic::Ordering::{Acquire, Release},
        layout::{Layout, RESULTS_HEAD, RESULTS_OPEN, RESULTS_TAIL, wrapped},
        memory::Memory,
        region::Region,
    },
    record::{HEAD_LEN, Measure, OpenRecord, PAD, RecordHead, room_for},
};

/// After how many bytes the writer looks whether it can begin at the front again.
const LAP: usize = 32 << 10;

/// Writes results into one ring.
#[derive(Debug)]
pub(crate) struct ResultWriter {
    memory: Arc<Memory>,
    layout: Layout,
    /// Up to where the parent may read: what `RESULTS_TAIL` says.
    tail: u64,
    /// Up to where records are written.
    staged: u64,
    /// Up to where the parent has read, when the writer last looked.
    head: u64,
    /// The record that results are being added to; it begins at `staged`.
    open: Option<Open>,
}

#[derive(Clone, Copy, Debug)]
struct Open {
    kind: u8,
    count: u32,
    len: usize,
    /// How long it may get, so that it is neither too long, nor broken by the ring's end, nor longer
    /// than what is free.
    limit: usize,
    /// Where its bytes begin.
    at: usize,
}

/// There is no room in the ring until the parent has taken some results.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct NoRoom;

impl ResultWriter {
    pub(crate) fn new(region: &Region) -> Self {
        ResultWriter {
            memory: region.memory.clone(),
            layout: region.layout,
            tail: 0,
            staged: 0,
            head: 0,
            open: None,
        }
    }

    /// Whether a record of this many bytes can go through the ring.
    #[inline]
    pub(crate) fn takes(&self, len: usize) -> bool {
        room_for(len) <= self.layout.max_record()
    }

    /// Writes a record of one result; [`ResultWriter::publish`] shows it to the parent.
    ///
    /// # Errors
    /// When there is no room for it now. Publish what is staged, then wait.
    #[inline]
    pub(crate) fn stage(&mut self, head: RecordHead, bytes: &[u8]) -> Result<(), NoRoom> {
        self.close();
        let at = self.make_room(bytes.len())?;
        head.write(&self.memory, at);
        self.memory.write(at + HEAD_LEN, bytes);
        self.end_record(Measure {
            kind: head.kind,
            count: 1,
            len: bytes.len(),
        });
        Ok(())
    }

    /// Adds a result, in two parts, to the open record, or opens one with it. The results of a record are of
    /// consecutive items of one call, and of one kind; `head` is that of the first.
    ///
    /// # Errors
    /// When there is no room for it now, or the record would get too long: then the record is closed.
    /// Publish what is staged, and wait if there is still no room.
    #[inline]
    pub(crate) fn add(&mut self, head: RecordHead, parts: [&[u8]; 2]) -> Result<(), NoRoom> {
        let added = parts.iter().map(|part| part.len()).sum();
        let _ = self.open(head, added)?;
        self.append(parts);
        Ok(())
    }

    /// The open record, with room for a result of `len` bytes.
    #[inline]
    fn open(&mut self, head: RecordHead, len: usize) -> Result<&mut Open, NoRoom> {
        if self.open.is_none() {
            self.begin(head, len)?;
        }
        match &self.open {
            Some(open) if len <= open.limit - open.len => {}
            _ => {
                self.close();
                return Err(NoRoom);
            }
        }
        self.open.as_mut().ok_or(NoRoom)
    }

    /// The places of the next results, of `each` bytes, in the open record: at least one. Which of
    /// them were used is to be [told](ResultWriter::placed).
    ///
    /// # Errors
    /// As [`ResultWriter::add`].
    #[cfg(not(loom))]
    #[inline]
    pub(crate) fn places(&mut self, head: RecordHead, each: usize) -> Result<Places<'_>, NoRoom> {
        let Open {
            count,
            len,
            limit,
            at,
            ..
        } = *self.open(head, each)?;
        let noted = OpenRecord { count, len }.pack(self.tail);
        Ok(Places::new(
            self.memory.words(at, limit),
            len,
            each,
            self.memory.word(RESULTS_OPEN),
            (noted, OpenRecord::step(each)),
        ))
    }

    /// So many results of `each` bytes were put into their places.
    #[cfg(not(loom))]
    pub(crate) fn placed(&mut self, count: u32, each: usize) {
        if let Some(open) = &mut self.open {
            open.count += count;
            open.len += count as usize * each;
        }
    }

    /// Adds a result, in two parts, to the record that was opened with room for it.
    #[inline]
    fn append(&mut self, parts: [&[u8]; 2]) {
        let [first, second] = parts;
        let Some(open) = &mut self.open else {
            return;
        };
        let end = open.at + open.len;
        open.len += first.len() + second.len();
        open.count += 1;
        self.memory.write(end, first);
        self.memory.write(end + first.len(), second);
        // Release: pairs with `take_open`, which sees the bytes then.
        let noted = OpenRecord {
            count: open.count,
            len: open.len,
        };
        let noted = noted.pack(self.tail);
        self.memory.word(RESULTS_OPEN).store(noted, Release);
    }

    /// Shows everything that was written to the parent. The parent must be told when it sleeps (see
    /// [`super::super::bell`]).
    #[inline]
    pub(crate) fn publish(&mut self) {
        let was_open = self.open.is_some();
        self.close();
        if self.tail != self.staged {
            self.tail = self.staged;
            // Release: pairs with the load in `ResultReader`, which sees the records then.
            self.memory.word(RESULTS_TAIL).store(self.tail, Release);
        }
        if was_open {
            // After `tail` has moved, which the note belongs to; so that it isn't taken for one of a
            // later lap.
            self.memory.word(RESULTS_OPEN).store(0, Release);
        }
    }

    /// Whether all of the ring has been taken: then a record has room for sure.
    pub(crate) fn is_drained(&mut self) -> bool {
        self.look();
        self.head == self.staged
    }

    /// Ends the open record, if there is one.
    #[inline]
    fn close(&mut self) {
        if let Some(Open {
            kind, count, len, ..
        }) = self.open.take()
            && count > 0
        {
            self.end_record(Measure { kind, count, len });
        }
    }

    /// Begins a record with room for a result of `len` bytes, and for more if there is.
    #[cold]
    fn begin(&mut self, head: RecordHead, len: usize) -> Result<(), NoRoom> {
        // What is noted of an open record counts only right behind `tail`.
        self.publish();
        let at = self.make_room(len)?;
        // What a pad has skipped must not lie between `tail` and the open record.
        self.publish();
        head.write(&self.memory, at);
        // The kind, should it be read before the record is closed.
        Measure {
            kind: head.kind,
            count: 0,
            len: 0,
        }
        .write(&self.memory, at);
        self.look();
        let whole = self.layout.results_len;
        let behind = whole - wrapped(self.staged, whole);
        let used = usize::try_from(self.staged - self.head).unwrap_or(whole);
        let room = self.layout.max_record().min(behind).min(whole - used);
        self.open = Some(Open {
            kind: head.kind,
            count: 0,
            len: 0,
            // All of these are multiples of 8, and so is what is left.
            limit: room - HEAD_LEN,
            at: at + HEAD_LEN,
        });
        Ok(())
    }

    /// Where a record of `len` bytes begins; pads the ring's end when it doesn't fit there.
    #[inline]
    fn make_room(&mut self, len: usize) -> Result<usize, NoRoom> {
        let whole = self.layout.results_len;
        let mut offset = wrapped(self.staged, whole);
        let room = room_for(len);
        let skipped = whole - offset;
        let may_begin_anew = offset % LAP + room >= LAP && room <= offset;
        if offset + room > whole || may_begin_anew && self.is_drained() {
            if !self.has_room(skipped + room) {
                return Err(NoRoom);
            }
            Measure {
                kind: PAD,
                count: 0,
                len: skipped - 8,
            }
            .write(&self.memory, self.layout.results() + offset);
            self.staged += skipped as u64;
            offset = 0;
        } else if !self.has_room(room) {
            return Err(NoRoom);
        }
        Ok(self.layout.results() + offset)
    }

    #[inline]
    fn end_record(&mut self, measure: Measure) {
        let at = self.layout.results() + wrapped(self.staged, self.layout.results_len);
        measure.write(&self.memory, at);
        self.staged += room_for(measure.len) as u64;
    }

    /// Whether this much is free behind what is staged.
    #[inline]
    fn has_room(&mut self, room: usize) -> bool {
        let whole = self.layout.results_len as u64;
        let end = self.staged + room as u64;
        if end - self.head > whole {
            self.look();
        }
        end - self.head <= whole
    }

    /// Looks how much the parent has taken.
    fn look(&mut self) {
        // Acquire: pairs with the store in `ResultReader::give_back`; the bytes before it have been
        // copied out.
        let head = self.memory.word(RESULTS_HEAD).load(Acquire);
        // A parent's position that can't be is not believed, so that nothing overflows here.
        if (self.head..=self.staged).contains(&head) {
            self.head = head;
        }
    }
}
