//! The order of the samples.

use std::io::Write;

use super::{Options, Player, Results, Roster, results::Why, sample};
use crate::{Failure, about::About, contenders::MACHINE, limits};

/// Takes all samples. Contenders take turns; the one that is first changes from round to round.
///
/// # Errors
/// When `progress` can't be written.
pub fn run(
    options: &Options,
    roster: &Roster,
    mut progress: impl Write,
) -> Result<Results, Failure> {
    let mut results = Results::default();
    if roster.with_limits {
        for round in 0..options.rounds {
            let mut command = roster.limits_command(options);
            write!(progress, "limits {}/{}\r", round + 1, options.rounds)?;
            progress.flush()?;
            let pair = (limits::ABOUT.name, MACHINE);
            record(
                &mut results,
                pair,
                sample::take(&mut command, limits::ABOUT.patience),
            );
        }
        writeln!(progress)?;
    }
    for about in &roster.workloads {
        for round in 0..options.rounds {
            write!(progress, "{} {}/{}:", about.name, round + 1, options.rounds)?;
            let players = roster.players.len();
            for turn in 0..players {
                let player = &roster.players[(turn + round) % players];
                write!(progress, " {}", player.entry.name)?;
                progress.flush()?;
                play(options, roster, about, player, &mut results);
            }
            writeln!(progress)?;
        }
    }
    Ok(results)
}

/// One contender's turn at a workload.
fn play(
    options: &Options,
    roster: &Roster,
    about: &'static About,
    player: &Player,
    results: &mut Results,
) {
    let pair = (about.name, player.entry.name);
    if results.reason(pair.0, pair.1).is_some() {
        return;
    }
    let lacks = player.entry.lacks.iter();
    let lacks = lacks.copied().find(|(workload, _)| *workload == about.name);
    if let Some((_, why)) = lacks {
        results.give_up(pair, Why::Lacks(why));
    } else if let Some(why) = &player.missing {
        results.give_up(pair, Why::Missing(why.clone()));
    } else {
        let mut command = roster.command(about, player.entry, options);
        let patience = match options.quick {
            true => about.patience / 6,
            false => about.patience,
        };
        record(results, pair, sample::take(&mut command, patience));
    }
}

fn record(
    results: &mut Results,
    pair: (&'static str, &'static str),
    sample: Result<sample::Sample, Why>,
) {
    match sample {
        Ok(sample) => {
            for (figure, value) in sample.figures {
                results.add(pair, figure, value);
            }
            if !sample.notes.is_empty() {
                results.add_note(pair, sample.notes.join("; "));
            }
        }
        Err(why) => results.give_up(pair, why),
    }
}
