//! The configuration as the program uses it: every value parsed, every bound checked.
//!
//! Keys, units, defaults, ranges and costs are in docs/configuration.md, kept in step by a test.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

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
    /// How much of a request is proven before it is taken.
    pub validate: Validate,
    /// Shards, each pinned to a core. Range: 0 (every core that the process may use) to 1,024.
    pub worker_threads: usize,
    /// Threads of each shard's pool for blocking work (name resolution). Range: 1 to 64.
    pub async_threads: usize,
    /// Bytes of requests held at the most, over all shards. 0: 64 MiB a shard, at least 256 MiB.
    pub memory_limit: u64,
    /// Bounds on what a peer can make grow.
    pub limits: Limits,
    /// The longest time from a stop signal to the exit.
    pub drain_timeout: Duration,
    /// What is logged, how and where.
    pub logging: Logging,
    /// What of the process itself can be watched.
    pub monitoring: Monitoring,
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
    /// Headers sent with every request, names in lower case. Values may be secrets.
    pub headers: Vec<(String, String)>,
    /// Compression of what is sent.
    pub compression: Encoding,
    /// How hard that compression tries. Range: gzip 1 to 9, zstd 1 to 19; 0 without compression.
    pub compression_level: u32,
    /// Whether every collector of a signal reads all gzip members or zstd frames of a body, by
    /// [`Signal::index`].
    pub merge_compressed: [bool; 4],
    /// Connections a shard keeps to each collector at the most. Range: 1 to 1,024.
    pub connection_pool_size: usize,
    /// Requests in flight from a shard to each collector at the most; sixteen small ones count as
    /// one. Range: 1 to 65,536.
    pub max_concurrent_requests: usize,
    /// How long each part of an export may take.
    pub timeouts: Timeouts,
}

impl Export {
    /// The collectors that a signal goes to.
    #[must_use]
    pub fn endpoints_of(&self, signal: Signal) -> &[Endpoint] {
        let own = &self.signal_endpoints[signal.index()];
        if own.is_empty() { &self.endpoints } else { own }
    }

    /// Every collector once, in the order in which they are first named; the fallback last.
    #[must_use]
    pub fn collectors(&self) -> Vec<&Endpoint> {
        let mut known: Vec<&Endpoint> = Vec::new();
        let named = self.endpoints.iter();
        let named = named.chain(self.signal_endpoints.iter().flatten());
        for endpoint in named.chain(&self.fallback) {
            if !known.contains(&endpoint) {
                known.push(endpoint);
            }
        }
        known
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
    /// The data is in this process's memory.
    Queued,
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
                headers: Vec::new(),
                compression: Encoding::Identity,
                compression_level: 0,
                merge_compressed: [false; 4],
                connection_pool_size: 4,
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
            validate: Validate::Items,
            worker_threads: 0,
            async_threads: 1,
            memory_limit: 0,
            limits: Limits {
                request_bytes: 64 << 20,
                response_bytes: 4 << 20,
                header_bytes: 16 << 10,
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
