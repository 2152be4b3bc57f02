//! Panics of tasks: what is told of them, and how it gets out even when nothing unwinds.
//!
//! A hook sees every panic where it happens, which is where its location and stack can be had. On
//! the thread that runs tasks it keeps them for [`take`], which the catcher calls, and prints nothing,
//! unless the process is there for that one task and has nobody to tell. Other threads panic as they
//! always did.
//!
//! # Failure
//!
//! When the panic can't unwind (`panic = "abort"`, or a panic that leaves an `extern "C"` function)
//! the process is about to abort. Then the hook itself tells the parent, and the parent sees the end
//! of the process after that.

use std::{
    any::Any,
    backtrace::Backtrace,
    cell::{Cell, RefCell},
    ffi::OsString,
    fmt,
    panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
};

use ppool_core::{
    RemotePanic,
    ids::WorkId,
    link::WorkerLink,
    wire::{CallOutcome, FromWorker, ResultItem},
};

use crate::state;

/// What the call thread is doing: whom a panic that can't unwind has to be told for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Running {
    /// Nothing of a user's, or something whose panic the parent doesn't want to hear of.
    Nothing,
    /// A step of the process's life, by the task with this name.
    Step(Step, &'static str),
    /// Items of a call; which of them, [`item`] says.
    Call { work_id: WorkId, attempt: u32 },
}

/// What a process runs beside calls.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    /// What workers share, or would if they were forked.
    Preload,
    /// What each worker needs.
    Initializer,
    /// What a worker does when it leaves.
    Finalizer,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Step::Preload => "preload",
            Step::Initializer => "initializer",
            Step::Finalizer => "finalizer",
        })
    }
}

/// The longest message of a panic that is sent, in bytes.
const MAX_MESSAGE_LEN: usize = 1 << 20;

/// The longest backtrace that is sent, in bytes.
const MAX_BACKTRACE_LEN: usize = 64 << 10;

/// How the messages begin with which the standard library panics when it can't unwind.
const CAN_NOT_UNWIND: [&str; 3] = [
    "panic in a function that cannot unwind",
    "panic in a destructor during cleanup",
    "unsafe precondition(s) violated",
];

/// Whose business the panics of a thread are.
enum Watch {
    /// The call thread's: of the parent at the other end of the link.
    Calls(Arc<dyn WorkerLink>),
    /// Of whoever catches them on that thread.
    Catcher,
    /// The only task's of a process.
    Process {
        /// Whether to print them, as those of `main` are.
        prints: bool,
        /// Tells one that nobody will come to catch.
        tell: Box<dyn Fn(RemotePanic)>,
    },
}

thread_local! {
    /// There on the thread that runs tasks only.
    static WATCH: RefCell<Option<Watch>> = const { RefCell::new(None) };
    static RUNNING: Cell<Running> = const { Cell::new(Running::Nothing) };
    /// The item of the call that is running, or the first of those that run in one go.
    static ITEM: Cell<u32> = const { Cell::new(0) };
    /// Whether the hook has seen a panic of what is running: whether the next two have to be looked at.
    static SEEN: Cell<bool> = const { Cell::new(false) };
    /// Whether the hook has told the parent of what is running.
    static REPORTED: Cell<bool> = const { Cell::new(false) };
    /// The last panic, until it is caught.
    static NOTED: RefCell<Option<Noted>> = const { RefCell::new(None) };
}

/// A panic as the hook saw it.
#[derive(Debug)]
struct Noted {
    message: String,
    location: Option<String>,
    backtrace: Option<Backtrace>,
}

/// What the environment says of backtraces. The second variable has the word of the first where
/// memory is limited; see `abort_without_backtrace`.
fn backtraces() -> Option<OsString> {
    std::env::var_os("RUST_BACKTRACE").or_else(|| std::env::var_os("RUST_LIB_BACKTRACE"))
}

impl Noted {
    fn new(info: &PanicHookInfo<'_>) -> Self {
        let wanted = backtraces().is_none_or(|value| value != "0");
        Noted {
            message: message_of(info.payload()),
            location: info.location().map(ToString::to_string),
            backtrace: wanted.then(Backtrace::force_capture),
        }
    }

    fn into_remote(self) -> RemotePanic {
        let backtrace = self.backtrace.map(|backtrace| {
            let full = backtraces().is_some_and(|value| value == "full");
            let text = match full {
                true => format!("{backtrace:#}"),
                false => of_the_task(&backtrace.to_string()),
            };
            cut(text, MAX_BACKTRACE_LEN)
        });
        RemotePanic::new(cut(self.message, MAX_MESSAGE_LEN), self.location, backtrace)
    }
}

/// Makes the calling thread the one whose panics are the parent's business.
pub(crate) fn watch_this_thread(link: Arc<dyn WorkerLink>) {
    watch(Watch::Calls(link));
}

/// Keeps the panics of the calling thread for [`take`]; nothing is printed.
pub(crate) fn keep_those_of_this_thread() {
    watch(Watch::Catcher);
}

/// Makes the calling thread the one that runs the only task of this process.
pub(crate) fn watch_this_process(prints: bool, tell: impl Fn(RemotePanic) + 'static) {
    let tell = Box::new(tell);
    watch(Watch::Process { prints, tell });
}

fn watch(watch: Watch) {
    /// The process whose hook this is: one that was forked from a template has the hook that the
    /// preload may have set, and needs this one above that.
    static INSTALLED_IN: AtomicU32 = AtomicU32::new(0);

    WATCH.set(Some(watch));
    let process = std::process::id();
    if INSTALLED_IN.swap(process, Relaxed) != process {
        let previous = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            // While a thread ends its variables may be gone: then nobody waits for its panics.
            let prints = WATCH.try_with(|watch| match &*watch.borrow() {
                None => None,
                Some(Watch::Calls(_) | Watch::Catcher) => Some(false),
                Some(Watch::Process { prints, .. }) => Some(*prints),
            });
            let prints = prints.unwrap_or(None);
            if prints.is_some() {
                seen(info);
            }
            if prints.unwrap_or(true) {
                previous(info);
            }
        }));
    }
}

/// Makes it a thread like any other again.
pub(crate) fn leave_this_thread() {
    WATCH.set(None);
}

/// Says what runs from now on.
pub(crate) fn now(running: Running) {
    RUNNING.set(running);
    is_reported();
}

/// Says which item of the call runs from now on.
#[inline]
pub(crate) fn item(index: u32) {
    ITEM.set(index);
}

/// Whether a panic of what ran until now was told to the parent already. It is forgotten.
#[inline]
pub(crate) fn is_reported() -> bool {
    SEEN.replace(false) && forget()
}

#[cold]
fn forget() -> bool {
    NOTED.take();
    REPORTED.replace(false)
}

/// The panic that was caught with this payload.
pub(crate) fn take(payload: Box<dyn Any + Send>) -> RemotePanic {
    let message = message_of(&*payload);
    // Not every panic passes the hook (`resume_unwind` doesn't), so the last that did may be another.
    let noted = NOTED.take().filter(|noted| noted.message == message);
    discard(payload);
    noted
        .unwrap_or(Noted {
            message,
            location: None,
            backtrace: None,
        })
        .into_remote()
}

/// Drops a payload, which is a user's value and may panic in turn.
fn discard(payload: Box<dyn Any + Send>) {
    let dropped = catch_unwind(AssertUnwindSafe(|| drop(payload)));
    if let Err(another) = dropped {
        // That it panics as well is likely by now; leaking a few bytes is not worth finding out.
        Box::leak(another);
    }
    NOTED.take();
}

/// A panic on the thread that runs tasks.
fn seen(info: &PanicHookInfo<'_>) {
    SEEN.set(true);
    let mut noted = Noted::new(info);
    let aborts = CAN_NOT_UNWIND
        .iter()
        .any(|begin| noted.message.starts_with(begin));
    if aborts && let Some(cause) = NOTED.take() {
        // This panic only says that the one before it is stuck.
        noted = Noted {
            message: format!("{} ({})", cause.message, noted.message),
            ..cause
        };
    }
    if aborts || cfg!(panic = "abort") {
        report(noted);
    } else {
        NOTED.set(Some(noted));
    }
}

/// Tells the parent, since nobody will come to catch the panic.
fn report(noted: Noted) {
    let panic = noted.into_remote();
    WATCH.with_borrow(|watch| match watch {
        Some(Watch::Calls(link)) => report_call(&**link, panic),
        Some(Watch::Process { tell, .. }) => tell(panic),
        Some(Watch::Catcher) | None => {}
    });
}

fn report_call(link: &dyn WorkerLink, panic: RemotePanic) {
    let message = match RUNNING.get() {
        Running::Nothing => return,
        Running::Step(what, name) => {
            let text = step_panicked(what, name, &panic);
            match what {
                Step::Preload | Step::Initializer => FromWorker::StartFailed(text),
                Step::Finalizer => FromWorker::FinalizerFailed(text),
            }
        }
        Running::Call { work_id, attempt } => FromWorker::Result(ResultItem {
            work_id,
            attempt,
            index: ITEM.get() + state::done_in_one_go().load(Relaxed),
            // The parent sends nothing more to a worker that is about to abort.
            outcome: CallOutcome::Panicked(panic.fatal()),
        }),
    };
    REPORTED.set(true);
    // When the parent is gone there is nobody to tell.
    let _ = link.send(&message);
}

/// What is said of a step that panicked.
pub(crate) fn step_panicked(what: Step, name: &str, panic: &RemotePanic) -> String {
    format!("the {what} `{name}` panicked{panic}")
}

fn message_of(payload: &dyn Any) -> String {
    if let Some(text) = payload.downcast_ref::<&'static str>() {
        (*text).to_string()
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text.clone()
    } else {
        "a value that is not text".to_string()
    }
}

/// Shortens a text to about `max` bytes, and says so in it.
fn cut(mut text: String, max: usize) -> String {
    if text.len() > max {
        let end = char_boundary(&text, max);
        let missing = text.len() - end;
        text.truncate(end);
        text.push_str(&format!(".. ({missing} more bytes)"));
    }
    text
}

/// The last place up to `at` where a text can be cut.
pub(crate) fn char_boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len()))
        .rev()
        .find(|at| text.is_char_boundary(*at))
        .unwrap_or(0)
}

/// The part of a backtrace between the machinery of panics at its top and ppool's at its bottom.
/// What has neither, for want of symbols, stays whole.
fn of_the_task(backtrace: &str) -> String {
    const PANIC: [&str; 5] = [
        "rust_begin_unwind",
        "__rust_end_short_backtrace",
        "core::panicking::",
        "std::panicking::",
        "std::panic::panic_any",
    ];
    const OURS: [&str; 2] = [
        "ppool_core::task::entry::TaskEntry",
        "ppool_worker::invoke::",
    ];

    let is_one_of = |line: &str, names: &[&str]| names.iter().any(|name| line.contains(name));
    let lines: Vec<&str> = backtrace.lines().collect();
    let bottom = |top: usize| {
        let rest = lines[top..].iter();
        top + rest.take_while(|line| !is_one_of(line, &OURS)).count()
    };
    // The hook's own frames come before the panic's.
    let top = lines
        .iter()
        .position(|line| is_one_of(line, &PANIC))
        .map_or(0, |first| {
            let is_above = |line: &&&str| is_one_of(line, &PANIC) || !is_frame(line);
            first + lines[first..].iter().take_while(is_above).count()
        });
    let frames = &lines[top..bottom(top)];
    match frames {
        [] => backtrace.to_string(),
        frames => frames.join("\n"),
    }
}

/// Whether a line of a backtrace names a function, not a place in a file.
fn is_frame(line: &str) -> bool {
    let digits = line.trim_start().split(':').next().unwrap_or("");
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    const BACKTRACE: &str = "   0: ppool_worker::panic::Noted::new
             at ./src/panic.rs:70:5
   1: std::panicking::panic_with_hook
             at /rustc/x/library/std/src/panicking.rs:100:5
   2: __rustc::rust_begin_unwind
             at /rustc/x/library/std/src/panicking.rs:689:5
   3: core::panicking::panic_fmt
             at /rustc/x/library/core/src/panicking.rs:80:14
   4: user::divide
             at ./src/main.rs:4:5
   5: user::task
   6: ppool_core::task::entry::TaskEntry::invoke
             at ./src/task/entry.rs:100:5
   7: ppool_worker::invoke::invoke";

    #[test]
    fn only_the_frames_of_the_task_are_told() {
        let expected = "   4: user::divide
             at ./src/main.rs:4:5
   5: user::task";
        assert_eq!(of_the_task(BACKTRACE), expected);
    }

    #[test]
    fn a_backtrace_without_symbols_stays_whole() {
        let nameless = "   0: <unknown>\n   1: <unknown>";
        assert_eq!(of_the_task(nameless), nameless);
        assert_eq!(of_the_task(""), "");
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        assert_eq!(cut("ab".to_string(), 2), "ab");
        assert_eq!(cut("aäb".to_string(), 2), "a.. (3 more bytes)");
    }
}
