//! The results of an `imap` as a stream.
#![forbid(unsafe_code)]
#![cfg(feature = "stream")]

mod common;

use std::{
    future::poll_fn,
    pin::Pin,
    sync::atomic::{AtomicU64, Ordering},
    task::{Context, Poll, Waker},
    time::Duration,
};

use common::{
    Scratch, busy_pool, fill, pool_of,
    tasks::{End, Hold, count, end, hold, square},
    watchdog,
};
use futures_core::Stream;
use ppool::{ImapStream, Pool};
use tokio::{runtime::Builder, time::sleep};

/// One thread, so that whatever blocks it would block everything.
fn block_on<F: Future>(future: F) -> F::Output {
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(future)
}

async fn next<S: Stream + Unpin>(stream: &mut S) -> Option<S::Item> {
    poll_fn(|context| Pin::new(&mut *stream).poll_next(context)).await
}

async fn collect<S: Stream<Item = Result<R, E>> + Unpin, R, E>(mut stream: S) -> Result<Vec<R>, E> {
    let mut results = Vec::new();
    while let Some(result) = next(&mut stream).await {
        results.push(result?);
    }
    Ok(results)
}

fn squares(to: u64) -> Vec<u64> {
    (0..to).map(|n| n * n).collect()
}

#[test]
fn a_stream_gives_the_results_in_order() {
    let _watchdog = watchdog();
    let pool = pool_of(2);
    let results = block_on(collect(pool.imap(square, 0..500).into_stream()));
    assert_eq!(results.unwrap(), squares(500));
    let chunks = pool.task(square).chunk_size(7).imap(0..500);
    assert_eq!(
        block_on(collect(chunks.into_stream())).unwrap(),
        squares(500)
    );
    let none = block_on(collect(pool.imap(square, 0..0).into_stream()));
    assert_eq!(none.unwrap(), []);
}

#[test]
fn an_unordered_stream_gives_every_result_once() {
    let _watchdog = watchdog();
    let pool = pool_of(2);
    let stream = pool.imap_unordered(square, 0..500).into_stream();
    let mut results = block_on(collect(stream)).unwrap();
    results.sort_unstable();
    assert_eq!(results, squares(500));
}

#[test]
fn failures_come_in_their_places() {
    let _watchdog = watchdog();
    let pool = pool_of(1);
    let mut stream = pool.imap(end, [End::Exit(3), End::Kill]).into_stream();
    block_on(async {
        for _ in 0..2 {
            assert!(
                next(&mut stream)
                    .await
                    .unwrap()
                    .unwrap_err()
                    .is_worker_lost()
            );
        }
        assert!(next(&mut stream).await.is_none());
        assert!(next(&mut stream).await.is_none(), "and again");
    });
}

#[test]
fn the_executor_is_free_while_results_are_awaited() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let pool = pool_of(1);
    let held = Hold::new(&scratch, "call");
    let mut stream = pool.imap(hold, [held.clone()]).into_stream();
    block_on(async {
        let other = async {
            sleep(Duration::from_millis(1)).await;
            held.release.raise();
        };
        let (result, ()) = tokio::join!(next(&mut stream), other);
        assert!(result.unwrap().is_ok());
    });
}

#[test]
fn endless_inputs_are_pulled_a_window_ahead() {
    let _watchdog = watchdog();
    let pool = pool_of(1);
    let pulled = AtomicU64::new(0);
    let inputs = (0u64..).inspect(|_| {
        pulled.fetch_add(1, Ordering::SeqCst);
    });
    let mut stream = pool.task(square).window(5).imap(inputs).into_stream();
    block_on(async {
        for n in 0..100 {
            assert_eq!(next(&mut stream).await.unwrap().unwrap(), n * n);
            assert!(pulled.load(Ordering::SeqCst) <= n + 6);
        }
    });
}

#[test]
fn a_full_queue_blocks_the_stream_and_not_the_executor() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let pool = Pool::builder().workers(1).queue_capacity(1).build();
    let pool = pool.unwrap();
    let held = Hold::new(&scratch, "first");
    let first = pool.submit(hold, &held);
    held.started.wait();
    // Others take every place, so nothing of the stream is under way.
    let waiting = fill(&pool);
    let mut stream = pool.imap(square, 0..50).into_stream();
    let results = block_on(async {
        let polled = poll_fn(|context| Poll::Ready(Pin::new(&mut stream).poll_next(context)));
        assert!(polled.await.is_pending());
        let other = async {
            sleep(Duration::from_millis(1)).await;
            held.release.raise();
        };
        let (results, ()) = tokio::join!(collect(stream), other);
        results
    });
    assert_eq!(results.unwrap(), squares(50));
    first.wait().unwrap();
    assert!(waiting.into_iter().all(|call| call.wait().is_ok()));
}

#[test]
fn a_pool_that_closes_ends_a_stream_that_waits_for_room() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let pool = Pool::builder().workers(1).queue_capacity(1).build();
    let pool = pool.unwrap();
    let held = Hold::new(&scratch, "first");
    let first = pool.submit(hold, &held);
    held.started.wait();
    let waiting = fill(&pool);
    let mut stream = pool.imap(square, 0..).into_stream();
    block_on(async {
        let closing = async {
            sleep(Duration::from_millis(1)).await;
            pool.close();
        };
        let (result, ()) = tokio::join!(next(&mut stream), closing);
        assert!(result.unwrap().is_err());
        assert!(next(&mut stream).await.is_none());
    });
    held.release.raise();
    first.wait().unwrap();
    assert!(waiting.into_iter().all(|call| call.wait().is_ok()));
}

#[test]
fn a_dropped_stream_cancels_what_waits() {
    let _watchdog = watchdog();
    let busy = busy_pool();
    let inputs = (0..20).map(|n| (busy.ran.clone(), n));
    let mut stream = busy.pool.imap(count, inputs).into_stream();
    let mut context = Context::from_waker(Waker::noop());
    assert!(Pin::new(&mut stream).poll_next(&mut context).is_pending());
    let hint = stream.size_hint();
    drop(stream);
    busy.held.release.raise();
    busy.pool.join();
    assert_eq!(hint.1, Some(20));
    assert_eq!(busy.ran.count(), 0);
}

#[test]
fn a_stream_can_be_moved_to_another_thread() {
    fn check<T: Send>(_: &T) {}
    let pool = pool_of(1);
    let stream: ImapStream<_, _> = pool.imap(square, 0..3).into_stream();
    check(&stream);
    assert!(format!("{stream:?}").contains("ImapStream"));
}

#[test]
fn an_in_process_pool_streams_too() {
    let _watchdog = watchdog();
    let pool = Pool::builder().in_process().build().unwrap();
    let results = block_on(collect(pool.imap(square, 0..50).into_stream()));
    assert_eq!(results.unwrap(), squares(50));
}
