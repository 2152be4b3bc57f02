//! Who waits for the template, and what becomes of them.

use std::{collections::VecDeque, io, time::Duration};

use super::process::{State, Template, describe};
use crate::{
    error::{BrokenPool, ExitHow, SHORTAGE_EXIT, WorkerExit},
    ids::WorkerId,
    link::{Link, LinkState},
    queue_manager::{
        QueueManager, effect::StopSignal, engine::EngineIo, incoming::check_hello,
        token::TemplateEvent, worker::NotStarted,
    },
    supervise::{self, Launched, StartError},
    sys::{
        limits::is_shortage, pidfd::Exit, procfs, sibling::share_process_limit, signal::SIGKILL,
        waitpid::kill_and_reap,
    },
    wire::{FromWorker, START_FAILED_EXIT},
};

/// How many templates in a row may die before they are ready until the pool counts as broken.
const EARLY_DEATHS: u32 = 3;
/// The template of a pool, when there is one, and who waits for it.
#[derive(Debug, Default)]
pub(in crate::queue_manager) struct TemplateKeeper {
    template: Option<Template>,
    /// How many templates there were: a late event of an old one names an older generation.
    generation: u32,
    /// Workers that can't be asked for yet.
    waiting: VecDeque<WorkerId>,
    /// How many templates in a row have died before they were ready.
    early_deaths: u32,
}

impl TemplateKeeper {
    /// When [`TemplateKeeper::turn`] is wanted without an event.
    pub(in crate::queue_manager) fn next_deadline(&self) -> Option<Duration> {
        let template = self.template.as_ref()?;
        match template.state {
            State::Starting(deadline) => Some(deadline),
            State::Ready => template.asked.front().map(|asked| asked.deadline),
            State::Doomed => None,
        }
    }

    /// Does what has become necessary: events of the template, workers that are to be stopped, and
    /// workers that are wanted.
    pub(in crate::queue_manager) fn turn(
        &mut self,
        manager: &QueueManager,
        io: &EngineIo,
        events: Vec<(TemplateEvent, u32)>,
        stopped: Vec<(WorkerId, StopSignal)>,
        wanted: Vec<WorkerId>,
    ) {
        for (event, generation) in events {
            if generation == self.generation {
                match event {
                    TemplateEvent::Link => self.drive(manager, io),
                    TemplateEvent::Exit => self.exited(manager, io),
                }
            }
        }
        // A worker may be wanted and stopped in one turn.
        self.waiting.extend(wanted);
        for (worker, signal) in stopped {
            self.withdraw(manager, worker, signal);
        }
        self.check_deadline(manager);
        self.advance(manager, io);
    }

    /// Starts the template, or asks it, when workers are wanted.
    fn advance(&mut self, manager: &QueueManager, io: &EngineIo) {
        if self.waiting.is_empty() {
            return;
        }
        if self.template.is_none() {
            self.generation = self.generation.wrapping_add(1);
            match Template::start(manager, io, self.generation) {
                Ok(template) => self.template = Some(template),
                Err(StartError { what, source }) => {
                    let lasts = !is_shortage(&source);
                    let text =
                        format!("the template process could not be started: failed to {what}");
                    self.fail(manager, BrokenPool::with_source(text, source), lasts);
                }
            }
        }
        let Some(template) = &mut self.template else {
            return;
        };
        if template.state != State::Ready {
            return;
        }
        // Workers may be as many as this program may start now, whenever the template was started. What
        // can't be set is found out by the fork.
        let _ = share_process_limit(template.pid);
        let deadline = manager.now() + manager.settings.limits.start_timeout;
        while let Some(worker) = self.waiting.pop_front() {
            match template.ask(worker, deadline) {
                Ok(()) => {}
                Err((what, source)) => {
                    let lasts = !is_shortage(&source);
                    let refused = NotStarted {
                        what,
                        source,
                        lasts,
                    };
                    manager.launched(worker, Err(refused));
                }
            }
        }
        template.watch(io, self.generation);
    }

    /// Takes what the template says.
    fn drive(&mut self, manager: &QueueManager, io: &EngineIo) {
        let mut messages = Vec::new();
        let Some(template) = &mut self.template else {
            return;
        };
        let state = template.link.drive(&mut messages);
        match state {
            Ok(LinkState::Open) => template.watch(io, self.generation),
            // Its process is ending, or is of no more use: its exit says the rest.
            Ok(LinkState::Closed) | Err(_) => {
                template.unwatch(io);
                let _ = template.exit_watch.signal(SIGKILL);
            }
        }
        self.take(manager, messages);
    }

    fn take(&mut self, manager: &QueueManager, messages: Vec<FromWorker>) {
        for message in messages {
            let Some(template) = &mut self.template else {
                return;
            };
            match message {
                FromWorker::Hello(hello) => match check_hello(&hello) {
                    Ok(()) => template.greeted = true,
                    Err(cause) => self.give_up(manager, cause, true),
                },
                FromWorker::Ready => {
                    if let State::Starting(_) = template.state {
                        template.state = State::Ready;
                        self.early_deaths = 0;
                    }
                }
                FromWorker::StartFailed(message) => {
                    let text = format!("the template of the workers could not start: {message}");
                    self.give_up(manager, BrokenPool::new(text), true);
                }
                FromWorker::Forked { pid } => {
                    if let Some(asked) = template.asked.pop_front() {
                        let started = match supervise::adopt(pid) {
                            Ok(exit_watch) => manager.linked(Launched {
                                pid,
                                exit_watch,
                                socket: asked.socket,
                            }),
                            Err(source) => Err(not_started("watch the process", source)),
                        };
                        manager.launched(asked.worker, started);
                    }
                }
                FromWorker::NotForked { errno } => {
                    if let Some(asked) = template.asked.pop_front() {
                        let source = match errno {
                            0 => io::Error::other("the template has more than one thread now"),
                            errno => io::Error::from_raw_os_error(errno),
                        };
                        let refused = not_started("fork it from the template", source);
                        manager.launched(asked.worker, Err(refused));
                    }
                }
                FromWorker::Result(_)
                | FromWorker::Bye
                | FromWorker::Doorbell
                | FromWorker::Descriptors => {}
            }
        }
    }

    /// The template's process has ended.
    fn exited(&mut self, manager: &QueueManager, io: &EngineIo) {
        let Some(template) = &mut self.template else {
            return;
        };
        let Exit { how, .. } = match template.exit_watch.try_wait() {
            Ok(Some(exit)) => exit,
            Ok(None) => return,
            Err(_) => Exit {
                how: ExitHow::Unknown,
                peak_memory: None,
            },
        };
        // What it answered before it died comes first.
        let mut messages = Vec::new();
        let _ = template.link.take_rest(&mut messages);
        self.take(manager, messages);
        let Some(mut template) = self.template.take() else {
            return;
        };
        template.unwatch(io);
        let _ = io.poller.remove(&template.exit_watch);
        if !template.asked.is_empty() {
            reap_unknown_children(manager);
        }
        let exit = WorkerExit {
            worker: WorkerId::default(),
            pid: template.pid,
            how,
            task: None,
            peak_memory: None,
            stderr_tail: None,
        };
        let (cause, lasts) = match template.state {
            State::Starting(_) => self.early_death(&exit, template.greeted),
            State::Ready | State::Doomed => {
                let text = format!("the template of the workers is gone: {}", describe(&exit));
                (BrokenPool::new(text), false)
            }
        };
        let unanswered = template.asked.iter().map(|asked| asked.worker);
        self.waiting.extend(unanswered);
        self.fail(manager, cause, lasts);
    }

    /// Why there is no template, when one has died before it was ready, and whether that lasts.
    fn early_death(&mut self, exit: &WorkerExit, greeted: bool) -> (BrokenPool, bool) {
        let what = describe(exit);
        let is_refused = match exit.how {
            // Mostly the kernel, when memory has run out, and its own word for the same.
            ExitHow::Signal {
                number: SIGKILL, ..
            }
            | ExitHow::Code(SHORTAGE_EXIT) => true,
            ExitHow::Code(0) if !greeted => {
                let text = format!(
                    "{what} before it was ready: it seems to have run `main` instead of becoming \
                     a template; call `ppool::init()` first thing in `main` if this platform does \
                     not run initialisers before it"
                );
                return (BrokenPool::new(text), true);
            }
            _ => false,
        };
        self.early_deaths += u32::from(!is_refused);
        let text = format!("{what} before it was ready (its preload had not ended)");
        let lasts = match exit.how {
            ExitHow::Code(START_FAILED_EXIT) => true,
            _ => !is_refused && self.early_deaths >= EARLY_DEATHS,
        };
        (BrokenPool::new(text), lasts)
    }

    /// A worker is to be stopped that has no process yet.
    fn withdraw(&mut self, manager: &QueueManager, worker: WorkerId, signal: StopSignal) {
        let before = self.waiting.len();
        self.waiting.retain(|&waiting| waiting != worker);
        if self.waiting.len() < before {
            manager.withdrawn(worker);
        } else if signal == StopSignal::Kill
            && let Some(template) = &mut self.template
            && template.asked.iter().any(|asked| asked.worker == worker)
        {
            // It had its time to answer.
            template.doom();
        }
    }

    fn check_deadline(&mut self, manager: &QueueManager) {
        let now = manager.now();
        let (Some(deadline), Some(template)) = (self.next_deadline(), &mut self.template) else {
            return;
        };
        if deadline > now {
            return;
        }
        let limit = manager.settings.limits.start_timeout;
        let preload = match &manager.settings.boot.preload {
            Some(_) => "has not finished its preload",
            None => "did not shake hands",
        };
        if template.state == State::Ready {
            // A process that was stopped, say: the next one may do better.
            template.doom();
            return;
        }
        let text = format!(
            "the template of the workers {preload} within {limit:?}; raise `start_timeout` if it \
             takes so long"
        );
        self.give_up(manager, BrokenPool::new(text), true);
    }

    /// There will be no workers from this template.
    fn give_up(&mut self, manager: &QueueManager, cause: BrokenPool, lasts: bool) {
        if let Some(template) = &mut self.template {
            template.doom();
        }
        self.fail(manager, cause, lasts);
    }

    /// Nobody who waits gets a worker.
    fn fail(&mut self, manager: &QueueManager, cause: BrokenPool, lasts: bool) {
        let workers: Vec<WorkerId> = self.waiting.drain(..).collect();
        if !workers.is_empty() {
            manager.spawns_failed(&workers, cause, lasts);
        }
    }

    /// The pool has ended.
    pub(in crate::queue_manager) fn end(self) {
        if let Some(template) = self.template {
            template.end();
        }
    }
}

fn not_started(what: &'static str, source: io::Error) -> NotStarted {
    NotStarted {
        what,
        lasts: !is_shortage(&source),
        source,
    }
}

/// Ends the children of this thread that nobody knows: those that a template forked and did not live
/// to tell of. They have its name still, since they have been told nothing yet.
fn reap_unknown_children(manager: &QueueManager) {
    // Where the kernel doesn't list them they end with their links, but are not reaped.
    let Ok(children) = procfs::children_of_this_thread() else {
        return;
    };
    let known = manager.pids();
    let is_lost = |name: &str| name.ends_with("-template");
    for (pid, name) in children {
        if is_lost(&name) && !known.contains(&pid) {
            kill_and_reap(pid);
        }
    }
}
