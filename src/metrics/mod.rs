//! What the process counts of itself: one writer a shard, one reader, every metric one row.
//!
//! A shard writes to its [`ShardMetrics`] and to nothing else; the admin thread reads all of them
//! through [`Registry`], which writes them out in the Prometheus text format. What a number cannot
//! say is on the shard's [`Board`].

mod board;
mod cell;
mod families;
mod histogram;
mod labels;
mod ledger;
mod process;
mod reference;
mod registry;
mod resilience;
mod shard;
mod status;
mod summary;
mod text;

#[cfg(test)]
mod tests;

pub use board::{Board, CollectorName, CollectorStatus, Degraded, Role, SpoolState, SpoolStatus};
pub use labels::{Answer, ProbeResult, Settled, Strategy, Transport, Trigger};
pub use reference::reference;
pub use registry::{Registry, View};
pub use resilience::COLLECTORS_MAX;
pub use shard::ShardMetrics;
pub use status::{Collector, Degradation, Spool};
pub use summary::{Account, Calls, Connections, Latency, Shard, Summary};
