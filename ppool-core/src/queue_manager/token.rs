//! What an event of the poller is about, as the number that the kernel keeps for us.

use crate::ids::{Generation, Slot, WorkerId};

/// What an event of the poller is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Token {
    /// The wake-up.
    Wakeup,
    /// What workers print.
    Output,
    /// The link of a worker.
    Link(WorkerId),
    /// The exit of a worker.
    Exit(WorkerId),
    /// The template, by how many there were before it.
    Template(TemplateEvent, u32),
}

/// What has happened to a template.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum TemplateEvent {
    /// Its link has something.
    Link,
    /// Its process has ended.
    Exit,
}

/// Tells the output from the wake-up, which are no worker's.
const OUTPUT: WorkerId = WorkerId {
    slot: Slot(1),
    generation: Generation(0),
};

impl Token {
    const SLOT_BITS: u32 = 30;

    pub(super) fn encode(self) -> u64 {
        let (kind, worker) = match self {
            Token::Wakeup => (0, WorkerId::default()),
            Token::Output => (0, OUTPUT),
            Token::Link(worker) => (1, worker),
            Token::Exit(worker) => (2, worker),
            Token::Template(event, generation) => {
                let slot = match event {
                    TemplateEvent::Link => 0,
                    TemplateEvent::Exit => 1,
                };
                let template = WorkerId {
                    slot: Slot(slot),
                    generation: Generation(generation),
                };
                (3, template)
            }
        };
        u64::from(worker.generation.0) << 32 | u64::from(worker.slot.0) << 2 | kind
    }

    pub(super) fn decode(token: u64) -> Self {
        let slot = (token >> 2) & ((1 << Self::SLOT_BITS) - 1);
        let worker = WorkerId {
            slot: Slot(u32::try_from(slot).expect("30 bits fit")),
            generation: Generation(u32::try_from(token >> 32).expect("32 bits fit")),
        };
        match token & 3 {
            0 if worker == OUTPUT => Token::Output,
            0 => Token::Wakeup,
            1 => Token::Link(worker),
            2 => Token::Exit(worker),
            _ if worker.slot.0 == 0 => Token::Template(TemplateEvent::Link, worker.generation.0),
            _ => Token::Template(TemplateEvent::Exit, worker.generation.0),
        }
    }
}
