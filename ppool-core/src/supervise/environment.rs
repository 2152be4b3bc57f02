//! The environment of a new worker process: this process's own, with changes. Pure.

use std::{
    collections::BTreeMap,
    ffi::{CString, OsStr, OsString},
    io,
    os::unix::ffi::{OsStrExt, OsStringExt},
};

/// A change to the environment: the value that a variable gets, or None to remove it.
pub type Change = (OsString, Option<OsString>);

/// `current` with `changes` in their order, as `NAME=value` texts for `posix_spawn`.
///
/// # Errors
/// [`io::ErrorKind::InvalidInput`] for a change whose name is empty or contains `=`, or whose name
/// or value contains a NUL: no process could have such a variable.
pub fn environment<'a>(
    current: impl IntoIterator<Item = (OsString, OsString)>,
    changes: impl IntoIterator<Item = &'a Change>,
) -> io::Result<Vec<CString>> {
    let mut variables = BTreeMap::new();
    for (name, value) in current {
        // Of two variables of one name, the first is the one that getenv finds.
        variables.entry(name).or_insert(value);
    }
    for (name, value) in changes {
        check(name, value.as_deref())?;
        match value {
            Some(value) => variables.insert(name.clone(), value.clone()),
            None => variables.remove(name),
        };
    }
    variables.into_iter().map(entry).collect()
}

/// Has a program abort without a backtrace when it is refused memory: finding one leaves no trace of
/// the refusal (see [`memory_limit`](crate::sys::memory_limit)).
///
/// What `RUST_BACKTRACE` says goes to `RUST_LIB_BACKTRACE`, which is about backtraces that a program
/// asks for itself.
pub fn abort_without_backtrace(variables: &mut Vec<CString>) {
    const ABOUT_PANICS: &[u8] = b"RUST_BACKTRACE=";
    const ABOUT_OTHERS: &[u8] = b"RUST_LIB_BACKTRACE=";

    let has = |variable: &CString, name| variable.as_bytes().starts_with(name);
    let Some(at) = variables.iter().position(|one| has(one, ABOUT_PANICS)) else {
        return;
    };
    let moved = [
        ABOUT_OTHERS,
        &variables[at].as_bytes()[ABOUT_PANICS.len()..],
    ]
    .concat();
    if variables.iter().any(|one| has(one, ABOUT_OTHERS)) {
        variables.remove(at);
    } else if let Ok(moved) = CString::new(moved) {
        variables[at] = moved;
    }
}

fn check(name: &OsStr, value: Option<&OsStr>) -> io::Result<()> {
    let problem = if name.is_empty() {
        "has no name"
    } else if name.as_bytes().contains(&b'=') {
        "has `=` in its name"
    } else if name.as_bytes().contains(&0) {
        "has a NUL in its name"
    } else if value.is_some_and(|value| value.as_bytes().contains(&0)) {
        "has a NUL in its value"
    } else {
        return Ok(());
    };
    Err(io::Error::new(
        io::ErrorKind::InvalidInput,
        format!("the environment variable {name:?} {problem}"),
    ))
}

fn entry((name, value): (OsString, OsString)) -> io::Result<CString> {
    let mut text = name.into_vec();
    text.push(b'=');
    text.extend(value.into_vec());
    Ok(CString::new(text)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(name: &str, value: &str) -> (OsString, OsString) {
        (name.into(), value.into())
    }

    fn change(name: &str, value: Option<&str>) -> Change {
        (name.into(), value.map(Into::into))
    }

    #[test]
    fn changes_set_replace_and_remove() {
        let current = [pair("KEEP", "1"), pair("CHANGE", "1"), pair("GO", "1")];
        let changes = [
            change("CHANGE", Some("2=3")),
            change("GO", None),
            change("NEVER_THERE", None),
            change("NEW", Some("")),
        ];
        let made = environment(current, &changes).unwrap();
        assert_eq!(made, [c"CHANGE=2=3", c"KEEP=1", c"NEW="].map(CString::from));
    }

    #[test]
    fn what_is_said_of_backtraces_is_kept_for_those_that_are_asked_for() {
        let moved = |variables: &[&str]| {
            let mut variables: Vec<CString> = variables
                .iter()
                .map(|variable| CString::new(*variable).unwrap())
                .collect();
            abort_without_backtrace(&mut variables);
            variables
        };
        assert_eq!(moved(&["A=1"]), [CString::from(c"A=1")]);
        assert_eq!(
            moved(&["RUST_BACKTRACE=full", "A=1"]),
            [c"RUST_LIB_BACKTRACE=full", c"A=1"].map(CString::from)
        );
        assert_eq!(
            moved(&["RUST_BACKTRACE=1", "RUST_LIB_BACKTRACE=0"]),
            [CString::from(c"RUST_LIB_BACKTRACE=0")]
        );
    }

    #[test]
    fn the_last_change_of_a_variable_holds_and_the_first_of_two_values() {
        let changes = [
            change("A", Some("1")),
            change("A", None),
            change("A", Some("2")),
        ];
        assert_eq!(environment([], &changes).unwrap(), [CString::from(c"A=2")]);
        let current = [pair("A", "first"), pair("A", "second")];
        assert_eq!(
            environment(current, &[]).unwrap(),
            [CString::from(c"A=first")]
        );
    }

    #[test]
    fn what_no_process_can_have_is_refused_by_name() {
        let changes = [
            change("", Some("x")),
            change("A=B", Some("x")),
            change("A=B", None),
            change("A\0", Some("x")),
            change("A", Some("x\0y")),
        ];
        for change in changes {
            let error = environment([], [&change]).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
            assert!(
                error.to_string().contains(&format!("{:?}", change.0)),
                "{error}"
            );
        }
    }
}
