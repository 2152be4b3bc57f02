//! Model checks: loom runs these with every order in which the threads could see each other's
//! writes (up to a bound on how often a thread is interrupted), and reports bytes that two threads
//! touch without taking turns, and threads that sleep for ever.
//!
//! `RUSTFLAGS="--cfg loom" cargo test --release -p ppool-core --lib shm::models`

use loom::{
    model::Builder,
    sync::{Arc, Condvar, Mutex},
    thread,
};

use super::{
    Region,
    bell::Bell,
    call_ring::{CallQueue, CallTaker, Claimed, Entry, Source, Taken},
    layout::Layout,
    result_ring::{RecordHead, ResultReader, ResultWriter},
};

const TINY: Layout = Layout {
    slots: 2,
    slot_len: 128,
    arena_len: 64,
    results_len: 64,
};

fn check(model: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(model);
}

/// What a side sleeps on, in place of the kernel's futex or poll: it doesn't sleep when it was
/// rung since it announced itself.
#[derive(Debug, Default)]
struct Bed {
    rung: Mutex<()>,
    changed: Condvar,
}

impl Bed {
    fn sleep(&self, bell: Bell<'_>) {
        let mut rung = self.rung.lock().unwrap();
        while bell.is_announced() {
            rung = self.changed.wait(rung).unwrap();
        }
    }

    fn wake(&self) {
        let _rung = self.rung.lock().unwrap();
        self.changed.notify_all();
    }
}

fn entry(work_id: u64, count: u32) -> Entry {
    Entry {
        work_id,
        task: 7,
        attempt: 1,
        count,
        timed: false,
    }
}

fn push(queue: &mut CallQueue, work_id: u64) -> bool {
    let arguments = Source::Bytes(&work_id.to_le_bytes()[..2]);
    queue.push(&entry(work_id, 1), arguments).is_ok()
}

fn take(taker: &mut CallTaker) -> Option<Claimed> {
    match taker.take().unwrap()? {
        Taken::Call(claimed) => Some(claimed),
        Taken::RevokedStream(_) => unreachable!("no call is in a stream here"),
    }
}

fn run(taker: &CallTaker, claimed: Claimed) -> u64 {
    let work_id = claimed.entry.work_id;
    let arguments = taker.copy_arguments(&claimed);
    assert_eq!(arguments, work_id.to_le_bytes()[..2]);
    taker.release(claimed);
    work_id
}

fn head(work_id: u64, index: u32) -> RecordHead {
    RecordHead {
        kind: 1,
        work_id,
        attempt: 1,
        index,
    }
}

/// A call is run, or was taken back; one of the two, and with its own arguments.
#[test]
fn a_claim_and_a_revocation_have_one_winner() {
    check(|| {
        let region = Region::heap(TINY);
        let (mut queue, mut taker) = (CallQueue::new(&region), CallTaker::new(&region));
        assert!(push(&mut queue, 1) && push(&mut queue, 2));
        let worker = thread::spawn(move || {
            let mut ran = Vec::new();
            while let Some(claimed) = take(&mut taker) {
                ran.push(run(&taker, claimed));
            }
            ran
        });
        let revoked = queue.revoke(1);
        let ran = worker.join().unwrap();
        assert_eq!(ran, if revoked { vec![2] } else { vec![1, 2] });
        queue.answered(1, 1, 1);
        queue.answered(2, 1, 1);
        assert_eq!(queue.room(), 2);
    });
}

/// A slot whose call was revoked is written again only when the worker has passed it.
#[test]
fn a_slot_is_used_again_after_a_revocation() {
    check(|| {
        let region = Region::heap(Layout { slots: 1, ..TINY });
        let (mut queue, mut taker) = (CallQueue::new(&region), CallTaker::new(&region));
        assert!(push(&mut queue, 1));
        let worker = thread::spawn(move || {
            let first = take(&mut taker).map(|claimed| run(&taker, claimed));
            (first, taker)
        });
        let revoked = queue.revoke(1);
        let pushed = revoked && push(&mut queue, 2);
        let (first, mut taker) = worker.join().unwrap();
        let second = take(&mut taker).map(|claimed| run(&taker, claimed));
        match (revoked, pushed) {
            (false, _) => assert_eq!((first, second), (Some(1), None)),
            (true, false) => assert_eq!((first, second), (None, None)),
            (true, true) => assert_eq!(first.or(second), Some(2)),
        }
    });
}

/// Each item of a call is claimed, or was taken back; one of the two.
#[test]
fn items_are_claimed_or_taken_back() {
    check(|| {
        let region = Region::heap(TINY);
        let (mut queue, mut taker) = (CallQueue::new(&region), CallTaker::new(&region));
        queue.push(&entry(1, 3), Source::Bytes(&[])).unwrap();
        let worker = thread::spawn(move || {
            let claimed = take(&mut taker).unwrap();
            let mut end = 0;
            while let Some(items) = taker.claim_items(&claimed, 1) {
                assert_eq!(items.start, end);
                end = items.end;
            }
            taker.release(claimed);
            end
        });
        let back = queue.take_back(1, 0);
        let end = worker.join().unwrap();
        assert_eq!(back.unwrap_or(3..3), end..3);
    });
}

/// A worker that goes to sleep finds the call, or is woken for it.
#[test]
fn no_call_is_slept_through() {
    check(|| {
        let region = Region::heap(TINY);
        let (mut queue, mut taker) = (CallQueue::new(&region), CallTaker::new(&region));
        let bed = Arc::new(Bed::default());
        let worker = {
            let (region, bed) = (region.clone(), bed.clone());
            thread::spawn(move || {
                let bell = region.worker_bell();
                let mut ran = 0;
                while ran < 2 {
                    if let Some(claimed) = take(&mut taker) {
                        run(&taker, claimed);
                        ran += 1;
                        continue;
                    }
                    bell.announce();
                    if !taker.has_some() {
                        bed.sleep(bell);
                    }
                    bell.withdraw();
                }
            })
        };
        for work_id in 1..=2 {
            assert!(push(&mut queue, work_id));
            if region.worker_bell().must_ring() {
                bed.wake();
            }
        }
        worker.join().unwrap();
    });
}

/// A parent that goes to sleep finds the result, or is woken for it. The slot is free when the
/// result is there.
#[test]
fn no_result_is_slept_through() {
    check(|| {
        let region = Region::heap(Layout {
            results_len: 128,
            ..TINY
        });
        let (mut queue, mut taker) = (CallQueue::new(&region), CallTaker::new(&region));
        let (mut writer, mut reader) = (ResultWriter::new(&region), ResultReader::new(&region));
        let bed = Arc::new(Bed::default());
        assert!(push(&mut queue, 1) && push(&mut queue, 2));
        let worker = {
            let (region, bed) = (region.clone(), bed.clone());
            thread::spawn(move || {
                while let Some(claimed) = take(&mut taker) {
                    let work_id = run(&taker, claimed);
                    writer.stage(head(work_id, 0), b"r").unwrap();
                    writer.publish();
                    if region.parent_bell().must_ring() {
                        bed.wake();
                    }
                }
            })
        };
        let bell = region.parent_bell();
        let mut answers = 0;
        while answers < 2 {
            if let Some(record) = reader.next().unwrap() {
                assert_eq!(record.bytes.bytes(), b"r");
                queue.answered(record.head.work_id, 1, 1);
                answers += 1;
                // Writes to the slot that the worker has just released.
                assert!(push(&mut queue, 2 + answers));
                continue;
            }
            bell.announce();
            if !reader.has_some().unwrap() {
                bed.sleep(bell);
            }
            bell.withdraw();
        }
        // More calls may have been run than were waited for; none of them is lost.
        worker.join().unwrap();
    });
}

/// The ring has room for two records; the worker waits for room, asleep, as the third one wraps.
#[test]
fn a_full_result_ring_wraps_and_wakes_the_worker() {
    check(|| {
        let region = Region::heap(TINY);
        let (mut writer, mut reader) = (ResultWriter::new(&region), ResultReader::new(&region));
        let bed = Arc::new(Bed::default());
        let worker = {
            let (region, bed) = (region.clone(), bed.clone());
            thread::spawn(move || {
                let bell = region.room_bell();
                for work_id in 0..3 {
                    let bytes = [u8::try_from(work_id).unwrap()];
                    while writer.stage(head(work_id, 0), &bytes).is_err() {
                        bell.announce();
                        if writer.stage(head(work_id, 0), &bytes).is_ok() {
                            bell.withdraw();
                            break;
                        }
                        bed.sleep(bell);
                        bell.withdraw();
                    }
                    writer.publish();
                }
            })
        };
        let mut taken = 0;
        while taken < 3 {
            match reader.next().unwrap() {
                Some(record) => {
                    assert_eq!(record.head.work_id, taken);
                    assert_eq!(u64::from(record.bytes.bytes()[0]), taken);
                    taken += 1;
                }
                None => thread::yield_now(),
            }
            if reader.give_back() && region.room_bell().must_ring() {
                bed.wake();
            }
        }
        worker.join().unwrap();
    });
}

/// Results of an open record may be taken at any time, each exactly once.
#[test]
fn an_open_record_is_taken_early_or_late_and_never_twice() {
    check(|| {
        let region = Region::heap(Layout {
            results_len: 1024,
            ..TINY
        });
        let (mut writer, mut reader) = (ResultWriter::new(&region), ResultReader::new(&region));
        let worker = thread::spawn(move || {
            for index in 0..2 {
                // Eight bytes, for loom watches eight bytes as one.
                writer.add(head(1, index), [&[7; 8], &[]]).unwrap();
            }
            writer.publish();
        });
        let mut bytes = Vec::new();
        let early = reader.take_open().unwrap();
        let early = early.map(|record| record.bytes.into_bytes());
        worker.join().unwrap();
        bytes.extend(early.unwrap_or_default());
        while let Some(record) = reader.next().unwrap() {
            assert_eq!(record.head.index as usize, bytes.len() / 8);
            bytes.extend(record.bytes.into_bytes());
        }
        assert_eq!(bytes, [7; 16]);
    });
}
