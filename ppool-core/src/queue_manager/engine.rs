//! What exists while a pool has a queue-manager thread.

use std::{
    io,
    sync::{Arc, atomic::Ordering},
    thread::{self, JoinHandle, ThreadId},
};

use super::{QueueManager, Refusal, core::Core, event_loop, token::Token};
use crate::{
    error::BrokenPool,
    sys::{
        epoll::{Interest, Poller},
        eventfd::Wakeup,
    },
    task::Registry,
};

/// What exists while the pool has a queue-manager thread.
#[derive(Debug)]
pub(super) struct Engine {
    pub(super) io: Arc<EngineIo>,
    pub(super) thread: Option<JoinHandle<()>>,
    pub(super) id: ThreadId,
}

/// What the queue-manager thread waits on.
#[derive(Debug)]
pub(super) struct EngineIo {
    pub(super) poller: Poller,
    pub(super) wakeup: Wakeup,
}

impl QueueManager {
    pub(super) fn start_engine(self: &Arc<Self>, core: &mut Core) -> Result<(), Refusal> {
        if core.engine.is_some() {
            return Ok(());
        }
        if let Err(duplicate) = Registry::get() {
            return Err(BrokenPool::new(duplicate).into());
        }
        let start = || -> io::Result<Engine> {
            let io = Arc::new(EngineIo {
                poller: Poller::new()?,
                wakeup: Wakeup::new()?,
            });
            io.poller
                .add(&io.wakeup, Token::Wakeup.encode(), Interest::READ)?;
            if let Some(segments) = &self.segments {
                let io = Arc::downgrade(&io);
                segments.on_kept(move || {
                    if let Some(io) = io.upgrade() {
                        io.wakeup.wake();
                    }
                });
            }
            if let Some(printed) = &self.printed {
                printed.start(&io)?;
            }
            let manager = Arc::clone(self);
            let thread_io = Arc::clone(&io);
            // Workers are bound to the life of the thread that forks them (PR_SET_PDEATHSIG), so
            // that must be this one, which lives as long as the pool.
            let thread = thread::Builder::new()
                .name("ppool-manager".into())
                .spawn(move || event_loop::run(&manager, &thread_io))?;
            Ok(Engine {
                io,
                id: thread.thread().id(),
                thread: Some(thread),
            })
        };
        let engine = start().map_err(|error| {
            BrokenPool::with_source("the queue manager could not be started", error)
        })?;
        core.engine = Some(engine);
        self.owner.store(std::process::id(), Ordering::Relaxed);
        super::at_exit::register(self);
        Ok(())
    }
}
