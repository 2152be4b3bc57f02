//! What a task can ask of the worker process that it runs in, and what it can leave there for the
//! next one.

use std::{
    any::{Any, TypeId, type_name},
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Condvar, LazyLock, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    thread::{self, ThreadId},
};

use ppool_core::ids::WorkerId;

/// Which worker a task runs in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct WorkerInfo {
    /// The row of the pool's table that the worker fills: from 0 to one less than the most workers
    /// that the pool may have. No two workers of a pool have the same at the same time.
    pub slot: u32,
    /// How many processes filled that row before this one.
    pub generation: u32,
    /// The worker's process id.
    pub pid: u32,
    /// How many calls the worker has done before the current one.
    pub calls_done: u64,
    /// How often the current call was tried before, in workers that were lost; 0 at its first try,
    /// and outside a call.
    pub attempt: u32,
}

static WORKER: OnceLock<WorkerId> = OnceLock::new();
static CALLS_DONE: AtomicU64 = AtomicU64::new(0);
/// How many more are done, of those that run in one go.
static DONE_IN_ONE_GO: AtomicU32 = AtomicU32::new(0);
static ATTEMPT: AtomicU32 = AtomicU32::new(0);

/// Which worker this is; `None` in a process that is not a worker of a pool.
///
/// ```
/// // The parent is no worker.
/// assert_eq!(ppool_worker::current(), None);
/// ```
#[must_use]
pub fn current() -> Option<WorkerInfo> {
    WORKER.get().map(|worker| WorkerInfo {
        slot: worker.slot.0,
        generation: worker.generation.0,
        pid: std::process::id(),
        calls_done: CALLS_DONE.load(Relaxed) + u64::from(done_in_one_go().load(Relaxed)),
        attempt: ATTEMPT.load(Relaxed),
    })
}

/// Makes this process a worker in the eyes of [`current`].
pub(crate) fn become_worker(worker: WorkerId) {
    // A process becomes one once; tests that run several in one process don't look.
    let _ = WORKER.set(worker);
}

/// Calls begin that were tried so often before.
pub(crate) fn calls_begin(attempt: u32) {
    ATTEMPT.store(attempt, Relaxed);
}

pub(crate) fn calls_end() {
    ATTEMPT.store(0, Relaxed);
}

/// One of them is done.
#[inline]
pub(crate) fn call_is_done() {
    // One thread runs calls, so nothing comes between the two.
    CALLS_DONE.store(CALLS_DONE.load(Relaxed) + 1, Relaxed);
}

/// How many are done of those that run in one go: who runs them counts.
#[inline]
pub(crate) fn done_in_one_go() -> &'static AtomicU32 {
    &DONE_IN_ONE_GO
}

/// They are done, or one of them has failed; how many are done.
pub(crate) fn one_go_is_over() -> u32 {
    let done = DONE_IN_ONE_GO.swap(0, Relaxed);
    CALLS_DONE.store(CALLS_DONE.load(Relaxed) + u64::from(done), Relaxed);
    done
}

/// The values that were set, by their type.
static STATES: LazyLock<Mutex<HashMap<TypeId, Place>>> = LazyLock::new(Mutex::default);

/// Woken when a value that was lent is back.
static BACK: Condvar = Condvar::new();

/// Where a value is.
enum Place {
    Here(Box<dyn Any + Send>),
    /// With a closure that runs on this thread.
    Lent(ThreadId),
}

/// Keeps a value in this process for the calls to come: a connection, a loaded model, a cache. Best
/// called in the pool's initializer, so that every worker has it from its first call on.
///
/// There is one value of each type; setting another drops the one before. Values live until the
/// worker has run its finalizer. It works in any process, so that a task that is called directly
/// finds what was set there.
///
/// # Panics
/// When called inside [`with_state`] for the same type.
///
/// ```
/// struct Model { weights: Vec<f32> }
///
/// // In the initializer:
/// ppool_worker::set_state(Model { weights: vec![0.5; 3] });
/// // In a task:
/// let sum: f32 = ppool_worker::with_state(|model: &mut Model| model.weights.iter().sum());
/// assert_eq!(sum, 1.5);
/// ```
pub fn set_state<S: Send + 'static>(value: S) {
    let (mut states, place) = wait_for::<S>("set_state");
    let before = match place {
        Some(Place::Here(before)) => Some(before),
        _ => None,
    };
    states.insert(TypeId::of::<S>(), Place::Here(Box::new(value)));
    drop(states);
    BACK.notify_all();
    // Its destructor is a user's and may use states in turn.
    drop(before);
}

/// Calls `f` with the value that [`set_state`] keeps in this process. While it runs, other threads
/// that want the same value wait.
///
/// # Panics
/// When no value of this type was set, and when called inside itself for the same type. A panic of
/// `f` goes through; the value stays as `f` left it.
pub fn with_state<S: Send + 'static, R>(f: impl FnOnce(&mut S) -> R) -> R {
    match lend() {
        Some(mut lent) => f(lent.value()),
        None => panic!(
            "this process has no state of the type `{}`: set it with `worker::set_state` in the \
             pool's initializer",
            type_name::<S>()
        ),
    }
}

/// The same, for a value that may not be there: `None` says that none of this type was set.
///
/// # Panics
/// When called inside itself for the same type.
///
/// ```
/// struct Cache(Vec<u64>);
///
/// let known = ppool_worker::try_with_state(|cache: &mut Cache| cache.0.len());
/// assert_eq!(known, None);
/// ```
pub fn try_with_state<S: Send + 'static, R>(f: impl FnOnce(&mut S) -> R) -> Option<R> {
    lend().map(|mut lent| f(lent.value()))
}

/// A value that is out of its place, until this is dropped.
struct Lent<S: Send + 'static>(Option<Box<S>>);

fn lend<S: Send + 'static>() -> Option<Lent<S>> {
    let (mut states, place) = wait_for::<S>("with_state");
    let Some(Place::Here(value)) = place else {
        return None;
    };
    states.insert(TypeId::of::<S>(), Place::Lent(thread::current().id()));
    let value = value.downcast().expect("a value is kept by its type");
    Some(Lent(Some(value)))
}

impl<S: Send + 'static> Lent<S> {
    fn value(&mut self) -> &mut S {
        self.0.as_mut().expect("the value is lent until the drop")
    }
}

impl<S: Send + 'static> Drop for Lent<S> {
    fn drop(&mut self) {
        if let Some(value) = self.0.take() {
            states().insert(TypeId::of::<S>(), Place::Here(value));
            BACK.notify_all();
        }
    }
}

/// Takes the value of this type out of the table, once it is not lent to another thread.
fn wait_for<S: 'static>(
    what: &str,
) -> (MutexGuard<'static, HashMap<TypeId, Place>>, Option<Place>) {
    let me = thread::current().id();
    let mut states = states();
    loop {
        match states.remove(&TypeId::of::<S>()) {
            Some(Place::Lent(thread)) => {
                states.insert(TypeId::of::<S>(), Place::Lent(thread));
                if thread == me {
                    drop(states);
                    panic!(
                        "`worker::{what}` was called inside `worker::with_state` for the same \
                         type, `{}`",
                        type_name::<S>()
                    );
                }
                states = BACK.wait(states).unwrap_or_else(PoisonError::into_inner);
            }
            place => return (states, place),
        }
    }
}

/// Drops all values: the worker ends.
pub(crate) fn clear() {
    let places: Vec<Place> = states().drain().map(|(_, place)| place).collect();
    for place in places {
        if let Place::Here(value) = place {
            // A destructor that panics must not keep the others from running.
            let _ = catch_unwind(AssertUnwindSafe(|| drop(value)));
        }
    }
}

/// Nothing of a user's runs while this is held, so no panic can leave the table half changed.
fn states() -> MutexGuard<'static, HashMap<TypeId, Place>> {
    STATES.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::tests::STATES_IN_USE;

    #[test]
    fn there_is_one_value_of_each_type_and_the_last_one_stays() {
        let _states = STATES_IN_USE.read().unwrap();
        struct One(u32);
        struct Other(u32);
        set_state(One(1));
        set_state(Other(2));
        set_state(One(3));
        assert_eq!(with_state(|one: &mut One| one.0), 3);
        with_state(|other: &mut Other| other.0 += 1);
        assert_eq!(with_state(|other: &mut Other| other.0), 3);
    }

    #[test]
    fn a_value_that_was_never_set_is_told_of_by_name() {
        let _states = STATES_IN_USE.read().unwrap();
        struct Absent;
        assert!(try_with_state(|_: &mut Absent| ()).is_none());
        let error = catch_unwind(|| with_state(|_: &mut Absent| ())).unwrap_err();
        let message = error.downcast::<String>().unwrap();
        assert!(
            message.contains("Absent") && message.contains("set_state"),
            "{message}"
        );
    }

    #[test]
    fn values_of_other_types_can_be_used_inside() {
        let _states = STATES_IN_USE.read().unwrap();
        struct Outer(u32);
        struct Inner(u32);
        set_state(Outer(1));
        let sum = with_state(|outer: &mut Outer| {
            set_state(Inner(2));
            outer.0 + with_state(|inner: &mut Inner| inner.0)
        });
        assert_eq!(sum, 3);
    }

    #[test]
    fn using_a_value_inside_itself_panics_instead_of_hanging() {
        let _states = STATES_IN_USE.read().unwrap();
        struct Once(u32);
        set_state(Once(1));
        let nested = || with_state(|_: &mut Once| with_state(|once: &mut Once| once.0));
        catch_unwind(nested).unwrap_err();
        catch_unwind(|| with_state(|_: &mut Once| set_state(Once(2)))).unwrap_err();
        assert_eq!(with_state(|once: &mut Once| once.0), 1);
    }

    #[test]
    fn a_value_outlives_a_panic() {
        let _states = STATES_IN_USE.read().unwrap();
        struct Count(u32);
        set_state(Count(1));
        let panics = || {
            with_state(|count: &mut Count| {
                count.0 += 1;
                panic!("on purpose");
            })
        };
        catch_unwind(panics).unwrap_err();
        assert_eq!(with_state(|count: &mut Count| count.0), 2);
    }

    #[test]
    fn another_thread_waits_for_the_value() {
        let _states = STATES_IN_USE.read().unwrap();
        struct Shared(Vec<&'static str>);
        set_state(Shared(Vec::new()));
        let (entered, inside) = mpsc::channel();
        let other = thread::spawn(move || {
            inside.recv().unwrap();
            with_state(|shared: &mut Shared| shared.0.push("second"));
        });
        with_state(|shared: &mut Shared| {
            entered.send(()).unwrap();
            thread::yield_now();
            shared.0.push("first");
        });
        other.join().unwrap();
        let order = with_state(|shared: &mut Shared| shared.0.clone());
        assert_eq!(order, ["first", "second"]);
    }
}
