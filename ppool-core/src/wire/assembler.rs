//! Messages out of a stream of bytes, however it was cut.

use std::marker::PhantomData;

use super::{
    Message, WireError,
    head::{HEADER_LEN, Header, MAX_FIXED_LEN},
};

/// How much room a tail gets before its first byte is there; then as much again as has come.
const FIRST_ROOM: usize = 64 << 10;

/// Puts messages together from whatever pieces of the stream it is given.
///
/// The start of a message is collected in place. A tail gets a buffer of its own, which a reader may
/// fill directly (see [`Assembler::body`]) so that a large one is copied only once.
#[derive(Debug)]
pub struct Assembler<M> {
    /// The header and the fixed part, as far as they are there.
    head: [u8; HEADER_LEN + MAX_FIXED_LEN],
    head_len: usize,
    /// What the header said, once it is there.
    frame: Option<Outline>,
    tail: Vec<u8>,
    message: PhantomData<fn() -> M>,
}

/// What is known of a message once its header is there.
#[derive(Clone, Copy, Debug)]
struct Outline {
    kind: u8,
    descriptors: u8,
    fixed_len: usize,
    tail_len: usize,
}

/// A whole message, and how many descriptors belong to it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Frame<M> {
    /// The message.
    pub message: M,
    /// How many descriptors were sent with it.
    pub descriptors: u8,
}

/// The tail that is being received.
#[derive(Debug)]
pub struct Body<'a> {
    /// Where it goes: append here, at most as much as is missing. There is some spare room.
    pub bytes: &'a mut Vec<u8>,
    /// How many bytes are missing; at least one.
    pub missing: usize,
}

impl<M: Message> Assembler<M> {
    /// One that is at the start of a stream.
    #[must_use]
    pub fn new() -> Self {
        Assembler {
            head: [0; HEADER_LEN + MAX_FIXED_LEN],
            head_len: 0,
            frame: None,
            tail: Vec::new(),
            message: PhantomData,
        }
    }

    /// Takes bytes off the front of `input` until a message is whole or none are left. `None` means
    /// that it took all and the message under way, if there is one, lacks some.
    ///
    /// # Errors
    /// When they are no message. The stream is of no use after that.
    pub fn take(&mut self, input: &mut &[u8]) -> Result<Option<Frame<M>>, WireError> {
        if !self.take_head(input, HEADER_LEN) {
            return Ok(None);
        }
        let outline = self.outline()?;
        if !self.take_head(input, HEADER_LEN + outline.fixed_len) {
            return Ok(None);
        }
        let missing = outline.tail_len - self.tail.len();
        let (taken, rest) = input.split_at(missing.min(input.len()));
        if !taken.is_empty() {
            self.reserve(taken.len(), missing);
            self.tail.extend_from_slice(taken);
            *input = rest;
        }
        if taken.len() < missing {
            return Ok(None);
        }
        self.finish(outline).map(Some)
    }

    /// The tail under way, for a reader that can fill it directly. Call [`Assembler::take`]
    /// afterwards, be it with nothing, to see whether the message is whole.
    pub fn body(&mut self) -> Option<Body<'_>> {
        let outline = self.frame?;
        let missing = outline.tail_len - self.tail.len();
        if self.head_len < HEADER_LEN + outline.fixed_len || missing == 0 {
            return None;
        }
        self.reserve(1, missing);
        Some(Body {
            bytes: &mut self.tail,
            missing,
        })
    }

    /// Whether the stream may end here: no message is under way.
    #[must_use]
    pub fn is_between_messages(&self) -> bool {
        self.head_len == 0
    }

    /// Collects the first `len` bytes of a message; whether they are there.
    fn take_head(&mut self, input: &mut &[u8], len: usize) -> bool {
        let missing = len.saturating_sub(self.head_len);
        let (taken, rest) = input.split_at(missing.min(input.len()));
        self.head[self.head_len..self.head_len + taken.len()].copy_from_slice(taken);
        self.head_len += taken.len();
        *input = rest;
        taken.len() == missing
    }

    /// What the header says, checked, once it is there.
    fn outline(&mut self) -> Result<Outline, WireError> {
        if let Some(outline) = self.frame {
            return Ok(outline);
        }
        let header = self
            .head
            .first_chunk()
            .expect("the head is longer than a header");
        let Header {
            length,
            kind,
            descriptors,
        } = Header::parse(*header)?;
        let shape = M::shape(kind)?;
        let outline = length
            .checked_sub(shape.fixed as u64)
            .filter(|tail_len| *tail_len <= shape.max_tail)
            .and_then(|tail_len| usize::try_from(tail_len).ok())
            .map(|tail_len| Outline {
                kind,
                descriptors,
                fixed_len: shape.fixed,
                tail_len,
            })
            .ok_or(WireError::Length { kind, length })?;
        self.frame = Some(outline);
        Ok(outline)
    }

    /// Makes room for `wanted` bytes and some more of what is missing: never much more than has
    /// arrived (LINK-2), and in the end exactly enough.
    fn reserve(&mut self, wanted: usize, missing: usize) {
        if self.tail.capacity() - self.tail.len() < wanted {
            let room = self.tail.len().max(FIRST_ROOM).max(wanted);
            self.tail.reserve_exact(room.min(missing));
        }
    }

    fn finish(&mut self, outline: Outline) -> Result<Frame<M>, WireError> {
        let tail = std::mem::take(&mut self.tail);
        let fixed = &self.head[HEADER_LEN..HEADER_LEN + outline.fixed_len];
        let message = M::decode(outline.kind, fixed, tail)?;
        self.head_len = 0;
        self.frame = None;
        Ok(Frame {
            message,
            descriptors: outline.descriptors,
        })
    }
}

impl<M: Message> Default for Assembler<M> {
    fn default() -> Self {
        Assembler::new()
    }
}
