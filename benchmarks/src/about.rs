//! What there is to know of a workload before it runs.

use std::time::Duration;

use crate::unit::{Better, Unit};

/// A workload and the figures that it gives.
#[derive(Debug)]
pub struct About {
    /// The name on the command line.
    pub name: &'static str,
    /// What is done, as a line of the report.
    pub what: &'static str,
    /// What comes out of it.
    pub figures: &'static [Figure],
    /// A sample that takes longer is ended: the contender hangs, or is far too slow.
    pub patience: Duration,
}

/// One number of a workload: one row of the table.
#[derive(Debug)]
pub struct Figure {
    /// Its name within the workload.
    pub name: &'static str,
    /// The title of its row.
    pub title: &'static str,
    /// What the number means.
    pub unit: Unit,
    /// Which is the better one.
    pub better: Better,
}

/// How long a sample may take unless its workload says otherwise.
pub const PATIENCE: Duration = Duration::from_secs(60);

impl Figure {
    /// A time, of which less is better.
    #[must_use]
    pub const fn time(name: &'static str, title: &'static str) -> Self {
        Figure::new(name, title, Unit::Seconds, Better::Lower)
    }

    /// How much is done in a second.
    #[must_use]
    pub const fn rate(name: &'static str, title: &'static str) -> Self {
        Figure::new(name, title, Unit::PerSecond, Better::Higher)
    }

    /// How many bytes are moved in a second.
    #[must_use]
    pub const fn throughput(name: &'static str, title: &'static str) -> Self {
        Figure::new(name, title, Unit::BytesPerSecond, Better::Higher)
    }

    /// How many bytes something takes.
    #[must_use]
    pub const fn size(name: &'static str, title: &'static str) -> Self {
        Figure::new(name, title, Unit::Bytes, Better::Lower)
    }

    /// Any figure.
    #[must_use]
    pub const fn new(name: &'static str, title: &'static str, unit: Unit, better: Better) -> Self {
        Figure {
            name,
            title,
            unit,
            better,
        }
    }
}
