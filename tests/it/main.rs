//! The program from outside: a spawned binary between real senders and a recording collector.
//!
//! Every test starts what it needs on free loopback ports and waits for states, never for time.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test says what went wrong by stopping there"
)]

mod acceptance;
mod collectors;
mod collectors_http1;
mod compression;
mod delivery;
mod faults;
mod gone;
mod heavy;
mod http1;
mod ladder;
mod lifecycle;
mod limits;
mod outcomes;
mod probes;
mod refusals;
mod spool_cli;
mod startup;
mod structure;
mod support;
mod tenants;
mod witness;
