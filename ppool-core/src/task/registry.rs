//! The one place that knows linkme: the slice of all tasks of the binary, and the table made of it.

use std::{collections::HashMap, sync::OnceLock};

use linkme::distributed_slice;

use super::{TaskEntry, TaskKey, entry::fnv1a};

/// Every task of the binary; the linker collects them.
#[distributed_slice]
pub static TASKS: [TaskEntry];

/// The tasks of this binary, by key.
#[derive(Debug)]
pub struct Registry {
    entries: HashMap<TaskKey, &'static TaskEntry>,
    fingerprint: u64,
}

impl Registry {
    /// The registry of this binary.
    ///
    /// # Errors
    /// When two tasks share a name (REG-1): a sentence that names both places.
    pub fn get() -> Result<&'static Registry, &'static str> {
        static REGISTRY: OnceLock<Result<Registry, String>> = OnceLock::new();
        REGISTRY
            .get_or_init(|| Registry::build(&TASKS))
            .as_ref()
            .map_err(String::as_str)
    }

    fn build(tasks: &'static [TaskEntry]) -> Result<Registry, String> {
        let mut entries = HashMap::with_capacity(tasks.len());
        for entry in tasks {
            if let Some(other) = entries.insert(entry.key, entry) {
                let other: &TaskEntry = other;
                return Err(format!(
                    "two tasks are named `{}`: one at {}, one at {}; give one of them another \
                     name with `#[task(name = \"..\")]`",
                    entry.name, other.location, entry.location
                ));
            }
        }
        // A sum doesn't depend on the order in which the linker laid the tasks out.
        let fingerprint = tasks.iter().fold(0u64, |sum, entry| {
            sum.wrapping_add(fnv1a(entry.key.0, entry.signature.as_bytes()))
        });
        Ok(Registry {
            entries,
            fingerprint,
        })
    }

    /// The task with this key.
    #[must_use]
    pub fn find(&self, key: TaskKey) -> Option<&'static TaskEntry> {
        self.entries.get(&key).copied()
    }

    /// A number that differs when the names or signatures of the tasks do; parent and worker
    /// compare theirs in the handshake.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn entry(name: &'static str, location: &'static str) -> TaskEntry {
        TaskEntry::new(name, "fn()", location, &[], |_| Ok(()), || ())
    }

    #[test]
    fn a_name_that_is_there_twice_is_refused_with_both_places() {
        static TWICE: [TaskEntry; 2] = [entry("a", "src/one.rs:1"), entry("a", "src/two.rs:2")];
        let error = Registry::build(&TWICE).unwrap_err();
        assert!(
            error.contains("src/one.rs:1") && error.contains("src/two.rs:2"),
            "{error}"
        );
    }

    #[test]
    fn the_fingerprint_does_not_depend_on_the_order() {
        static ONE: [TaskEntry; 2] = [entry("a", ""), entry("b", "")];
        static OTHER: [TaskEntry; 2] = [entry("b", ""), entry("a", "")];
        static LESS: [TaskEntry; 1] = [entry("b", "")];
        let fingerprint = |tasks| Registry::build(tasks).unwrap().fingerprint();
        assert_eq!(fingerprint(&ONE), fingerprint(&OTHER));
        assert_ne!(fingerprint(&ONE), fingerprint(&LESS));
    }
}
