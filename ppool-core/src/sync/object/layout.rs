//! Where what lies in the memory of an object.

use std::mem::size_of;

/// "ppsync" and the version of what this module and the algorithms describe.
pub(crate) const MAGIC_VALUE: u64 = u64::from_le_bytes(*b"ppsync\0\x01");

/// [`MAGIC_VALUE`].
pub(crate) const MAGIC: usize = 0;
/// Which kind of object it is.
pub(crate) const KIND: usize = 8;
/// A number of the kind's, which never changes.
pub(crate) const PARAMETER: usize = 16;
/// What the data are, as a number; zero without data.
pub(crate) const DATA_TYPE: usize = 24;

/// How often a seat was taken.
pub(crate) const SEATS_EPOCH: usize = 64;
/// How many seats were ever taken.
pub(crate) const SEATS_HIGH: usize = 72;

/// The object's own word (of an object with a lock inside: the lock), and where threads wait for it;
/// all of them in one cache line.
pub(crate) const WORD: usize = 128;
/// A parking has two words: the sequence and who waits.
pub(crate) const PARKING: usize = 136;

/// Further parkings, for objects that are waited for in several ways.
pub(crate) const PARKINGS: [usize; 5] = [PARKING, 256, 320, 384, 448];

/// The lock of a queue's producers, beside where they wait for it: the second parking.
pub(crate) const PUT_LOCK: usize = 256 + 16;
/// The lock of its consumers, beside the third.
pub(crate) const GET_LOCK: usize = 320 + 16;
/// Where producers stand: two copies of five words, and their version.
pub(crate) const QUEUE_TAIL: usize = 512;
/// Where consumers stand: two copies of three words, and their version.
pub(crate) const QUEUE_HEAD: usize = 640;
/// How long the ring of a queue is, which is its data.
pub(crate) const RING_LEN: usize = 256 << 10;
/// Where the part of a queue's memory begins that is not mapped.
pub(crate) const FILE: u64 = (DATA + RING_LEN) as u64;

/// The seats, of two words each: who sits there, and the record of the kind.
pub(crate) const SEATS: usize = 4096;
/// How many bytes a seat has.
pub(crate) const SEAT_LEN: usize = 2 * size_of::<u64>();
/// How many there are: as many processes can have a handle at a time.
pub(crate) const SEAT_COUNT: u16 = 3840;

/// Where data of the kind's own begins; also the length of an object without.
pub(crate) const DATA: usize = 65536;

const _: () = assert!(SEATS + SEAT_LEN * SEAT_COUNT as usize == DATA);
