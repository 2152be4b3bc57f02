//! [`Queue`] and [`JoinableQueue`].

use std::{collections::BTreeMap, time::Duration};

use ppool::{
    sync::{GetError, JoinableQueue, Lock, Queue},
    task,
};
use serde::{Deserialize, Serialize};

use crate::{
    common::{Flag, Scratch, pool_of, processes::descriptors, tasks::End, until, watchdog},
    kill_now, pid_in, say_pid, waits,
};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Item {
    producer: u32,
    number: u32,
    text: Option<String>,
}

impl Item {
    fn new(producer: u32, number: u32, len: usize) -> Self {
        let text = (len > 0).then(|| {
            char::from(b'a' + (number % 26) as u8)
                .to_string()
                .repeat(len)
        });
        Item {
            producer,
            number,
            text,
        }
    }
}

#[task]
fn produce(queue: &Queue<Item>, producer: u32, count: u32, len: usize) {
    for number in 0..count {
        queue
            .put(Item::new(producer, number, len))
            .expect("it is open");
    }
}

/// Everything until the queue is closed.
#[task]
fn consume(queue: &Queue<Item>) -> Vec<Item> {
    queue.iter().collect()
}

/// Puts for ever.
#[task]
fn flood(queue: &Queue<Item>, said: &Flag, len: usize) {
    say_pid(said);
    for number in 0.. {
        queue.put(Item::new(7, number, len)).expect("it is open");
    }
}

/// Gets for ever, and puts what it got elsewhere.
#[task]
fn pass_on(from: &Queue<Item>, to: &Queue<Item>, said: &Flag) {
    say_pid(said);
    for item in from {
        to.put(item).expect("it is open");
    }
}

#[task]
fn get_one(queue: &Queue<Item>, said: &Flag) -> Option<Item> {
    say_pid(said);
    queue.get().ok()
}

#[task]
fn put_one(queue: &Queue<Item>, said: &Flag) -> bool {
    say_pid(said);
    queue.put(Item::new(1, 1, 0)).is_ok()
}

#[task]
fn take_and_end(queue: &JoinableQueue<u32>, count: usize, how: End) {
    for _ in 0..count {
        queue.get().expect("there are as many");
    }
    how.come();
}

#[task]
fn do_all(queue: &JoinableQueue<u32>) -> u32 {
    queue
        .iter()
        .inspect(|_| queue.task_done().expect("it was taken"))
        .sum()
}

#[task]
fn answer_all(requests: &Queue<(u32, Queue<u32>)>) {
    for (number, answers) in requests {
        answers.put(number * number).expect("it is open");
    }
}

#[task]
fn put_locks(queue: &Queue<(usize, Vec<Lock>)>, count: usize) {
    for number in 0..count {
        let locks = vec![Lock::new(), Lock::new()];
        queue.put((number, locks)).expect("it is open");
    }
}

#[test]
fn each_item_comes_out_once_and_in_its_producer_s_order() {
    let _watchdog = watchdog();
    for queue in [Queue::new(), Queue::bounded(3)] {
        let pool = pool_of(5);
        let consumers = [(); 2].map(|()| pool.submit(consume, &queue));
        let producers = [0, 1, 2].map(|n| pool.submit(produce, (&queue, n, 400, 10)));
        for producer in producers {
            producer.wait().unwrap();
        }
        queue.close();
        let mut seen = BTreeMap::<u32, Vec<u32>>::new();
        for consumer in consumers {
            let mut last = BTreeMap::new();
            for item in consumer.wait().unwrap() {
                let before = last.insert(item.producer, item.number);
                assert!(before < Some(item.number));
                assert_eq!(item, Item::new(item.producer, item.number, 10));
                seen.entry(item.producer).or_default().push(item.number);
            }
        }
        for (_, mut numbers) in seen {
            numbers.sort_unstable();
            assert!(numbers.into_iter().eq(0..400));
        }
    }
}

#[test]
fn items_of_any_size_keep_their_order() {
    let _watchdog = watchdog();
    let (queue, pool) = (Queue::new(), pool_of(1));
    let lens = [0, 1, 40_000, 7, 3 << 20, 100, 31_000, 32_768, 0, 300_000, 5];
    for (number, len) in (0..).zip(lens) {
        queue.put(Item::new(0, number, len)).unwrap();
    }
    // More than the ring holds.
    pool.apply(produce, (&queue, 1, 3_000, 500)).unwrap();
    assert_eq!(queue.len(), lens.len() + 3_000);
    for (number, len) in (0..).zip(lens) {
        assert_eq!(queue.get().unwrap(), Item::new(0, number, len));
    }
    for number in 0..3_000 {
        assert_eq!(queue.get().unwrap(), Item::new(1, number, 500));
    }
    assert!(queue.try_get().unwrap_err().is_empty());
    queue.put(Item::new(2, 0, 0)).unwrap();
    assert_eq!(queue.get().unwrap().producer, 2);
}

#[test]
fn a_full_queue_makes_producers_wait() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let (queue, pool) = (Queue::bounded(2), pool_of(1));
    (0..2).for_each(|n| queue.try_put(Item::new(0, n, 0)).unwrap());
    assert!(queue.is_full());
    assert!(queue.try_put(Item::new(0, 2, 0)).unwrap_err().is_full());
    let late = queue.put_timeout(Item::new(0, 2, 0), Duration::from_millis(2));
    assert_eq!(late.unwrap_err().into_item().number, 2);
    let said = scratch.flag("said");
    let blocked = pool.submit(put_one, (&queue, &said));
    let pid = pid_in(&said);
    until(|| waits(pid));
    assert_eq!(queue.get().unwrap().number, 0);
    assert!(blocked.wait().unwrap());
    assert_eq!(queue.len(), 2);
}

#[test]
fn an_empty_queue_is_waited_for_only_so_long() {
    let _watchdog = watchdog();
    let queue = Queue::<u32>::new();
    assert!(matches!(queue.try_get(), Err(GetError::Empty)));
    assert!(matches!(
        queue.get_timeout(Duration::from_millis(2)),
        Err(GetError::Empty)
    ));
    queue.put(1).unwrap();
    assert_eq!(queue.get_timeout(Duration::MAX).unwrap(), 1);
}

#[test]
fn closing_ends_the_waits_of_producers_and_consumers() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let (empty, full, pool) = (Queue::new(), Queue::bounded(1), pool_of(2));
    full.put(Item::new(0, 0, 0)).unwrap();
    let said = ["get", "put"].map(|name| scratch.flag(name));
    let getting = pool.submit(get_one, (&empty, &said[0]));
    let putting = pool.submit(put_one, (&full, &said[1]));
    let pids = said.each_ref().map(pid_in);
    until(|| pids.iter().all(|pid| waits(*pid)));
    [&empty, &full].into_iter().for_each(Queue::close);
    assert_eq!(getting.wait().unwrap(), None);
    assert!(!putting.wait().unwrap());
    assert!(full.get().is_ok() && full.get().unwrap_err().is_closed());
    assert!(full.put(Item::new(0, 0, 0)).unwrap_err().is_closed());
}

#[test]
fn a_producer_that_is_killed_in_the_middle_neither_blocks_nor_spoils_the_queue() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let pool = pool_of(1);
    for round in 0..24_u32 {
        let len = [0, 100, 20_000, 1 << 20][round as usize % 4];
        let queue = Queue::bounded(50);
        let said = scratch.flag(&round.to_string());
        let flooding = pool.submit(flood, (&queue, &said, len));
        for number in 0..round {
            assert_eq!(queue.get().unwrap(), Item::new(7, number, len));
        }
        kill_now(pid_in(&said));
        assert!(flooding.wait().unwrap_err().is_worker_lost());
        let _ = queue.try_put(Item::new(8, 0, len));
        queue.close();
        let rest: Vec<Item> = queue.iter().collect();
        for (number, item) in (round..).zip(rest) {
            let expected = match item.producer {
                8 => Item::new(8, 0, len),
                _ => Item::new(7, number, len),
            };
            assert_eq!(item, expected);
        }
    }
}

#[test]
fn a_consumer_that_is_killed_loses_the_item_in_its_hands_and_no_other() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let pool = pool_of(2);
    for round in 0..20_u32 {
        let (from, to) = (Queue::new(), Queue::new());
        let said = scratch.flag(&round.to_string());
        let passing = pool.submit(pass_on, (&from, &to, &said));
        let first = round * 10;
        let producing = pool.submit(produce, (&from, 0, 500, 100));
        for number in 0..first {
            assert_eq!(to.get().unwrap().number, number);
        }
        kill_now(pid_in(&said));
        assert!(passing.wait().unwrap_err().is_worker_lost());
        producing.wait().unwrap();
        [&from, &to].into_iter().for_each(Queue::close);
        let numbers: Vec<u32> = to
            .iter()
            .chain(from.iter())
            .map(|item| item.number)
            .collect();
        let missing: Vec<u32> = (first..500).filter(|n| !numbers.contains(n)).collect();
        assert!(missing.len() <= 1, "{missing:?} are missing");
        assert!(numbers.is_sorted() && numbers.len() + missing.len() == 500 - first as usize);
    }
}

#[test]
fn a_consumer_that_is_killed_while_it_waits_harms_nobody() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let (queue, pool) = (Queue::new(), pool_of(2));
    let said = ["killed", "other"].map(|name| scratch.flag(name));
    let [killed, other] = said
        .each_ref()
        .map(|said| pool.submit(get_one, (&queue, said)));
    let pids = said.each_ref().map(pid_in);
    until(|| pids.iter().all(|pid| waits(*pid)));
    kill_now(pids[0]);
    assert!(killed.wait().unwrap_err().is_worker_lost());
    queue.put(Item::new(3, 4, 5)).unwrap();
    assert_eq!(other.wait().unwrap(), Some(Item::new(3, 4, 5)));
}

#[test]
fn queues_go_through_queues() {
    let _watchdog = watchdog();
    let (requests, pool) = (Queue::new(), pool_of(1));
    let answering = pool.submit(answer_all, &requests);
    let answers: Vec<Queue<u32>> = (0..5).map(|_| Queue::new()).collect();
    for (number, answer) in (0..).zip(&answers) {
        requests.put((number, answer.clone())).unwrap();
    }
    let squares: Vec<u32> = answers.iter().map(|answer| answer.get().unwrap()).collect();
    assert_eq!(squares, [0, 1, 4, 9, 16]);
    requests.close();
    answering.wait().unwrap();
}

#[test]
fn more_handles_than_there_is_room_for_make_producers_wait() {
    let _watchdog = watchdog();
    let (queue, pool) = (Queue::new(), pool_of(1));
    let before = descriptors(std::process::id()).len();
    let putting = pool.submit(put_locks, (&queue, 1_000));
    for number in 0..1_000 {
        let (got, locks) = queue.get().unwrap();
        assert_eq!(got, number);
        assert!(locks.iter().all(|lock| lock.try_lock().is_some()));
    }
    putting.wait().unwrap();
    drop(queue);
    // Those of other tests come and go.
    until(|| descriptors(std::process::id()).len() <= before + 64);
}

#[test]
fn a_joinable_queue_waits_until_all_is_done() {
    let _watchdog = watchdog();
    let (queue, pool) = (JoinableQueue::new(), pool_of(2));
    assert!(queue.join_timeout(Duration::ZERO), "there is nothing to do");
    (0..100).for_each(|n| queue.put(n).unwrap());
    assert!(!queue.join_timeout(Duration::from_millis(2)));
    let doing = [(); 2].map(|()| pool.submit(do_all, &queue));
    queue.join();
    assert!(queue.is_empty());
    assert!(queue.task_done().is_err(), "this process has taken none");
    queue.close();
    let sums = doing.map(|call| call.wait().unwrap());
    assert_eq!(sums.iter().sum::<u32>(), 4_950);
}

#[test]
fn nobody_waits_for_what_the_dead_had_in_hands() {
    let _watchdog = watchdog();
    let pool = pool_of(1);
    for how in crate::ENDS {
        let queue = JoinableQueue::new();
        (0..5).for_each(|n| queue.put(n).unwrap());
        let ending = pool.submit(take_and_end, (&queue, 3, how));
        ending.wait().unwrap_err();
        assert!(!queue.join_timeout(Duration::from_millis(1)));
        for number in [3, 4] {
            assert_eq!(queue.get().unwrap(), number);
            queue.task_done().unwrap();
        }
        queue.join();
    }
}
