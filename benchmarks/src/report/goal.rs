//! One goal: a figure of ours, and what it is to reach.

use crate::{
    about::{About, Figure},
    contenders::{MACHINE, OURS},
    driver::Results,
    limits,
    workloads::workloads,
};

/// What a figure of ours should be.
#[derive(Debug)]
pub(super) struct Goal {
    /// The workload and its figure.
    pub(super) of: (&'static str, &'static str),
    /// The goal in words.
    pub(super) text: &'static str,
    pub(super) is: Is,
    /// The goal as a number; `None` when what it is measured by was not measured.
    pub(super) target: fn(&Peers<'_>) -> Option<f64>,
}

/// How a figure compares with its goal when it reaches it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Is {
    AtMost,
    AtLeast,
    Exactly,
}

impl Goal {
    /// The figure's median, if there is one.
    pub(super) fn ours(&self, results: &Results) -> Option<f64> {
        results.median(self.of.0, OURS, self.of.1)
    }

    /// What is known of the figure.
    pub(super) fn figure(&self) -> Option<&'static Figure> {
        let find = |about: &&'static About| about.name == self.of.0;
        let about = workloads().iter().copied().find(find)?;
        about.figures.iter().find(|figure| figure.name == self.of.1)
    }

    /// How many times as good `ours` is as `target`, where that can be said.
    pub(super) fn advantage(&self, ours: f64, target: f64) -> Option<f64> {
        match self.is {
            _ if ours <= 0.0 || target <= 0.0 => None,
            Is::AtMost => Some(target / ours),
            Is::AtLeast => Some(ours / target),
            Is::Exactly => None,
        }
    }

    /// Whether `ours` reaches `target`.
    pub(super) fn is_reached(&self, ours: f64, target: f64) -> bool {
        match self.is {
            Is::AtMost => ours <= target,
            Is::AtLeast => ours >= target,
            Is::Exactly => (ours - target).abs() < 1e-9,
        }
    }
}

/// The medians that goals are measured by.
#[derive(Debug)]
pub(super) struct Peers<'a>(pub(super) &'a Results);

impl Peers<'_> {
    pub(super) fn rayon(&self, workload: &'static str, figure: &str) -> Option<f64> {
        self.0.median(workload, "rayon", figure)
    }

    pub(super) fn procspawn(&self, workload: &'static str, figure: &str) -> Option<f64> {
        self.0.median(workload, "procspawn", figure)
    }

    /// The highest figure of Python's pools.
    pub(super) fn best_python(&self, workload: &'static str, figure: &str) -> Option<f64> {
        let pools = ["multiprocessing", "futures", "loky"].into_iter();
        let figures = pools.filter_map(|pool| self.0.median(workload, pool, figure));
        figures.max_by(f64::total_cmp)
    }

    pub(super) fn limit(&self, figure: &str) -> Option<f64> {
        self.0.median(limits::ABOUT.name, MACHINE, figure)
    }
}
