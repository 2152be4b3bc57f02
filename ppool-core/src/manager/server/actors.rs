//! The threads on which objects of users' own types live.
//!
//! ```text
//!  event loop ── Job ──► thread of the object: the task, one at a time
//!      ▲                     │
//!      └─ wake-up ◄─ Answer ─┘
//! ```
//!
//! # Failure
//!
//! A task that panics fails its call; the object lives on as the task left it. One that ends the
//! process ends the server.

use std::{
    collections::HashMap,
    io,
    os::fd::{AsFd, BorrowedFd},
    sync::{
        Arc,
        mpsc::{self, Receiver, Sender},
    },
    thread,
};

use super::{
    connection::shortage,
    state::{Answers, ClientId},
};
use crate::{
    codec::Decoder,
    manager::{
        bytes::Blob,
        protocol::{Answer, Call, ObjectId},
    },
    sys::eventfd::Wakeup,
    task::{Registry, TaskEntry, TaskKey},
    wire::{CallOutcome, boot_call_failure},
};

/// Runs a task, on the thread of an object: decodes its arguments, catches its panic, encodes what
/// it returned.
pub type Runner = fn(&'static TaskEntry, Decoder<'_>) -> CallOutcome;

/// How much stack an object's thread has, as a worker's call thread.
const STACK: usize = 8 << 20;

/// All objects that have threads.
#[derive(Debug)]
pub(super) struct Actors {
    runner: Runner,
    /// By the end of its sender a thread learns that its object has gone.
    actors: HashMap<ObjectId, Sender<Job>>,
    outbox: Sender<(ClientId, Answer)>,
    inbox: Receiver<(ClientId, Answer)>,
    wakeup: Arc<Wakeup>,
}

/// A call for an object.
struct Job {
    client: ClientId,
    call: Call,
    /// What to answer when the call makes the object, and succeeds.
    created: Option<Answer>,
}

impl Actors {
    pub(super) fn new(runner: Runner) -> io::Result<Self> {
        let (outbox, inbox) = mpsc::channel();
        Ok(Actors {
            runner,
            actors: HashMap::new(),
            outbox,
            inbox,
            wakeup: Arc::new(Wakeup::new()?),
        })
    }

    /// Starts the thread of an object, which is made by a call; `created` is the answer if it is.
    ///
    /// # Errors
    /// When there can't be another thread.
    pub(super) fn begin(
        &mut self,
        id: ObjectId,
        client: ClientId,
        call: Call,
        created: Answer,
    ) -> Result<(), Answer> {
        let (jobs, queue) = mpsc::channel::<Job>();
        let (runner, outbox, wakeup) = (self.runner, self.outbox.clone(), self.wakeup.clone());
        let live = move || {
            for job in queue {
                let answer = answer(runner, job.call, job.created);
                // The event loop has ended only if the process does.
                let _ = outbox.send((job.client, answer));
                wakeup.wake();
            }
        };
        let thread = thread::Builder::new().name("ppool-object".into());
        let started = thread.stack_size(STACK).spawn(live);
        started.map_err(|error| shortage(&error))?;
        self.actors.insert(id, jobs);
        let created = Some(created);
        self.send(
            id,
            Job {
                client,
                call,
                created,
            },
        )
    }

    /// Calls a task on an object.
    ///
    /// # Errors
    /// When there is no such object.
    pub(super) fn call(&self, id: ObjectId, client: ClientId, call: Call) -> Result<(), Answer> {
        let created = None;
        self.send(
            id,
            Job {
                client,
                call,
                created,
            },
        )
    }

    fn send(&self, id: ObjectId, job: Job) -> Result<(), Answer> {
        // Its thread ends by nothing else than the end of the process.
        let sent = self.actors.get(&id).and_then(|jobs| jobs.send(job).ok());
        sent.ok_or_else(|| Answer::Refused("there is no such object".to_owned()))
    }

    /// Lets the thread of an object end, after what it does now.
    pub(super) fn remove(&mut self, id: ObjectId) {
        self.actors.remove(&id);
    }

    /// Takes the answers that are there. Call it when the wake-up is readable.
    pub(super) fn collect(&self, answers: &mut Answers) {
        self.wakeup.clear();
        answers.extend(self.inbox.try_iter());
    }
}

impl AsFd for Actors {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.wakeup.as_fd()
    }
}

/// Runs a call.
fn answer(runner: Runner, call: Call, created: Option<Answer>) -> Answer {
    let registry = match Registry::get() {
        Ok(registry) => registry,
        Err(message) => return Answer::Failed(message.to_owned()),
    };
    let Some(entry) = registry.find(TaskKey(call.task)) else {
        return Answer::Failed("the server has no such task".to_owned());
    };
    let bytes = call.arguments.bytes.clone();
    let attached = match call.arguments.attached() {
        Ok(attached) => attached,
        Err(error) => return shortage(&error),
    };
    let input = Decoder::new(bytes.as_slice()).with_attached(&attached);
    match runner(entry, input) {
        CallOutcome::Value(payload) => match (boot_call_failure(payload.bytes()), created) {
            (None, Some(created)) => created,
            (Some(message), Some(_)) => Answer::Failed(message),
            (_, None) => {
                let descriptors = payload.attached().into_descriptors();
                Answer::Returned(Blob {
                    bytes: payload.into_bytes().into(),
                    descriptors: descriptors.into_iter().map(Into::into).collect(),
                })
            }
        },
        CallOutcome::Panicked(panic) => Answer::Panicked {
            message: panic.message().to_owned(),
            location: panic.location().map(str::to_owned),
            backtrace: panic.backtrace().map(str::to_owned),
        },
        CallOutcome::Decode { parameter, message } => {
            let parameter = usize::try_from(parameter).ok();
            let parameter = parameter.and_then(|index| entry.parameter(index));
            let parameter = parameter.unwrap_or("?");
            Answer::Failed(format!(
                "the argument `{parameter}` could not be decoded: {message}"
            ))
        }
        CallOutcome::Encode { message } => {
            Answer::Failed(format!("the result could not be encoded: {message}"))
        }
        CallOutcome::Values { .. } | CallOutcome::InSegment { .. } => {
            Answer::Failed("only a worker of a pool answers so".to_owned())
        }
    }
}
