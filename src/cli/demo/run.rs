//! One run of the demo: everything started, watched and ended in order, and the report made.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
        mpsc::{self, Receiver, RecvTimeoutError, Sender},
    },
    time::{Duration, Instant},
};

use super::{
    collector::{self, Seen},
    counts::Counts,
    generator::{Generator, Note, Plan, REQUESTS_PER_CONNECTION},
    heard::Heard,
    options::Options,
    progress::Progress,
    report::{Report, Row, Setup},
    usage::{self, Memory},
};
use crate::{
    cli::{
        cores,
        embedded::Embedded,
        forwarder::{Event, Forwarder},
    },
    config::{Config, Endpoint, Listen},
    rt,
    signal::Signal,
};

/// How shards' threads are named.
const SHARD_NAME: &str = "otlp-shard";

/// The longest time between two looks at what has come in.
const LOOK: Duration = Duration::from_millis(50);

/// The longest wait for the last answers: a little over the longest that an answer may take.
const ANSWERS_TIMEOUT: Duration = Duration::from_secs(65);

/// Why there is no report.
#[derive(Debug)]
pub(super) enum Failure {
    Config(String),
    Start(String),
    Exit(u8),
}

/// A demo that runs.
#[derive(Debug)]
pub(super) struct Run {
    setup: Setup,
    turns: Vec<Signal>,
    counts: Arc<Counts>,
    strangers: Arc<AtomicU64>,
    collector: Embedded,
    seen: Receiver<Seen>,
    forwarder: Forwarder,
    generator: Generator,
    notes: Receiver<Note>,
    heard: Heard,
    started: Instant,
    shard_cpu: u64,
}

impl Run {
    /// Starts the collector, then the forwarder, then the generator.
    pub(super) fn start(
        options: &Options,
        config: Config,
        events: &Sender<Event>,
    ) -> Result<Self, Failure> {
        Self::start_bounded(options, config, events, u64::MAX)
    }

    /// The same with a bound on the requests.
    pub(super) fn start_bounded(
        options: &Options,
        config: Config,
        events: &Sender<Event>,
        requests_max: u64,
    ) -> Result<Self, Failure> {
        let named = |what: &str, error: &dyn std::fmt::Display| {
            Failure::Start(format!("the {what} does not start: {error}"))
        };
        let counts = Arc::new(Counts::default());
        let strangers = Arc::new(AtomicU64::new(0));
        let cores = cores::usable().len();
        // The shards have the most to do.
        let threads = (cores / 4).max(1);
        let (ended, seen) = mpsc::channel();
        let collector = collector::start(threads, &counts, &strangers, ended)
            .map_err(|error| named("collector", &error))?;
        let config = on_free_ports(config, options, &collector.endpoint);
        let forwarder = Forwarder::start(config, events).map_err(Failure::Start)?;
        let listening = forwarder.listening.first().copied();
        let address = listening
            .ok_or_else(|| named("forwarder", &"it has no port"))?
            .address;
        let plan = Plan {
            endpoint: Endpoint {
                host: address.ip().to_string(),
                port: address.port(),
                ..collector.endpoint.clone()
            },
            threads,
            connections: options.connections.into(),
            items: options.spans,
            turns: options.turns(),
            rate: options.rate,
            requests_max,
        };
        let connections = plan.connections.div_ceil(threads) * threads;
        let shard_cpu = usage::cpu_of_threads(SHARD_NAME);
        let started = rt::now();
        let (tell, notes) = mpsc::channel();
        let generator =
            Generator::start(&plan, &counts, &tell).map_err(|error| named("generator", &error))?;
        Ok(Self {
            setup: Setup {
                shards: forwarder.shards,
                cores,
                connections,
                in_flight_max: connections * REQUESTS_PER_CONNECTION,
                items: options.spans,
                acknowledge: options.acknowledge.name(),
            },
            turns: plan.turns,
            counts,
            strangers,
            collector,
            seen,
            forwarder,
            generator,
            notes,
            heard: Heard::new(threads, started),
            started,
            shard_cpu,
        })
    }

    /// Where everything is.
    pub(super) fn headline(&self) -> String {
        let ports: Vec<String> = self
            .forwarder
            .listening
            .iter()
            .map(|port| format!("{} {}", port.listener, port.address))
            .collect();
        format!(
            "otlp demo: forwarding from {} to a collector on {}",
            ports.join(", "),
            self.collector.endpoint.authority()
        )
    }

    /// Sends for this long or until a signal (without a time: until all is sent), hears every
    /// answer, drains the forwarder, and compares what everybody has seen.
    ///
    /// # Errors
    ///
    /// The exit code where a second signal came or a shard failed.
    pub(super) fn finish(
        mut self,
        duration: Option<Duration>,
        events: &Receiver<Event>,
    ) -> Result<Report, Failure> {
        if let Some(duration) = duration {
            self.watch(duration, events)?;
            self.generator.stop();
        }
        self.hear_the_last(events)?;
        let elapsed = (self.heard.last_answer).saturating_duration_since(self.started);
        let shard_cpu = usage::cpu_of_threads(SHARD_NAME).saturating_sub(self.shard_cpu);
        self.forwarder.finish(events).map_err(Failure::Exit)?;
        self.generator.end();
        self.collector.stop();
        let mut seen = Seen::default();
        for part in self.seen.try_iter() {
            for (all, part) in seen.iter_mut().zip(part) {
                all.merge(part);
            }
        }
        let summary = self.forwarder.summary();
        let signals = Signal::ALL
            .into_iter()
            .zip(summary.ledger)
            .filter(|(signal, _)| self.turns.contains(signal))
            .map(|(signal, account)| Row {
                signal,
                tally: self.counts.of(signal),
                lost: self.heard.acknowledged[signal.index()].missing_in(&seen[signal.index()]),
                duplicates: seen[signal.index()].repeated(),
                account,
            })
            .collect();
        Ok(Report {
            setup: self.setup,
            signals,
            elapsed,
            latency: self.heard.latency,
            refused: self.counts.refused.load(Relaxed),
            strangers: self.strangers.load(Relaxed),
            shard_cpu,
            memory_peak: Memory::read().peak,
        })
    }

    /// Shows the progress until the time is up or a signal comes.
    fn watch(&mut self, duration: Duration, events: &Receiver<Event>) -> Result<(), Failure> {
        let mut progress = Progress::new(self.started);
        let end = self.started + duration;
        loop {
            let now = rt::now();
            self.heard.take(self.notes.try_iter());
            let left = end.saturating_duration_since(now);
            if left.is_zero() || progress.is_due(now) {
                progress.show(now, &self.counts, &self.heard.recent);
                self.heard.recent.reset();
            }
            if left.is_zero() {
                break;
            }
            match events.recv_timeout(left.min(LOOK)) {
                Err(RecvTimeoutError::Timeout) => {}
                Ok(Event::Signal(_)) => break,
                Ok(Event::Ended(shard)) => return Err(failed(shard)),
                Err(RecvTimeoutError::Disconnected) => return Err(Failure::Exit(1)),
            }
        }
        progress.clear();
        Ok(())
    }

    /// Waits for the answers to what was sent.
    fn hear_the_last(&mut self, events: &Receiver<Event>) -> Result<(), Failure> {
        let end = rt::now() + ANSWERS_TIMEOUT;
        while self.heard.threads_left > 0 {
            self.heard.take(self.notes.try_iter());
            if rt::now() >= end {
                let error = "the last answers did not come within 65 s".to_owned();
                return Err(Failure::Start(error));
            }
            match events.recv_timeout(LOOK) {
                Err(RecvTimeoutError::Timeout) => {}
                Ok(Event::Signal(signal)) => {
                    return Err(Failure::Exit(u8::try_from(128 + signal).unwrap_or(1)));
                }
                Ok(Event::Ended(shard)) => return Err(failed(shard)),
                Err(RecvTimeoutError::Disconnected) => return Err(Failure::Exit(1)),
            }
        }
        Ok(())
    }
}

fn failed(shard: usize) -> Failure {
    Failure::Start(format!("shard {shard} has failed: see the log lines above"))
}

/// The configuration with free ports, this collector and the demo's flags.
fn on_free_ports(mut config: Config, options: &Options, collector: &Endpoint) -> Config {
    let free = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    config.listen = Listen {
        grpc: free,
        http: None,
        admin: free,
    };
    config.monitoring.metrics_port = None;
    config.export.endpoints = vec![collector.clone()];
    config.export.signal_endpoints = Default::default();
    config.export.headers = Vec::new();
    config.acknowledge = options.acknowledge.into();
    config.worker_threads = options.workers.into();
    config
}
