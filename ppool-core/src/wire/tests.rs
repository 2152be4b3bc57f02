//! Any message survives any fragmentation, and any bytes give messages or an error.

use std::path::PathBuf;

use proptest::{collection::vec, prelude::*};

use super::*;
use crate::{
    codec::{MAX_PAYLOAD_LEN, Spacing},
    error::RemotePanic,
    ids::{Generation, ItemId, Slot, WorkId, WorkerId},
    output::Output,
    task::TaskKey,
};

fn boot_call() -> impl Strategy<Value = BootCall> {
    (any::<u64>(), vec(any::<u8>(), 0..300)).prop_map(|(task, payload)| BootCall {
        task: TaskKey(task),
        payload,
        descriptors: 3,
    })
}

fn boot() -> impl Strategy<Value = Boot> {
    (
        ".{0,20}",
        any::<(u32, u32, u32)>(),
        proptest::option::of(boot_call()),
        proptest::option::of(boot_call()),
        proptest::option::of(boot_call()),
        proptest::option::of("/.{0,20}"),
    )
        .prop_map(
            |(pool, (slot, generation, parent_pid), preload, initializer, finalizer, dir)| Boot {
                pool,
                worker: WorkerId {
                    slot: Slot(slot),
                    generation: Generation(generation),
                },
                preload,
                initializer,
                finalizer,
                current_dir: dir.map(PathBuf::from),
                parent_pid,
                output: Output::Inherit,
                limits: WorkerLimits {
                    nice: i32::try_from(slot).ok(),
                    cpus: vec![generation as usize],
                    ..WorkerLimits::default()
                },
            },
        )
}

fn process_boot() -> impl Strategy<Value = ProcessBoot> {
    (
        (".{0,20}", "[0-9:]{0,9}", any::<bool>()),
        any::<u32>(),
        proptest::option::of("/.{0,20}"),
        boot_call(),
        any::<Option<u32>>(),
    )
        .prop_map(
            |((name, identity, daemon), parent_pid, dir, call, channel)| ProcessBoot {
                name,
                identity,
                daemon,
                parent_pid,
                current_dir: dir.map(PathBuf::from),
                call,
                channel,
            },
        )
}

fn to_worker() -> impl Strategy<Value = ToWorker> {
    let call = (
        any::<(u64, u64, u32)>(),
        1..u32::MAX,
        vec(any::<u8>(), 0..2000),
    )
        .prop_map(
            |((work_id, task, attempt), count, payload)| ToWorker::Call {
                item: CallItem {
                    work_id: WorkId(work_id),
                    attempt,
                    task: TaskKey(task),
                    count,
                },
                payload,
            },
        );
    prop_oneof![
        boot().prop_map(ToWorker::Boot),
        process_boot().prop_map(ToWorker::Process),
        boot().prop_map(ToWorker::Template),
        Just(ToWorker::Fork),
        call,
        (any::<u64>(), any::<u32>(), any::<u32>()).prop_map(|(work_id, attempt, index)| {
            ToWorker::Stop(ItemId {
                work_id: WorkId(work_id),
                attempt,
                index,
            })
        }),
        (any::<u64>(), any::<u32>()).prop_map(|(work_id, attempt)| ToWorker::Revoked {
            work_id: WorkId(work_id),
            attempt,
        }),
        Just(ToWorker::Sentinel),
        Just(ToWorker::Descriptors)
    ]
}

fn outcome() -> impl Strategy<Value = CallOutcome> {
    let panic = (".*", any::<Option<String>>(), any::<Option<String>>())
        .prop_map(|(message, location, backtrace)| RemotePanic::new(message, location, backtrace));
    prop_oneof![
        vec(any::<u8>(), 0..2000).prop_map(|bytes| CallOutcome::Value(bytes.into())),
        (
            any::<u32>(),
            any::<u64>(),
            vec(any::<u8>(), 0..2000),
            any::<Option<u32>>()
        )
            .prop_map(|(count, spent, bytes, each)| {
                CallOutcome::Values {
                    count,
                    bytes,
                    spacing: Spacing::of(each.map(|len| len as usize)),
                    spent,
                }
            }),
        panic.prop_map(CallOutcome::Panicked),
        (any::<u32>(), ".*")
            .prop_map(|(parameter, message)| CallOutcome::Decode { parameter, message }),
        ".*".prop_map(|message| CallOutcome::Encode { message }),
    ]
}

fn from_worker() -> impl Strategy<Value = FromWorker> {
    let hello = any::<(u32, u64, u32)>().prop_map(|(protocol, fingerprint, pid)| {
        FromWorker::Hello(Hello {
            protocol,
            fingerprint,
            pid,
        })
    });
    let result =
        (any::<(u64, u32, u32)>(), outcome()).prop_map(|((work_id, attempt, index), outcome)| {
            FromWorker::Result(ResultItem {
                work_id: WorkId(work_id),
                attempt,
                index,
                outcome,
            })
        });
    prop_oneof![
        hello,
        Just(FromWorker::Ready),
        any::<u32>().prop_map(|pid| FromWorker::Forked { pid }),
        any::<i32>().prop_map(|errno| FromWorker::NotForked { errno }),
        ".*".prop_map(FromWorker::StartFailed),
        ".*".prop_map(FromWorker::FinalizerFailed),
        result,
        Just(FromWorker::Doorbell),
        Just(FromWorker::Descriptors),
        Just(FromWorker::Bye)
    ]
}

fn bytes_of<M: Message>(messages: &[M]) -> Vec<u8> {
    let mut stream = Vec::new();
    for message in messages {
        let Encoded { head, tail } = message.encode();
        stream.extend_from_slice(head.bytes());
        stream.extend_from_slice(&tail);
    }
    stream
}

/// Feeds `stream` in pieces of the given lengths, over and over; every other piece goes straight
/// into the body where there is one.
fn assemble<M: Message>(
    assembler: &mut Assembler<M>,
    mut stream: &[u8],
    cuts: &[usize],
) -> Result<Vec<M>, WireError> {
    let mut messages = Vec::new();
    let mut cuts = cuts.iter().cycle().enumerate();
    while !stream.is_empty() {
        let (turn, cut) = cuts.next().expect("there is at least one cut");
        let (mut piece, rest) = stream.split_at((*cut).min(stream.len()));
        stream = rest;
        if let Some(Body { bytes, missing }) = assembler.body()
            && turn % 2 == 0
        {
            let (direct, rest) = piece.split_at(missing.min(piece.len()));
            bytes.extend_from_slice(direct);
            piece = rest;
        }
        while let Some(frame) = assembler.take(&mut piece)? {
            messages.push(frame.message);
        }
        assert!(piece.is_empty());
    }
    Ok(messages)
}

proptest! {
    #[test]
    fn messages_to_a_worker_survive_any_fragmentation(
        messages in vec(to_worker(), 0..6),
        cuts in vec(1..400usize, 1..20),
    ) {
        let mut assembler = Assembler::<ToWorker>::new();
        prop_assert_eq!(assemble(&mut assembler, &bytes_of(&messages), &cuts).unwrap(), messages.as_slice());
        prop_assert!(assembler.is_between_messages());
    }

    #[test]
    fn messages_from_a_worker_survive_any_fragmentation(
        messages in vec(from_worker(), 0..6),
        cuts in vec(1..400usize, 1..20),
    ) {
        let mut assembler = Assembler::<FromWorker>::new();
        prop_assert_eq!(assemble(&mut assembler, &bytes_of(&messages), &cuts).unwrap(), messages.as_slice());
        prop_assert!(assembler.is_between_messages());
    }

    /// LINK-2: whatever comes, it takes no more memory than a small multiple of what has come.
    #[test]
    fn any_bytes_give_messages_or_an_error(
        stream in vec(any::<u8>(), 0..400),
        cuts in vec(1..400usize, 1..20),
    ) {
        let mut assembler = Assembler::<FromWorker>::new();
        let _ = assemble(&mut assembler, &stream, &cuts);
        prop_assert!(room(&mut assembler) <= 64 << 10);
        let mut assembler = Assembler::<ToWorker>::new();
        let _ = assemble(&mut assembler, &stream, &cuts);
        prop_assert!(room(&mut assembler) <= 64 << 10);
    }

    /// The same, near enough to real messages that the deeper checks are reached.
    #[test]
    fn a_torn_or_changed_stream_gives_messages_or_an_error(
        messages in vec(from_worker(), 1..4),
        commands in vec(to_worker(), 1..4),
        at in any::<proptest::sample::Index>(),
        byte in any::<u8>(),
        cut in any::<proptest::sample::Index>(),
    ) {
        let mut stream = bytes_of(&messages);
        *at.get_mut(&mut stream) = byte;
        stream.truncate(cut.index(stream.len() + 1));
        let _ = assemble(&mut Assembler::<FromWorker>::new(), &stream, &[7, 100]);
        let mut stream = bytes_of(&commands);
        *at.get_mut(&mut stream) = byte;
        stream.truncate(cut.index(stream.len() + 1));
        let _ = assemble(&mut Assembler::<ToWorker>::new(), &stream, &[7, 100]);
    }
}

/// How much room the tail under way has.
fn room<M: Message>(assembler: &mut Assembler<M>) -> usize {
    assembler.body().map_or(0, |body| body.bytes.capacity())
}

fn value_head(len: usize) -> Head {
    ResultItem::value_head(WorkId(1), 0, 0, len)
}

#[test]
fn a_length_alone_takes_no_memory() {
    let mut assembler = Assembler::<FromWorker>::new();
    let len = usize::try_from(MAX_PAYLOAD_LEN).unwrap();
    assert_eq!(assembler.take(&mut value_head(len).bytes()), Ok(None));
    assert_eq!(room(&mut assembler), 64 << 10);
}

#[test]
fn a_length_over_the_limit_is_refused_before_anything_follows() {
    let mut assembler = Assembler::<FromWorker>::new();
    let len = usize::try_from(MAX_PAYLOAD_LEN).unwrap() + 1;
    let error = assembler.take(&mut value_head(len).bytes()).unwrap_err();
    assert!(matches!(error, WireError::Length { .. }), "{error}");
}

#[test]
fn a_whole_tail_lies_in_a_buffer_of_its_length() {
    let value = vec![7; 300_000];
    let result = FromWorker::Result(ResultItem {
        work_id: WorkId(1),
        attempt: 0,
        index: 0,
        outcome: CallOutcome::Value(value.into()),
    });
    let stream = bytes_of(&[result]);
    let mut messages =
        assemble::<FromWorker>(&mut Assembler::new(), &stream, &[1000, 70_000]).unwrap();
    let Some(FromWorker::Result(result)) = messages.pop() else {
        panic!("a result is expected");
    };
    let CallOutcome::Value(value) = result.outcome else {
        panic!("a value is expected");
    };
    let value = value.into_bytes();
    assert_eq!((value.len(), value.capacity()), (300_000, 300_000));
}

#[test]
fn a_message_of_an_unknown_kind_is_refused() {
    let mut header = [0; 10];
    header[8] = 200;
    let error = Assembler::<ToWorker>::new().take(&mut &header[..]);
    assert_eq!(error, Err(WireError::Kind(200)));
}

#[test]
fn a_parent_s_message_is_none_of_a_worker() {
    let stream = bytes_of(&[ToWorker::Sentinel]);
    let error = Assembler::<FromWorker>::new().take(&mut &stream[..]);
    assert!(matches!(error, Err(WireError::Kind(_))));
}

#[test]
fn a_greeting_without_the_magic_is_refused() {
    let hello = Hello {
        protocol: PROTOCOL,
        fingerprint: 1,
        pid: 2,
    };
    let mut stream = bytes_of(&[FromWorker::Hello(hello)]);
    stream[10] ^= 1;
    let error = Assembler::<FromWorker>::new().take(&mut &stream[..]);
    assert_eq!(error, Err(WireError::Magic));
}

#[test]
fn a_longer_greeting_of_a_later_protocol_still_tells_its_version() {
    let hello = Hello {
        protocol: PROTOCOL + 1,
        fingerprint: 1,
        pid: 2,
    };
    let mut stream = bytes_of(&[FromWorker::Hello(hello)]);
    stream[0] += 3;
    stream.extend_from_slice(b"new");
    let messages = assemble::<FromWorker>(&mut Assembler::new(), &stream, &[5]).unwrap();
    assert_eq!(messages, [FromWorker::Hello(hello)]);
}

#[test]
fn a_call_without_items_is_refused() {
    let item = CallItem {
        work_id: WorkId(1),
        attempt: 0,
        task: TaskKey(2),
        count: 0,
    };
    let error = Assembler::<ToWorker>::new().take(&mut item.head(0).bytes());
    assert_eq!(error, Err(WireError::NoItems));
}

#[test]
fn more_descriptors_than_can_travel_are_refused() {
    assert!(value_head(0).with_descriptors(MAX_DESCRIPTORS).is_ok());
    assert!(value_head(0).with_descriptors(MAX_DESCRIPTORS + 1).is_err());
    let mut header = [0; 10];
    header[8] = 3;
    header[9] = 254;
    let error = Assembler::<ToWorker>::new().take(&mut &header[..]);
    assert_eq!(error, Err(WireError::Descriptors));
}

#[test]
fn a_path_that_is_not_utf_8_arrives() {
    use std::{ffi::OsString, os::unix::ffi::OsStringExt};
    let boot = ToWorker::Boot(Boot {
        pool: String::new(),
        worker: WorkerId::default(),
        preload: None,
        initializer: None,
        finalizer: None,
        current_dir: Some(OsString::from_vec(b"/tmp/\xff".to_vec()).into()),
        parent_pid: 1,
        output: Output::Inherit,
        limits: WorkerLimits::default(),
    });
    let stream = bytes_of(std::slice::from_ref(&boot));
    assert_eq!(
        assemble::<ToWorker>(&mut Assembler::new(), &stream, &[9]).unwrap(),
        [boot]
    );
}
