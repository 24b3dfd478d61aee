//! What a shard holds: the budget, the open batches, and who waits for them.
//!
//! Pure: told the time, does no I/O.

mod ack;
mod batcher;
mod budget;

pub use ack::{Ack, Waiter};
pub use batcher::{Batch, BatchKey, Batcher, Entry, ExportRequest};
pub use budget::{Budget, Permit, Spent};
