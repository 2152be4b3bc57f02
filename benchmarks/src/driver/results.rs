//! What was measured, and why not.

use std::{
    collections::BTreeMap,
    fmt::{self, Write},
};

use crate::{bench::median, contenders::OURS};

/// A workload and a contender.
type Pair = (&'static str, &'static str);

/// Why there is no figure.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Why {
    /// The workload makes no sense for this contender.
    Lacks(&'static str),
    /// The contender isn't there.
    Missing(String),
    /// It was not done in time.
    Hangs(String),
    /// It said an error, or what it said makes no sense.
    Fails(String),
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Why::Lacks(text) => f.write_str(text),
            Why::Missing(text) | Why::Hangs(text) | Why::Fails(text) => f.write_str(text),
        }
    }
}

/// All samples of a run.
#[derive(Debug, Default)]
pub struct Results {
    samples: BTreeMap<(&'static str, &'static str, String), Vec<f64>>,
    reasons: BTreeMap<Pair, Why>,
    notes: BTreeMap<Pair, String>,
}

impl Results {
    pub(super) fn add(&mut self, (workload, contender): Pair, figure: String, value: f64) {
        let key = (workload, contender, figure);
        self.samples.entry(key).or_default().push(value);
    }

    pub(super) fn add_note(&mut self, pair: Pair, note: String) {
        self.notes.insert(pair, note);
    }

    pub(super) fn give_up(&mut self, pair: Pair, why: Why) {
        self.reasons.insert(pair, why);
    }

    /// Why there is no figure of this contender for this workload.
    #[must_use]
    pub fn reason(&self, workload: &'static str, contender: &'static str) -> Option<&Why> {
        self.reasons.get(&(workload, contender))
    }

    /// The samples that should have given figures and did not. (Other pools than ours may hang.)
    pub fn failures(&self) -> impl Iterator<Item = String> {
        let unexpected = |pair: &Pair, why: &Why| match why {
            Why::Fails(_) => true,
            Why::Hangs(_) => pair.1 == OURS,
            Why::Lacks(_) | Why::Missing(_) => false,
        };
        self.reasons
            .iter()
            .filter(move |(pair, why)| unexpected(pair, why))
            .map(|((workload, contender), why)| format!("{contender}, {workload}: {why}"))
    }

    /// What a reader of its figures should know.
    #[must_use]
    pub fn note(&self, workload: &'static str, contender: &'static str) -> Option<&str> {
        self.notes.get(&(workload, contender)).map(String::as_str)
    }

    /// The values of a figure, one for each round.
    #[must_use]
    pub fn values(&self, workload: &'static str, contender: &'static str, figure: &str) -> &[f64] {
        let key = (workload, contender, figure.to_owned());
        self.samples.get(&key).map_or(&[], Vec::as_slice)
    }

    /// The median over the rounds.
    #[must_use]
    pub fn median(
        &self,
        workload: &'static str,
        contender: &'static str,
        figure: &str,
    ) -> Option<f64> {
        // When a later round failed, the earlier ones don't count: the failure is the result.
        match self.reasons.contains_key(&(workload, contender)) {
            true => None,
            false => median(&mut self.values(workload, contender, figure).to_vec()),
        }
    }

    /// All samples, a line each: workload, contender, figure, round, value.
    #[must_use]
    pub fn as_lines(&self) -> String {
        let mut text = String::from("workload\tcontender\tfigure\tround\tvalue\n");
        for ((workload, contender, figure), values) in &self.samples {
            for (round, value) in values.iter().enumerate() {
                let round = round + 1;
                // Writing to a String can't fail.
                let _ = writeln!(
                    text,
                    "{workload}\t{contender}\t{figure}\t{round}\t{value:e}"
                );
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_over_the_rounds_and_a_failure_hides_it() {
        let mut results = Results::default();
        for value in [3.0, 1.0, 2.0] {
            results.add(("map", "ppool"), "rate".into(), value);
        }
        assert_eq!(results.median("map", "ppool", "rate"), Some(2.0));
        assert_eq!(results.median("map", "rayon", "rate"), None);
        assert!(results.as_lines().contains("map\tppool\trate\t2\t1e0\n"));
        results.give_up(("map", "ppool"), Why::Hangs("hangs".into()));
        results.give_up(("map", "loky"), Why::Hangs("hangs".into()));
        assert_eq!(results.median("map", "ppool", "rate"), None);
        assert_eq!(
            results.failures().collect::<Vec<_>>(),
            ["ppool, map: hangs"]
        );
    }
}
