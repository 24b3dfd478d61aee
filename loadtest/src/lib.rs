//! A load test for OTLP forwarders that tells the truth.
//!
//! It is an independent witness: telemetry is built and read with `opentelemetry-proto` and
//! `prost`, never with a forwarder's code. Requests are due on a schedule whatever the answers do;
//! latency counts from when a request was due. Every item carries an id and a checksum of itself,
//! so loss, duplication and alteration are found item by item.
//!
//! - [`telemetry`] builds requests and reads them back; [`audit`] compares what was acknowledged
//!   with what arrived. Pure.
//! - [`schedule`] says when each request is due. Pure.
//! - [`send`] and [`collect`] are the two ends; [`proxy`] is the bound to compare with.
//! - [`rpc`] is what both ends know of gRPC's statuses.
//! - [`host`] starts, pins and prices processes.
//! - [`scenario`] runs one test from a file; [`compare`] runs it against several systems in turn.
//! - [`proof`] kills the system under test, or its disk, and audits what it had acknowledged.
//! - [`results`] is what all of them report; [`figures`] reads it, [`report`] shows it to people.

pub mod audit;
pub mod cli;
pub mod collect;
pub mod compare;
pub mod figures;
pub mod host;
pub mod proof;
pub mod proxy;
pub mod report;
pub mod results;
pub mod rpc;
pub mod scenario;
pub mod schedule;
pub mod send;
pub mod telemetry;
