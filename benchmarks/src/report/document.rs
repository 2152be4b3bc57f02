//! The report as a file of the repository: generated between two markers, written by people around
//! them.

use std::{fs, path::Path};

use super::Report;
use crate::Failure;

const NAME: &str = "performance";
const BEGIN: &str = "<!-- measured: begin";
const END: &str = "<!-- measured: end -->";

/// Replaces what is between the markers of `performance.md` in `folder`, and writes
/// `performance.svg` beside it.
///
/// # Errors
/// When the file isn't there or has no markers: what people wrote is never overwritten.
pub fn save(folder: &Path, report: &Report) -> Result<(), Failure> {
    let path = folder.join(NAME).with_extension("md");
    let old = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let mut generated = report.text.clone();
    if let Some(plot) = &report.plot {
        fs::write(folder.join(NAME).with_extension("svg"), plot)?;
        generated += "\n![How ppool compares with the others](performance.svg)\n";
    }
    let new = replace(&old, &generated).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(fs::write(&path, new)?)
}

/// `old` with `generated` between its markers.
fn replace(old: &str, generated: &str) -> Result<String, Failure> {
    let no_marker = |marker: &str| format!("there is no line `{marker}`");
    let begin = old.find(BEGIN).ok_or_else(|| no_marker(BEGIN))?;
    let (line, _) = old[begin..]
        .split_once('\n')
        .ok_or_else(|| no_marker(BEGIN))?;
    let start = begin + line.len();
    let end = old[start..].find(END).ok_or_else(|| no_marker(END))?;
    let (before, after) = (&old[..start], &old[start + end..]);
    Ok(format!("{before}\n\n{}\n\n{after}", generated.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_wrote_survives() -> Result<(), Failure> {
        let old = "# Title\n<!-- measured: begin (a word) -->\nold\n<!-- measured: end -->\nmine\n";
        let once = replace(old, "new\n")?;
        let expected =
            "# Title\n<!-- measured: begin (a word) -->\n\nnew\n\n<!-- measured: end -->\nmine\n";
        assert_eq!(once, expected);
        assert_eq!(replace(&once, "new\n")?, expected);
        assert!(replace("# Title\n", "new").is_err());
        assert!(replace("<!-- measured: begin -->\n", "new").is_err());
        Ok(())
    }
}
