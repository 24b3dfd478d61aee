//! Memory for bodies: small ones lie side by side, so that a batch of them is sent as one piece.

use std::cell::RefCell;

use bytes::BytesMut;

use crate::{rt, signal::Signal};

/// Bytes that small bodies share.
///
/// - Source: chosen: a body that outlives its neighbours keeps no more than this alive. For the
///   same reason each signal has its own: what waits for a dead collector must not keep the memory
///   of what flows.
const SHARED_BYTES: usize = 64 * 1024;

/// Bodies from this length have memory of their own, which a disk takes from where it lies.
const OWN_BYTES_MIN: usize = SHARED_BYTES / 8;

/// A shard's memory for bodies that are copied together.
///
/// - Shard: one per shard.
#[derive(Debug, Default)]
pub struct Bodies {
    shared: [RefCell<BytesMut>; 4],
}

impl Bodies {
    /// Memory for a body of `bytes`.
    pub(super) fn take(&self, signal: Signal, bytes: usize) -> BytesMut {
        if bytes >= OWN_BYTES_MIN {
            return rt::aligned(bytes);
        }
        let mut shared = self.shared[signal.index()].borrow_mut();
        if shared.capacity() < bytes {
            *shared = BytesMut::with_capacity(SHARED_BYTES);
        }
        let rest = shared.split_off(bytes);
        std::mem::replace(&mut shared, rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_bodies_lie_side_by_side_and_large_ones_alone() {
        let bodies = Bodies::default();
        let fill = |bytes: usize| {
            let mut body = bodies.take(Signal::Traces, bytes);
            assert!(body.capacity() >= bytes);
            body.resize(bytes, 7);
            body.freeze()
        };
        let (first, second) = (fill(100), fill(200));
        assert_eq!(first.as_ptr().wrapping_add(100), second.as_ptr());
        let many: usize = (0..1000).map(|_| fill(OWN_BYTES_MIN - 1).len()).sum();
        assert_eq!(many, 1000 * (OWN_BYTES_MIN - 1));
        assert_eq!(fill(OWN_BYTES_MIN).len(), OWN_BYTES_MIN);
    }
}
