//! What the process counts of itself: one writer a shard, one reader, every metric one row.
//!
//! A shard writes to its [`ShardMetrics`] and to nothing else; the admin thread reads all of them
//! through [`Registry`], which writes them out in the Prometheus text format.

mod cell;
mod families;
mod histogram;
mod labels;
mod ledger;
mod process;
mod reference;
mod registry;
mod shard;
mod summary;
mod text;

#[cfg(test)]
mod tests;

pub use labels::{Answer, Settled, Transport, Trigger};
pub use reference::reference;
pub use registry::{Registry, View};
pub use shard::ShardMetrics;
pub use summary::{Account, Calls, Collector, Connections, Latency, Shard, Summary};
