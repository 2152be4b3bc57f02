//! Putting and getting, with waits.

use std::{io, os::fd::OwnedFd, sync::Arc, time::Duration};

use super::store::{NotPut, Store, Taken};
use crate::{
    codec::attach::Attached,
    sync::{
        algorithm::permits::{MAX_PERMITS, Permits},
        item::{GetError, Refused},
        object::{FutexBed, Kind, Object, Plan, Waker, layout},
        spin::spin,
    },
    sys::socketpair::packet_pair,
};

/// How long to wait.
#[derive(Clone, Copy)]
pub(super) enum Wait {
    Never,
    AtMost(Duration),
    AsLongAsItTakes,
}

/// A new queue for so many items; zero: as many as come.
pub(super) fn create(kind: Kind, bound: u64) -> io::Result<Arc<Object>> {
    let (sender, receiver) = packet_pair()?;
    Object::create(Plan {
        parameter: bound,
        // Items in hands are permits that were taken.
        word: Permits::<Object>::initial(MAX_PERMITS),
        data_len: layout::RING_LEN,
        companions: vec![sender, receiver],
        ..Plan::plain(kind)
    })
}

pub(super) fn put(
    object: &Arc<Object>,
    mut record: Vec<u8>,
    descriptors: &[OwnedFd],
    wait: Wait,
) -> Result<(), Refused> {
    let (store, bed) = (Store(object), bed(object, wait));
    loop {
        let why = match store.put(&mut record, descriptors, &bed) {
            Ok(()) => return Ok(()),
            Err(NotPut::Other(why)) => return Err(why),
            Err(why) => why,
        };
        if matches!(wait, Wait::Never) {
            return Err(Refused::Full);
        }
        let come = match why {
            NotPut::NoRoomForDescriptors(gets) => store.idle().wait(&bed, || {
                (store.is_closed() || store.head().gets != gets).then_some(())
            }),
            _ => {
                let look = || store.has_room().then_some(());
                spin(look).or_else(|| store.room().wait(&bed, look))
            }
        };
        come.ok_or(Refused::Full)?;
    }
}

pub(super) fn get(object: &Arc<Object>, wait: Wait) -> Result<(Vec<u8>, Attached), GetError> {
    let (store, bed) = (Store(object), bed(object, wait));
    loop {
        match store.take(&bed)? {
            Taken::Item(bytes, attached) => return Ok((bytes, attached)),
            Taken::Closed => return Err(GetError::Closed),
            Taken::Nothing => {}
        }
        if matches!(wait, Wait::Never) {
            return Err(GetError::Empty);
        }
        let look = || store.has_news().then_some(());
        let come = spin(look).or_else(|| store.items().wait(&bed, look));
        come.ok_or(GetError::Empty)?;
    }
}

/// Where all items were taken and nobody has one in hands, waits until then; whether it is so.
pub(super) fn join(object: &Arc<Object>, wait: Wait) -> bool {
    let store = Store(object);
    // Taken items are in hands before they are taken: so first this, then that.
    let look = || (store.len() == 0 && object.permits().free() == MAX_PERMITS).then_some(());
    look().is_some() || {
        !matches!(wait, Wait::Never) && store.idle().wait(&bed(object, wait), look).is_some()
    }
}

/// One item that this process has in hands is done. False when it has none.
pub(super) fn done(object: &Arc<Object>) -> bool {
    let done = object.permits().give_back_if_held(object.seat());
    if done && object.permits().free() == MAX_PERMITS {
        Store(object).idle().notify(&Waker, u32::MAX);
    }
    done
}

/// For the locks too, which nobody holds for long: so even who never waits waits for those.
fn bed(object: &Arc<Object>, wait: Wait) -> FutexBed<'_> {
    match wait {
        Wait::AtMost(timeout) => FutexBed::with_timeout(object, timeout),
        Wait::Never | Wait::AsLongAsItTakes => FutexBed::endless(object),
    }
}
