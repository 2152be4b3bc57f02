//! All objects of a server, and who waits for what. Pure: requests, losses and time go in, answers
//! come out.
//!
//! ```text
//!  request ─► object ─► its answer
//!                └────► answers to others who wait for the object
//!  a client is gone ──► its permits are free, its wait is over ─► answers to others
//!  the time is over ──► `TimedOut`
//! ```
//!
//! # Invariants
//!
//! - SYNC-1: a permit has an owner, and is free when that is gone.
//! - Each request of a client that is not lost gets one answer.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use super::{
    barrier::{Arrival, Barrier},
    gate::Gate,
    monitor::Monitor,
    sequence::Sequence,
    table::Table,
    waits::Waits,
};
use crate::manager::protocol::{
    Answer, BarrierRequest, FlagRequest, GateRequest, MonitorRequest, ObjectId, Request, Seed,
    Version,
};

/// Names a connection.
pub(super) type ClientId = u64;

/// Answers to give.
pub(super) type Answers = Vec<(ClientId, Answer)>;

/// What a server knows.
#[derive(Debug, Default)]
pub(super) struct State {
    objects: HashMap<ObjectId, Object>,
    version: Version,
    waits: Waits,
}

#[derive(Debug)]
enum Object {
    Table(Table),
    Sequence(Sequence),
    Gate(Gate),
    Monitor(Monitor),
    Barrier(Barrier),
    Flag {
        is_set: bool,
        waiting: Vec<ClientId>,
    },
}

/// What comes of a request.
enum Outcome {
    Answer(Answer),
    /// The client waits, for that long at most.
    Wait(Option<Duration>),
}

impl From<Answer> for Outcome {
    fn from(answer: Answer) -> Self {
        Outcome::Answer(answer)
    }
}

impl State {
    /// Makes an object.
    pub(super) fn create(&mut self, id: ObjectId, seed: Seed) {
        self.version += 1;
        let object = match seed {
            Seed::Table => Object::Table(Table::default()),
            Seed::Sequence { elements, fixed } => {
                Object::Sequence(Sequence::new(elements, fixed, self.version))
            }
            Seed::Gate { permits, bound } => Object::Gate(Gate::new(permits, bound)),
            Seed::Monitor => Object::Monitor(Monitor::new()),
            Seed::Barrier { parties } => Object::Barrier(Barrier::new(parties)),
            Seed::Flag => Object::Flag {
                is_set: false,
                waiting: Vec::new(),
            },
            // It lives on its thread.
            Seed::Object(_) => return,
        };
        self.objects.insert(id, object);
    }

    /// Forgets an object that nobody has any more.
    pub(super) fn remove(&mut self, id: ObjectId, answers: &mut Answers) {
        let waiting: Vec<ClientId> = match self.objects.remove(&id) {
            Some(Object::Gate(gate)) => gate.into_waiting().collect(),
            Some(Object::Monitor(monitor)) => monitor.into_waiting().collect(),
            Some(Object::Barrier(barrier)) => barrier.into_waiting(),
            Some(Object::Flag { waiting, .. }) => waiting,
            Some(Object::Table(_) | Object::Sequence(_)) | None => Vec::new(),
        };
        self.tell(waiting, &no_such_object(), answers);
    }

    /// Takes a client's request about an object; what is to be said, now or later, goes to
    /// `answers`.
    pub(super) fn request(
        &mut self,
        client: ClientId,
        request: Request,
        now: Instant,
        answers: &mut Answers,
    ) {
        self.version += 1;
        let version = self.version;
        let (id, outcome) = match request {
            Request::Table(id, request) => match self.objects.get_mut(&id) {
                Some(Object::Table(table)) => (id, table.serve(request, version).into()),
                _ => (id, no_such_object().into()),
            },
            Request::Sequence(id, request) => match self.objects.get_mut(&id) {
                Some(Object::Sequence(sequence)) => (id, sequence.serve(request, version).into()),
                _ => (id, no_such_object().into()),
            },
            Request::Gate(id, request) => (id, self.gate(client, id, &request)),
            Request::Monitor(id, request) => (id, self.monitor(client, id, &request)),
            Request::Barrier(id, request) => (id, self.barrier(client, id, &request, answers)),
            Request::Flag(id, request) => (id, self.flag(client, id, &request, answers)),
            Request::Greet | Request::Create(_) | Request::Call(..) | Request::Shutdown => {
                let message = "the request is not for an object".to_owned();
                answers.push((client, Answer::Refused(message)));
                return;
            }
        };
        match outcome {
            Outcome::Answer(answer) => answers.push((client, answer)),
            Outcome::Wait(limit) => self.waits.begin(client, id, limit, now),
        }
        self.grant(id, answers);
    }

    fn gate(&mut self, client: ClientId, id: ObjectId, request: &GateRequest) -> Outcome {
        let gate = match self.objects.get_mut(&id) {
            Some(Object::Gate(gate)) => gate,
            Some(Object::Monitor(monitor)) => &mut monitor.gate,
            _ => return no_such_object().into(),
        };
        let answer = match request {
            GateRequest::Acquire(timeout) => match gate.acquire(client) {
                Some(granted) => granted.into(),
                None if timeout.is_some_and(|timeout| timeout.is_zero()) => Answer::TimedOut,
                None => {
                    gate.enqueue(client);
                    return Outcome::Wait(*timeout);
                }
            },
            GateRequest::Release => done_or(gate.release(client), Answer::NotHeld),
            GateRequest::Forget => done_or(gate.forget(client), Answer::NotHeld),
            GateRequest::Add => done_or(gate.add(), Answer::AtBound),
            GateRequest::Free => Answer::Number(gate.free().into()),
        };
        answer.into()
    }

    fn monitor(&mut self, client: ClientId, id: ObjectId, request: &MonitorRequest) -> Outcome {
        let Some(Object::Monitor(monitor)) = self.objects.get_mut(&id) else {
            return no_such_object().into();
        };
        match request {
            MonitorRequest::Wait(timeout) => match monitor.sleep(client) {
                true => Outcome::Wait(*timeout),
                false => Answer::NotHeld.into(),
            },
            MonitorRequest::Notify(most) => {
                let waits = &mut self.waits;
                // From now on they wait for the lock, however long it takes.
                monitor.notify(*most, |client| waits.extend(client));
                Answer::Done.into()
            }
        }
    }

    fn barrier(
        &mut self,
        client: ClientId,
        id: ObjectId,
        request: &BarrierRequest,
        answers: &mut Answers,
    ) -> Outcome {
        let Some(Object::Barrier(barrier)) = self.objects.get_mut(&id) else {
            return no_such_object().into();
        };
        let in_vain = match request {
            BarrierRequest::Wait(timeout) => match barrier.arrive(client) {
                Arrival::Broken => return Answer::Broken.into(),
                Arrival::Early => return Outcome::Wait(*timeout),
                Arrival::All(mut others) => {
                    // The last one is this one, which doesn't wait yet.
                    others.pop();
                    let turns = (0..).map(Answer::Turn);
                    for (client, turn) in others.iter().zip(turns) {
                        self.waits.end(*client);
                        answers.push((*client, turn));
                    }
                    let last = u32::try_from(others.len()).unwrap_or(u32::MAX);
                    return Answer::Turn(last).into();
                }
            },
            BarrierRequest::Abort => barrier.abort(),
            BarrierRequest::Reset => barrier.reset(),
            BarrierRequest::Look => {
                return Outcome::Answer(Answer::Barrier {
                    parties: barrier.parties(),
                    waiting: barrier.waiting(),
                    is_broken: barrier.is_broken(),
                });
            }
        };
        self.tell(in_vain, &Answer::Broken, answers);
        Answer::Done.into()
    }

    fn flag(
        &mut self,
        client: ClientId,
        id: ObjectId,
        request: &FlagRequest,
        answers: &mut Answers,
    ) -> Outcome {
        let Some(Object::Flag { is_set, waiting }) = self.objects.get_mut(&id) else {
            return no_such_object().into();
        };
        let answer = match request {
            FlagRequest::IsSet => Answer::Yes(*is_set),
            FlagRequest::Clear => {
                *is_set = false;
                Answer::Done
            }
            FlagRequest::Set => {
                *is_set = true;
                let waiting = std::mem::take(waiting);
                self.tell(waiting, &Answer::Yes(true), answers);
                Answer::Done
            }
            FlagRequest::Wait(timeout) => {
                let is_over = timeout.is_some_and(|timeout| timeout.is_zero());
                if !*is_set && !is_over {
                    waiting.push(client);
                    return Outcome::Wait(*timeout);
                }
                Answer::Yes(*is_set)
            }
        };
        answer.into()
    }

    /// A client, of the process `pid`, is gone: what it had is free, and it waits no more.
    pub(super) fn lose(&mut self, client: ClientId, pid: u32, answers: &mut Answers) {
        self.waits.end(client);
        let mut freed = Vec::new();
        let mut in_vain = Vec::new();
        for (id, object) in &mut self.objects {
            match object {
                Object::Gate(gate) => {
                    gate.lose(client, pid);
                    freed.push(*id);
                }
                Object::Monitor(monitor) => {
                    monitor.lose(client, pid);
                    freed.push(*id);
                }
                Object::Barrier(barrier) => in_vain.extend(barrier.lose(client)),
                Object::Flag { waiting, .. } => waiting.retain(|waiting| *waiting != client),
                Object::Table(_) | Object::Sequence(_) => {}
            }
        }
        self.tell(in_vain, &Answer::Broken, answers);
        for id in freed {
            self.grant(id, answers);
        }
    }

    /// A client waits for a call on an object that lives on its thread.
    pub(super) fn begin_call(&mut self, client: ClientId, id: ObjectId, now: Instant) {
        self.waits.begin(client, id, None, now);
    }

    /// The call of a client has its answer.
    pub(super) fn end_call(&mut self, client: ClientId) {
        self.waits.end(client);
    }

    /// When the next wait ends by itself.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.waits.next_deadline()
    }

    /// Ends the waits whose time is over.
    pub(super) fn expire(&mut self, now: Instant, answers: &mut Answers) {
        while let Some((client, id)) = self.waits.expired(now) {
            let answer = match self.objects.get_mut(&id) {
                Some(Object::Gate(gate)) => {
                    gate.dequeue(client);
                    Answer::TimedOut
                }
                Some(Object::Monitor(monitor)) => match monitor.expire(client) {
                    true => Answer::TimedOut,
                    false => {
                        self.grant(id, answers);
                        continue;
                    }
                },
                Some(Object::Barrier(barrier)) => {
                    let mut others = barrier.abort();
                    others.retain(|other| *other != client);
                    self.tell(others, &Answer::Broken, answers);
                    Answer::Broken
                }
                Some(Object::Flag { waiting, .. }) => {
                    waiting.retain(|waiting| *waiting != client);
                    Answer::Yes(false)
                }
                Some(Object::Table(_) | Object::Sequence(_)) | None => no_such_object(),
            };
            self.tell([client], &answer, answers);
        }
    }

    /// Whether the client's last request has no answer yet.
    pub(super) fn is_waiting(&self, client: ClientId) -> bool {
        self.waits.is_waiting(client)
    }

    /// Ends waits, each with the same answer.
    fn tell(
        &mut self,
        clients: impl IntoIterator<Item = ClientId>,
        answer: &Answer,
        answers: &mut Answers,
    ) {
        for client in clients {
            self.waits.end(client);
            answers.push((client, answer.clone()));
        }
    }

    /// Gives free permits to those who wait for them.
    fn grant(&mut self, id: ObjectId, answers: &mut Answers) {
        loop {
            let granted = match self.objects.get_mut(&id) {
                Some(Object::Gate(gate)) => {
                    let granted = gate.grant();
                    granted.map(|(client, granted)| (client, granted.into()))
                }
                Some(Object::Monitor(monitor)) => monitor.grant(),
                _ => None,
            };
            let Some((client, answer)) = granted else {
                return;
            };
            self.waits.end(client);
            answers.push((client, answer));
        }
    }
}

fn done_or(is_done: bool, otherwise: Answer) -> Answer {
    match is_done {
        true => Answer::Done,
        false => otherwise,
    }
}

fn no_such_object() -> Answer {
    Answer::Refused("there is no such object".to_owned())
}
