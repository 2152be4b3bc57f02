//! [`Object`]: made, attached, seated, buried.

use std::{
    fmt, io,
    os::fd::{AsFd, OwnedFd},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU16, AtomicU64, Ordering},
    },
};

use super::{FutexBed, Kind, Waker, identity, layout, registry, watcher};
use crate::{
    shm::{Memory, atomic::AtomicU64 as Word},
    sync::algorithm::{
        parking::Bed,
        seats::{self, Identity, Seat, SeatWords},
    },
    sys::{mapping::Mapping, memfd::Memfd},
};

/// One object, as this process has it.
pub(crate) struct Object {
    memory: Memory,
    kind: Kind,
    parameter: u64,
    /// The memory's own first; then what else travels with it.
    descriptors: Vec<OwnedFd>,
    key: registry::Key,
    /// Who took the seat: this process, or before a fork its parent. Zero before there is one.
    tenant: AtomicU64,
    seat: AtomicU16,
    /// Held while a seat is taken.
    sitting: Mutex<()>,
    /// The epoch of the seats in which all others are watched, and one. Zero: not yet.
    watched: AtomicU64,
    /// What only the threads of this process need to know; for the kind.
    pub(crate) local: [AtomicU64; 2],
}

/// What a new object is to be.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) kind: Kind,
    pub(crate) parameter: u64,
    /// What is in the object's own word at first.
    pub(crate) word: u64,
    /// How many bytes of data there are.
    pub(crate) data_len: usize,
    /// What the data are, as a number.
    pub(crate) data_type: u64,
    /// What travels with it.
    pub(crate) companions: Vec<OwnedFd>,
}

impl Plan {
    /// An object without parameters and data.
    pub(crate) fn plain(kind: Kind) -> Self {
        Plan {
            kind,
            parameter: 0,
            word: 0,
            data_len: 0,
            data_type: 0,
            companions: Vec::new(),
        }
    }
}

impl Object {
    /// A new object.
    ///
    /// # Errors
    /// When memory, address space or descriptors have run out.
    pub(crate) fn create(plan: Plan) -> io::Result<Arc<Self>> {
        let len = layout::DATA
            .checked_add(plan.data_len)
            .ok_or_else(|| io::Error::from(io::ErrorKind::OutOfMemory))?;
        let memfd = Memfd::create("ppool-shared", len as u64)?;
        if plan.kind.mapped_len().is_none() {
            memfd.seal_growth()?;
        }
        let memory = Memory::mapped(Mapping::new(&memfd, len)?);
        for (at, value) in [
            (layout::MAGIC, layout::MAGIC_VALUE),
            (layout::KIND, plan.kind as u64),
            (layout::PARAMETER, plan.parameter),
            (layout::DATA_TYPE, plan.data_type),
            (layout::WORD, plan.word),
        ] {
            memory.word(at).store(value, Ordering::Relaxed);
        }
        let mut descriptors = plan.companions;
        Object::adopt(memory, plan.kind, memfd, |memfd| {
            descriptors.insert(0, memfd);
            descriptors
        })
    }

    /// The object that another process has sent.
    ///
    /// # Errors
    /// When it is none, or of another kind, or this process can't have a part in it.
    pub(super) fn attach(kind: Kind, descriptors: Vec<OwnedFd>) -> io::Result<Arc<Self>> {
        let mut descriptors = descriptors.into_iter();
        let memfd = descriptors.next().ok_or_else(|| broken(kind))?;
        let memfd = Memfd::from_peer(memfd)?;
        let len = usize::try_from(memfd.byte_len()?).map_err(|_| broken(kind))?;
        let len = kind.mapped_len().unwrap_or(len);
        if len < layout::DATA {
            return Err(broken(kind));
        }
        let memory = Memory::mapped(Mapping::new(&memfd, len)?);
        let word = |at| memory.word(at).load(Ordering::Relaxed);
        if word(layout::MAGIC) != layout::MAGIC_VALUE || word(layout::KIND) != kind as u64 {
            return Err(broken(kind));
        }
        Object::adopt(memory, kind, memfd, |memfd| {
            std::iter::once(memfd).chain(descriptors).collect()
        })
    }

    fn adopt(
        memory: Memory,
        kind: Kind,
        memfd: Memfd,
        descriptors: impl FnOnce(OwnedFd) -> Vec<OwnedFd>,
    ) -> io::Result<Arc<Self>> {
        let key = memfd.key()?;
        let object = registry::get_or_make(key, || {
            Ok(Object {
                parameter: memory.word(layout::PARAMETER).load(Ordering::Relaxed),
                memory,
                kind,
                descriptors: descriptors(memfd.into()),
                key,
                tenant: AtomicU64::new(0),
                seat: AtomicU16::new(0),
                sitting: Mutex::new(()),
                watched: AtomicU64::new(0),
                local: Default::default(),
            })
        })?;
        object.sit_down(identity::me())?;
        Ok(object)
    }

    #[inline]
    pub(crate) fn memory(&self) -> &Memory {
        &self.memory
    }

    #[inline]
    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    #[inline]
    pub(crate) fn parameter(&self) -> u64 {
        self.parameter
    }

    /// The memory's descriptor, and what travels with it.
    pub(crate) fn descriptors(&self) -> &[OwnedFd] {
        &self.descriptors
    }

    /// This process, which has a seat here from now on.
    ///
    /// # Panics
    /// In a forked child, when all seats are taken.
    #[inline]
    pub(crate) fn me(&self) -> Identity {
        let me = identity::me();
        if self.tenant.load(Ordering::Acquire) != me.bits() {
            let seated = self.sit_down(me);
            assert!(seated.is_ok(), "no seat for a forked child: {seated:?}");
        }
        me
    }

    /// Where this process sits.
    #[inline]
    pub(crate) fn seat(&self) -> Seat {
        self.me();
        Seat(self.seat.load(Ordering::Relaxed))
    }

    fn sit_down(&self, me: Identity) -> io::Result<()> {
        let _sitting = self.sitting.lock().unwrap_or_else(PoisonError::into_inner);
        if self.tenant.load(Ordering::Acquire) == me.bits() {
            return Ok(());
        }
        let seat = match self.seat_kept_by(me).or_else(|| seats::take(self, me)) {
            Some(seat) => seat,
            None => {
                self.bury_all_dead();
                seats::take(self, me).ok_or_else(|| {
                    io::Error::other(format!(
                        "{} processes have a handle to this {} already",
                        layout::SEAT_COUNT,
                        self.kind.name()
                    ))
                })?
            }
        };
        self.watched.store(0, Ordering::Relaxed);
        self.seat.store(seat.0, Ordering::Relaxed);
        self.tenant.store(me.bits(), Ordering::Release);
        // Those who wait have to watch this process from now on.
        for index in 0..layout::PARKINGS.len() {
            self.parking(index).notify(&Waker, u32::MAX);
        }
        Ok(())
    }

    /// The seat of this process from before, when it had no handle any more but held something.
    fn seat_kept_by(&self, me: Identity) -> Option<Seat> {
        seats::tenants(self)
            .find(|(seat, tenant)| *tenant == me && self.holds(*seat, me))
            .map(|(seat, _)| seat)
    }

    /// Makes sure that the deaths of all others are noticed; those who are dead already are buried.
    ///
    /// # Errors
    /// When descriptors or threads have run out.
    pub(crate) fn watch_others(self: &Arc<Self>) -> io::Result<()> {
        // Before the table: who is missed in it has advanced the epoch.
        let epoch = self.epoch().load(Ordering::Acquire) + 1;
        if self.watched.load(Ordering::Acquire) == epoch {
            return Ok(());
        }
        let me = self.me();
        let others: Vec<Identity> = seats::tenants(&**self)
            .map(|(_, tenant)| tenant)
            .filter(|tenant| *tenant != me)
            .collect();
        for other in others {
            if watcher::watch(other, self)? == watcher::Seen::Dead {
                self.bury(other);
            }
        }
        self.watched.store(epoch, Ordering::Release);
        Ok(())
    }

    /// Releases what a dead process held, and its seat.
    pub(super) fn bury(self: &Arc<Self>, dead: Identity) {
        self.bury_at(dead, &FutexBed::endless(self));
    }

    fn bury_at(&self, dead: Identity, bed: &impl Bed) {
        let of_dead = |(seat, tenant)| (tenant == dead).then_some(seat);
        let seats: Vec<Seat> = seats::tenants(self).filter_map(of_dead).collect();
        for seat in &seats {
            self.release_from(*seat, dead);
        }
        // Also when somebody else has buried it: that one may have died before it came to this.
        self.shake(bed);
        for seat in seats {
            seats::give_back(self, seat, dead);
        }
    }

    /// For one who finds all seats taken.
    pub(in crate::sync) fn bury_all_dead(&self) {
        let tenants: Vec<Identity> = seats::tenants(self).map(|(_, tenant)| tenant).collect();
        for tenant in tenants {
            if !identity::is_alive(tenant) {
                self.bury_at(tenant, &Waker);
            }
        }
    }
}

impl Drop for Object {
    fn drop(&mut self) {
        registry::remove(self.key);
        let me = identity::me();
        if self.tenant.load(Ordering::Acquire) == me.bits() {
            let seat = Seat(self.seat.load(Ordering::Relaxed));
            // What was forgotten rather than released is released by the death of this process.
            if !self.holds(seat, me) {
                seats::give_back(self, seat, me);
            }
        }
        if *self.watched.get_mut() != 0 {
            watcher::forget_the_gone();
        }
    }
}

impl SeatWords for Object {
    fn seats(&self) -> u16 {
        layout::SEAT_COUNT
    }

    fn epoch(&self) -> &Word {
        self.memory.word(layout::SEATS_EPOCH)
    }

    fn high(&self) -> &Word {
        self.memory.word(layout::SEATS_HIGH)
    }

    #[inline]
    fn tenant(&self, seat: Seat) -> &Word {
        self.memory.word(place_of(seat))
    }

    #[inline]
    fn record(&self, seat: Seat) -> &Word {
        self.memory.word(place_of(seat) + 8)
    }
}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Object")
            .field("kind", &self.kind)
            .field("descriptor", &self.descriptors.first().map(AsFd::as_fd))
            .finish_non_exhaustive()
    }
}

/// Where a seat lies. A number from shared memory may be too large; then it is some other seat, and
/// only the object of the process that wrote it is in disorder (LINK-2).
#[inline]
fn place_of(seat: Seat) -> usize {
    layout::SEATS + usize::from(seat.0 % layout::SEAT_COUNT) * layout::SEAT_LEN
}

fn broken(kind: Kind) -> io::Error {
    let message = format!("the descriptor is not that of a {}", kind.name());
    io::Error::new(io::ErrorKind::InvalidData, message)
}
