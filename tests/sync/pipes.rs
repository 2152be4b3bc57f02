//! [`pipe`] and [`one_way_pipe`].

use std::time::Duration;

use ppool::{
    sync::{Connection, Event, GetError, PipeReader, PipeWriter, one_way_pipe, pipe},
    task,
};

use crate::{
    common::{Flag, Scratch, pool_of, tasks::worker_pid, watchdog},
    kill_now, pid_in, say_pid,
};

#[task]
fn echo(end: Connection<String>) {
    for text in end.iter() {
        if end.send(text).is_err() {
            return;
        }
    }
}

#[task]
fn send_all(end: PipeWriter<u64>, count: u64) {
    (0..count).for_each(|number| end.send(number).expect("the reader is there"));
}

#[task]
fn sum(end: PipeReader<u64>) -> u64 {
    end.iter().sum()
}

#[task]
fn send_many(end: PipeWriter<String>, said: &Flag, len: usize) {
    say_pid(said);
    for n in 0..200 {
        end.send(text_of(n, len)).expect("the reader is there");
    }
}

fn text_of(n: usize, len: usize) -> String {
    format!("{n:03}").repeat(len / 3)
}

#[task]
fn wait_at_the_other_end(end: Connection<Event>, event: &Event) -> bool {
    end.send(event.clone()).expect("it is there");
    event.wait_timeout(Duration::MAX)
}

#[test]
fn what_is_sent_comes_back() {
    let _watchdog = watchdog();
    let pool = pool_of(1);
    let (here, there) = pipe();
    let echoing = pool.submit(echo, there);
    for len in [0, 1, 1_000, 32 << 10, 100_000, 5 << 20] {
        let text = "x".repeat(len);
        here.send(text.clone()).unwrap();
        assert!(here.poll_timeout(Duration::MAX));
        assert_eq!(here.recv().unwrap(), text);
    }
    assert!(!here.poll() && here.try_recv().unwrap_err().is_empty());
    drop(here);
    echoing.wait().unwrap();
}

#[test]
fn an_end_that_is_gone_ends_the_other() {
    let _watchdog = watchdog();
    let pool = pool_of(2);
    // Both are there, so no call waits behind another, and no worker has an end without running its call.
    assert_eq!(pool.broadcast(worker_pid, ()).len(), 2);
    let (reader, writer) = one_way_pipe();
    let summing = pool.submit(sum, reader);
    pool.apply(send_all, (writer, 5_000)).unwrap();
    assert_eq!(summing.wait().unwrap(), 5_000 * 4_999 / 2);

    let (reader, writer) = one_way_pipe::<u64>();
    drop(reader);
    assert!(writer.send(1).unwrap_err().is_closed());
    let (here, there) = pipe::<u64>();
    there.send(1).unwrap();
    here.send(2).unwrap();
    drop(there);
    // It had not read all, and what it had sent comes all the same.
    assert_eq!(here.recv().unwrap(), 1);
    assert!(here.recv().unwrap_err().is_closed());
}

#[test]
fn a_full_pipe_and_an_empty_one_are_waited_for_only_so_long() {
    let _watchdog = watchdog();
    let (reader, writer) = one_way_pipe();
    let late = reader.recv_timeout(Duration::from_millis(2));
    assert!(matches!(late, Err(GetError::Empty)));
    let mut sent = 0;
    while writer.try_send(vec![0_u8; 1_000]).is_ok() {
        sent += 1;
    }
    let late = writer.send_timeout(vec![1], Duration::from_millis(2));
    assert_eq!(late.unwrap_err().into_item(), [1]);
    for _ in 0..sent {
        assert_eq!(reader.recv().unwrap().len(), 1_000);
    }
    writer.send_timeout(vec![2], Duration::MAX).unwrap();
    assert_eq!(reader.recv().unwrap(), [2]);
}

#[test]
fn a_writer_that_is_killed_leaves_whole_items() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let pool = pool_of(1);
    for (round, len) in [10, 30_000, 1 << 20]
        .into_iter()
        .cycle()
        .take(12)
        .enumerate()
    {
        let (reader, writer) = one_way_pipe();
        let said = scratch.flag(&round.to_string());
        let sending = pool.submit(send_many, (writer, &said, len));
        let first: Vec<String> = (0..round).map(|_| reader.recv().unwrap()).collect();
        kill_now(pid_in(&said));
        // It may have come to its end before.
        let _ = sending.wait();
        for (n, item) in first.into_iter().chain(reader.iter()).enumerate() {
            assert!(item == text_of(n, len));
        }
    }
}

#[test]
fn handles_go_through_pipes() {
    let _watchdog = watchdog();
    let pool = pool_of(1);
    let (here, there) = pipe();
    let event = Event::new();
    let waiting = pool.submit(wait_at_the_other_end, (there, &event));
    here.recv().unwrap().set();
    assert!(waiting.wait().unwrap());
}
