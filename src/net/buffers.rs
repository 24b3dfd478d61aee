//! Buffers that are taken only while bytes are in them, so that idle connections cost none.

use std::cell::RefCell;

/// Bytes read from a socket at once.
///
/// - Source: measured: one read of 128 KiB in a turn costs a third less CPU a span than two of
///   64 KiB (docs/benchmarks.md).
pub const READ_BYTES: usize = 128 * 1024;

/// Bytes gathered before they are written to a socket.
///
/// - Source: measured: 128 KiB stays in the second-level cache; 1 MiB costs a third more.
pub const WRITE_BYTES: usize = 128 * 1024;

/// Spare buffers of each kind that a shard keeps.
///
/// - Cost: at most 32 × (128 KiB + 128 KiB) = 8 MiB a shard.
const SPARE_MAX: usize = 32;

/// A shard's spare buffers.
///
/// - Shard: one per shard, shared by its connections.
#[derive(Debug, Default)]
pub struct Buffers {
    reads: RefCell<Vec<Box<[u8]>>>,
    writes: RefCell<Vec<Vec<u8>>>,
}

impl Buffers {
    pub(super) fn take_read(&self) -> Box<[u8]> {
        let spare = self.reads.borrow_mut().pop();
        spare.unwrap_or_else(|| vec![0; READ_BYTES].into_boxed_slice())
    }

    pub(super) fn give_read(&self, buffer: Box<[u8]>) {
        let mut reads = self.reads.borrow_mut();
        if reads.len() < SPARE_MAX {
            reads.push(buffer);
        }
    }

    pub(super) fn take_write(&self) -> Vec<u8> {
        let spare = self.writes.borrow_mut().pop();
        spare.unwrap_or_else(|| Vec::with_capacity(WRITE_BYTES))
    }

    pub(super) fn give_write(&self, mut buffer: Vec<u8>) {
        let mut writes = self.writes.borrow_mut();
        if writes.len() < SPARE_MAX {
            buffer.clear();
            writes.push(buffer);
        }
    }
}
