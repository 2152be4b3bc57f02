//! The thread that starts processes and reaps them.
//!
//! A process is killed by the kernel when the *thread* that started it ends, so all of them are
//! started by this one, which is started with the first and ends with this process. It waits for new
//! orders and for the ends of its processes, both in one place (QM-2), and never for anything that a
//! child does: the boot message always fits into the empty socket.

use std::{
    collections::HashMap,
    io::{self, IoSlice},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{self, Receiver, Sender, SyncSender},
    },
    thread,
};

use super::{
    Process, at_exit,
    current::next_identity,
    record::{Link, Record, living},
};
use crate::{
    supervise::{Role, StartError, environment::Change, start},
    sys::{
        epoll::{Events, Interest, Poller},
        eventfd::Wakeup,
        fd_passing,
        pidfd::ExitWatch,
        signal::SIGKILL,
    },
    wire::{Encoded, Head, MAX_DESCRIPTORS, ProcessBoot, ToWorker},
};

/// A process to start.
pub(super) struct Order {
    pub(super) title: String,
    pub(super) env: Vec<Change>,
    pub(super) boot: ProcessBoot,
    /// Go with the boot message.
    pub(super) descriptors: Vec<OwnedFd>,
}

enum Message {
    Start(Box<Order>, SyncSender<Result<Arc<Record>, StartError>>),
    /// A child that a fork made; it is on the list of the living already.
    Watch(Arc<Record>, SyncSender<io::Result<()>>),
}

/// How the other threads reach the keeper.
struct Keeper {
    /// The process that it is a thread of: a forked child has none.
    owner: u32,
    messages: Sender<Message>,
    wakeup: Arc<Wakeup>,
}

static KEEPER: Mutex<Option<Keeper>> = Mutex::new(None);

/// The token of the wake-up; a process has its id.
const WAKEUP: u64 = u64::MAX;

/// Starts a process.
pub(super) fn order(order: Order) -> Result<Arc<Record>, StartError> {
    let (reply, answer) = mpsc::sync_channel(1);
    let failed = |source| StartError {
        what: "start the thread that starts processes",
        source,
    };
    tell(Message::Start(Box::new(order), reply)).map_err(failed)?;
    answer
        .recv()
        .unwrap_or_else(|_| Err(failed(io::Error::other("it has ended"))))
}

/// Takes a child of this process that a fork has made on the list of the living, and sees to it.
///
/// # Errors
/// When it can't be watched; it is ended then.
pub(crate) fn adopt(pid: u32, watch: ExitWatch, link: Link) -> io::Result<Process> {
    let name = format!("Process-{}", next_identity()).into();
    let record = Arc::new(Record::new(name, pid, false, true, watch, link));
    living().push(record.clone());
    let (reply, answer) = mpsc::sync_channel(1);
    let told = tell(Message::Watch(record.clone(), reply)).and_then(|()| {
        answer.recv().unwrap_or_else(|_| {
            Err(io::Error::other(
                "the thread that reaps processes has ended",
            ))
        })
    });
    match told {
        Ok(()) => Ok(Process::new(record)),
        Err(error) => {
            record.end();
            Err(error)
        }
    }
}

/// Runs `fork` while nobody holds a lock of this module, so that both processes can go on using it.
/// Makes sure before that the keeper is there.
///
/// # Errors
/// When the keeper can't be started, or `fork` fails.
pub(crate) fn while_still<R>(fork: impl FnOnce() -> io::Result<R>) -> io::Result<R> {
    with_keeper(|_| {
        let _living = living();
        fork()
    })?
}

fn tell(message: Message) -> io::Result<()> {
    with_keeper(|keeper| {
        // If it has ended, so has the message, and with it the place for an answer.
        let _ = keeper.messages.send(message);
        keeper.wakeup.wake();
    })
}

fn with_keeper<R>(f: impl FnOnce(&Keeper) -> R) -> io::Result<R> {
    let mut keeper = KEEPER.lock().unwrap_or_else(PoisonError::into_inner);
    let owner = std::process::id();
    if keeper.as_ref().is_none_or(|keeper| keeper.owner != owner) {
        *keeper = Some(begin(owner)?);
        at_exit::register();
    }
    match &*keeper {
        Some(keeper) => Ok(f(keeper)),
        None => Err(io::Error::other("no thread starts processes")),
    }
}

fn begin(owner: u32) -> io::Result<Keeper> {
    let (messages, inbox) = mpsc::channel();
    let wakeup = Arc::new(Wakeup::new()?);
    let poller = Poller::new()?;
    poller.add(&wakeup, WAKEUP, Interest::READ)?;
    let keeper = Keeper {
        owner,
        messages,
        wakeup: wakeup.clone(),
    };
    thread::Builder::new()
        .name("ppool-processes".into())
        .spawn(move || keep(&inbox, &wakeup, &poller))?;
    Ok(keeper)
}

/// The keeper's work.
fn keep(inbox: &Receiver<Message>, wakeup: &Wakeup, poller: &Poller) {
    let mut watched: HashMap<u64, Arc<Record>> = HashMap::new();
    let mut events = Events::with_capacity(64);
    // No error is known of the wait; without it nothing could be kept.
    while poller.wait(&mut events, None).is_ok() {
        for event in events.iter() {
            if event.token == WAKEUP {
                wakeup.clear();
                continue;
            }
            let unwatch = |watch: &_| {
                let _ = poller.remove(watch);
            };
            if watched
                .get(&event.token)
                .is_some_and(|record| record.reap(unwatch))
            {
                watched.remove(&event.token);
            }
        }
        // After the ends: a number that a new process has can't be an old one's any more.
        while let Ok(message) = inbox.try_recv() {
            let record = match message {
                Message::Start(order, reply) => {
                    let started = start_one(*order, poller);
                    let record = started.as_ref().ok().cloned();
                    // Whoever ordered it waits for this answer.
                    let _ = reply.send(started);
                    record
                }
                Message::Watch(record, reply) => {
                    let added = record.with_watch(|watch| watch_with(poller, watch, record.pid));
                    let added = added.unwrap_or(Ok(()));
                    let record = added.is_ok().then_some(record);
                    let _ = reply.send(added);
                    record
                }
            };
            if let Some(record) = record {
                watched.insert(record.pid.into(), record);
            }
        }
    }
}

fn watch_with(poller: &Poller, watch: impl AsFd, pid: u32) -> io::Result<()> {
    poller.add(watch, pid.into(), Interest::READ)
}

fn start_one(order: Order, poller: &Poller) -> Result<Arc<Record>, StartError> {
    let Order {
        title,
        env,
        boot,
        descriptors,
    } = order;
    let launched = start(title, &env, false, Role::Worker)?;
    let told = watch_with(poller, &launched.exit_watch, launched.pid)
        .and_then(|()| send(launched.socket.as_fd(), boot.encode(), &descriptors));
    match told {
        Ok(()) => {}
        // It has ended already; how, its watch will say.
        Err(error) if is_gone(&error) => {}
        Err(source) => {
            let _ = poller.remove(&launched.exit_watch);
            let _ = launched.exit_watch.signal(SIGKILL);
            let _ = launched.exit_watch.wait();
            return Err(StartError {
                what: "tell the process what to do",
                source,
            });
        }
    }
    let record = Arc::new(Record::new(
        boot.name.into(),
        launched.pid,
        boot.daemon,
        boot.channel.is_some(),
        launched.exit_watch,
        Link::Boot(launched.socket),
    ));
    living().push(record.clone());
    Ok(record)
}

/// Sends a message; those of its descriptors that don't go with it before it.
fn send(
    socket: BorrowedFd<'_>,
    message: Encoded<'_>,
    mut descriptors: &[OwnedFd],
) -> io::Result<()> {
    while descriptors.len() > MAX_DESCRIPTORS {
        let (first, rest) = descriptors.split_at(MAX_DESCRIPTORS);
        send_part(socket, ToWorker::descriptors(), &[], first)?;
        descriptors = rest;
    }
    send_part(socket, message.head, &message.tail, descriptors)
}

fn send_part(
    socket: BorrowedFd<'_>,
    head: Head,
    tail: &[u8],
    descriptors: &[OwnedFd],
) -> io::Result<()> {
    let head = head.with_descriptors(descriptors.len())?;
    let mut descriptors: Vec<BorrowedFd<'_>> = descriptors.iter().map(AsFd::as_fd).collect();
    let mut parts = &mut [IoSlice::new(head.bytes()), IoSlice::new(tail)][..];
    while !parts.is_empty() {
        let sent = fd_passing::send(socket, parts, &descriptors)?;
        // They went with the first byte.
        descriptors.clear();
        IoSlice::advance_slices(&mut parts, sent);
    }
    Ok(())
}

/// Tells a process that nothing more comes.
pub(super) fn send_sentinel(socket: &OwnedFd) {
    // One that is gone needs no telling.
    let _ = send(socket.as_fd(), ToWorker::sentinel(), &[]);
}

fn is_gone(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset
    )
}
