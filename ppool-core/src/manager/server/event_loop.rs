//! The server's one wait point (QM-2), and everything that it does with descriptors.

use std::{
    collections::HashMap,
    io,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::net::UnixStream,
    },
    time::Instant,
};

use super::{
    actors::{Actors, Runner},
    connection::{Arrival, Broken, Connection, Inbox, shortage, too_many_open_files},
    state::{Answers, ClientId, State},
};
use crate::{
    manager::protocol::{Answer, Call, ObjectId, ROOT, Request, Seed},
    sys::{
        epoll::{Event, Events, Interest, Poller},
        eventfd::Wakeup,
        limits,
        socketpair::stream_pair,
    },
};

/// The token of what objects with threads have returned.
const RETURNED: u64 = u64::MAX;

/// Serves the manager whose first door's inner end this is, until nobody has a handle any more, or
/// somebody shuts it down.
///
/// # Errors
/// When the system gives no epoll.
pub fn serve(door: OwnedFd, runner: Runner) -> io::Result<()> {
    // Each object and each client takes one. If they can't be more, there is room for fewer.
    let _ = limits::raise_open_files();
    let mut server = Server {
        poller: Poller::new()?,
        ports: HashMap::new(),
        doors: 0,
        next_token: 0,
        next_object: ROOT + 1,
        spare: Some(Wakeup::new()?),
        actors: Actors::new(runner)?,
        state: State::default(),
        inbox: Inbox::new(),
        is_open: true,
    };
    server.add_door(ROOT, door)?;
    server
        .poller
        .add(&server.actors, RETURNED, Interest::READ)?;
    server.run()
}

struct Server {
    poller: Poller,
    /// By their tokens, which are not used again.
    ports: HashMap<u64, Port>,
    /// How many of them are doors.
    doors: usize,
    next_token: u64,
    next_object: ObjectId,
    /// A descriptor that is given up when a visitor comes, so that there is always room for one: to
    /// tell it that there is no more.
    spare: Option<Wakeup>,
    actors: Actors,
    state: State,
    inbox: Inbox,
    is_open: bool,
}

/// What there is to wait for.
enum Port {
    /// The inner end of an object's door. The outer ends are in its handles, so the end of the
    /// stream says that there are none any more.
    Door(ObjectId, UnixStream),
    Client(Box<Connection>),
}

impl AsFd for Port {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Port::Door(_, socket) => socket.as_fd(),
            Port::Client(connection) => connection.as_fd(),
        }
    }
}

impl Server {
    fn run(&mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(64);
        while self.is_open && self.doors > 0 {
            let now = Instant::now();
            let deadline = self.state.next_deadline();
            let timeout = deadline.map(|deadline| deadline.saturating_duration_since(now));
            self.poller.wait(&mut events, timeout)?;
            let mut answers = Answers::new();
            self.state.expire(Instant::now(), &mut answers);
            for event in events.iter() {
                self.happen(event, &mut answers);
                self.deliver(&mut answers);
            }
            self.deliver(&mut answers);
        }
        Ok(())
    }

    fn happen(&mut self, event: Event, answers: &mut Answers) {
        let token = event.token;
        if token == RETURNED {
            let before = answers.len();
            self.actors.collect(answers);
            for (client, _) in &answers[before..] {
                self.state.end_call(*client);
            }
            return;
        }
        match self.ports.get_mut(&token) {
            Some(Port::Door(id, socket)) => {
                let id = *id;
                self.spare = None;
                match visit(socket, &mut self.inbox) {
                    Visit::Some(visitors) => visitors
                        .into_iter()
                        .for_each(|visitor| self.add_client(visitor)),
                    Visit::None => {}
                    Visit::End => {
                        self.close(token);
                        self.doors -= 1;
                        self.state.remove(id, answers);
                        self.actors.remove(id);
                    }
                }
                self.has_room();
            }
            Some(Port::Client(connection)) => {
                let worked = connection.write().and_then(|()| {
                    // A client that hangs up is read to the end even while it waits.
                    match event.readable {
                        true => connection.read(&mut self.inbox),
                        false => Ok(None),
                    }
                });
                match worked {
                    Ok(Some(Arrival::Request(request))) => self.request(token, request, answers),
                    Ok(Some(Arrival::CutOff)) => {
                        answers.push((token, too_many_open_files()));
                    }
                    Ok(None) => {}
                    Err(Broken) => self.lose(token, answers),
                }
                self.settle(token);
            }
            // An earlier event of the same wait has closed it.
            None => {}
        }
    }

    fn request(&mut self, client: ClientId, request: Request, answers: &mut Answers) {
        match request {
            Request::Greet => {
                let pid = std::process::id();
                answers.push((client, Answer::Server { pid }));
            }
            Request::Create(Seed::Object(call)) => {
                if let Err(answer) = self.create_object(client, call) {
                    answers.push((client, answer));
                }
            }
            Request::Create(seed) => {
                let answer = self.create(seed);
                answers.push((client, answer));
            }
            Request::Call(id, call) => match self.actors.call(id, client, call) {
                Ok(()) => self.state.begin_call(client, id, Instant::now()),
                Err(answer) => answers.push((client, answer)),
            },
            Request::Shutdown => {
                self.is_open = false;
                answers.push((client, Answer::Done));
            }
            request => {
                let now = Instant::now();
                self.state.request(client, request, now, answers);
            }
        }
    }

    fn create(&mut self, seed: Seed) -> Answer {
        let id = self.next_object;
        let made = stream_pair().and_then(|(inner, outer)| {
            self.add_door(id, inner)?;
            Ok(outer)
        });
        match made {
            Ok(outer) => {
                self.next_object += 1;
                self.state.create(id, seed);
                Answer::Created {
                    object: id,
                    door: outer.into(),
                }
            }
            Err(error) => shortage(&error),
        }
    }

    /// Makes an object that lives on a thread. The answer comes from there, unless it is an error.
    fn create_object(&mut self, client: ClientId, call: Call) -> Result<(), Answer> {
        let id = self.next_object;
        let (inner, outer) = stream_pair().map_err(|error| shortage(&error))?;
        self.add_door(id, inner).map_err(|error| shortage(&error))?;
        self.next_object += 1;
        let created = Answer::Created {
            object: id,
            door: outer.into(),
        };
        // If this fails the door has no outer end any more, and is removed.
        self.actors.begin(id, client, call, created)?;
        self.state.begin_call(client, id, Instant::now());
        Ok(())
    }

    /// Begins to send answers.
    fn deliver(&mut self, answers: &mut Answers) {
        // Those of a client that is lost by this free what it has, which gives more answers.
        while !answers.is_empty() {
            for (client, answer) in std::mem::take(answers) {
                let Some(Port::Client(connection)) = self.ports.get_mut(&client) else {
                    continue;
                };
                connection.answer(&answer);
                if connection.write().is_err() {
                    self.lose(client, answers);
                }
                self.settle(client);
            }
        }
    }

    fn add_door(&mut self, id: ObjectId, inner: OwnedFd) -> io::Result<()> {
        let socket = UnixStream::from(inner);
        socket.set_nonblocking(true)?;
        self.add(Port::Door(id, socket))?;
        self.doors += 1;
        Ok(())
    }

    fn add_client(&mut self, socket: OwnedFd) {
        let Ok(mut connection) = Connection::new(socket) else {
            return;
        };
        if self.has_room() {
            // What keeps it from being added, its client learns from its end.
            let _ = self.add(Port::Client(Box::new(connection)));
        } else {
            connection.answer(&too_many_open_files());
            // Its buffer is empty, so this goes at once.
            let _ = connection.write();
        }
    }

    /// Whether there is a descriptor left, which is kept then.
    fn has_room(&mut self) -> bool {
        if self.spare.is_none() {
            self.spare = Wakeup::new().ok();
        }
        self.spare.is_some()
    }

    fn add(&mut self, port: Port) -> io::Result<()> {
        let token = self.next_token;
        self.poller.add(&port, token, Interest::READ)?;
        self.next_token += 1;
        self.ports.insert(token, port);
        Ok(())
    }

    /// Waits at a connection for what it needs next.
    fn settle(&mut self, client: ClientId) {
        let waits = self.state.is_waiting(client);
        if let Some(Port::Client(connection)) = self.ports.get_mut(&client)
            && let Some(interest) = connection.next_interest(waits)
        {
            // It was added, so this doesn't fail.
            let _ = self.poller.modify(&*connection, client, interest);
        }
    }

    fn lose(&mut self, client: ClientId, answers: &mut Answers) {
        if let Some(Port::Client(connection)) = self.close(client) {
            self.state.lose(client, connection.pid(), answers);
        }
    }

    fn close(&mut self, token: u64) -> Option<Port> {
        let port = self.ports.remove(&token)?;
        let _ = self.poller.remove(&port);
        Some(port)
    }
}

/// What was found at a door.
enum Visit {
    Some(Vec<OwnedFd>),
    None,
    End,
}

fn visit(door: &UnixStream, inbox: &mut Inbox) -> Visit {
    match inbox.receive(door.as_fd()) {
        Ok(received) if received.bytes == 0 => Visit::End,
        Ok(received) => match received.descriptors {
            Some(arrived) => Visit::Some(arrived.descriptors),
            None => Visit::None,
        },
        Err(error) => match error.kind() {
            // The other side closed with something unread; there is never anything sent to it.
            io::ErrorKind::ConnectionReset => Visit::End,
            _ => Visit::None,
        },
    }
}
