//! The configuration as the program uses it: every value parsed, every bound checked.
//!
//! Keys, units, defaults, ranges and costs are in docs/configuration.md, kept in step by a test.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use http::HeaderName;

use crate::{encoding::Encoding, signal::Signal};

/// Everything that can be set.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Where senders and operators connect.
    pub listen: Listen,
    /// Where data goes and how.
    pub export: Export,
    /// When a batch is full.
    pub batch: Batch,
    /// What a sender's OK means.
    pub acknowledge: Acknowledge,
    /// When a batch that a collector did not take is tried again.
    pub retry: Retry,
    /// When a collector that fails is left alone.
    pub circuit_breaker: CircuitBreaker,
    /// How collectors are probed.
    pub health_check: HealthCheck,
    /// What is done while no collector takes the data.
    pub degradation: Degradation,
    /// Where data waits on disk.
    pub spool: Spool,
    /// How much of a request is proven before it is taken.
    pub validate: Validate,
    /// Shards, each pinned to a core. Range: 0 (every core that the process may use) to 1,024.
    pub worker_threads: usize,
    /// Threads of each shard's pool for blocking work (name resolution). Range: 1 to 64.
    pub async_threads: usize,
    /// Bytes of requests held at the most, over all shards. 0: 64 MiB a shard, at least 256 MiB.
    pub memory_limit: u64,
    /// Headers of a sender's request that go on with it. Default: none.
    pub forward_headers: Vec<HeaderName>,
    /// Bounds on what a peer can make grow.
    pub limits: Limits,
    /// The longest time from a stop signal to the exit.
    pub drain_timeout: Duration,
    /// What is logged, how and where.
    pub logging: Logging,
    /// What of the process itself can be watched.
    pub monitoring: Monitoring,
}

impl Config {
    /// Whether any data may go to disk: the spool is then opened at the start.
    #[must_use]
    pub fn spools(&self) -> bool {
        let degradation = &self.degradation;
        self.acknowledge == Acknowledge::Stored || (degradation.enabled && degradation.use_cache)
    }
}

/// Where senders and operators connect. `None`: this port is off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// The gRPC port; it serves OTLP/HTTP too. Default: 127.0.0.1:4317.
    pub grpc: Option<SocketAddr>,
    /// The OTLP/HTTP port; it serves gRPC too. Default: 127.0.0.1:4318.
    pub http: Option<SocketAddr>,
    /// Health, metrics and status. Default: 127.0.0.1:8080.
    pub admin: Option<SocketAddr>,
}

/// Where data goes and how.
#[derive(Clone, Debug, PartialEq)]
pub struct Export {
    /// Collectors for every signal that has none of its own. Empty: an embedded console collector.
    pub endpoints: Vec<Endpoint>,
    /// Collectors of one signal, by [`Signal::index`]. Empty: [`Export::endpoints`].
    pub signal_endpoints: [Vec<Endpoint>; 4],
    /// The collector that gets every signal while its own takes nothing. Default: none.
    pub fallback: Option<Endpoint>,
    /// Headers sent with every request, names in lower case. Values may be secrets.
    pub headers: Vec<(String, String)>,
    /// Compression of what is sent.
    pub compression: Encoding,
    /// How hard that compression tries. Range: gzip 1 to 9, zstd 1 to 19; 0 without compression.
    pub compression_level: u32,
    /// Whether every collector of a signal reads all gzip members or zstd frames of a body, by
    /// [`Signal::index`].
    pub merge_compressed: [bool; 4],
    /// Connections a shard keeps to each collector at the most, where that was said. Range: 1 to
    /// 1,024. What holds for a collector is [`Export::connections_max`].
    pub connection_pool_size: Option<usize>,
    /// Requests in flight from a shard to each collector at the most; sixteen small ones count as
    /// one. Range: 1 to 65,536.
    pub max_concurrent_requests: usize,
    /// How long each part of an export may take.
    pub timeouts: Timeouts,
}

/// The most connections to one collector that can be asked for.
const CONNECTIONS_MAX: usize = 1024;

/// Connections to a collector over HTTP/2 where none were asked for.
///
/// - Source: measured: fewer cost more CPU a request (docs/benchmarks.md).
const MULTIPLEXED_CONNECTIONS: usize = 4;

impl Export {
    /// The collectors that a signal goes to.
    #[must_use]
    pub fn endpoints_of(&self, signal: Signal) -> &[Endpoint] {
        let own = &self.signal_endpoints[signal.index()];
        if own.is_empty() { &self.endpoints } else { own }
    }

    /// Connections a shard keeps to this collector at the most.
    ///
    /// - Default: 4 where each carries many requests, else one for each request in flight: with
    ///   fewer a distant collector is sent less than it takes (docs/benchmarks.md).
    #[must_use]
    pub fn connections_max(&self, endpoint: &Endpoint) -> usize {
        self.connection_pool_size
            .unwrap_or_else(|| match endpoint.is_multiplexed() {
                true => MULTIPLEXED_CONNECTIONS,
                false => self.max_concurrent_requests.min(CONNECTIONS_MAX),
            })
    }

    /// Requests a shard has in flight to this collector at the most.
    #[must_use]
    pub fn in_flight_max(&self, endpoint: &Endpoint) -> usize {
        match endpoint.is_multiplexed() {
            true => self.max_concurrent_requests,
            false => self
                .max_concurrent_requests
                .min(self.connections_max(endpoint)),
        }
    }
}

/// One collector's address.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// Host name or address, without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// What is spoken there.
    pub protocol: Protocol,
    /// The HTTP version for [`Protocol::HttpProtobuf`]; gRPC is always HTTP/2.
    pub http_version: HttpVersion,
    /// The path of the URL, without a trailing slash; may be empty.
    pub path: String,
    /// Whether `path` is the whole path (a signal's own endpoint) or a base that gets `/v1/…`.
    pub path_as_is: bool,
}

impl Endpoint {
    /// The `host:port` that a request is addressed to.
    #[must_use]
    pub fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// Whether a connection to it carries many requests at once: it speaks HTTP/2.
    #[must_use]
    pub const fn is_multiplexed(&self) -> bool {
        matches!(
            (self.protocol, self.http_version),
            (Protocol::Grpc, _) | (_, HttpVersion::Http2)
        )
    }

    /// The path that a signal's requests go to.
    #[must_use]
    pub fn path_of(&self, signal: Signal) -> String {
        match self.protocol {
            Protocol::Grpc => signal.grpc_path().to_owned(),
            Protocol::HttpProtobuf if self.path_as_is && self.path.is_empty() => "/".to_owned(),
            Protocol::HttpProtobuf if self.path_as_is => self.path.clone(),
            Protocol::HttpProtobuf => format!("{}{}", self.path, signal.http_path()),
        }
    }
}

/// What is spoken with a collector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// OTLP/gRPC.
    Grpc,
    /// OTLP/HTTP with binary protobuf bodies.
    HttpProtobuf,
}

/// The HTTP version of OTLP/HTTP to a collector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HttpVersion {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2 with prior knowledge.
    Http2,
}

/// How long each part of an export may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// From the first address tried to an open connection. Default: 5 s.
    pub connect: Duration,
    /// Without a byte from the collector while an answer is owed. Default: 30 s.
    pub read: Duration,
    /// Without progress in sending to the collector. Default: 30 s.
    pub write: Duration,
    /// From the seal of a batch to its answer. Default: 60 s.
    pub operation: Duration,
}

/// When a batch is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Items. Range: 1 to 1,000,000.
    pub items_max: u64,
    /// Bytes. Range: 1 KiB to 64 MiB.
    pub bytes_max: usize,
    /// The longest that a request waits in an open batch. Range: 1 ms to 1 min.
    pub flush_interval: Duration,
}

/// What a sender's OK means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acknowledge {
    /// A collector has accepted the data.
    Delivered,
    /// The data is on this machine's disk, written and synced.
    Stored,
    /// The data is in this process's memory.
    Queued,
}

/// When a batch that a collector did not take is tried again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Retry {
    /// Attempts of a batch that calls wait for, the first included. Default: 3. Range: 1 to 100.
    pub attempts_max: u32,
    /// The delay before the second attempt. Default: 100 ms. Range: 1 ms to 1 min.
    pub base_delay: Duration,
    /// The longest delay. Default: 5 s. Range: 1 ms to 1 h; not under `base_delay`.
    pub max_delay: Duration,
    /// What each delay is multiplied by for the next. Default: 2. Range: 1 to 10.
    pub multiplier: f64,
    /// Whether a delay is drawn from its upper half. Default: true.
    pub jitter: bool,
    /// Which failures are tried again.
    pub errors: RetryableErrors,
    /// How long a batch that nobody waits for is tried in memory. Default: 5 min. 0: for ever.
    pub elapsed_max: Duration,
}

/// Which failures are tried again. Default: all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryableErrors {
    /// The collector did not answer in time.
    pub timeout: bool,
    /// No connection, or it broke before an answer.
    pub connection: bool,
    /// The collector said that trying again can help.
    pub temporary: bool,
}

/// When a collector that fails is left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CircuitBreaker {
    /// Failures within the window that open the breaker. Default: 5. Range: 1 to 1,000.
    pub failure_threshold: u32,
    /// How long it stays open. Default: 60 s. Range: 100 ms to 1 h.
    pub recovery_timeout: Duration,
    /// Calls in flight at the most while it is half-open, and successes that close it.
    /// Default: 3. Range: 1 to 1,000.
    pub half_open_max_calls: u32,
    /// The time over which calls are counted (`sliding_window_size`). Default: 60 s. Range: 1 s
    /// to 1 h.
    pub window: Duration,
    /// Calls within the window before it may open. Default: 10. Range: 1 to 1,000,000.
    pub minimum_calls: u32,
}

/// How collectors are probed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthCheck {
    /// From one probe to the next. Default: 30 s. Range: 1 s to 1 h.
    pub interval: Duration,
    /// How long a probe may take. Default: 5 s. Range: 10 ms to 5 min.
    pub timeout: Duration,
    /// The path that is asked for with GET. Default: none, which is gRPC's health service or
    /// `GET /`, as the collector's protocol is.
    pub path: Option<String>,
    /// Failed probes in a row that make a collector unhealthy. Default: 3. Range: 1 to 100.
    pub unhealthy_threshold: u32,
    /// Good probes in a row that make it healthy again. Default: 2. Range: 1 to 100.
    pub healthy_threshold: u32,
}

/// What is done while no collector takes the data. The order is fixed: fallback, cache, quality.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Degradation {
    /// Whether any of it is done. Default: false.
    pub enabled: bool,
    /// Whether the fallback collector is used. Default: false.
    pub use_fallback: bool,
    /// Whether data goes to the spool. Default: false.
    pub use_cache: bool,
    /// Whether traces and logs are thinned under pressure. Default: false.
    pub reduce_quality: bool,
    /// The share of failed calls that starts it. Default: none. Range: over 0 to 1.
    pub high_error_rate: Option<f64>,
    /// The 95th percentile of a call's time that starts it. Default: none. Range: 1 ms to 1 h.
    pub high_latency: Option<Duration>,
    /// The least share of traces and logs that is kept. Default: 0.1. Range: 0.001 to 1.
    pub min_ratio: f64,
    /// The `SeverityNumber` from which logs are never thinned. Default: 13 (WARN). Range: 1 to 24.
    pub logs_keep: u32,
}

/// Where data waits on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spool {
    /// The directory of the segments. Default: `spool` in `$STATE_DIRECTORY`, else empty; never
    /// empty where [`Config::spools`].
    pub directory: PathBuf,
    /// Bytes on disk at the most, over all shards. Default: 1 GiB. Range: 1 MiB to 1 PiB.
    pub bytes_max: u64,
    /// How long a record is kept at the most. Default: 0, which is no bound.
    pub age_max: Duration,
    /// What happens when `bytes_max` is reached. Default: refuse.
    pub on_full: OnFull,
    /// How long after the beginning of a group of records the next one begins, where little waits
    /// for it. Default: 5 ms. Range: 0 to 100 ms.
    ///
    /// - Source: measured against `delivered` at 500 · 1,000 · 3,000 requests a second
    ///   (docs/benchmarks.md).
    pub commit_delay: Duration,
    /// Bytes at which a segment is sealed. Default: 64 MiB. Range: 1 MiB to 1 GiB.
    pub segment_bytes: u64,
    /// What is sent first when a collector is back. Default: the oldest.
    pub replay: ReplayOrder,
    /// Bytes that are replayed each second at the most, over all shards. Default: 32 MiB. 0: no
    /// bound.
    pub replay_rate: u64,
}

/// What happens when the spool is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFull {
    /// New data is refused with a delay.
    Refuse,
    /// The oldest segment is dropped and counted.
    DropOldest,
}

/// The order in which the spool is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplayOrder {
    /// What waits longest first.
    OldestFirst,
    /// What came last first.
    NewestFirst,
}

/// How much of a request is proven before it is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validate {
    /// The structure down to spans, data points and log records.
    Items,
    /// Every nested length, wire type and UTF-8 field of the schema.
    Full,
}

/// Bounds on what a peer can make grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one request's body, on the wire and inflated. Default: 64 MiB.
    pub request_bytes: usize,
    /// Bytes of one collector's answer. Default: 4 MiB.
    pub response_bytes: usize,
    /// Bytes of one request's headers. Default: 16 KiB.
    pub header_bytes: u32,
    /// Different sets of forwarded headers in use at a time, in each shard. Default: 1,000.
    /// Range: 1 to 100,000.
    pub header_sets: usize,
    /// Open connections, over all shards. 0: three quarters of the open-file limit.
    pub connections: usize,
    /// Calls in flight on one HTTP/2 connection. Default: 256.
    pub streams: u32,
    /// The longest that a request's body may take to arrive. Default: 30 s.
    pub request_timeout: Duration,
    /// The longest that a connection may stay without a call. Default: 10 min.
    pub idle_timeout: Duration,
}

/// What is logged, how and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logging {
    /// A level (`error`, `warn`, `info`, `debug`, `trace`, `off`) or `target=level` pairs.
    pub level: String,
    /// The shape of a line.
    pub format: LogFormat,
    /// Where lines go.
    pub output: LogOutput,
}

/// The shape of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people; coloured in a terminal.
    Text,
    /// One JSON object a line.
    Json,
}

/// Where log lines go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogOutput {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// Appended to a file.
    File(PathBuf),
}

/// What of the process itself can be watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Monitoring {
    /// Whether `/metrics` is served.
    pub metrics_enabled: bool,
    /// A further port for `/metrics`, at the address of `listen.admin`.
    pub metrics_port: Option<u16>,
}

impl Default for Config {
    fn default() -> Self {
        let local = |port| Some(SocketAddr::from(([127, 0, 0, 1], port)));
        Self {
            listen: Listen {
                grpc: local(4317),
                http: local(4318),
                admin: local(8080),
            },
            export: Export {
                endpoints: Vec::new(),
                signal_endpoints: [const { Vec::new() }; 4],
                fallback: None,
                headers: Vec::new(),
                compression: Encoding::Identity,
                compression_level: 0,
                merge_compressed: [false; 4],
                connection_pool_size: None,
                max_concurrent_requests: 16,
                timeouts: Timeouts {
                    connect: Duration::from_secs(5),
                    read: Duration::from_secs(30),
                    write: Duration::from_secs(30),
                    operation: Duration::from_secs(60),
                },
            },
            batch: Batch {
                items_max: 8192,
                bytes_max: 256 << 10,
                flush_interval: Duration::from_millis(200),
            },
            acknowledge: Acknowledge::Delivered,
            retry: Retry::default(),
            circuit_breaker: CircuitBreaker::default(),
            health_check: HealthCheck::default(),
            degradation: Degradation::default(),
            spool: Spool::default(),
            validate: Validate::Items,
            worker_threads: 0,
            async_threads: 1,
            memory_limit: 0,
            forward_headers: Vec::new(),
            limits: Limits {
                request_bytes: 64 << 20,
                response_bytes: 4 << 20,
                header_bytes: 16 << 10,
                header_sets: 1000,
                connections: 0,
                streams: 256,
                request_timeout: Duration::from_secs(30),
                idle_timeout: Duration::from_secs(600),
            },
            drain_timeout: Duration::from_secs(10),
            logging: Logging {
                level: "info".to_owned(),
                format: LogFormat::Text,
                output: LogOutput::Stdout,
            },
            monitoring: Monitoring {
                metrics_enabled: true,
                metrics_port: None,
            },
        }
    }
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            attempts_max: 3,
            base_delay: Duration::from_millis(100),
            max_delay: Duration::from_secs(5),
            multiplier: 2.0,
            jitter: true,
            errors: RetryableErrors {
                timeout: true,
                connection: true,
                temporary: true,
            },
            elapsed_max: Duration::from_secs(300),
        }
    }
}

impl Default for CircuitBreaker {
    fn default() -> Self {
        Self {
            failure_threshold: 5,
            recovery_timeout: Duration::from_secs(60),
            half_open_max_calls: 3,
            window: Duration::from_secs(60),
            minimum_calls: 10,
        }
    }
}

impl Default for HealthCheck {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(30),
            timeout: Duration::from_secs(5),
            path: None,
            unhealthy_threshold: 3,
            healthy_threshold: 2,
        }
    }
}

impl Default for Degradation {
    fn default() -> Self {
        Self {
            enabled: false,
            use_fallback: false,
            use_cache: false,
            reduce_quality: false,
            high_error_rate: None,
            high_latency: None,
            min_ratio: 0.1,
            // Source: SeverityNumber of the OpenTelemetry logs data model: WARN is 13 to 16.
            logs_keep: 13,
        }
    }
}

impl Default for Spool {
    fn default() -> Self {
        Self {
            directory: PathBuf::new(),
            bytes_max: 1 << 30,
            age_max: Duration::ZERO,
            on_full: OnFull::Refuse,
            commit_delay: Duration::from_millis(5),
            segment_bytes: 64 << 20,
            replay: ReplayOrder::OldestFirst,
            replay_rate: 32 << 20,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collector_has_connections_for_all_requests_in_flight_unless_less_was_asked_for() {
        let mut export = Config::default().export;
        let at = |protocol| Endpoint {
            host: "collector".to_owned(),
            port: 4318,
            protocol,
            http_version: HttpVersion::Http1,
            path: String::new(),
            path_as_is: false,
        };
        let (grpc, http1) = (at(Protocol::Grpc), at(Protocol::HttpProtobuf));
        let both = |export: &Export| {
            [&grpc, &http1].map(|it| (export.connections_max(it), export.in_flight_max(it)))
        };
        assert_eq!(both(&export), [(4, 16), (16, 16)]);
        export.connection_pool_size = Some(8);
        assert_eq!(both(&export), [(8, 16), (8, 8)]);
        export.max_concurrent_requests = 2;
        assert_eq!(both(&export), [(8, 2), (8, 2)]);
        (export.connection_pool_size, export.max_concurrent_requests) = (None, 65_536);
        assert_eq!(both(&export), [(4, 65_536), (1024, 1024)]);
    }
}
