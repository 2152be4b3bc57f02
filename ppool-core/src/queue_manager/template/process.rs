//! The template's process: its start, what is asked of it, its end.

use std::{
    collections::VecDeque,
    io,
    os::fd::{AsFd, OwnedFd},
    time::Duration,
};

use crate::{
    error::WorkerExit,
    ids::WorkerId,
    link::{Link, socket::SocketLink},
    queue_manager::{
        QueueManager,
        engine::EngineIo,
        token::{TemplateEvent, Token},
    },
    supervise::{self, Launched, Role, StartError},
    sys::{epoll::Interest, pidfd::ExitWatch, signal::SIGKILL, socketpair::stream_pair},
};

/// How long a template has to leave by itself when the pool ends.
const LEAVE: Duration = Duration::from_secs(1);

/// A template's process.
#[derive(Debug)]
pub(super) struct Template {
    pub(super) pid: u32,
    pub(super) exit_watch: ExitWatch,
    pub(super) link: SocketLink,
    /// Whether the link is still watched, and whether for writing too.
    pub(super) watched: Option<bool>,
    pub(super) state: State,
    /// Whether it has said hello: then it is a template, and no `main` has run.
    pub(super) greeted: bool,
    /// Workers that were asked for and not answered, in order.
    pub(super) asked: VecDeque<Asked>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    /// It has until this time to be ready.
    Starting(Duration),
    /// It forks.
    Ready,
    /// It was killed, and nobody counts on it any more.
    Doomed,
}

#[derive(Debug)]
pub(super) struct Asked {
    pub(super) worker: WorkerId,
    /// Our end of the worker's link.
    pub(super) socket: OwnedFd,
    /// When an answer has to be there.
    pub(super) deadline: Duration,
}

impl Template {
    /// Starts it, and tells it what it is.
    pub(super) fn start(
        manager: &QueueManager,
        io: &EngineIo,
        generation: u32,
    ) -> Result<Self, StartError> {
        let failed = |what| move |source| StartError { what, source };
        let launch = &manager.settings.launch;
        let title = match launch.pool_name.as_str() {
            "" => "ppool template".to_owned(),
            name => format!("ppool template {name}"),
        };
        let Launched {
            pid,
            exit_watch,
            socket,
        } = supervise::start(title, &launch.env, launch.memory_is_limited, Role::Worker)?;
        let exit = Token::Template(TemplateEvent::Exit, generation);
        let incoming = Token::Template(TemplateEvent::Link, generation);
        let prepared = SocketLink::new(socket).and_then(|mut link| {
            io.poller.add(&exit_watch, exit.encode(), Interest::READ)?;
            io.poller.add(&link, incoming.encode(), Interest::READ)?;
            let descriptors = manager.descriptors_of_template()?;
            link.send_template(&manager.boot_of_template(), descriptors)?;
            Ok(link)
        });
        let link = prepared.map_err(|source| {
            let _ = exit_watch.signal(SIGKILL);
            let _ = exit_watch.wait();
            failed("watch the process")(source)
        })?;
        let mut template = Template {
            pid,
            exit_watch,
            link,
            watched: Some(false),
            state: State::Starting(manager.now() + manager.settings.limits.start_timeout),
            greeted: false,
            asked: VecDeque::new(),
        };
        template.watch(io, generation);
        Ok(template)
    }

    /// Asks for a worker.
    pub(super) fn ask(
        &mut self,
        worker: WorkerId,
        deadline: Duration,
    ) -> Result<(), (&'static str, io::Error)> {
        let (socket, workers_end) =
            stream_pair().map_err(|error| ("make the socket pair", error))?;
        // A link that fails is the business of its exit, like all that was asked.
        let _ = self.link.send_fork(workers_end);
        self.asked.push_back(Asked {
            worker,
            socket,
            deadline,
        });
        Ok(())
    }

    /// It is of no use any more.
    pub(super) fn doom(&mut self) {
        self.state = State::Doomed;
        let _ = self.exit_watch.signal(SIGKILL);
    }

    /// Watches the link for writing while it holds something that could not be written.
    pub(super) fn watch(&mut self, io: &EngineIo, generation: u32) {
        let writing = self.link.wants_write();
        if self.watched.is_some_and(|watched| watched != writing) {
            let interest = match writing {
                true => Interest::BOTH,
                false => Interest::READ,
            };
            let token = Token::Template(TemplateEvent::Link, generation).encode();
            if io.poller.modify(&self.link, token, interest).is_ok() {
                self.watched = Some(writing);
            }
        }
    }

    /// Its link has nothing more to say.
    pub(super) fn unwatch(&mut self, io: &EngineIo) {
        if self.watched.take().is_some() {
            let _ = io.poller.remove(self.link.as_fd());
        }
    }

    /// The pool has ended: it has to go too.
    pub(super) fn end(self) {
        // One that runs its preload doesn't hear that its link is gone.
        let leaves = self.state == State::Ready;
        drop(self.link);
        if !(leaves && self.exit_watch.has_ended_within(LEAVE)) {
            let _ = self.exit_watch.signal(SIGKILL);
        }
        let _ = self.exit_watch.wait();
    }
}

/// What is said of a template's end: what is said of a worker's, under another name.
pub(super) fn describe(exit: &WorkerExit) -> String {
    let text = exit.to_string();
    match text.strip_prefix("worker process") {
        Some(rest) => format!("template process{rest}"),
        None => text,
    }
}
