//! One end at a time, then both with a thread each. They run under Miri too.

use std::{
    sync::atomic::Ordering::{Relaxed, Release},
    thread,
};

use proptest::{collection::vec, prelude::*};

use super::{super::region::Region, record::HEAD_LEN, *};
use crate::shm::layout::{Layout, RESULTS_OPEN, RESULTS_TAIL};

const SMALL: Layout = Layout {
    slots: 4,
    slot_len: 128,
    arena_len: 1024,
    results_len: 4096,
};

fn ring() -> (Region, ResultWriter, ResultReader) {
    let region = Region::heap(SMALL);
    let (writer, reader) = (ResultWriter::new(&region), ResultReader::new(&region));
    (region, writer, reader)
}

fn head(work_id: u64, index: u32) -> RecordHead {
    RecordHead {
        kind: 3,
        work_id,
        attempt: 2,
        index,
    }
}

fn record(work_id: u64, index: u32, count: u32, bytes: &[u8]) -> Record {
    Record {
        head: head(work_id, index),
        count,
        bytes: bytes.to_vec().into(),
    }
}

fn take_all(reader: &mut ResultReader) -> Vec<Record> {
    std::iter::from_fn(|| reader.next().expect("the ring is sound")).collect()
}

#[test]
fn records_are_seen_when_they_are_published_and_not_before() {
    let (_, mut writer, mut reader) = ring();
    assert!(!reader.has_some().unwrap());
    writer.stage(head(1, 0), b"one").unwrap();
    writer.stage(head(2, 0), b"").unwrap();
    assert!(!reader.has_some().unwrap());
    assert_eq!(reader.next().unwrap(), None);
    writer.publish();
    writer.stage(head(3, 0), b"three").unwrap();
    assert!(reader.has_some().unwrap());
    let published = [record(1, 0, 1, b"one"), record(2, 0, 1, b"")];
    assert_eq!(take_all(&mut reader), published);
    assert!(reader.give_back());
    assert!(!reader.give_back());
}

#[test]
fn a_full_ring_makes_the_writer_wait_for_the_reader() {
    let (_, mut writer, mut reader) = ring();
    assert!(writer.takes(232) && !writer.takes(233));
    let mut count = 0;
    while writer.stage(head(count, 0), &[7; 100]).is_ok() {
        count += 1;
    }
    assert_eq!(count, 4096 / 128);
    writer.publish();
    assert!(!writer.is_drained());
    assert_eq!(take_all(&mut reader).len(), 32);
    assert_eq!(writer.stage(head(0, 0), b""), Err(NoRoom), "not given back");
    reader.give_back();
    assert!(writer.is_drained());
    writer.stage(head(0, 0), b"").unwrap();
}

#[test]
fn results_of_one_call_share_a_record() {
    let (_, mut writer, mut reader) = ring();
    writer.stage(head(1, 0), b"x").unwrap();
    for index in 0..5 {
        writer
            .add(head(2, index), [&index.to_le_bytes(), b""])
            .unwrap();
    }
    writer.stage(head(3, 0), b"y").unwrap();
    writer.publish();
    let shared: Vec<u8> = (0u32..5).flat_map(u32::to_le_bytes).collect();
    let expected = [
        record(1, 0, 1, b"x"),
        record(2, 0, 5, &shared),
        record(3, 0, 1, b"y"),
    ];
    assert_eq!(take_all(&mut reader), expected);
}

#[test]
fn a_record_that_gets_too_long_is_closed_and_the_next_one_goes_on() {
    let (_, mut writer, mut reader) = ring();
    let mut bytes = Vec::new();
    for index in 0..1000u32 {
        let item = index.to_le_bytes();
        while writer.add(head(1, index), [&item, b""]).is_err() {
            writer.publish();
            for record in take_all(&mut reader) {
                assert_eq!(record.head.index as usize, bytes.len() / 4);
                assert_eq!(record.bytes.len(), record.count as usize * 4);
                bytes.extend(record.bytes.into_bytes());
            }
            reader.give_back();
        }
    }
    writer.publish();
    bytes.extend(
        take_all(&mut reader)
            .into_iter()
            .flat_map(|record| record.bytes.into_bytes()),
    );
    assert!(bytes == (0u32..1000).flat_map(u32::to_le_bytes).collect::<Vec<u8>>());
}

#[test]
fn what_is_in_an_open_record_can_be_taken_and_comes_only_once() {
    let (_, mut writer, mut reader) = ring();
    writer.stage(head(1, 0), b"before").unwrap();
    writer.add(head(2, 0), [b"ab", b""]).unwrap();
    assert_eq!(reader.take_open().unwrap(), None, "take the others first");
    assert_eq!(take_all(&mut reader), [record(1, 0, 1, b"before")]);
    assert_eq!(reader.take_open().unwrap(), Some(record(2, 0, 1, b"ab")));
    assert_eq!(reader.take_open().unwrap(), None);
    writer.add(head(2, 1), [b"cd", b""]).unwrap();
    writer.add(head(2, 2), [b"ef", b""]).unwrap();
    assert_eq!(reader.take_open().unwrap(), Some(record(2, 1, 2, b"cdef")));
    writer.add(head(2, 3), [b"gh", b""]).unwrap();
    writer.publish();
    assert_eq!(take_all(&mut reader), [record(2, 3, 1, b"gh")]);
    assert_eq!(reader.take_open().unwrap(), None);

    // All of it early: nothing is left of the record.
    writer.add(head(3, 0), [b"", b""]).unwrap();
    assert_eq!(reader.take_open().unwrap(), Some(record(3, 0, 1, b"")));
    writer.publish();
    writer.stage(head(4, 0), b"after").unwrap();
    writer.publish();
    assert_eq!(take_all(&mut reader), [record(4, 0, 1, b"after")]);
}

#[test]
fn results_in_their_places_are_there_as_soon_as_they_are_put() {
    let (_, mut writer, mut reader) = ring();
    let mut places = writer.places(head(1, 5), 4).unwrap();
    // The longest record, without its head.
    assert_eq!(places.room(), (4096 / 16 - 24) / 4);
    places.put(b"abcd");
    places.put(b"efgh");
    // A death here would leave these two.
    let early = reader.take_open().unwrap();
    assert_eq!(early, Some(record(1, 5, 2, b"abcdefgh")));
    places.put(b"ijkl");
    writer.placed(3, 4);
    // The record goes on, and its other results may come the other way.
    writer.add(head(1, 8), [b"mn", b"op"]).unwrap();
    let mut places = writer.places(head(1, 9), 4).unwrap();
    places.put(b"qrst");
    writer.placed(1, 4);
    writer.publish();
    assert_eq!(take_all(&mut reader), [record(1, 7, 3, b"ijklmnopqrst")]);
    assert_eq!(reader.take_open().unwrap(), None);
}

#[test]
fn places_are_never_more_than_a_record_has_room_for() {
    let (_, mut writer, mut reader) = ring();
    let mut index = 0;
    let mut taken = 0;
    while index < 2000 {
        match writer.places(head(1, index), 8) {
            Ok(mut places) => {
                let room = places.room();
                assert!(room > 0);
                for put in index..index + room {
                    places.put(&u64::from(put).to_le_bytes());
                }
                writer.placed(room, 8);
                index += room;
            }
            Err(NoRoom) => {
                writer.publish();
                for record in take_all(&mut reader) {
                    assert_eq!(record.head.index, taken);
                    let bytes = (taken..taken + record.count).map(u64::from);
                    let bytes: Vec<u8> = bytes.flat_map(u64::to_le_bytes).collect();
                    assert_eq!(record.bytes.bytes(), bytes);
                    taken += record.count;
                }
                reader.give_back();
            }
        }
    }
    assert!(taken > 1900);
}

/// LINK-2.
#[test]
fn a_worker_that_writes_garbage_is_found_out() {
    let broken = |word: usize, value: u64| {
        let (region, mut writer, mut reader) = ring();
        writer.stage(head(1, 0), b"12345678").unwrap();
        writer.publish();
        region.memory.word(word).store(value, Relaxed);
        let result = reader.next();
        assert!(result.is_err(), "{value:#x} at {word}: {result:?}");
    };
    let record = SMALL.results();
    for tail in [1, 4096 + 8, u64::MAX, 8, 24] {
        broken(RESULTS_TAIL, tail);
    }
    // Too long, nothing in it, pads that don't end where the ring does.
    for measure in [
        (9 << 32) | 0x103,
        u64::MAX,
        8 << 32 | 3,
        24 << 32,
        0,
        4088 << 32,
    ] {
        broken(record, measure);
    }
    // An open record that is longer than the ring.
    let (region, _, mut reader) = ring();
    let noted = u64::from(u32::MAX);
    region.memory.word(RESULTS_OPEN).store(noted, Relaxed);
    assert!(reader.take_open().is_err());
}

/// Nobody believes a length only because it was right before.
#[test]
fn a_worker_that_shortens_a_record_is_found_out() {
    let (region, mut writer, mut reader) = ring();
    writer.add(head(1, 0), [b"12345678", b""]).unwrap();
    writer.add(head(1, 1), [b"12345678", b""]).unwrap();
    assert_eq!(reader.take_open().unwrap().unwrap().count, 2);
    writer.publish();
    let shorter = 8 << 32 | 1 << 8 | 3;
    region.memory.word(SMALL.results()).store(shorter, Release);
    assert!(reader.next().is_err());
}

#[test]
fn a_drained_ring_is_used_from_the_front_again() {
    let region = Region::heap(Layout {
        results_len: 1 << 20,
        ..SMALL
    });
    let (mut writer, mut reader) = (ResultWriter::new(&region), ResultReader::new(&region));
    let rounds = if cfg!(miri) { 40 } else { 2_000 };
    for work_id in 0..rounds {
        writer.stage(head(work_id, 0), &[1; 1000]).unwrap();
        writer.publish();
        assert_eq!(take_all(&mut reader), [record(work_id, 0, 1, &[1; 1000])]);
        reader.give_back();
    }
    let untouched = region.layout.results() + (40 << 10) + HEAD_LEN;
    let mut bytes = Vec::new();
    let rest = region.memory.len() - untouched;
    region.memory.append_to(
        &mut bytes,
        untouched,
        rest.min(if cfg!(miri) { 1 << 10 } else { 100 << 10 }),
    );
    assert!(bytes.iter().all(|byte| *byte == 0));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 2 } else { 128 }))]

    /// Both ends with a thread each, single and shared records of all sizes.
    #[test]
    fn everything_arrives_once_and_in_order(
        sizes in vec((0..200usize, any::<bool>()), 1..if cfg!(miri) { 12 } else { 600 }),
    ) {
        let (_, mut writer, mut reader) = ring();
        let sent = sizes.clone();
        let thread = thread::spawn(move || {
            for (index, (len, shared)) in (0u32..).zip(sent) {
                let bytes = vec![index.to_le_bytes()[0]; len];
                // A record of one kind can't go on with the other.
                let head = RecordHead { kind: 3 + u8::from(shared), ..head(9, index) };
                loop {
                    let written = match shared {
                        true => writer.add(head, [&bytes, b""]),
                        false => writer.stage(head, &bytes),
                    };
                    if written.is_ok() {
                        break;
                    }
                    writer.publish();
                    thread::yield_now();
                }
                if index % 5 == 0 {
                    writer.publish();
                }
            }
            writer.publish();
        });
        let mut index = 0;
        while index < sizes.len() {
            let record = match reader.next().unwrap() {
                Some(record) => record,
                None => match reader.take_open().unwrap() {
                    Some(record) => record,
                    None => {
                        reader.give_back();
                        thread::yield_now();
                        continue;
                    }
                },
            };
            prop_assert_eq!(record.head.index as usize, index);
            let items = &sizes[index..index + record.count as usize];
            let expected: Vec<u8> = items
                .iter()
                .zip(index..)
                .flat_map(|((len, _), index)| vec![index.to_le_bytes()[0]; *len])
                .collect();
            prop_assert_eq!(record.bytes.bytes(), &expected);
            index += record.count as usize;
        }
        thread.join().unwrap();
    }
}
