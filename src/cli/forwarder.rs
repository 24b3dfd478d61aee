//! The whole process: listeners, shards and the admin thread, started, watched and stopped.

use std::{
    fmt::Display,
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener},
    sync::{
        Arc,
        mpsc::{self, Receiver, Sender},
    },
    time::Duration,
};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::{cores, disk};
use crate::{
    admin::{self, AdminState, Health},
    config::{Config, Export, Listen},
    metrics::{CollectorName, Registry, Role, ShardMetrics, Summary},
    net,
    rt::{self, Thread, ThreadOptions},
    shard::{self, Stop},
};

/// Memory that each shard may hold where `memory_limit` says nothing, in bytes.
///
/// - Source: chosen: the largest request that OTLP 1.11.0 recommends to take.
const MEMORY_BYTES_PER_SHARD: u64 = 64 << 20;

/// Memory that all shards may hold at least where `memory_limit` says nothing, in bytes.
const MEMORY_BYTES_MIN: u64 = 256 << 20;

/// What happened to the process.
#[derive(Debug)]
pub(super) enum Event {
    /// A signal came.
    Signal(i32),
    /// A shard came to its end.
    Ended(usize),
}

/// A port that the process listens on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Listening {
    pub listener: &'static str,
    pub address: SocketAddr,
}

/// A running forwarder.
#[derive(Debug)]
pub(super) struct Forwarder {
    pub listening: Vec<Listening>,
    state: Arc<AdminState>,
    pub shards: usize,
    health: Arc<Health>,
    stops: Vec<Arc<Stop>>,
    threads: Vec<Option<Thread>>,
    drain_timeout: Duration,
}

/// Tells that a shard has ended, however it ended.
struct EndGuard {
    index: usize,
    events: Sender<Event>,
}

impl Drop for EndGuard {
    fn drop(&mut self) {
        // Nobody listens any more when the process is at its end.
        self.events
            .send(Event::Ended(self.index))
            .unwrap_or_default();
    }
}

impl Forwarder {
    /// Starts everything. `events` hears of shards that end.
    pub(super) fn start(config: Config, events: &Sender<Event>) -> Result<Self, String> {
        rt::preflight().map_err(|obstacle| obstacle.to_string())?;
        let cores = cores::usable();
        let shards = match config.worker_threads {
            0 => cores.len(),
            count => count,
        };
        if shards > cores.len() {
            tracing::warn!(
                worker_threads = shards,
                cores = cores.len(),
                "there are more shards than cores: some share one"
            );
        }
        let files = raise_open_files();
        let mut ports = Ports::bind(&config, shards)?;
        let collectors = collectors(&config.export);
        let now = rt::unix_time();
        let metrics: Vec<_> = (0..shards)
            .map(|shard| ShardMetrics::with_collectors(shard, &collectors, now))
            .collect();
        let health = Health::new(shards);
        let state = Arc::new(AdminState::new(
            Registry::new(metrics.clone()),
            Arc::clone(&health),
            &config,
        ));
        start_admin(&state, std::mem::take(&mut ports.admin))?;

        let spools = disk::divide(&config, &metrics)?;
        let memory_bytes = per_shard_memory(config.memory_limit, shards);
        let connections_max = match config.limits.connections {
            0 => files / 4 * 3,
            count => count,
        } / shards;
        let drain_timeout = config.drain_timeout;
        let config = Arc::new(config);
        let mut forwarder = Self {
            listening: ports.listening,
            state,
            shards,
            health: Arc::clone(&health),
            stops: Vec::new(),
            threads: Vec::new(),
            drain_timeout,
        };
        let parts = metrics.into_iter().zip(ports.data).zip(spools);
        for (index, ((metrics, listeners), spool)) in parts.enumerate() {
            let stop = Arc::new(Stop::default());
            let setup = shard::Setup {
                config: Arc::clone(&config),
                index,
                memory_bytes,
                connections_max: connections_max.max(1),
                listeners,
                metrics,
                stop: Arc::clone(&stop),
                spool,
            };
            let core = cores.get(index % cores.len()).copied();
            forwarder.start_shard(setup, core, events.clone())?;
            forwarder.stops.push(stop);
        }
        Ok(forwarder)
    }

    fn start_shard(
        &mut self,
        setup: shard::Setup,
        core: Option<usize>,
        events: Sender<Event>,
    ) -> Result<(), String> {
        let index = setup.index;
        let options = ThreadOptions {
            name: "otlp-shard".to_owned(),
            core,
            blocking_threads: setup.config.async_threads,
        };
        let health = Arc::clone(&self.health);
        let (listening, listens) = mpsc::channel();
        let thread = rt::start(options, move || async move {
            let _end = EndGuard { index, events };
            let mut running = health.run();
            shard::run(setup, || {
                running.listen();
                // The starter waits for this; where it is gone the process is ending.
                listening.send(()).unwrap_or_default();
            })
            .await;
        })
        .map_err(|error| format!("shard {index} does not start: {error}"))?;
        listens
            .recv()
            .map_err(|_ended| format!("shard {index} ended before it listened"))?;
        self.threads.push(Some(thread));
        Ok(())
    }

    /// Waits for the end: a signal and the drain after it, or a shard that failed.
    ///
    /// # Errors
    ///
    /// The exit code where the end was not an orderly one.
    pub(super) fn wait(mut self, events: &Receiver<Event>) -> Result<(), u8> {
        match events.recv() {
            Ok(Event::Signal(signal)) => tracing::info!(
                signal,
                drain_timeout = ?self.drain_timeout,
                "draining: a second signal exits at once"
            ),
            Ok(Event::Ended(index)) => {
                let error = self.end_of(index);
                tracing::error!(shard = index, %error, "a shard has failed: exiting");
                return Err(1);
            }
            Err(mpsc::RecvError) => return Err(1),
        }
        self.finish(events)
    }

    /// Drains and waits for the shards to end.
    ///
    /// # Errors
    ///
    /// The exit code where a signal came first or the shards did not end in time.
    pub(super) fn finish(&self, events: &Receiver<Event>) -> Result<(), u8> {
        self.drain();
        let mut left = self.shards;
        while left > 0 {
            // The shards keep the timeout by themselves; this is for one that cannot.
            match events.recv_timeout(self.drain_timeout + Duration::from_secs(2)) {
                Ok(Event::Ended(_)) => left -= 1,
                Ok(Event::Signal(signal)) => {
                    tracing::warn!(signal, "exiting at once");
                    return Err(u8::try_from(128 + signal).unwrap_or(1));
                }
                Err(_) => {
                    tracing::error!(shards = left, "shards did not end within drain_timeout");
                    return Err(1);
                }
            }
        }
        tracing::info!("drained");
        Ok(())
    }

    /// Tells every shard to finish what it has and to take nothing new.
    fn drain(&self) {
        self.health.drain();
        for stop in &self.stops {
            stop.tell();
        }
    }

    /// What every shard has counted so far.
    pub(super) fn summary(&self) -> Summary {
        self.state.summary()
    }

    fn end_of(&mut self, index: usize) -> String {
        match self
            .threads
            .get_mut(index)
            .and_then(Option::take)
            .map(Thread::join)
        {
            Some(Err(error)) => error.to_string(),
            _ => "it ended without an error".to_owned(),
        }
    }
}

/// Sockets, bound before anything starts, so that a taken port is an error at once.
struct Ports {
    listening: Vec<Listening>,
    /// One set a shard.
    data: Vec<Vec<TcpListener>>,
    admin: Vec<TcpListener>,
}

impl Ports {
    fn bind(config: &Config, shards: usize) -> Result<Self, String> {
        let mut ports = Self {
            listening: Vec::new(),
            data: std::iter::repeat_with(Vec::new).take(shards).collect(),
            admin: Vec::new(),
        };
        let Listen { grpc, http, admin } = config.listen;
        for (listener, address) in [("grpc", grpc), ("http", http)] {
            let Some(address) = address else { continue };
            let sockets = ports.open(listener, address, shards)?;
            for (set, socket) in ports.data.iter_mut().zip(sockets) {
                set.push(socket);
            }
        }
        let metrics = config.monitoring.metrics_port.map(|port| {
            let host = admin.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |admin| admin.ip());
            SocketAddr::new(host, port)
        });
        let metrics = metrics.filter(|address| Some(*address) != admin || address.port() == 0);
        for (listener, address) in [("admin", admin), ("metrics", metrics)] {
            let Some(address) = address else { continue };
            let sockets = ports.open(listener, address, 1)?;
            ports.admin.extend(sockets);
        }
        Ok(ports)
    }

    fn open(
        &mut self,
        listener: &'static str,
        address: SocketAddr,
        count: usize,
    ) -> Result<Vec<TcpListener>, String> {
        let (address, sockets) = net::bind(address, count)
            .map_err(|error| named(&format!("listen.{listener}"), &error))?;
        self.listening.push(Listening { listener, address });
        Ok(sockets)
    }
}

fn named(what: &str, error: &dyn Display) -> String {
    format!("{what}: {error}")
}

fn start_admin(state: &Arc<AdminState>, listeners: Vec<TcpListener>) -> Result<(), String> {
    if listeners.is_empty() {
        return Ok(());
    }
    let state = Arc::clone(state);
    let options = ThreadOptions {
        name: "otlp-admin".to_owned(),
        core: None,
        blocking_threads: 1,
    };
    rt::start(options, move || admin::serve(state, listeners))
        .map(drop)
        .map_err(|error| named("the admin thread does not start", &error))
}

/// The collectors under the names that metrics and the status give them.
fn collectors(export: &Export) -> Vec<CollectorName> {
    let endpoints = export.collectors().into_iter();
    endpoints
        .map(|endpoint| CollectorName {
            name: endpoint.authority(),
            role: match export.fallback.as_ref() == Some(endpoint) {
                true => Role::Fallback,
                false => Role::Primary,
            },
        })
        .collect()
}

fn per_shard_memory(limit: u64, shards: usize) -> usize {
    let count = u64::try_from(shards).unwrap_or(1).max(1);
    let limit = match limit {
        0 => (MEMORY_BYTES_PER_SHARD * count).max(MEMORY_BYTES_MIN),
        limit => limit,
    };
    usize::try_from(limit / count).unwrap_or(usize::MAX)
}

/// Raises the soft limit of open files to the hard one; returns what holds then.
fn raise_open_files() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    let current = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_not_permitted) => limit.current,
    };
    usize::try_from(current.unwrap_or(1 << 20)).unwrap_or(1 << 20)
}

/// Hears the signals that end the process, on a thread of its own.
pub(super) fn hear_signals(events: Sender<Event>) -> Result<(), String> {
    use signal_hook::consts::{SIGINT, SIGTERM};
    let mut signals = signal_hook::iterator::Signals::new([SIGTERM, SIGINT])
        .map_err(|error| named("cannot hear signals", &error))?;
    std::thread::Builder::new()
        .name("otlp-signals".to_owned())
        .spawn(move || {
            for signal in signals.forever() {
                if events.send(Event::Signal(signal)).is_err() {
                    return;
                }
            }
        })
        .map(drop)
        .map_err(|error| named("cannot hear signals", &error))
}
