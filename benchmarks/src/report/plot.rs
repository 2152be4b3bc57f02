//! The plot: how many times as good ppool is as each contender, a line for each figure.
//!
//! The scale is logarithmic. Right of the line at 1 ppool is the better one. Contenders differ by
//! shape as well as by colour.

use svg::{
    Document,
    node::element::{Circle, Group, Line, Polygon, Rectangle, Text},
};

use super::figures::advantage;
use crate::{
    contenders::OURS,
    driver::{Player, Results, Roster},
};

const WIDTH: f64 = 960.0;
const LEFT: f64 = 330.0;
const RIGHT: f64 = 930.0;
const TOP: f64 = 70.0;
const ROW: f64 = 24.0;
/// The scale goes from one part in this to this many times.
const DECADES: f64 = 4.0;
/// Colours that people who see few colours can tell apart.
const COLOURS: [&str; 7] = [
    "#0072b2", "#56b4e9", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#666666",
];

struct Row {
    title: &'static str,
    /// The number of the contender, and our advantage over it.
    marks: Vec<(usize, f64)>,
}

/// The plot as SVG; `None` when there is nothing to compare.
pub(super) fn draw(results: &Results, roster: &Roster) -> Option<String> {
    let peers: Vec<&Player> = roster
        .players
        .iter()
        .filter(|p| p.entry.name != OURS)
        .collect();
    let rows = rows(results, roster, &peers);
    if rows.is_empty() {
        return None;
    }
    let bottom = TOP + ROW * rows.len() as f64;
    let height = bottom + 40.0;
    let background = Rectangle::new()
        .set("width", WIDTH)
        .set("height", height)
        .set("fill", "white");
    let mut document = Document::new()
        .set("viewBox", (0, 0, WIDTH, height))
        .set("font-family", "sans-serif")
        .set("font-size", 12)
        .add(background)
        .add(text(
            LEFT,
            24.0,
            "start",
            "times as good as (logarithmic; right of 1, ppool is better)",
        ))
        .add(legend(&peers))
        .add(scale(bottom));
    for (index, row) in rows.iter().enumerate() {
        let y = TOP + ROW * (index as f64 + 0.5);
        let mut group = Group::new().add(text(LEFT - 10.0, y + 4.0, "end", row.title));
        for (peer, advantage) in &row.marks {
            group = group.add(mark(*peer, x_of(*advantage), y));
        }
        document = document.add(group);
    }
    Some(format!("{document}\n"))
}

fn rows(results: &Results, roster: &Roster, peers: &[&Player]) -> Vec<Row> {
    let mut rows = Vec::new();
    for about in &roster.workloads {
        for figure in about.figures {
            let Some(ours) = results.median(about.name, OURS, figure.name) else {
                continue;
            };
            let mark = |(number, peer): (usize, &&Player)| {
                let theirs = results.median(about.name, peer.entry.name, figure.name)?;
                Some((number, advantage(figure.better, ours, theirs)?))
            };
            let marks: Vec<_> = peers.iter().enumerate().filter_map(mark).collect();
            if !marks.is_empty() {
                let title = figure.title;
                rows.push(Row { title, marks });
            }
        }
    }
    rows
}

fn x_of(advantage: f64) -> f64 {
    let decades = advantage.log10().clamp(-DECADES, DECADES);
    let middle = f64::midpoint(LEFT, RIGHT);
    middle + decades / DECADES * (RIGHT - LEFT) / 2.0
}

fn scale(bottom: f64) -> Group {
    let mut group = Group::new();
    for (advantage, label) in [
        (1e-4, "1/10000"),
        (1e-3, "1/1000"),
        (1e-2, "1/100"),
        (1e-1, "1/10"),
        (1.0, "1"),
        (1e1, "10"),
        (1e2, "100"),
        (1e3, "1000"),
        (1e4, "10000"),
    ] {
        let x = x_of(advantage);
        let is_middle = (advantage - 1.0).abs() < f64::EPSILON;
        let line = Line::new()
            .set("x1", x)
            .set("x2", x)
            .set("y1", TOP)
            .set("y2", bottom)
            .set("stroke", if is_middle { "black" } else { "#dddddd" });
        group = group.add(line).add(text(x, bottom + 18.0, "middle", label));
    }
    group
}

fn legend(peers: &[&Player]) -> Group {
    let mut group = Group::new();
    let mut x = 20.0;
    for (number, peer) in peers.iter().enumerate() {
        group =
            group
                .add(mark(number, x, 46.0))
                .add(text(x + 10.0, 50.0, "start", peer.entry.title));
        x += 30.0 + 7.0 * peer.entry.title.len() as f64;
    }
    group
}

/// The mark of a contender: its colour, and one of three shapes.
fn mark(number: usize, x: f64, y: f64) -> Group {
    let colour = COLOURS[number % COLOURS.len()];
    let group = Group::new().set("fill", colour);
    match number % 3 {
        0 => group.add(Circle::new().set("cx", x).set("cy", y).set("r", 5)),
        1 => group.add(
            Rectangle::new()
                .set("x", x - 4.5)
                .set("y", y - 4.5)
                .set("width", 9)
                .set("height", 9),
        ),
        _ => {
            let (left, right) = (x - 5.5, x + 5.5);
            let (low, high) = (y + 4.5, y - 5.5);
            let points = format!("{left},{low} {right},{low} {x},{high}");
            group.add(Polygon::new().set("points", points))
        }
    }
}

fn text(x: f64, y: f64, anchor: &str, content: &str) -> Text {
    Text::new(content)
        .set("x", x)
        .set("y", y)
        .set("text-anchor", anchor)
}
