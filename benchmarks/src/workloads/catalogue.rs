//! All workloads, in the order of the report.

use crate::{Failure, about::About, bench::Bench, contenders::Contender};

macro_rules! workloads {
    ($($name:ident)*) => {
        /// What there is to know of each.
        #[must_use]
        pub fn workloads() -> &'static [&'static About] {
            const { &[$(&super::$name::ABOUT),*] }
        }

        /// Runs the workload of this name.
        ///
        /// # Errors
        /// When there is no such workload, or the contender fails it.
        pub fn measure<C: Contender>(name: &str, bench: &mut Bench) -> Result<(), Failure> {
            match name {
                $(stringify!($name) => super::$name::measure::<C>(bench),)*
                _ => Err(format!("there is no workload `{name}`").into()),
            }
        }
    };
}

workloads! {
    round_trip
    no_ops
    map
    map_one_by_one
    bytes_argument
    bytes_echo
    start_stop
    start_many
    idle_memory
    queued_memory
    million
    crashes
    compute
    idle
    waiting
}
