//! The rows of the schema, by section.

mod degradation;
mod destination;
mod process;
mod receive;
mod refused;
mod resilience;

use std::time::Duration;

use super::schema::Section;

/// Every section, in the order in which the documents show them.
pub static SECTIONS: &[Section] = &[
    destination::COLLECTORS,
    destination::SENDING,
    destination::TIMEOUTS,
    receive::BATCHES,
    receive::PROMISE,
    receive::LISTEN,
    receive::LIMITS,
    process::PROCESS,
    process::LOGGING,
    process::MONITORING,
    resilience::RETRY,
    resilience::BREAKER,
    resilience::HEALTH,
    degradation::DEGRADATION,
    degradation::SPOOL,
    refused::TLS,
    refused::AUTH,
];

const fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

const fn secs(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// A number that its row's range keeps within `usize`.
fn size(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// A number that its row's range keeps within `u32`.
fn word(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
