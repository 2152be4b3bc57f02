//! The template process of a pool, and the workers that wait to be forked from it: what the
//! queue-manager thread keeps for itself.
//!
//! ```text
//!  Spawn ──► waiting ──(template is ready)──► Fork + a link's end ──► template
//!               │                                   │ asked              │ clone
//!               │ the template can't start          ▼                    ▼
//!               └──► spawns_failed           launched ◄── Forked ── the worker, our child
//! ```
//!
//! # States of the template
//!
//! none ──(a worker is wanted)──► starting ──(Ready)──► ready ──(it dies)──► none
//!
//! # Invariants
//!
//! - QM-1: nothing here waits for the template; its link and its pidfd are watched like a worker's.
//!   Only at the pool's end it is given a moment to leave by itself.
//! - SUP-2: a template that can't do its preload breaks the pool; one that dies is started again when
//!   a worker is wanted next, with the reactor's pauses.
//! - SUP-3: a worker whose fork was asked for, and that nobody told of because the template died in
//!   between, is found among the children of this thread, killed and reaped.
//!
//! # Failure
//!
//! Workers that run have nothing to do with their template any more, and so nothing with its death.

mod keeper;
mod process;

pub(super) use keeper::TemplateKeeper;
