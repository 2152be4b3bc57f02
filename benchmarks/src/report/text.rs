//! The generated part of the report.

use super::{figures, goal_table, machine, plot};
use crate::driver::{Options, Results, Roster};

/// What a run says.
#[derive(Debug)]
pub struct Report {
    /// Facts, tables and goals, as Markdown.
    pub text: String,
    /// The plot, as SVG; `None` when there is nothing to compare.
    pub plot: Option<String>,
}

/// Puts the results of a run into words and pictures. `load_before` is the load average before it.
#[must_use]
pub fn write(options: &Options, roster: &Roster, results: &Results, load_before: &str) -> Report {
    let mut text = String::new();
    for fact in machine::facts(options, roster, load_before) {
        text += &format!("- {fact}\n");
    }
    for player in &roster.players {
        if let Some(why) = &player.missing {
            text += &format!("- left out: {} ({why})\n", player.entry.title);
        }
    }
    let table = figures::table(results, roster);
    if !table.is_empty() {
        text += "\n### Figures\n\n`×n` behind a figure: ppool is n times as good; `÷n`: the other one is.\n\n";
        text += &table;
    }
    if roster.with_limits {
        text += "\n### Limits\n\n";
        text += &figures::limits(results);
    }
    let goals = goal_table::table(results, roster);
    if !goals.is_empty() {
        text += "\n### Goals\n\n";
        text += &goals;
    }
    text += "\n### What was measured\n\n";
    for about in &roster.workloads {
        text += &format!("- `{}`: {}.\n", about.name, about.what);
    }
    Report {
        text,
        plot: plot::draw(results, roster),
    }
}

/// The load average now, for [`write`].
#[must_use]
pub fn load() -> String {
    machine::load()
}
