//! The workloads, each in a file of its own, generic over the contender.

mod catalogue;
mod crew;

mod bytes_argument;
mod bytes_echo;
mod compute;
mod crashes;
mod idle;
mod idle_memory;
mod map;
mod map_one_by_one;
mod million;
mod no_ops;
mod queued_memory;
mod round_trip;
mod start_many;
mod start_stop;
mod waiting;

pub use catalogue::{measure, workloads};
