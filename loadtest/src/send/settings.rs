//! What a sender is asked to do.

use std::{fmt, path::PathBuf, str::FromStr, time::Duration};

use http::HeaderMap;

use super::Phase;
use crate::{schedule::Shape, telemetry::Workload};

/// How requests travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// OTLP/gRPC.
    Grpc,
    /// OTLP/HTTP with protobuf bodies.
    HttpProtobuf,
    /// OTLP/HTTP with JSON bodies.
    HttpJson,
}

impl Protocol {
    /// Its name as in the specification.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Grpc => "grpc",
            Self::HttpProtobuf => "http/protobuf",
            Self::HttpJson => "http/json",
        }
    }
}

impl FromStr for Protocol {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Grpc, Self::HttpProtobuf, Self::HttpJson]
            .into_iter()
            .find(|protocol| protocol.name() == text)
            .ok_or_else(|| {
                format!("`{text}` is no protocol: choose grpc, http/protobuf or http/json")
            })
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How bodies are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// gzip, at a level of 0 to 9.
    Gzip(u32),
    /// Zstandard, at a level of 1 to 22.
    Zstd(i32),
}

impl Compression {
    /// The level of a compression that names none: 6 for gzip, as most SDKs choose, 3 for zstd.
    const GZIP: u32 = 6;
    const ZSTD: i32 = 3;

    /// Reads the name; a level is taken where there is one.
    ///
    /// # Errors
    /// When the name is not known or the level is out of bounds.
    pub fn new(name: &str, level: Option<u32>) -> Result<Self, String> {
        let bound = |least: u32, most: u32| match level {
            Some(level) if !(least..=most).contains(&level) => Err(format!(
                "level {level} is out of bounds: {name} takes {least} to {most}"
            )),
            _ => Ok(()),
        };
        match name {
            "none" => level.map_or(Ok(Self::None), |_| {
                Err("a level needs a compression: gzip or zstd".into())
            }),
            "gzip" => bound(0, 9).map(|()| Self::Gzip(level.unwrap_or(Self::GZIP))),
            "zstd" => bound(1, 22).map(|()| {
                Self::Zstd(level.map_or(Self::ZSTD, |level| level.try_into().unwrap_or(i32::MAX)))
            }),
            _ => Err(format!(
                "`{name}` is no compression: choose none, gzip or zstd"
            )),
        }
    }

    /// Its name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip(_) => "gzip",
            Self::Zstd(_) => "zstd",
        }
    }
}

/// When the frames of HTTP/2 are written to the socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writes {
    /// All that a turn of the connection has made in one write, as senders do that fill a buffer
    /// first: the largest reads for who receives.
    Turn,
    /// Each frame in a write of its own, as the `h2` library does, and so tonic.
    Frame,
}

impl Writes {
    const fn name(self) -> &'static str {
        match self {
            Self::Turn => "turn",
            Self::Frame => "frame",
        }
    }
}

impl FromStr for Writes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Turn, Self::Frame]
            .into_iter()
            .find(|writes| writes.name() == text)
            .ok_or_else(|| format!("`{text}` is no way to write: choose turn or frame"))
    }
}

impl fmt::Display for Writes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// When requests are sent.
#[derive(Clone, Debug)]
pub enum Load {
    /// When they are due, whatever the answers do.
    Open(Shape),
    /// As soon as one of the places in flight is free. For saturation only: it waits for the
    /// system, so its latency hides what a user would wait.
    Closed,
}

/// Requests that are made before the start.
#[derive(Clone, Debug)]
pub struct Pool {
    /// Exactly so many, repeated: cheap, but items are not distinct.
    pub requests: Option<usize>,
    /// Bound of the bodies' bytes.
    pub memory: usize,
    /// Bound of the time to make them.
    pub time: Duration,
}

/// Files for TLS.
#[derive(Clone, Debug, Default)]
pub struct Tls {
    /// Certificates to trust, PEM; only these.
    pub ca: Option<PathBuf>,
    /// Own certificate, PEM.
    pub certificate: Option<PathBuf>,
    /// Its key, PEM.
    pub key: Option<PathBuf>,
    /// Trust everybody.
    pub insecure: bool,
}

/// When the measurement begins.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Start {
    /// As soon as everything is ready and warmed up.
    Ready,
    /// At a Unix time, seconds.
    At(f64),
    /// Say on stdout that everything is ready, then read the Unix time from a line of stdin.
    Hold,
}

/// Everything about one sender.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Host and port.
    pub target: String,
    /// How requests travel.
    pub protocol: Protocol,
    /// What they carry.
    pub workload: Workload,
    /// How they are compressed.
    pub compression: Compression,
    /// What is made before the start.
    pub pool: Pool,
    /// Connections.
    pub connections: u32,
    /// Requests in flight on one connection.
    pub in_flight: u32,
    /// Most bytes of a frame of HTTP/2; without it as many as the receiver takes.
    pub frame_bytes: Option<usize>,
    /// When frames are written.
    pub writes: Writes,
    /// When requests are sent.
    pub load: Load,
    /// Sent, but not measured, before the measurement.
    pub warm_up: Duration,
    /// Length of the measurement.
    pub duration: Duration,
    /// Bound of one attempt.
    pub timeout: Duration,
    /// Whether what was refused, or not answered, is sent again.
    pub retry: bool,
    /// Bound of the requests that are due and wait for a place in flight.
    pub queue: usize,
    /// TLS, where wanted.
    pub tls: Option<Tls>,
    /// Headers beyond the usual ones.
    pub headers: HeaderMap,
    /// When the measurement begins.
    pub start: Start,
    /// Where the interval log of latency histograms goes.
    pub hlog: Option<PathBuf>,
    /// No progress on stderr.
    pub quiet: bool,
    /// How often to say on stdout how many requests were acknowledged.
    pub tell: Option<Duration>,
    /// Parts of the measurement that are told apart.
    pub phases: Vec<Phase>,
}

impl Settings {
    /// Requests in flight on one connection; HTTP/1.1 carries one at a time.
    #[must_use]
    pub const fn in_flight(&self) -> u32 {
        match self.protocol {
            Protocol::Grpc => self.in_flight,
            Protocol::HttpProtobuf | Protocol::HttpJson => 1,
        }
    }

    /// Requests in flight in all.
    #[must_use]
    pub const fn places(&self) -> usize {
        self.connections as usize * self.in_flight() as usize
    }

    /// What is sent, in a line.
    #[must_use]
    pub fn title(&self) -> String {
        let load = match &self.load {
            Load::Open(shape) => shape.to_string(),
            Load::Closed => "closed loop".into(),
        };
        let pool = self.pool.requests.map_or_else(String::new, |requests| {
            format!(", {requests} requests repeated")
        });
        let retry = if self.retry { ", repeats refused" } else { "" };
        let frames = self.frame_bytes.map_or_else(String::new, |bytes| {
            format!(", frames of at most {bytes} bytes")
        });
        let writes = match self.writes {
            Writes::Turn => "",
            Writes::Frame => ", each frame in a write of its own",
        };
        format!(
            "{}{} {}, {} items a request, compression {}, {} connections × {} in flight{frames}{writes}, {load}{retry}{pool}",
            self.protocol,
            if self.tls.is_some() { " over TLS" } else { "" },
            self.workload.signals,
            self.workload.items,
            self.compression.name(),
            self.connections,
            self.in_flight(),
        )
    }
}
