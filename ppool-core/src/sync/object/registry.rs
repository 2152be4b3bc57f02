//! The objects that this process has, each once: so a handle that arrives again is one more handle to
//! the same object, with the same seat.

use std::{
    collections::HashMap,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use super::Object;

/// What tells one object's memory from another's: device and inode.
pub(super) type Key = (u64, u64);

static OBJECTS: Mutex<Option<HashMap<Key, Weak<Object>>>> = Mutex::new(None);

/// The object of this key: the one that is there, or a new one.
pub(super) fn get_or_make(
    key: Key,
    make: impl FnOnce() -> io::Result<Object>,
) -> io::Result<Arc<Object>> {
    let mut objects = lock();
    let objects = objects.get_or_insert_default();
    if let Some(object) = objects.get(&key).and_then(Weak::upgrade) {
        return Ok(object);
    }
    let object = Arc::new(make()?);
    objects.insert(key, Arc::downgrade(&object));
    Ok(object)
}

/// An object is going. Another of the same key may have come meanwhile; that stays.
pub(super) fn remove(key: Key) {
    if let Some(objects) = &mut *lock()
        && objects
            .get(&key)
            .is_some_and(|object| object.strong_count() == 0)
    {
        objects.remove(&key);
    }
}

fn lock() -> MutexGuard<'static, Option<HashMap<Key, Weak<Object>>>> {
    OBJECTS.lock().unwrap_or_else(PoisonError::into_inner)
}
