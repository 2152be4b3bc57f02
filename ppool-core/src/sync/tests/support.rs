use std::{
    process::{Child, Command, Stdio},
    sync::Arc,
    sync::mpsc::{RecvTimeoutError, Sender, channel},
    thread,
    time::Duration,
};

use serde::{Serialize, de::DeserializeOwned};

use crate::{
    codec::{Decoder, Encoder, Lane, attach},
    sync::{
        algorithm::seats::{self, Identity, Seat},
        object::Object,
    },
    sys::procfs,
};

/// Aborts when the test takes far too long.
pub(super) fn watchdog() -> Sender<()> {
    let (alive, ended) = channel();
    let name = thread::current().name().unwrap_or("a test").to_owned();
    thread::spawn(move || {
        if ended.recv_timeout(Duration::from_secs(60)) == Err(RecvTimeoutError::Timeout) {
            eprintln!("{name} hangs");
            std::process::abort();
        }
    });
    alive
}

/// What arrives when a value is sent.
pub(super) fn sent<T: Serialize + DeserializeOwned>(value: &T) -> T {
    let mut out = Encoder::new();
    let (encoded, descriptors) = attach::collect(|| Lane::<T>::cbor().encode(value, &mut out));
    encoded.unwrap();
    let mut input = Decoder::new(out.bytes());
    attach::provide(descriptors, || Lane::<T>::cbor().decode(&mut input)).unwrap()
}

/// A process that does nothing but live, until it is killed.
pub(super) struct Other {
    child: Child,
    pub(super) identity: Identity,
}

impl Other {
    pub(super) fn start() -> Self {
        let child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let start = procfs::start_time(child.id()).unwrap();
        let identity = Identity::new(child.id(), start).unwrap();
        Other { child, identity }
    }

    /// Gives it a seat, as a handle in it would.
    pub(super) fn sit_down(&self, object: &Arc<Object>) -> Seat {
        seats::take(&**object, self.identity).unwrap()
    }

    pub(super) fn kill(&mut self) {
        self.child.kill().unwrap();
    }

    pub(super) fn reap(&mut self) {
        self.child.wait().unwrap();
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until as many threads sleep, or are about to, as `parked` says.
pub(super) fn until(mut holds: impl FnMut() -> bool) {
    while !holds() {
        thread::yield_now();
    }
}
