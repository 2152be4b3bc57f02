use std::{fs::File, os::fd::OwnedFd, thread};

use super::support::{Other, sent, until, watchdog};
use crate::{
    codec::attach,
    sync::{
        Barrier, BoundedSemaphore, Condition, Event, Lock, RLock, Semaphore,
        algorithm::seats::{self, SeatWords},
        object::{Kind, Object, Plan, identity},
    },
};

#[test]
fn a_handle_that_was_sent_is_one_to_the_same_thing() {
    let lock = Lock::new();
    let (there, again) = (sent(&lock), sent(&lock));
    let guard = lock.lock();
    assert!(there.try_lock().is_none() && again.try_lock().is_none());
    drop(guard);
    assert!(sent(&there).try_lock().is_some());
}

#[test]
fn each_kind_travels() {
    assert!(sent(&RLock::new()).try_lock().is_some());
    let event = Event::new();
    sent(&event).set();
    assert!(event.is_set());
    assert_eq!(sent(&Semaphore::new(7)).available(), 7);
    assert!(sent(&BoundedSemaphore::new(7)).release().is_err());
    assert_eq!(sent(&Barrier::new(7)).parties(), 7);
    let condition = Condition::new();
    let guard = condition.lock();
    assert!(sent(&condition).as_lock().is_locked());
    drop(guard);
}

#[test]
fn a_handle_doesnt_travel_by_other_ways() {
    let error = serde_json::to_string(&Lock::new()).unwrap_err();
    assert!(error.to_string().contains("can only travel as"), "{error}");
    let error = serde_json::from_str::<Lock>("[0]").unwrap_err();
    assert!(error.to_string().contains("can only travel as"), "{error}");
}

#[test]
fn what_is_no_such_object_is_refused() {
    fn attached(descriptor: OwnedFd) -> Result<Lock, String> {
        let mut out = crate::codec::Encoder::new();
        crate::codec::Lane::<Vec<u32>>::cbor()
            .encode(&vec![0], &mut out)
            .unwrap();
        let mut input = crate::codec::Decoder::new(out.bytes());
        let lane = crate::codec::Lane::<Lock>::cbor();
        attach::provide(vec![descriptor], || lane.decode(&mut input))
            .map_err(|error| error.to_string())
    }
    let error = attached(File::open("/dev/null").unwrap().into()).unwrap_err();
    assert!(error.contains("not memory"), "{error}");
    let event = Object::create(Plan::plain(Kind::Event)).unwrap();
    let descriptor = event.descriptors()[0].try_clone().unwrap();
    let error = attached(descriptor).unwrap_err();
    assert!(error.contains("not that of a lock"), "{error}");
}

#[test]
fn a_process_has_one_seat_and_gives_it_back() {
    let object = Object::create(Plan::plain(Kind::Lock)).unwrap();
    let me = identity::me();
    let mine = |object: &Object| seats::tenants(object).filter(|(_, t)| *t == me).count();
    assert_eq!(mine(&object), 1);
    let copy = Object::create(Plan::plain(Kind::Lock)).unwrap();
    assert_eq!((mine(&object), mine(&copy)), (1, 1));
    let (other_seat, seat) = (Other::start().sit_down(&object), object.seat());
    assert_ne!(seat, other_seat);
    seats::give_back(&*object, other_seat, me);
    assert_ne!(
        object
            .tenant(other_seat)
            .load(std::sync::atomic::Ordering::Relaxed),
        0
    );
}

#[test]
fn dead_processes_make_room_when_all_seats_are_taken() {
    let object = Object::create(Plan::plain(Kind::Lock)).unwrap();
    let dead = Other::start().identity;
    while seats::take(&*object, dead).is_some() {}
    let number = {
        let event = Object::create(Plan::plain(Kind::Event)).unwrap();
        event.seats()
    };
    assert_eq!(seats::tenants(&*object).count(), usize::from(number));
    // Another process would find no seat; this one has its own already, so ask anew.
    object.bury_all_dead();
    assert_eq!(seats::tenants(&*object).count(), 1);
}

#[test]
fn the_watcher_ends_with_what_it_watches() {
    let _watchdog = watchdog();
    let lock = Lock::new();
    let other = Other::start();
    {
        let there = sent(&lock);
        let guard = lock.lock();
        thread::scope(|scope| {
            scope.spawn(|| there.lock());
            until(|| there.is_locked());
            drop(guard);
        });
    }
    drop(other);
}
