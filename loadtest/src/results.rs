//! What the verbs report: written as JSON by each, read by `run`, `compare` and `report`.
//!
//! Every duration is in seconds and every latency in microseconds unless the name says otherwise.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The layout of the JSON; a report of another version is refused, not guessed at.
pub const VERSION: u32 = 1;

/// A latency distribution, in microseconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// Answers counted.
    pub count: u64,
    /// Mean.
    pub mean_us: f64,
    /// Smallest.
    pub min_us: u64,
    /// Median.
    pub p50_us: u64,
    /// 90th percentile.
    pub p90_us: u64,
    /// 99th percentile.
    pub p99_us: u64,
    /// 99.9th percentile.
    pub p999_us: u64,
    /// Largest.
    pub max_us: u64,
    /// The whole histogram: `HdrHistogram` V2, deflated, base64, values in microseconds.
    pub histogram: String,
}

/// Requests or items by how they ended, as the sender saw it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answers {
    /// Due by the schedule.
    pub due: u64,
    /// Handed to a connection.
    pub sent: u64,
    /// Acknowledged in full.
    pub accepted: u64,
    /// Acknowledged in part (requests); rejected by a partial success (items).
    pub partial: u64,
    /// Refused, and the answer says that a repetition may succeed.
    pub refused: u64,
    /// Refused for good.
    pub rejected: u64,
    /// Without an answer: the connection broke or the time ran out.
    pub unanswered: u64,
}

/// One interval of a sender.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SendPoint {
    /// End of the interval, seconds since the measurement began.
    pub at: f64,
    /// Length of the interval, seconds.
    pub length: f64,
    /// Requests due in it.
    pub due: u64,
    /// Requests acknowledged in it.
    pub accepted: u64,
    /// Requests refused, rejected or unanswered in it.
    pub failed: u64,
    /// Items acknowledged in it.
    pub items: u64,
    /// Requests in flight at its end.
    pub in_flight: u64,
    /// Median latency of its answers, from when they were due.
    pub p50_us: u64,
    /// 99th percentile, likewise.
    pub p99_us: u64,
    /// Largest, likewise.
    pub max_us: u64,
}

/// Whether the harness itself was the limit.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Honesty {
    /// How late the sender handed requests over, 99th percentile, while it had a free place in
    /// flight: time that is the harness's, not the system's.
    pub late_p99_us: u64,
    /// Share of one core that the harness's process used, 0 to 1.
    pub cpu_share: f64,
    /// Why the figures must not be read as the system's limit; empty when they may.
    pub bottlenecks: Vec<String>,
}

/// What a sender reports.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SendReport {
    /// [`VERSION`].
    pub version: u32,
    /// What was sent, in a line: protocol, signals, compression, connections, schedule.
    pub title: String,
    /// `grpc`, `http/protobuf` or `http/json`.
    pub protocol: String,
    /// `none`, `gzip` or `zstd`.
    pub compression: String,
    /// Connections.
    pub connections: u32,
    /// Items a request.
    pub items_per_request: u32,
    /// Length of the measurement, without warm-up, seconds.
    pub duration: f64,
    /// Requests by how they ended, warm-up left out.
    pub requests: Answers,
    /// Items by how they ended, warm-up left out.
    pub items: Answers,
    /// Bytes of the bodies that were accepted, before compression.
    pub body_bytes: u64,
    /// The same, as sent.
    pub wire_bytes: u64,
    /// Answers by status: `OK`, `UNAVAILABLE`, `HTTP 429`, `connection reset`, …
    pub statuses: BTreeMap<String, u64>,
    /// Answers that named a delay, and the least and the largest of them, in seconds.
    pub delays: Option<Delays>,
    /// From when a request was due to its answer: what a user waits. No coordinated omission.
    pub latency: Latency,
    /// From when a request was handed over to its answer: what a closed loop would claim.
    pub latency_raw: Latency,
    /// Whether the harness was the limit.
    pub honesty: Honesty,
    /// Over time.
    pub points: Vec<SendPoint>,
    /// The phases that were asked for, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub phases: BTreeMap<String, SendPhase>,
}

/// A part of the measurement that is told apart, as the time of an outage: by when requests were
/// due.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SendPhase {
    /// Its begin, seconds since the measurement began.
    pub from: f64,
    /// Its end, likewise.
    pub to: f64,
    /// Requests due in it.
    pub due: u64,
    /// Of these, acknowledged at last, in full or in part.
    pub accepted: u64,
    /// Items in them.
    pub items: u64,
    /// From when a request was due to its acknowledgement.
    pub latency: Latency,
}

/// Delays that refusals named.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Delays {
    /// Refusals with a delay (`RetryInfo`, `Retry-After`).
    pub with: u64,
    /// Retryable refusals without one.
    pub without: u64,
    /// Smallest, seconds.
    pub min: f64,
    /// Largest, seconds.
    pub max: f64,
}

/// What a collector reports.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CollectReport {
    /// [`VERSION`].
    pub version: u32,
    /// Requests that were accepted.
    pub requests: u64,
    /// Items in them.
    pub items: u64,
    /// Items by signal.
    pub items_by_signal: BTreeMap<String, u64>,
    /// Body bytes, after inflating.
    pub body_bytes: u64,
    /// Body bytes, as received.
    pub wire_bytes: u64,
    /// Requests that did not decode.
    pub undecodable: u64,
    /// Requests that were misbehaved at on purpose, by what was done.
    pub misbehaved: BTreeMap<String, u64>,
    /// Share of one core that the collector used, 0 to 1.
    pub cpu_share: f64,
}

/// Acknowledged against arrived, item by item.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Audit {
    /// `count` (totals only), `ids` (each item once) or `full` (each item once and unaltered).
    pub level: String,
    /// Items whose acknowledgement the sender has.
    pub acknowledged: u64,
    /// Distinct items that arrived.
    pub arrived: u64,
    /// Acknowledged and not arrived: loss.
    pub lost: u64,
    /// Arrivals beyond the first of an item.
    pub duplicated: u64,
    /// Arrived with other content than was sent.
    pub altered: u64,
    /// Arrived without an id that the sender gave out.
    pub foreign: u64,
    /// Arrived although the sender was refused or heard nothing: allowed, at least once.
    pub unacknowledged: u64,
}

/// What a process cost.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// `forwarder`, `collector`, `sender`, `proxy`, …
    pub role: String,
    /// User CPU, seconds.
    pub user: f64,
    /// System CPU, seconds.
    pub system: f64,
    /// CPU by the scheduler's clock, seconds, all threads: finer than the two above.
    pub cpu: f64,
    /// Largest resident set, bytes.
    pub rss_peak: u64,
    /// Context switches, voluntary and not.
    pub switches: u64,
    /// System calls, where they could be counted.
    pub syscalls: Option<u64>,
    /// Over time: seconds since the measurement began, resident bytes, share of one core.
    pub points: Vec<CostPoint>,
}

/// One interval of a process.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CostPoint {
    /// End of the interval, seconds since the measurement began.
    pub at: f64,
    /// Resident, bytes.
    pub rss: u64,
    /// Cores used, 0 and up.
    pub cores: f64,
}

/// One measured run of a scenario against one system.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// [`VERSION`].
    pub version: u32,
    /// The scenario's name.
    pub scenario: String,
    /// The system's name: `otlp`, `raw proxy`, `haproxy`, …
    pub system: String,
    /// The system's version as it tells it; empty when it does not.
    pub system_version: String,
    /// The command that started it.
    pub command: String,
    /// The senders.
    pub send: Vec<SendReport>,
    /// The collector.
    pub collect: CollectReport,
    /// The audit.
    pub audit: Audit,
    /// What each process cost; the system under test is `forwarder`.
    pub costs: Vec<Cost>,
    /// Events on the run's clock: seconds, what happened (`collector down`, `forwarder ended`).
    pub events: Vec<(f64, String)>,
    /// The objectives and whether each was met.
    pub verdicts: Vec<Verdict>,
}

/// One objective, judged.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// As asked: `p99<5ms`.
    pub objective: String,
    /// What was measured, with its unit.
    pub measured: String,
    /// Whether it holds.
    pub met: bool,
}

/// The machine that the runs were made on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Processor model.
    pub cpu: String,
    /// Logical cores.
    pub cores: u32,
    /// Memory, bytes.
    pub memory: u64,
    /// Kernel release.
    pub kernel: String,
    /// When the first run began, RFC 3339, UTC.
    pub date: String,
}

/// Runs that are to be read together: one scenario or several, one system or several, repeated.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Results {
    /// [`VERSION`].
    pub version: u32,
    /// What they are about.
    pub title: String,
    /// The command that made them.
    pub command: String,
    /// The machine.
    pub machine: Machine,
    /// Every run, in the order they were made: A B A B.
    pub runs: Vec<Run>,
}
