//! The open streams of a connection, and those that were left before their end.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::http2::{flow::Window, frame::ErrorCode};

/// One open stream.
#[derive(Debug)]
pub(super) struct Stream<T> {
    pub id: u32,
    /// What the peer may still send.
    pub receive: Window,
    /// Bytes that came and were not given back to the peer's window.
    pub taken: u32,
    /// What may still be sent.
    pub send: Window,
    /// Bytes of the body that are still to come, where the peer declared them.
    pub expected: Option<u64>,
    /// The peer has sent all.
    pub ended: bool,
    /// An answer that waits for room.
    pub pending: Option<Pending>,
    /// The caller's own.
    pub call: Option<T>,
}

/// What is left of an answer.
#[derive(Debug)]
pub(super) struct Pending {
    pub body: Bytes,
    pub trailers: Option<Bytes>,
}

/// Open streams in the order of their numbers, which is the order they came in.
#[derive(Debug)]
pub(super) struct Streams<T> {
    open: Vec<Stream<T>>,
    /// Streams that were ended here while the peer may still be sending: what comes is ignored.
    left: VecDeque<u32>,
    left_max: usize,
}

impl<T> Streams<T> {
    pub(super) const fn new(left_max: usize) -> Self {
        Self {
            open: Vec::new(),
            left: VecDeque::new(),
            left_max,
        }
    }

    pub(super) const fn len(&self) -> usize {
        self.open.len()
    }

    pub(super) fn push(&mut self, stream: Stream<T>) {
        self.open.push(stream);
    }

    fn place(&self, id: u32) -> Option<usize> {
        // Most frames are for the newest stream.
        match self.open.last() {
            Some(last) if last.id == id => Some(self.open.len() - 1),
            _ => self.open.binary_search_by_key(&id, |stream| stream.id).ok(),
        }
    }

    pub(super) fn get(&mut self, id: u32) -> Option<&mut Stream<T>> {
        let place = self.place(id)?;
        self.open.get_mut(place)
    }

    pub(super) fn remove(&mut self, id: u32) -> Option<Stream<T>> {
        self.place(id).map(|place| self.open.remove(place))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Stream<T>> {
        self.open.iter_mut()
    }

    /// Notes a stream that was ended here before the peer had ended it.
    pub(super) fn leave(&mut self, id: u32) {
        if self.left.len() >= self.left_max {
            self.left.pop_front();
        }
        self.left.push_back(id);
    }

    pub(super) fn was_left(&self, id: u32) -> bool {
        self.left.contains(&id)
    }

    /// Applies a change of the peer's initial window to every open stream.
    pub(super) fn grow_send_windows(&mut self, change: i64) -> Result<(), ErrorCode> {
        self.open
            .iter_mut()
            .try_for_each(|stream| stream.send.grow(change))
    }
}
