//! How the processes of workers come to be.
//!
//! `PPOOL_START=template` in the environment makes it the default of a whole program, for its tests.

/// The variable that chooses what is used where the builder is told nothing.
const VARIABLE: &str = "PPOOL_START";

/// How a pool starts its worker processes, as
/// [`start_method`](crate::PoolBuilder::start_method) sets it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum StartMethod {
    /// Each worker is the program started anew: it shares nothing with anybody. The default.
    #[default]
    Exec,
    /// Workers are forked from a template: a process that is started once, as by `Exec`, runs the
    /// [preload](crate::PoolBuilder::preload), and makes a copy of itself whenever a worker is wanted.
    /// A worker starts in a fraction of the time then, and shares the memory that the preload
    /// filled: pages are copied only when one side writes to them. It is what Python calls
    /// `forkserver`.
    ///
    /// Workers are children of the pool's process, as with `Exec`: how they end is told alike, the
    /// same limits hold, and none outlives the pool. The template is started with the first worker
    /// and lives until the pool has ended; should it die, the workers that run go on, and another
    /// one is started, and runs the preload again, when a worker is wanted next.
    ///
    /// # What the preload must leave behind
    ///
    /// - No threads: a process with threads can't be copied safely, since nobody would release the
    ///   locks that those hold. The pool then breaks, with an error that names them. Threads that have
    ///   been joined are no matter. An async task as a preload is
    ///   refused for the same reason: its runtime can't be shared.
    /// - No descriptors that can't be used by several processes at once: a connection opened there
    ///   is one connection for all workers. Open those in the initializer.
    ///
    /// What it prints goes where the program prints, even where the
    /// [output](crate::PoolBuilder::output) of workers is captured.
    ///
    /// # What workers have of the template
    ///
    /// - Its title, `ppool template` and the pool's name, where `ps` shows command lines. The names of
    ///   their processes are their own, as `top` and `ps -o comm` show them.
    /// - Its environment, its working directory (the [`current_dir`](crate::PoolBuilder::current_dir)
    ///   of the pool, where that is set) and its signal handlers, as the preload left them.
    /// - Its memory, which counts in full for the [`memory_limit`](crate::PoolBuilder::memory_limit)
    ///   of each of them. The template itself has no limits.
    /// - What the preload gave to `worker::set_state`, each a copy of its own. Its destructor runs in
    ///   each worker that leaves regularly, so what may happen only once does not belong there.
    /// - Random numbers that were drawn, and the state of generators that were seeded, are the same in
    ///   all of them: a `HashMap` that the preload has built hashes alike everywhere. Maps that
    ///   tasks make have keys of their own, since tasks run on a new thread.
    /// - No thread-local values: the preload runs on another thread than tasks do.
    /// - Handlers that other libraries have registered by `pthread_atfork` do not run.
    ///
    /// A fork copies no memory, but the tables that say where it is: what the preload fills costs each
    /// start some 15 ms for each GiB.
    ///
    /// It needs a kernel that tells where a thread's id is kept (`CONFIG_CHECKPOINT_RESTORE`, which
    /// distributions set) and a C library that keeps a thread's id where the kernel can set it (glibc
    /// does). Elsewhere the pool breaks with an error that says so.
    ///
    /// ```
    /// use ppool_core::{Pool, StartMethod};
    ///
    /// let pool = Pool::builder()
    ///     .workers(2..=32)
    ///     .start_method(StartMethod::Template)
    ///     .build()?;
    /// # Ok::<(), ppool_core::BuildError>(())
    /// ```
    Template,
}

impl StartMethod {
    /// What a builder begins with.
    pub(super) fn usual() -> Self {
        match std::env::var_os(VARIABLE).is_some_and(|value| value == "template") {
            true => StartMethod::Template,
            false => StartMethod::Exec,
        }
    }
}
