//! Ends of channels as values: giving an end away, and taking over one that came.
//!
//! What travels is the number of the socket's descriptor, and what the next owner goes on with.

use std::os::fd::AsFd;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

use super::{
    Channel,
    end::{End, Passage},
};
use crate::{codec::attach, sys::socketpair::is_packet_socket};

impl<S, R> Serialize for Channel<S, R> {
    /// Gives the end away.
    fn serialize<Z: Serializer>(&self, to: Z) -> Result<Z::Ok, Z::Error> {
        let socket = self
            .end
            .socket()
            .ok_or_else(|| ser::Error::custom("the channel could not be made"))?;
        // First, since it fails where no end can travel.
        let descriptor = attach::attach(socket).map_err(ser::Error::custom)?;
        let passage = self.end.give_away().map_err(ser::Error::custom)?;
        (descriptor, passage).serialize(to)
    }
}

impl<'de, S, R> Deserialize<'de> for Channel<S, R> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let (descriptor, passage): (u32, Passage) = Deserialize::deserialize(from)?;
        let socket = attach::take(descriptor).map_err(de::Error::custom)?;
        if !is_packet_socket(socket.as_fd()) {
            return Err(de::Error::custom("what came is no end of a channel"));
        }
        Ok(Channel::new(End::arrived(socket, passage)))
    }
}
