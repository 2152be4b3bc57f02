//! One end at a time, then both with a thread each. They run under Miri too.

use std::{collections::HashSet, thread};

use super::{super::region::Region, slot::Slot, *};
use crate::shm::layout::Layout;

const SMALL: Layout = Layout {
    slots: 4,
    slot_len: 128,
    arena_len: 2048,
    results_len: 1024,
};

fn ring() -> (CallQueue, CallTaker) {
    let region = Region::heap(SMALL);
    (CallQueue::new(&region), CallTaker::new(&region))
}

fn entry(work_id: u64) -> Entry {
    Entry {
        work_id,
        task: 7,
        attempt: 1,
        count: 1,
        timed: false,
    }
}

fn items(work_id: u64, count: u32) -> Entry {
    Entry {
        count,
        ..entry(work_id)
    }
}

fn push(queue: &mut CallQueue, work_id: u64) -> Result<(), Full> {
    queue.push(&entry(work_id), Source::Bytes(&work_id.to_le_bytes()))
}

fn take(taker: &mut CallTaker) -> Option<Claimed> {
    match taker.take().expect("the ring is sound")? {
        Taken::Call(claimed) => Some(claimed),
        Taken::RevokedStream(entry) => panic!("{entry:?} is not expected"),
    }
}

#[test]
fn calls_come_in_order_with_their_arguments() {
    let (mut queue, mut taker) = ring();
    assert!(!taker.has_some());
    assert!(take(&mut taker).is_none());
    let lens = [0, 1, 8, 63, 64, 65, 40, 3];
    for (work_id, len) in (0u64..).zip(lens.into_iter().cycle().take(50)) {
        let bytes = vec![work_id.to_le_bytes()[0]; len];
        let told = Entry {
            task: work_id << 40,
            attempt: 3,
            count: u32::MAX,
            ..entry(work_id)
        };
        assert!(queue.takes(len) == (len <= 128));
        let pushed = queue.push(&told, Source::Bytes(&bytes));
        assert_eq!(pushed, Ok(()));
        assert!(taker.has_some());
        let claimed = take(&mut taker).unwrap();
        assert_eq!(claimed.entry, told);
        assert_eq!(taker.arguments(&claimed), bytes);
        assert_eq!(taker.copy_arguments(&claimed), bytes);
        taker.release(claimed);
        queue.answered(work_id, 3, u32::MAX);
    }
}

#[test]
fn a_full_ring_says_so_until_a_call_is_answered() {
    let (mut queue, mut taker) = ring();
    for work_id in 0..4 {
        assert_eq!(queue.room(), 4 - work_id);
        push(&mut queue, work_id as u64).unwrap();
    }
    assert_eq!(push(&mut queue, 4), Err(Full));
    let claimed = take(&mut taker).unwrap();
    assert_eq!(push(&mut queue, 4), Err(Full));
    taker.release(claimed);
    assert_eq!(push(&mut queue, 4), Err(Full));
    queue.answered(0, 1, 1);
    push(&mut queue, 4).unwrap();
    assert_eq!(push(&mut queue, 5), Err(Full));
    let in_flight: Vec<u64> = queue.in_flight().collect();
    assert_eq!(in_flight, [1, 2, 3, 4]);
}

/// Calls that are asked for room only when the next ones come.
#[test]
fn all_calls_of_a_full_ring_are_answered_again_and_again() {
    let (mut queue, mut taker) = ring();
    for first in [0, 4, 8, 12] {
        let round = first..first + 4;
        for work_id in round.clone() {
            push(&mut queue, work_id).unwrap();
        }
        for work_id in round {
            let call = take(&mut taker).unwrap();
            assert_eq!(call.entry.work_id, work_id);
            taker.release(call);
            queue.answered(work_id, 1, 1);
        }
        assert_eq!(queue.in_flight().count(), 0, "after those from {first}");
    }
}

#[test]
fn a_full_arena_says_so_and_takes_no_slot() {
    let (mut queue, mut taker) = ring();
    let big = [9; 1024];
    queue.push(&entry(0), Source::Bytes(&big)).unwrap();
    queue.push(&entry(1), Source::Bytes(&big)).unwrap();
    assert_eq!(queue.push(&entry(2), Source::Bytes(&big)), Err(Full));
    push(&mut queue, 2).unwrap();
    for work_id in 0..2 {
        let claimed = take(&mut taker).unwrap();
        assert_eq!(taker.arguments(&claimed), big);
        taker.release(claimed);
        queue.answered(work_id, 1, 1);
    }
    queue.push(&entry(3), Source::Bytes(&big)).unwrap();
}

#[test]
fn a_revoked_call_is_skipped_and_its_slot_is_used_again() {
    let (mut queue, mut taker) = ring();
    for work_id in 0..4 {
        push(&mut queue, work_id).unwrap();
    }
    assert!(queue.revoke(1));
    assert!(!queue.revoke(1), "it is gone");
    assert!(!queue.revoke(9), "it never was");
    assert!(queue.revoke(3));
    assert_eq!(queue.room(), 0);
    for expected in [0, 2] {
        let claimed = take(&mut taker).unwrap();
        assert_eq!(claimed.entry.work_id, expected);
        assert!(!queue.revoke(expected), "it runs");
        assert_eq!(queue.started(expected), Some(Started::Yes { since: None }));
        taker.release(claimed);
        queue.answered(expected, 1, 1);
    }
    assert_eq!(queue.room(), 3, "the last one is not passed yet");
    assert!(taker.has_some());
    assert!(take(&mut taker).is_none());
    assert_eq!(queue.room(), 4);
    push(&mut queue, 5).unwrap();
    assert_eq!(take(&mut taker).unwrap().entry.work_id, 5);
}

#[test]
fn a_revoked_call_whose_arguments_come_by_the_socket_is_reported() {
    let (mut queue, mut taker) = ring();
    queue.push(&entry(1), Source::Stream).unwrap();
    queue.push(&entry(2), Source::Stream).unwrap();
    assert!(queue.revoke(1));
    let taken = taker.take().unwrap();
    assert!(matches!(taken, Some(Taken::RevokedStream(entry)) if entry.work_id == 1));
    let claimed = take(&mut taker).unwrap();
    assert_eq!(claimed.place, Place::Stream);
    assert_eq!(taker.arguments(&claimed), b"");
}

#[test]
fn a_timed_call_says_when_it_started() {
    let (mut queue, mut taker) = ring();
    let timed = |work_id| Entry {
        timed: true,
        ..entry(work_id)
    };
    for work_id in 0..9 {
        queue.push(&timed(work_id), Source::Bytes(&[])).unwrap();
        assert_eq!(queue.started(work_id), Some(Started::No));
        let claimed = take(&mut taker).unwrap();
        assert!(claimed.entry.timed);
        assert_eq!(queue.started(work_id), Some(Started::Yes { since: None }));
        taker.set_started_at(&claimed, 100 + work_id);
        let since = Some(100 + work_id);
        assert_eq!(queue.started(work_id), Some(Started::Yes { since }));
        taker.release(claimed);
        queue.answered(work_id, 1, 1);
        assert_eq!(queue.started(work_id), None);
    }
}

#[test]
fn items_are_claimed_until_they_are_taken_back() {
    let (mut queue, mut taker) = ring();
    queue.push(&items(1, 100), Source::Bytes(&[])).unwrap();
    let claimed = take(&mut taker).unwrap();
    assert_eq!(taker.claim_items(&claimed, 1), Some(0..1));
    assert_eq!(taker.claim_items(&claimed, 9), Some(1..10));
    assert_eq!(queue.take_back(1, 50), Some(60..100));
    assert_eq!(queue.take_back(1, 50), None);
    assert_eq!(queue.answered(1, 1, 10), None);
    assert_eq!(taker.claim_items(&claimed, u32::MAX), Some(10..60));
    assert_eq!(queue.take_back(1, 0), None);
    assert_eq!(taker.claim_items(&claimed, 1), None);
    taker.set_spent(&claimed, 5);
    taker.release(claimed);
    assert_eq!(queue.answered(1, 1, 50), Some(5));
    assert_eq!(queue.room(), 4);
}

#[test]
fn a_slot_is_not_free_while_the_worker_is_at_a_call_that_was_cut_short() {
    let (mut queue, mut taker) = ring();
    queue.push(&items(1, 4), Source::Bytes(&[])).unwrap();
    let claimed = take(&mut taker).unwrap();
    assert_eq!(taker.claim_items(&claimed, 2), Some(0..2));
    queue.answered(1, 1, 2);
    assert_eq!(queue.take_back(1, 0), Some(2..4));
    assert_eq!(queue.in_flight().count(), 0);
    assert_eq!(queue.room(), 3);
    assert_eq!(taker.claim_items(&claimed, 2), None);
    taker.release(claimed);
    assert_eq!(queue.room(), 4);
}

/// LINK-2, in the other direction: a worker doesn't run garbage.
#[test]
fn garbage_is_no_call() {
    let region = Region::heap(SMALL);
    let mut taker = CallTaker::new(&region);
    let slot = Slot::new(&region.memory, &region.layout, 0);
    let at = region.layout.slot(0);
    for (word, value) in [
        (24, 0),
        (32, 9),
        (32, 1 << 40),
        (32, 1 | 5 << 32),
        (48, u64::MAX),
    ] {
        slot.write(&entry(1), 1, 8);
        region
            .memory
            .word(at + 48)
            .store(2044, std::sync::atomic::Ordering::Relaxed);
        region
            .memory
            .word(at + word)
            .store(value, std::sync::atomic::Ordering::Relaxed);
        assert!(slot.read().is_none(), "{value} at {word}");
    }
    slot.set(slot::State::Queued);
    assert!(taker.take().is_err());
}

/// Each call is either run or taken back, and never both.
#[test]
fn a_claim_and_a_revocation_have_one_winner() {
    const CALLS: u64 = if cfg!(miri) { 10 } else { 20_000 };

    let (mut queue, mut taker) = ring();
    let worker = thread::spawn(move || {
        let mut ran = Vec::new();
        loop {
            let Some(claimed) = take(&mut taker) else {
                thread::yield_now();
                continue;
            };
            let work_id = claimed.entry.work_id;
            assert_eq!(taker.arguments(&claimed), work_id.to_le_bytes());
            taker.release(claimed);
            if work_id == u64::MAX {
                return ran;
            }
            ran.push(work_id);
        }
    });
    let mut revoked = HashSet::new();
    let mut unanswered = Vec::new();
    let mut pushed = 0..CALLS;
    let mut next = pushed.next();
    while let Some(work_id) = next {
        if push(&mut queue, work_id).is_ok() {
            unanswered.push(work_id);
            next = pushed.next();
        } else {
            wait_for(&worker);
        }
        // What the results would say.
        for work_id in std::mem::take(&mut unanswered) {
            if work_id % 3 == 0 && queue.revoke(work_id) {
                revoked.insert(work_id);
            } else if unanswered.is_empty()
                && Slot::new(&queue_memory(&queue), &SMALL, work_id).is_passed()
            {
                // In order, as the worker answers.
                queue.answered(work_id, 1, 1);
            } else {
                unanswered.push(work_id);
            }
        }
    }
    while push(&mut queue, u64::MAX).is_err() {
        wait_for(&worker);
        for work_id in unanswered.drain(..) {
            while !Slot::new(&queue_memory(&queue), &SMALL, work_id).is_passed() {
                wait_for(&worker);
            }
            queue.answered(work_id, 1, 1);
        }
    }
    let ran = worker.join().unwrap();
    assert!(ran.is_sorted());
    assert!(ran.iter().all(|work_id| !revoked.contains(work_id)));
    assert_eq!(ran.len() + revoked.len(), usize::try_from(CALLS).unwrap());
}

/// Lets a thread go on that must not have failed.
fn wait_for<T>(thread: &thread::JoinHandle<T>) {
    assert!(!thread.is_finished(), "the worker has panicked");
    thread::yield_now();
}

fn queue_memory(queue: &CallQueue) -> std::sync::Arc<crate::shm::memory::Memory> {
    queue.memory()
}
