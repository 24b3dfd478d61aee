//! A thread-per-core OTLP forwarder.
//!
//! # The life of one request
//!
//! | # | step | room |
//! | --: | --- | --- |
//! | 1 | a socket is accepted and stays on its core | [`receiver`] |
//! | 2 | its first bytes tell HTTP/2 from HTTP/1.1 | [`receiver`] |
//! | 3 | path and headers open a call | [`receiver`] |
//! | 4 | the memory budget admits it or refuses with a delay | [`receiver`] |
//! | 5 | its body is read as it lies | [`receiver`] |
//! | 6 | the walk proves the bytes, unpacked within a bound, and counts the items | [`wire`] |
//! | 7 | it joins the open batch of its signal | [`batch`] |
//! | 8 | which way the sealed batch goes: a collector, the fallback, the disk, or later | [`delivery`] |
//! | 9 | it goes to a collector | [`exporter`] |
//! | 10 | one outcome answers every request of the batch, once | [`delivery`] |
//! | 11 | the sender hears it | [`receiver`] |
//!
//! [`shard`] builds one core's whole world from these rooms; nothing else joins `receiver` and
//! `exporter`, which do not know each other.

pub mod admin;
pub mod batch;
pub mod cli;
pub mod config;
pub mod degrade;
pub mod delivery;
pub mod encoding;
pub mod exporter;
pub mod headers;
pub mod http1;
pub mod http2;
pub mod jitter;
pub mod logging;
pub mod metrics;
pub mod net;
pub mod outcome;
pub mod receiver;
pub mod rt;
pub mod shard;
pub mod signal;
pub mod spool;
pub mod wire;
