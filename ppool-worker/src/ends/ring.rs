//! Shared memory: the call thread takes calls from the ring itself.

use std::{io, ops::Range, sync::Arc};

use ppool_core::{
    codec::{Encoder, Places, attach::Attached, segment::Segments},
    link::ring::{RingCall, RingCalls, RingResults},
    wire::{CallItem, ResultItem},
};

use super::{Calls, ItemId, Results};

impl Calls for RingCalls {
    type Call = RingCall;

    #[inline]
    fn next(&mut self) -> io::Result<Option<RingCall>> {
        RingCalls::next(self)
    }

    #[inline]
    fn item(call: &RingCall) -> CallItem {
        call.item()
    }

    #[inline]
    fn take_attached(call: &mut RingCall) -> Attached {
        call.take_attached()
    }

    #[inline]
    fn arguments<'a>(&'a self, call: &'a RingCall) -> &'a [u8] {
        RingCalls::arguments(self, call)
    }

    #[inline]
    fn free_arguments(call: &mut RingCall) {
        call.free_arguments();
    }

    #[inline]
    fn claim_items(&self, call: &RingCall, want: u32) -> Option<Range<u32>> {
        RingCalls::claim_items(self, call, want)
    }

    #[inline]
    fn release(&self, call: RingCall, spent: u64) {
        RingCalls::release(self, call, spent);
    }
}

impl Results for RingResults {
    fn segments(&self) -> Option<Arc<dyn Segments>> {
        Some(RingResults::segments(self))
    }

    #[inline]
    fn value(&mut self, id: ItemId, value: &mut Encoder) -> io::Result<()> {
        RingResults::value(self, id.work_id, id.attempt, id.index, value)
    }

    #[inline]
    fn add_value(&mut self, id: ItemId, value: &mut Encoder) -> io::Result<()> {
        RingResults::add_value(self, id.work_id, id.attempt, id.index, value)
    }

    #[inline]
    fn places(&mut self, first: ItemId, each: usize) -> io::Result<Option<Places<'_>>> {
        RingResults::places(self, first.work_id, first.attempt, first.index, each)
    }

    #[inline]
    fn placed(&mut self, count: u32, each: usize) {
        RingResults::placed(self, count, each);
    }

    fn outcome(&mut self, result: ResultItem) -> io::Result<()> {
        RingResults::outcome(self, result)
    }

    fn reported(&mut self, id: ItemId) -> io::Result<()> {
        RingResults::streamed(self, id.work_id, id.attempt, id.index)
    }

    #[inline]
    fn publish(&mut self) -> io::Result<()> {
        RingResults::publish(self)
    }
}
