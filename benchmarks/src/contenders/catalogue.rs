//! All contenders, in the order of the table's columns.

/// The contender that the others are compared with.
pub const OURS: &str = "ppool";

/// The contender that is no pool: what the machine itself can do.
pub const MACHINE: &str = "machine";

/// A contender, as the driver knows it.
#[derive(Debug)]
pub struct Entry {
    /// The name on the command line; for one of Python's, also of its file.
    pub name: &'static str,
    /// The title of its column.
    pub title: &'static str,
    /// What runs it.
    pub kind: Kind,
    /// Workloads that make no sense for it, and why.
    pub lacks: &'static [(&'static str, &'static str)],
}

/// What runs a contender.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// The program `measure`.
    Rust,
    /// The same, with this variable in its environment and this value.
    RustWith(&'static str, &'static str),
    /// `python/measure.py`; the packages that it needs, as pip names them.
    Python(&'static [&'static str]),
}

const THREADS_LACK: &[(&str, &str)] = &[
    ("bytes_argument", "threads share memory: nothing is copied"),
    ("bytes_echo", "threads share memory: nothing is copied"),
    (
        "idle_memory",
        "a thread has no memory of its own but its stack",
    ),
    ("crashes", "a crash ends the whole program"),
];

/// What does not depend on how a worker was started.
const STARTED_LACK: &[(&str, &str)] = {
    const WHY: &str = "a worker that runs is the same, however it was started";
    &[
        ("round_trip", WHY),
        ("no_ops", WHY),
        ("map", WHY),
        ("map_one_by_one", WHY),
        ("bytes_argument", WHY),
        ("bytes_echo", WHY),
        ("queued_memory", WHY),
        ("million", WHY),
        ("compute", WHY),
        ("idle", WHY),
        ("waiting", WHY),
    ]
};

/// All of them.
#[must_use]
pub fn contenders() -> &'static [Entry] {
    const {
        &[
            rust(OURS, "ppool", &[]),
            Entry {
                kind: Kind::RustWith("PPOOL_LINK", "socket"),
                ..rust("ppool_socket", "ppool, sockets", &[])
            },
            Entry {
                kind: Kind::RustWith("PPOOL_START", "template"),
                ..rust("ppool_template", "ppool, template", STARTED_LACK)
            },
            rust("rayon", "rayon (threads)", THREADS_LACK),
            rust("crossbeam", "crossbeam (threads)", THREADS_LACK),
            rust("procspawn", "procspawn", &[]),
            python("multiprocessing", "multiprocessing.Pool", &[]),
            python("futures", "ProcessPoolExecutor", &[]),
            python("loky", "loky", &["loky==3.7.0"]),
        ]
    }
}

const fn rust(
    name: &'static str,
    title: &'static str,
    lacks: &'static [(&'static str, &'static str)],
) -> Entry {
    Entry {
        name,
        title,
        kind: Kind::Rust,
        lacks,
    }
}

const fn python(
    name: &'static str,
    title: &'static str,
    packages: &'static [&'static str],
) -> Entry {
    Entry {
        name,
        title,
        kind: Kind::Python(packages),
        lacks: &[],
    }
}
