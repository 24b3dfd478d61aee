//! The forwarder as a process of its own: this program once more, configured by variables.

use std::{
    collections::BTreeMap,
    env,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    process::{Child, Command, Stdio},
    sync::mpsc::{self, Receiver},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use super::Failure;

/// The longest that it may take to start.
const START: Duration = Duration::from_secs(20);

/// What makes this an example of resilience; all else is the default. The times are short, so that
/// there is something to see.
const LADDER: [(&str, &str); 15] = [
    ("OTLP_RETRY_MAX_ATTEMPTS", "2"),
    ("OTLP_RETRY_BASE_DELAY", "100ms"),
    ("OTLP_CIRCUIT_BREAKER_FAILURE_THRESHOLD", "3"),
    ("OTLP_CIRCUIT_BREAKER_MINIMUM_CALLS", "3"),
    // What is read back comes in few, large batches: one that is taken closes it.
    ("OTLP_CIRCUIT_BREAKER_HALF_OPEN_MAX_CALLS", "1"),
    ("OTLP_CIRCUIT_BREAKER_SLIDING_WINDOW_SIZE", "3s"),
    ("OTLP_CIRCUIT_BREAKER_RECOVERY_TIMEOUT", "30s"),
    ("OTLP_HEALTH_CHECK_INTERVAL", "1s"),
    ("OTLP_HEALTH_CHECK_TIMEOUT", "900ms"),
    ("OTLP_GRACEFUL_DEGRADATION_ENABLED", "true"),
    (
        "OTLP_GRACEFUL_DEGRADATION_STRATEGIES",
        "use_fallback,use_cache",
    ),
    (
        "OTLP_GRACEFUL_DEGRADATION_TRIGGER_CONDITIONS",
        "high_latency=500ms",
    ),
    // So little that it can be watched being read back.
    ("OTLP_SPOOL_REPLAY_RATE", "256KiB"),
    ("OTLP_WORKER_THREADS", "1"),
    ("OTLP_PROTOCOL", "grpc"),
];

/// A running forwarder; killed when dropped.
pub struct Forwarder {
    /// Where it takes OTLP/gRPC.
    pub data: SocketAddr,
    admin: SocketAddr,
    child: Child,
    lines: Receiver<Value>,
    _spool: TempDir,
}

impl Forwarder {
    /// Starts it in front of these collectors, with a spool in a folder that goes with it.
    pub fn start(primary: SocketAddr, fallback: SocketAddr) -> Result<Self, Failure> {
        let spool = TempDir::with_prefix("otlp-resilience-")?;
        let free_port = "127.0.0.1:0";
        let mut child = Command::new(env::current_exe()?)
            .env_clear()
            .env(crate::ROLE, "1")
            .envs(LADDER)
            .env("OTLP_ENDPOINT", format!("http://{primary}"))
            .env("OTLP_FALLBACK_ENDPOINT", format!("http://{fallback}"))
            .env("OTLP_FALLBACK_PROTOCOL", "grpc")
            .env("OTLP_SPOOL_DIRECTORY", spool.path())
            .env("OTLP_LISTEN_GRPC", free_port)
            .env("OTLP_LISTEN_HTTP", free_port)
            .env("OTLP_LISTEN_ADMIN", free_port)
            .env("OTLP_LOGGING_FORMAT", "json")
            .env("OTLP_LOGGING_OUTPUT", "stdout")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let output = child.stdout.take().ok_or("the forwarder has no output")?;
        let (tell, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let line = serde_json::from_str(&line).unwrap_or(Value::String(line));
                tell.send(line).unwrap_or_default();
            }
        });
        let unknown = SocketAddr::from(([0; 4], 0));
        let mut forwarder = Self {
            data: unknown,
            admin: unknown,
            child,
            lines,
            _spool: spool,
        };
        forwarder.await_ready()?;
        Ok(forwarder)
    }

    fn await_ready(&mut self) -> Result<(), Failure> {
        loop {
            let line = self.lines.recv_timeout(START)?;
            let text = |key: &str| line[key].as_str().unwrap_or_default();
            match (text("message"), text("listener")) {
                ("listening", "grpc") => self.data = text("address").parse()?,
                ("listening", "admin") => self.admin = text("address").parse()?,
                ("ready", _) => return Ok(()),
                _ if text("level") == "ERROR" || line.is_string() => {
                    return Err(format!("the forwarder says: {line}").into());
                }
                _ => {}
            }
        }
    }

    /// The next line that it has logged, where there is one.
    pub fn line(&self) -> Option<Value> {
        self.lines.try_recv().ok()
    }

    /// Every figure that it tells.
    pub fn figures(&self) -> Result<Figures, Failure> {
        let mut stream = TcpStream::connect(self.admin)?;
        stream.set_read_timeout(Some(START))?;
        stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: it\r\nconnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let series = answer.lines().filter_map(|line| line.rsplit_once(' '));
        let series =
            series.filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?)));
        Ok(Figures(series.collect()))
    }

    /// Tells it to stop in good order, and waits until it has.
    pub fn stop(&mut self) -> Result<bool, Failure> {
        let pid = i32::try_from(self.child.id())?;
        kill_process(Pid::from_raw(pid).ok_or("no process")?, Signal::TERM)?;
        Ok(self.child.wait()?.success())
    }
}

impl Drop for Forwarder {
    fn drop(&mut self) {
        // One that has ended is fine.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A scrape of `/metrics`.
pub struct Figures(BTreeMap<String, f64>);

impl Figures {
    /// The sum of the series of this name that have this label.
    pub fn sum(&self, name: &str, label: &str) -> f64 {
        let of_name = self.0.iter().filter(|(series, _)| {
            let rest = series.strip_prefix(name);
            rest.is_some_and(|it| (it.is_empty() || it.starts_with('{')) && it.contains(label))
        });
        of_name.map(|(_, value)| value).sum()
    }

    /// Spans in a state of the ledger.
    pub fn spans(&self, state: &str) -> f64 {
        let label = format!("signal=\"traces\",state=\"{state}\"");
        self.sum("otlp_items_total", &label) + self.sum("otlp_items", &label)
    }

    /// A collector's breaker, in a word.
    pub fn breaker(&self, collector: SocketAddr) -> &'static str {
        let label = format!("collector=\"{collector}\"");
        match self.sum("otlp_circuit_breaker_state", &label) {
            0.0 => "closed",
            1.0 => "open",
            _ => "half-open",
        }
    }

    /// Whether the strategies of graceful degradation run.
    pub fn is_degraded(&self) -> bool {
        self.sum("otlp_degradation_active", "signal=\"traces\"") > 0.0
    }
}
