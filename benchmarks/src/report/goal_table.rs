//! Whether a run reaches the goals.

use super::{
    goal::{Goal, Peers},
    goals::GOALS,
    grid,
};
use crate::{
    contenders::OURS,
    driver::{Results, Roster},
    unit::{Unit, times},
};

/// The goals of the workloads that were run.
pub(super) fn table(results: &Results, roster: &Roster) -> String {
    let was_run = |goal: &&Goal| roster.workloads.iter().any(|about| about.name == goal.of.0);
    let rows: Vec<_> = GOALS
        .iter()
        .filter(was_run)
        .map(|goal| row(goal, results))
        .collect();
    let we_ran = roster
        .players
        .iter()
        .any(|player| player.entry.name == OURS);
    if rows.is_empty() || !we_ran {
        return String::new();
    }
    let head = [
        "goal",
        "ppool",
        "lowest and highest",
        "goal in this run",
        "against it",
        "reached",
    ];
    grid::write(&head.map(str::to_owned), &rows)
}

fn row(goal: &Goal, results: &Results) -> Vec<String> {
    let unit = goal.figure().map_or(Unit::Count, |figure| figure.unit);
    let ours = goal.ours(results);
    let target = (goal.target)(&Peers(results));
    let write = |value: Option<f64>| value.map_or_else(|| "-".into(), |value| unit.write(value));
    let (ratio, reached) = match (ours, target) {
        (Some(ours), Some(target)) => {
            let ratio = goal.advantage(ours, target).map(times);
            let reached = if goal.is_reached(ours, target) {
                "yes"
            } else {
                "no"
            };
            (ratio.unwrap_or_default(), reached.to_owned())
        }
        _ => (String::new(), "-".to_owned()),
    };
    let text = goal.text.to_owned();
    vec![
        text,
        write(ours),
        spread(goal, unit, results),
        write(target),
        ratio,
        reached,
    ]
}

/// The range of the rounds: how far the median can be trusted.
fn spread(goal: &Goal, unit: Unit, results: &Results) -> String {
    let values = results.values(goal.of.0, OURS, goal.of.1);
    let lowest = values.iter().copied().min_by(f64::total_cmp);
    let highest = values.iter().copied().max_by(f64::total_cmp);
    match (lowest, highest) {
        (Some(lowest), Some(highest)) if values.len() > 1 => {
            format!("{} .. {}", unit.write(lowest), unit.write(highest))
        }
        _ => String::new(),
    }
}
