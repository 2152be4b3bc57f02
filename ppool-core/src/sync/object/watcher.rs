//! Learning of the deaths of other processes.
//!
//! ```text
//!  a thread that has to wait ──► watch each process that has a seat ──► pidfd, epoll
//!  the watcher thread: epoll ──► a process has ended ──► bury it in each object that it shared
//! ```
//!
//! There is one thread for the whole process. It is started when a thread has to wait for an object
//! for the first time, sleeps until a process ends, and ends itself when nothing is left to watch.
//!
//! # Invariants
//!
//! - A thread sleeps over an object only when its own process watches all others that have a seat
//!   there. So nobody depends on another process's watcher.
//! - A process is watched before it is compared with the identity that is meant (its start time), so
//!   one that got the same id later is never taken for it.
//! - No lock is held while the dead are buried, or an object goes.

use std::{
    collections::HashMap,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    thread,
};

use super::{Object, identity};
use crate::{
    sync::algorithm::seats::Identity,
    sys::{
        epoll::{Events, Interest, Poller},
        eventfd::Wakeup,
        pidfd::ExitWatch,
    },
};

/// The token of the wake-up; no identity is zero.
const WAKEUP: u64 = 0;

static WATCHER: Mutex<Option<Watcher>> = Mutex::new(None);

/// What a watcher thread watches.
struct Watcher {
    /// Whose thread it is: after a fork, none of this process's.
    process: Identity,
    io: Arc<Io>,
    processes: HashMap<Identity, Watched>,
}

struct Io {
    poller: Poller,
    wakeup: Wakeup,
}

struct Watched {
    exit: ExitWatch,
    /// What it has, or had, a seat at.
    objects: Vec<Weak<Object>>,
}

/// Whether a process is alive.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use = "a dead process has to be buried"]
pub(super) enum Seen {
    Watched,
    Dead,
}

/// From now on the death of `process` releases what it holds of `object`.
///
/// # Errors
/// When descriptors or threads have run out.
pub(super) fn watch(process: Identity, object: &Arc<Object>) -> io::Result<Seen> {
    let mut slot = lock();
    let watcher = Watcher::of_this_process(&mut slot)?;
    let object = Arc::downgrade(object);
    if let Some(watched) = watcher.processes.get_mut(&process) {
        if !watched.objects.iter().any(|other| other.ptr_eq(&object)) {
            watched.objects.push(object);
        }
        return Ok(Seen::Watched);
    }
    let exit = match ExitWatch::open(process.pid()) {
        Err(error) if identity::is_gone(&error) => return Ok(Seen::Dead),
        opened => opened?,
    };
    if !identity::is_same(process) || exit.is_over()? {
        return Ok(Seen::Dead);
    }
    watcher
        .io
        .poller
        .add(&exit, process.bits(), Interest::READ)?;
    let objects = vec![object];
    let watched = Watched { exit, objects };
    watcher.processes.insert(process, watched);
    Ok(Seen::Watched)
}

/// An object that was watched for is gone.
pub(super) fn forget_the_gone() {
    let mut slot = lock();
    let Some(watcher) = &mut *slot else { return };
    if watcher.process != identity::me() {
        return;
    }
    let Watcher { io, processes, .. } = watcher;
    processes.retain(|_, watched| {
        watched.objects.retain(|object| object.strong_count() > 0);
        let needed = !watched.objects.is_empty();
        if !needed {
            // It can't fail: the descriptor is there until the entry goes.
            let _ = io.poller.remove(&watched.exit);
        }
        needed
    });
    if processes.is_empty() {
        io.wakeup.wake();
    }
}

fn lock() -> MutexGuard<'static, Option<Watcher>> {
    WATCHER.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Watcher {
    fn of_this_process(slot: &mut Option<Watcher>) -> io::Result<&mut Watcher> {
        let process = identity::me();
        // A parent's watcher, seen by its forked child, only holds copies of descriptors.
        if slot
            .as_ref()
            .is_none_or(|watcher| watcher.process != process)
        {
            *slot = Some(Watcher::start(process)?);
        }
        slot.as_mut()
            .ok_or_else(|| io::Error::other("the watcher was just made"))
    }

    fn start(process: Identity) -> io::Result<Watcher> {
        let io = Arc::new(Io {
            poller: Poller::new()?,
            wakeup: Wakeup::new()?,
        });
        io.poller.add(&io.wakeup, WAKEUP, Interest::READ)?;
        let of_thread = io.clone();
        thread::Builder::new()
            .name("ppool-watch".into())
            .spawn(move || run(&of_thread))?;
        Ok(Watcher {
            process,
            io,
            processes: HashMap::new(),
        })
    }
}

/// The thread.
fn run(io: &Arc<Io>) {
    let mut events = Events::with_capacity(16);
    loop {
        // It fails only for descriptors that are not open.
        let waited = io.poller.wait(&mut events, None);
        debug_assert!(waited.is_ok(), "{waited:?}");
        for event in events.iter() {
            if event.token == WAKEUP {
                io.wakeup.clear();
            } else if let Some(dead) = Identity::from_bits(event.token) {
                let objects = take_dead(io, dead);
                for object in objects.iter().filter_map(Weak::upgrade) {
                    object.bury(dead);
                }
            }
        }
        let mut slot = lock();
        match &*slot {
            Some(watcher) if Arc::ptr_eq(&watcher.io, io) => {
                if watcher.processes.is_empty() {
                    *slot = None;
                    return;
                }
            }
            _ => return,
        }
    }
}

/// Takes a process that has ended out of the table.
fn take_dead(io: &Io, dead: Identity) -> Vec<Weak<Object>> {
    let mut slot = lock();
    let watched = slot
        .as_mut()
        .and_then(|watcher| watcher.processes.remove(&dead));
    let Some(watched) = watched else {
        return Vec::new();
    };
    let _ = io.poller.remove(&watched.exit);
    watched.objects
}
