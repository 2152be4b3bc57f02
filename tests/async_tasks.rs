//! Tasks that are `async`: the worker drives them on a runtime of its own.
#![forbid(unsafe_code)]
#![cfg(feature = "tokio")]

mod common;

use std::{sync::OnceLock, time::Duration};

use common::{Flag, Scratch, pool_of, watchdog};
use ppool::{Pool, RemoteError, TaskErrorKind, closure, task, worker};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    runtime::{Builder, Runtime},
    time::sleep,
};

#[task]
async fn square(n: u64) -> u64 {
    sleep(Duration::from_millis(1)).await;
    n * n
}

#[task(timeout = "1h", name = "async join")]
async fn join(words: &[u64], separator: &str, mut times: usize, (a, b): (u8, u8)) -> String {
    let mut text = String::new();
    while times > 0 {
        tokio::task::yield_now().await;
        let words: Vec<_> = words.iter().map(u64::to_string).collect();
        text += &words.join(separator);
        times -= 1;
    }
    format!("{text}{a}{b}")
}

/// A task that has a variable of its own name, and no result.
#[task]
async fn total(total: u64) {
    let total = total + 1;
    assert!(total > 0);
}

#[task]
async fn reads(address: String) -> Result<String, RemoteError> {
    let mut stream = TcpStream::connect(address).await?;
    let mut text = String::new();
    stream.read_to_string(&mut text).await?;
    Ok(text)
}

#[task]
async fn panics() {
    sleep(Duration::from_millis(1)).await;
    panic!("after a while");
}

#[task]
async fn sleeps_for_ever(started: &Flag) {
    started.raise();
    std::future::pending().await
}

fn runtime() -> Runtime {
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime")
}

#[test]
fn a_worker_drives_async_tasks() {
    let _watchdog = watchdog();
    let pool = pool_of(2);
    let squares: Vec<u64> = (0..50).map(|n| n * n).collect();
    assert_eq!(pool.map(square, 0..50).unwrap(), squares);
    let joined = pool.apply(join, ([1, 2], "-", 2, (3, 4))).unwrap();
    assert_eq!(joined, "1-21-234");
    pool.apply(total, 3).unwrap();
    let anonymous = closure!(async |n: u64| -> u64 {
        sleep(Duration::from_millis(1)).await;
        n + 1
    });
    assert_eq!(pool.apply(anonymous, 1).unwrap(), 2);
}

#[test]
fn an_async_task_can_be_awaited_here() {
    let _watchdog = watchdog();
    let here = runtime().block_on(async {
        let text = String::from("-");
        tokio::spawn(square(3)).await.unwrap() + join(&[1], &text, 1, (0, 0)).await.len() as u64
    });
    assert_eq!(here, 12);
}

#[test]
fn timers_and_sockets_work_in_a_worker() {
    let _watchdog = watchdog();
    let pool = pool_of(1);
    let text = runtime().block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let call = pool.submit(reads, address);
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"hello").await.unwrap();
        drop(stream);
        call.await.unwrap()
    });
    assert_eq!(text.unwrap(), "hello");
    let refused = pool.apply(reads, "127.0.0.1:1".to_owned()).unwrap();
    assert!(refused.is_err());
}

#[test]
fn a_panic_of_an_async_task_is_told() {
    let _watchdog = watchdog();
    let pool = pool_of(1);
    let error = pool.apply(panics, ()).unwrap_err();
    let TaskErrorKind::Panicked(panic) = error.kind() else {
        panic!("{error}");
    };
    assert_eq!(panic.message(), "after a while");
    assert!(panic.location().unwrap().starts_with(file!()), "{panic:?}");
    // The same worker goes on.
    assert_eq!(pool.apply(square, 3).unwrap(), 9);
}

#[test]
fn an_async_task_can_be_killed_and_timed_out() {
    let _watchdog = watchdog();
    let scratch = Scratch::new();
    let pool = Pool::builder().workers(1).grace(Duration::from_millis(50));
    let pool = pool.build().unwrap();
    let started = scratch.flag("killed");
    let call = pool.submit(sleeps_for_ever, &started);
    started.wait();
    assert!(call.kill());
    assert!(call.wait().unwrap_err().is_cancelled());
    let limited = pool
        .task(sleeps_for_ever)
        .timeout(Duration::from_millis(50));
    let error = limited.apply(scratch.flag("timed out")).unwrap_err();
    assert!(error.is_timeout(), "{error}");
    assert_eq!(pool.apply(square, 3).unwrap(), 9);
}

/// What one call leaves to the next.
struct Connection(TcpStream);

#[task]
async fn connect(address: String) -> Result<(), RemoteError> {
    worker::set_state(Connection(TcpStream::connect(address).await?));
    Ok(())
}

#[task]
async fn read_byte() -> u8 {
    let mut connection = worker::with_state(|Connection(stream): &mut Connection| {
        let stream = std::mem::replace(stream, unconnected());
        Connection(stream)
    });
    let byte = connection.0.read_u8().await.expect("the other side writes");
    worker::set_state(connection);
    byte
}

/// A socket to hold a place.
fn unconnected() -> TcpStream {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    let stream = std::net::TcpStream::connect(address).expect("a connection");
    stream.set_nonblocking(true).expect("a socket");
    TcpStream::from_std(stream).expect("a runtime")
}

#[test]
fn what_a_worker_keeps_works_from_call_to_call() {
    let _watchdog = watchdog();
    runtime().block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let pool = Pool::builder().workers(1).initializer(connect, address);
        let pool = pool.build().unwrap();
        let call = pool.submit(read_byte, ());
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(&[7, 8]).await.unwrap();
        assert_eq!(call.await.unwrap(), 7);
        assert_eq!(pool.submit(read_byte, ()).await.unwrap(), 8);
    });
}

#[task]
async fn nested(depth: u32) -> u32 {
    static POOL: OnceLock<Pool> = OnceLock::new();
    let pool = POOL.get_or_init(|| Pool::builder().in_process().build().expect("a plain pool"));
    sleep(Duration::from_millis(1)).await;
    match depth {
        0 => 0,
        _ => 1 + pool.submit(nested, depth - 1).await.expect("it runs here"),
    }
}

#[test]
fn an_in_process_pool_drives_them_inside_and_outside_of_a_runtime() {
    let _watchdog = watchdog();
    let pool = Pool::builder().in_process().build().unwrap();
    assert_eq!(pool.apply(square, 3).unwrap(), 9);
    let inside = runtime().block_on(async { pool.submit(square, 4).await });
    assert_eq!(inside.unwrap(), 16);
    let many = Builder::new_multi_thread().enable_all().build().unwrap();
    assert_eq!(
        many.block_on(async { pool.submit(nested, 3).await })
            .unwrap(),
        3
    );
    let panicked = many.block_on(async { pool.submit(panics, ()).await });
    assert!(panicked.unwrap_err().is_panic());
}
