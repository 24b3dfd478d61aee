//! `loadtest send`.

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context, bail};
use clap::{ArgGroup, Args};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::{
    schedule::{Rate, Shape},
    send::{self, Compression, Load, Phase, Pool, Protocol, Settings, Start, Tls, Writes},
    telemetry::{Encoding, Mix, Workload},
};

/// Arguments of `loadtest send`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("load").required(true))]
pub(super) struct Send {
    /// Host and port to send to.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:4317")]
    target: String,
    /// grpc, http/protobuf or http/json.
    #[arg(long, default_value = "grpc")]
    protocol: Protocol,
    /// traces, metrics, logs, or a mix of requests such as traces=60,metrics=20,logs=20.
    #[arg(long, default_value = "traces", value_parser = mix)]
    signals: Mix,
    /// Items (spans, data points, log records) a request.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    items: u32,
    /// none, gzip or zstd. Compressed requests are made before the start.
    #[arg(long, default_value = "none", value_name = "NAME")]
    compression: String,
    /// Level of the compression; without it 6 for gzip, 3 for zstd.
    #[arg(long)]
    level: Option<u32>,
    /// Make just so many requests and repeat them: cheap, but their items can only be counted.
    #[arg(long, value_name = "REQUESTS", value_parser = positive)]
    pool: Option<usize>,
    /// Most MiB of compressed requests made before the start.
    #[arg(long, value_name = "MIB", default_value_t = 512)]
    pool_memory: usize,
    /// Most time to make them in.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = humantime::parse_duration)]
    pool_time: Duration,
    /// Connections.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=65_535))]
    connections: u32,
    /// Requests in flight on one connection; HTTP/1.1 carries one at a time, whatever this says.
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=65_535))]
    in_flight: u32,
    /// Most bytes of an HTTP/2 frame; without it as many as the receiver takes. grpc-go never writes more than 16384.
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u32).range(1024..=16_777_215))]
    frame_bytes: Option<u32>,
    /// HTTP/2 frames in one write: all of a turn of the connection, or each `frame` by itself as tonic.
    #[arg(long, value_name = "turn|frame", default_value_t = Writes::Turn)]
    writes: Writes,
    /// Requests at a constant rate, such as 1000/s.
    #[arg(long, group = "load")]
    rate: Option<Rate>,
    /// Requests at a rate that changes in a straight line: FROM..TO/s.
    #[arg(long, group = "load", value_parser = Shape::ramp)]
    ramp: Option<Shape>,
    /// Requests at rates that share the duration evenly: 100/s,200/s,400/s.
    #[arg(long, group = "load", value_parser = Shape::steps)]
    steps: Option<Shape>,
    /// Requests all at once, again and again: `500 every 2s`.
    #[arg(long, group = "load", value_parser = Shape::bursts)]
    burst: Option<Shape>,
    /// No schedule: the next request as soon as one is answered. For saturation; only raw latency.
    #[arg(long, group = "load")]
    closed: bool,
    /// Time to send, but not to measure, before the measurement.
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = humantime::parse_duration)]
    warmup: Duration,
    /// Length of the measurement.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = humantime::parse_duration)]
    duration: Duration,
    /// Most time for one attempt, and for all that is left at the end.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = humantime::parse_duration)]
    timeout: Duration,
    /// Send again, with the same bytes, what was refused for now or not answered.
    #[arg(long)]
    retry: bool,
    /// Most requests that are due and wait for a place in flight.
    #[arg(long, value_name = "REQUESTS", default_value_t = 100_000)]
    queue: usize,
    /// Number of this sender, in the id of every item.
    #[arg(long, default_value_t = 1)]
    sender: u16,
    /// Seed of the telemetry's content.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Tell a part of the measurement apart: NAME=FROM..TO, such as outage=5s..15s. May be
    /// repeated.
    #[arg(long, value_name = "PHASE")]
    phase: Vec<Phase>,
    /// Use TLS; --ca, --cert and --insecure imply it.
    #[arg(long)]
    tls: bool,
    /// Certificates to trust, PEM.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Own certificate, PEM.
    #[arg(long, value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,
    /// Key of the own certificate, PEM.
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
    /// Trust any certificate.
    #[arg(long)]
    insecure: bool,
    /// A header of every request: `name: value`. May be repeated.
    #[arg(long, value_name = "HEADER", value_parser = header)]
    header: Vec<(HeaderName, HeaderValue)>,
    /// Write which items were acknowledged.
    #[arg(long, value_name = "FILE")]
    ids_out: Option<PathBuf>,
    /// Write latency by the second, as an `HdrHistogram` interval log in microseconds.
    #[arg(long, value_name = "FILE")]
    hlog: Option<PathBuf>,
    /// Write the report as JSON; `-` is stdout.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Begin the measurement at a Unix time, in seconds.
    #[arg(long, value_name = "SECONDS", conflicts_with = "hold")]
    start_at: Option<f64>,
    /// Say {"ready":true} on stdout when everything is made and connected, then read the Unix time
    /// at which to begin the measurement from a line of stdin.
    #[arg(long)]
    hold: bool,
    /// No progress and no summary on stderr.
    #[arg(long)]
    quiet: bool,
    /// Say {"acknowledged":REQUESTS} on stdout, that often at the most and when it has changed.
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    tell: Option<Duration>,
}

impl Send {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let settings = self.settings()?;
        let outcome = send::run(&settings)?;
        if let Some(path) = &self.ids_out {
            let file = File::create(path);
            let mut file = BufWriter::new(file.with_context(|| cannot_write(path))?);
            outcome.acknowledged.write_to(&mut file)?;
            file.flush().with_context(|| cannot_write(path))?;
        }
        if let Some(path) = &self.json {
            let mut text = serde_json::to_string(&outcome.report)?;
            text.push('\n');
            if path.as_os_str() == "-" {
                std::io::stdout().write_all(text.as_bytes())?;
            } else {
                std::fs::write(path, text).with_context(|| cannot_write(path))?;
            }
        }
        if !self.quiet {
            eprint!("{}", send::summary(&outcome.report));
        }
        Ok(ExitCode::SUCCESS)
    }

    fn settings(&self) -> anyhow::Result<Settings> {
        let compression =
            Compression::new(&self.compression, self.level).map_err(anyhow::Error::msg)?;
        if self.duration.is_zero() {
            bail!("--duration is nothing: measure for a while, such as 10s");
        }
        if self.protocol != Protocol::Grpc
            && (self.frame_bytes.is_some() || self.writes != Writes::Turn)
        {
            bail!(
                "--frame-bytes and --writes say how HTTP/2 is written, and {} goes over HTTP/1.1: \
                 leave them out, or send --protocol grpc",
                self.protocol
            );
        }
        let shapes = [&self.ramp, &self.steps, &self.burst];
        let shape = shapes.into_iter().flatten().next().cloned();
        let load = match (self.rate.map(Shape::Constant).or(shape), self.closed) {
            (Some(shape), _) => Load::Open(shape),
            (None, _) => Load::Closed,
        };
        let encoding = match self.protocol {
            Protocol::HttpJson => Encoding::Json,
            Protocol::Grpc | Protocol::HttpProtobuf => Encoding::Protobuf,
        };
        let tls = self.tls || self.insecure || self.ca.is_some() || self.cert.is_some();
        let start = match (self.start_at, self.hold) {
            (Some(at), _) => Start::At(at),
            (None, true) => Start::Hold,
            (None, false) => Start::Ready,
        };
        Ok(Settings {
            target: self.target.clone(),
            protocol: self.protocol,
            workload: Workload {
                signals: self.signals.clone(),
                items: self.items,
                encoding,
                sender: self.sender,
                seed: self.seed,
            },
            compression,
            pool: Pool {
                requests: self.pool,
                memory: self.pool_memory.saturating_mul(1 << 20),
                time: self.pool_time,
            },
            connections: self.connections,
            in_flight: self.in_flight,
            frame_bytes: self.frame_bytes.map(|bytes| bytes as usize),
            writes: self.writes,
            load,
            warm_up: self.warmup,
            duration: self.duration,
            timeout: self.timeout,
            retry: self.retry,
            queue: self.queue,
            tls: tls.then(|| Tls {
                ca: self.ca.clone(),
                certificate: self.cert.clone(),
                key: self.key.clone(),
                insecure: self.insecure,
            }),
            headers: self.header.iter().cloned().collect::<HeaderMap>(),
            start,
            hlog: self.hlog.clone(),
            quiet: self.quiet,
            tell: self.tell,
            phases: self.phase.clone(),
        })
    }
}

fn cannot_write(path: &std::path::Path) -> String {
    format!("cannot write {}", path.display())
}

fn mix(text: &str) -> Result<Mix, String> {
    text.parse().map_err(|error| format!("{error:#}"))
}

fn positive(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(count) if count > 0 => Ok(count),
        _ => Err("a whole number from 1".into()),
    }
}

fn header(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let (name, value) = text
        .split_once(':')
        .ok_or_else(|| format!("`{text}` is no header: write it as `name: value`"))?;
    let name = name.trim().parse::<HeaderName>();
    let value = value.trim().parse::<HeaderValue>();
    match (name, value) {
        (Ok(name), Ok(value)) => Ok((name, value)),
        _ => Err(format!("`{text}` has characters that a header cannot have")),
    }
}
