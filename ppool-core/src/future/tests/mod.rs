//! Calls that are completed by hand, from threads of the test.

mod as_completed;
mod callback;
mod map_future;
mod model;
mod shared;
mod stress;
mod support;
mod task_future;
mod wait;
