//! Model checks: loom runs these with every order in which the threads could see each other's writes
//! (up to a bound on how often a thread is interrupted), and reports threads that sleep for ever.
//!
//! `RUSTFLAGS="--cfg loom" cargo test --release -p ppool-core --lib sync::algorithm::models`

use std::{collections::VecDeque, ops::Deref};

use loom::{
    cell::UnsafeCell,
    model::Builder,
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    thread,
};

use super::{
    lock_word::LockWord,
    parking::{Bed, Parking, Rest},
    permits::Permits,
    rendezvous::Rendezvous,
    seats::{self, Identity, Seat, SeatWords},
    switch::Switch,
};

fn check(model: impl Fn() + Send + Sync + 'static) {
    check_to(3, model);
}

/// For models of three threads, of which there are too many orders otherwise.
fn check_three(model: impl Fn() + Send + Sync + 'static) {
    check_to(2, model);
}

fn check_to(bound: usize, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(bound);
    builder.check(model);
}

/// The memory of an object, and the kernel's queue of those who sleep there.
struct World {
    word: AtomicU64,
    sequence: AtomicU32,
    waiters: AtomicU64,
    epoch: AtomicU64,
    high: AtomicU64,
    tenants: [AtomicU64; 2],
    records: [AtomicU64; 2],
    sleepers: Mutex<Sleepers>,
    changed: Condvar,
    /// What a lock protects.
    guarded: UnsafeCell<u32>,
}

#[derive(Default)]
struct Sleepers {
    next: u32,
    queue: VecDeque<u32>,
}

/// It is only handed out behind an `Arc`.
#[derive(Clone)]
struct Shared(Arc<World>);

impl Deref for Shared {
    type Target = World;

    fn deref(&self) -> &World {
        &self.0
    }
}

/// Sleeps as the futex does: in one step with the comparison, woken in order.
struct Futex<'a>(&'a World);

impl Bed for Futex<'_> {
    fn sleep(&self, sequence: &AtomicU32, seen: u32) -> Rest {
        let mut sleepers = self.0.sleepers.lock().unwrap();
        if sequence.load(Relaxed) != seen {
            return Rest::Woken;
        }
        let me = sleepers.next;
        sleepers.next += 1;
        sleepers.queue.push_back(me);
        while sleepers.queue.contains(&me) {
            sleepers = self.0.changed.wait(sleepers).unwrap();
        }
        Rest::Woken
    }

    fn wake(&self, _: &AtomicU32, count: u32) {
        let mut sleepers = self.0.sleepers.lock().unwrap();
        for _ in 0..count.min(8) {
            sleepers.queue.pop_front();
        }
        self.0.changed.notify_all();
    }
}

/// One whose time is over at once.
struct Impatient<'a>(&'a World);

impl Bed for Impatient<'_> {
    fn sleep(&self, _: &AtomicU32, _: u32) -> Rest {
        Rest::TimedOut
    }

    fn wake(&self, sequence: &AtomicU32, count: u32) {
        Futex(self.0).wake(sequence, count);
    }
}

impl World {
    fn new(word: u64) -> Shared {
        Shared(Arc::new(World {
            word: AtomicU64::new(word),
            sequence: AtomicU32::new(0),
            waiters: AtomicU64::new(0),
            epoch: AtomicU64::new(0),
            high: AtomicU64::new(0),
            tenants: [AtomicU64::new(0), AtomicU64::new(0)],
            records: [AtomicU64::new(0), AtomicU64::new(0)],
            sleepers: Mutex::default(),
            changed: Condvar::new(),
            guarded: UnsafeCell::new(0),
        }))
    }

    fn parking(&self) -> Parking<'_> {
        Parking::new(&self.sequence, &self.waiters)
    }

    fn lock(&self) -> LockWord<'_> {
        LockWord::new(&self.word, self.parking())
    }

    fn permits(&self) -> Permits<'_, World> {
        Permits::new(&self.word, self, self.parking(), None)
    }

    fn bed(&self) -> Futex<'_> {
        Futex(self)
    }

    /// loom reports it when two threads are here at once.
    fn touch(&self) {
        self.guarded.with_mut(|_| thread::yield_now());
    }

    fn bury(&self, seat: Seat, dead: Identity, release: impl FnOnce()) {
        release();
        self.parking().shake(&self.bed());
        seats::give_back(self, seat, dead);
    }
}

impl SeatWords for World {
    fn seats(&self) -> u16 {
        2
    }

    fn epoch(&self) -> &AtomicU64 {
        &self.epoch
    }

    fn high(&self) -> &AtomicU64 {
        &self.high
    }

    fn tenant(&self, seat: Seat) -> &AtomicU64 {
        &self.tenants[usize::from(seat.0)]
    }

    fn record(&self, seat: Seat) -> &AtomicU64 {
        &self.records[usize::from(seat.0)]
    }
}

fn process(pid: u32) -> Identity {
    Identity::new(pid, 7).unwrap()
}

#[test]
fn a_lock_has_one_owner_and_wakes_who_waits() {
    check(|| {
        let world = World::new(0);
        let take = |world: &World, pid| {
            let acquired = world.lock().acquire(process(pid), &world.bed()).unwrap();
            assert_eq!(acquired.left_by, None);
            world.touch();
            world.lock().release(&world.bed());
        };
        let other = {
            let world = world.clone();
            thread::spawn(move || take(&world, 1))
        };
        take(&world, 2);
        other.join().unwrap();
    });
}

#[test]
fn one_who_gives_up_on_a_lock_harms_nobody() {
    check_three(|| {
        let world = World::new(0);
        let mine = world.lock().try_acquire(process(1)).unwrap();
        assert_eq!(mine.left_by, None);
        let patient = {
            let world = world.clone();
            thread::spawn(move || {
                let acquired = world.lock().acquire(process(2), &world.bed());
                assert!(acquired.is_some());
                world.lock().release(&world.bed());
            })
        };
        let impatient = {
            let world = world.clone();
            thread::spawn(move || {
                let bed = Impatient(&world);
                if world.lock().acquire(process(3), &bed).is_some() {
                    world.lock().release(&world.bed());
                }
            })
        };
        world.lock().release(&world.bed());
        patient.join().unwrap();
        impatient.join().unwrap();
    });
}

#[test]
fn a_lock_of_the_dead_goes_to_one_who_waits_however_many_bury_it() {
    check_three(|| {
        let world = World::new(0);
        let dead = process(1);
        let seat = seats::take(&*world, dead).unwrap();
        assert!(world.lock().try_acquire(dead).is_some());
        let undertaker = {
            let world = world.clone();
            thread::spawn(move || world.bury(seat, dead, || world.lock().take_from(dead)))
        };
        let waiter = {
            let world = world.clone();
            thread::spawn(move || {
                let acquired = world.lock().acquire(process(2), &world.bed()).unwrap();
                assert_eq!(acquired.left_by, Some(dead));
                world.touch();
                world.lock().release(&world.bed());
            })
        };
        // The second one.
        world.bury(seat, dead, || world.lock().take_from(dead));
        undertaker.join().unwrap();
        waiter.join().unwrap();
        assert!(world.lock().owner().is_none());
    });
}

#[test]
fn one_who_dies_while_it_waits_harms_nobody() {
    check(|| {
        let world = World::new(0);
        let dead = process(1);
        let seat = seats::take(&*world, dead).unwrap();
        // Owed a turn, and never to come for it.
        world.parking().count_one_for_ever();
        assert!(world.lock().try_acquire_politely(process(2)).is_none());
        let waiter = {
            let world = world.clone();
            thread::spawn(move || {
                assert!(world.lock().acquire(process(2), &world.bed()).is_some());
                world.lock().release(&world.bed());
            })
        };
        world.bury(seat, dead, || world.lock().take_from(dead));
        waiter.join().unwrap();
        assert!(!world.parking().has_waiters());
    });
}

#[test]
fn permits_add_up() {
    check(|| {
        let world = World::new(Permits::<World>::initial(1));
        let take = |world: &World, seat| {
            assert!(world.permits().acquire(seat, &world.bed()));
            world.touch();
            world.permits().give_back(seat, &world.bed());
        };
        let other = {
            let world = world.clone();
            thread::spawn(move || take(&world, Seat(1)))
        };
        take(&world, Seat(0));
        other.join().unwrap();
        assert_eq!(world.permits().free(), 1);
        assert_eq!(world.permits().held_at(Seat(0)), 0);
        assert_eq!(world.permits().held_at(Seat(1)), 0);
    });
}

#[test]
fn permits_of_one_killed_between_two_writes_come_back_once() {
    check_three(|| {
        let world = World::new(Permits::<World>::initial(2));
        let dead = process(1);
        let seat = seats::take(&*world, dead).unwrap();
        assert!(world.permits().try_acquire(seat));
        assert!(world.permits().take_and_die(seat));
        let undertaker = {
            let world = world.clone();
            thread::spawn(move || {
                world.bury(seat, dead, || world.permits().take_from(seat, dead));
            })
        };
        let waiter = {
            let world = world.clone();
            thread::spawn(move || {
                assert!(world.permits().acquire(Seat(1), &world.bed()));
                assert_eq!(world.permits().held_at(Seat(1)), 1);
            })
        };
        world.bury(seat, dead, || world.permits().take_from(seat, dead));
        undertaker.join().unwrap();
        waiter.join().unwrap();
        assert_eq!(world.permits().free(), 1);
        assert_eq!(world.permits().held_at(seat), 0);
    });
}

#[test]
fn a_late_undertaker_takes_nothing_from_the_next_tenant() {
    check(|| {
        let world = World::new(Permits::<World>::initial(1));
        let (dead, next) = (process(1), process(2));
        let seat = seats::take(&*world, dead).unwrap();
        assert!(world.permits().try_acquire(seat));
        let late = {
            let world = world.clone();
            thread::spawn(move || {
                world.bury(seat, dead, || world.permits().take_from(seat, dead));
            })
        };
        world.bury(seat, dead, || world.permits().take_from(seat, dead));
        let seat = seats::take(&*world, next).unwrap();
        let took = world.permits().try_acquire(seat);
        late.join().unwrap();
        let held = u32::from(took);
        assert_eq!(world.permits().held_at(seat), held);
        assert_eq!(world.permits().free(), 1 - held);
    });
}

#[test]
fn a_newcomer_is_seen_by_one_who_waits() {
    check(|| {
        let world = World::new(0);
        let waiter = {
            let world = world.clone();
            thread::spawn(move || {
                // As `FutexBed`: the table is looked at before each sleep; here it is what is
                // waited for.
                let look = || {
                    let epoch = world.epoch().load(loom::sync::atomic::Ordering::Acquire);
                    (epoch > 0).then(|| seats::tenants(&*world).count())
                };
                world.parking().wait(&world.bed(), look)
            })
        };
        seats::take(&*world, process(1)).unwrap();
        world.parking().notify(&world.bed(), u32::MAX);
        assert_eq!(waiter.join().unwrap(), Some(1));
    });
}

#[test]
fn all_parties_of_a_barrier_go_on() {
    check(|| {
        let world = World::new(0);
        let meet = |world: &World| {
            let place = Rendezvous::new(&world.word, world.parking(), 2);
            place.wait(&world.bed()).unwrap()
        };
        let other = {
            let world = world.clone();
            thread::spawn(move || meet(&world) + meet(&world))
        };
        assert_eq!(meet(&world) + meet(&world) + other.join().unwrap(), 2);
    });
}

#[test]
fn a_barrier_that_a_dead_party_is_missing_at_breaks() {
    check(|| {
        let world = World::new(0);
        let dead = process(1);
        let seat = seats::take(&*world, dead).unwrap();
        let waiter = {
            let world = world.clone();
            thread::spawn(move || {
                let place = Rendezvous::new(&world.word, world.parking(), 2);
                let waited = place.wait(&world.bed());
                assert!(waited.is_err());
            })
        };
        let place = Rendezvous::new(&world.word, world.parking(), 2);
        while place.arrived() == 0 {
            thread::yield_now();
        }
        let known = || world.tenant(seat).load(Relaxed) != dead.bits();
        world.bury(seat, dead, || place.lose_party(known));
        waiter.join().unwrap();
    });
}

#[test]
fn a_barrier_is_broken_or_complete_for_both() {
    check(|| {
        let world = World::new(0);
        let patient = {
            let world = world.clone();
            thread::spawn(move || {
                let place = Rendezvous::new(&world.word, world.parking(), 2);
                place.wait(&world.bed()).is_ok()
            })
        };
        let place = Rendezvous::new(&world.word, world.parking(), 2);
        let impatient = place.wait(&Impatient(&world)).is_ok();
        assert_eq!(patient.join().unwrap(), impatient);
        assert_eq!(place.is_broken(), !impatient);
    });
}

#[test]
fn an_event_that_is_set_and_cleared_wakes_who_waited() {
    check(|| {
        let world = World::new(0);
        let waiter = {
            let world = world.clone();
            thread::spawn(move || {
                let switch = Switch::new(&world.word, world.parking());
                assert!(switch.wait(&world.bed()));
            })
        };
        let switch = Switch::new(&world.word, world.parking());
        switch.set(&world.bed());
        switch.clear();
        switch.set(&world.bed());
        waiter.join().unwrap();
    });
}

#[test]
fn a_notice_reaches_one_of_two_and_each_that_is_given_does() {
    check_three(|| {
        let world = World::new(0);
        let ready = Arc::new(Mutex::new(0));
        let waiters = [(); 2].map(|()| {
            let (world, ready) = (world.clone(), ready.clone());
            thread::spawn(move || {
                let parking = world.parking();
                let begin = || *ready.lock().unwrap() += 1;
                parking.wait_for_notice(&world.bed(), begin);
            })
        });
        let mut given = 0;
        while given < 2 {
            // Each after one more of them has begun to wait.
            if *ready.lock().unwrap() > given {
                world.parking().notify(&world.bed(), 1);
                given += 1;
            } else {
                thread::yield_now();
            }
        }
        for waiter in waiters {
            waiter.join().unwrap();
        }
    });
}
