//! What to do while a collector does not take the data: when to try again, when to leave it alone,
//! when to degrade and by how much.
//!
//! Pure: told the time and what became of calls, does no I/O. Each value belongs to one shard.

mod breaker;
mod health;
mod latency;
mod pressure;
mod retry;
mod triggers;
mod verdict;
mod window;

pub use breaker::{Breaker, BreakerState, Call, Cause, Transition};
pub use health::{Health, Probe};
pub use pressure::keep_ratio;
pub use retry::RetryPolicy;
pub use triggers::{Active, Change, Triggers, Why};
pub use verdict::{Verdict, verdict};
pub use window::{Counts, Window};
