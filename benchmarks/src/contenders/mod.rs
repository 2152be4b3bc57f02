//! The pools that are compared, each in a file of its own behind the trait [`Contender`].
//!
//! Python's pools are contenders too; they run in `python/`, under the same names of workloads and
//! figures.

mod catalogue;
mod contender;
mod crossbeam;
mod one_shot;
mod ppool;
mod procspawn;
mod rayon;

pub use self::{
    catalogue::{Entry, Kind, MACHINE, OURS, contenders},
    contender::{Contender, Pending},
    crossbeam::Crossbeam,
    ppool::Ppool,
    procspawn::Procspawn,
    rayon::Rayon,
};
