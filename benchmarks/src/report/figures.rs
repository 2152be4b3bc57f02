//! The table of all figures: a row for each, a column for each contender.

use super::grid;
use crate::{
    about::{About, Figure},
    contenders::{MACHINE, OURS},
    driver::{Results, Roster, Why},
    limits,
    unit::{Better, times},
};

/// Remarks below the table, each once.
#[derive(Debug, Default)]
struct Remarks(Vec<String>);

impl Remarks {
    /// The sign that stands in a cell for this remark.
    fn sign(&mut self, remark: &str) -> String {
        let known = self.0.iter().position(|known| known == remark);
        let index = known.unwrap_or_else(|| {
            self.0.push(remark.to_owned());
            self.0.len() - 1
        });
        format!("({})", index + 1)
    }
}

/// The figures of all contenders and the ratios of ours to theirs, with remarks below.
pub(super) fn table(results: &Results, roster: &Roster) -> String {
    let mut remarks = Remarks::default();
    let mut head = vec![String::new()];
    head.extend(
        roster
            .players
            .iter()
            .map(|player| player.entry.title.to_owned()),
    );
    let mut rows = Vec::new();
    for about in &roster.workloads {
        for figure in about.figures {
            let mut row = vec![figure.title.to_owned()];
            for player in &roster.players {
                row.push(cell(
                    results,
                    about,
                    figure,
                    player.entry.name,
                    &mut remarks,
                ));
            }
            rows.push(row);
        }
    }
    if rows.is_empty() {
        return String::new();
    }
    let mut text = grid::write(&head, &rows);
    text.push('\n');
    for (index, remark) in remarks.0.iter().enumerate() {
        text += &format!("({}) {remark}  \n", index + 1);
    }
    text
}

fn cell(
    results: &Results,
    about: &About,
    figure: &Figure,
    contender: &'static str,
    remarks: &mut Remarks,
) -> String {
    let Some(value) = results.median(about.name, contender, figure.name) else {
        return format!("- {}", remarks.sign(&reason(results, about, contender)));
    };
    let mut text = figure.unit.write(value);
    if contender != OURS
        && let Some(ours) = results.median(about.name, OURS, figure.name)
        && let Some(advantage) = advantage(figure.better, ours, value)
    {
        text += &format!(" {}", times(advantage));
    }
    if let Some(note) = results.note(about.name, contender) {
        text += &format!(" {}", remarks.sign(note));
    }
    text
}

fn reason(results: &Results, about: &About, contender: &'static str) -> String {
    let why = results.reason(about.name, contender);
    why.map_or_else(|| "not measured".into(), Why::to_string)
}

/// How many times as good `ours` is as `theirs`; `None` where that can't be said.
pub(super) fn advantage(better: Better, ours: f64, theirs: f64) -> Option<f64> {
    match better {
        _ if ours <= 0.0 || theirs <= 0.0 => None,
        Better::Lower => Some(theirs / ours),
        Better::Higher => Some(ours / theirs),
        Better::Neither => None,
    }
}

/// The limits of the machine, when they were measured.
pub(super) fn limits(results: &Results) -> String {
    let head = ["limit of the machine".to_owned(), "measured".to_owned()];
    let row = |figure: &Figure| {
        let text = match results.median(limits::ABOUT.name, MACHINE, figure.name) {
            Some(value) => figure.unit.write(value),
            None => format!("- ({})", reason(results, &limits::ABOUT, MACHINE)),
        };
        vec![figure.title.to_owned(), text]
    };
    let rows: Vec<_> = limits::ABOUT.figures.iter().map(row).collect();
    grid::write(&head, &rows)
}
