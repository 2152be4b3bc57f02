//! What this process knows of one that it has started, and the list of those that live.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use crate::{
    error::ProcessExit,
    sys::{
        pidfd::{Exit, ExitWatch},
        signal::SIGKILL,
        socketpair::shut_down,
    },
};

/// One process.
#[derive(Debug)]
pub(crate) struct Record {
    /// The process that started it, and the only one that can wait for it.
    owner: u32,
    pub(crate) name: Arc<str>,
    pub(crate) pid: u32,
    pub(crate) daemon: bool,
    /// Whether it was made for the other end of a channel.
    pub(crate) of_channel: bool,
    life: Mutex<Life>,
    ended: Condvar,
}

#[derive(Debug)]
enum Life {
    Running {
        /// The only way to signal and reap it (SUP-3).
        watch: ExitWatch,
        link: Link,
    },
    Ended(ProcessExit),
}

/// What ties a process to this one.
#[derive(Debug)]
pub(crate) enum Link {
    /// The socket through which it got its boot message. With it the process ends.
    Boot(OwnedFd),
    /// Of one that was forked.
    Fork {
        /// With it the process ends.
        #[expect(dead_code, reason = "only has to stay open")]
        lifeline: OwnedFd,
        /// This side's end of its channel.
        channel: OwnedFd,
    },
}

/// The processes that were started from here and not yet reaped.
static LIVING: Mutex<Vec<Arc<Record>>> = Mutex::new(Vec::new());

/// Woken when one is taken off that list.
static ONE_ENDED: Condvar = Condvar::new();

/// The list, locked.
pub(crate) fn living() -> MutexGuard<'static, Vec<Arc<Record>>> {
    lock(&LIVING)
}

/// Those on the list that are children of this process, and not of one that forked it.
pub(crate) fn children() -> Vec<Arc<Record>> {
    let living = living();
    let own = living.iter().filter(|record| record.is_own());
    own.cloned().collect()
}

/// Waits until no child of this process is left that `counts`. False when the time was over first.
pub(crate) fn wait_until_none(counts: impl Fn(&Record) -> bool, deadline: Option<Instant>) -> bool {
    let mut list = living();
    loop {
        if !list.iter().any(|record| record.is_own() && counts(record)) {
            return true;
        }
        match sleep(&ONE_ENDED, list, deadline) {
            Some(guard) => list = guard,
            None => return false,
        }
    }
}

impl Record {
    pub(crate) fn new(
        name: Arc<str>,
        pid: u32,
        daemon: bool,
        of_channel: bool,
        watch: ExitWatch,
        link: Link,
    ) -> Self {
        Record {
            owner: std::process::id(),
            name,
            pid,
            daemon,
            of_channel,
            life: Mutex::new(Life::Running { watch, link }),
            ended: Condvar::new(),
        }
    }

    /// Whether this process is the one that started it.
    pub(crate) fn is_own(&self) -> bool {
        self.owner == std::process::id()
    }

    /// Runs `f` with the watch, unless the process has been reaped.
    pub(crate) fn with_watch<T>(&self, f: impl FnOnce(&ExitWatch) -> T) -> Option<T> {
        match &*lock(&self.life) {
            Life::Running { watch, .. } => Some(f(watch)),
            Life::Ended(_) => None,
        }
    }

    /// How it ended; None while it runs.
    pub(crate) fn exit(&self) -> Option<ProcessExit> {
        match &*lock(&self.life) {
            Life::Running { .. } => None,
            Life::Ended(exit) => Some(exit.clone()),
        }
    }

    /// Reaps it if it has ended, and tells everybody who waits. For the keeper. Says whether it had.
    pub(super) fn reap(&self, unwatch: impl FnOnce(&ExitWatch)) -> bool {
        let mut life = lock(&self.life);
        let Life::Running { watch, .. } = &*life else {
            return true;
        };
        // An error is none that can be helped, and the next event asks again.
        let Ok(Some(Exit { how, peak_memory })) = watch.try_wait() else {
            return false;
        };
        unwatch(watch);
        *life = Life::Ended(ProcessExit {
            name: self.name.clone(),
            pid: self.pid,
            how,
            peak_memory,
        });
        drop(life);
        self.ended.notify_all();
        living().retain(|record| !std::ptr::eq(&**record, self));
        ONE_ENDED.notify_all();
        true
    }

    /// Ends it and reaps it, without the keeper's help. For the keeper.
    pub(super) fn end(&self) {
        // The status is lost to the record by this wait; nobody asks for it.
        self.with_watch(|watch| {
            let _ = watch.signal(SIGKILL);
            let _ = watch.wait();
        });
        self.reap(|_| ());
    }

    /// Waits for its end. None when the time was over first.
    ///
    /// # Errors
    /// When this process is not the one that started it.
    pub(crate) fn wait(&self, deadline: Option<Instant>) -> io::Result<Option<ProcessExit>> {
        if let Some(exit) = self.exit() {
            return Ok(Some(exit));
        }
        self.check_owner()?;
        let mut life = lock(&self.life);
        loop {
            if let Life::Ended(exit) = &*life {
                return Ok(Some(exit.clone()));
            }
            match sleep(&self.ended, life, deadline) {
                Some(guard) => life = guard,
                None => return Ok(None),
            }
        }
    }

    /// Sends it a signal; one that has ended doesn't mind.
    ///
    /// # Errors
    /// When this process is not the one that started it, or the child is now another user's.
    pub(crate) fn signal(&self, number: i32) -> io::Result<()> {
        self.check_owner()?;
        self.with_watch(|watch| watch.signal(number).map(drop))
            .unwrap_or(Ok(()))
    }

    /// Tells it that its parent is about to exit: a task that waits at its channel hears the end.
    pub(super) fn hang_up(&self) {
        match &*lock(&self.life) {
            Life::Running {
                link: Link::Boot(socket),
                ..
            } => super::keeper::send_sentinel(socket),
            Life::Running {
                link: Link::Fork { channel, .. },
                ..
            } => shut_down(channel.as_fd()),
            Life::Ended(_) => {}
        }
    }

    fn check_owner(&self) -> io::Result<()> {
        if self.is_own() {
            return Ok(());
        }
        let name = &self.name;
        Err(io::Error::new(
            io::ErrorKind::Unsupported,
            format!("process `{name}` is a child of the process that forked this one"),
        ))
    }
}

/// Waits to be woken; None when the time is over.
fn sleep<'a, T>(
    woken: &Condvar,
    guard: MutexGuard<'a, T>,
    deadline: Option<Instant>,
) -> Option<MutexGuard<'a, T>> {
    let Some(deadline) = deadline else {
        return Some(woken.wait(guard).unwrap_or_else(PoisonError::into_inner));
    };
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return None;
    }
    let waited = woken.wait_timeout(guard, left);
    Some(waited.unwrap_or_else(PoisonError::into_inner).0)
}

/// Locks it. Nothing that holds these locks can leave things half done by a panic.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
