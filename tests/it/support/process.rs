//! The program as a child process: started, watched through its log, and ended by its own handle.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, pipe},
    net::SocketAddr,
    os::fd::OwnedFd,
    process::{Command, ExitStatus, Stdio},
    thread::JoinHandle,
};

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tokio::sync::watch;

use super::{Collector, Ledger, PATIENCE, Sender, Transport, within};

/// The environment of a run that has not started.
#[derive(Clone, Debug)]
pub(crate) struct Setup(BTreeMap<String, String>);

impl Setup {
    /// One shard on free ports that forwards to these collectors over gRPC.
    pub(crate) fn to<'a>(collectors: impl IntoIterator<Item = &'a Collector>) -> Self {
        Self::to_addresses(collectors.into_iter().map(|collector| collector.address))
    }

    /// The same for addresses where there may be nobody.
    pub(crate) fn to_addresses(addresses: impl IntoIterator<Item = SocketAddr>) -> Self {
        let endpoints: Vec<_> = addresses
            .into_iter()
            .map(|address| format!("http://{address}"))
            .collect();
        let free_port = "127.0.0.1:0";
        Self(BTreeMap::new())
            .set("OTLP_LISTEN_GRPC", free_port)
            .set("OTLP_LISTEN_HTTP", free_port)
            .set("OTLP_LISTEN_ADMIN", free_port)
            .set("OTLP_ENDPOINT", &endpoints.join(","))
            .set("OTLP_PROTOCOL", "grpc")
            .set("OTLP_WORKER_THREADS", "1")
            .set("OTLP_LOGGING_FORMAT", "json")
    }

    /// The same with one more variable.
    pub(crate) fn set(mut self, name: &str, value: &str) -> Self {
        self.0.insert(name.to_owned(), value.to_owned());
        self
    }

    /// The command that runs the program, under `wrapper` where one is named.
    pub(crate) fn command(&self, wrapper: &[&str]) -> Command {
        let mut words = wrapper.iter().copied().chain([env!("CARGO_BIN_EXE_otlp")]);
        let mut command = Command::new(words.next().unwrap());
        command
            .args(words)
            .env_clear()
            .envs(&self.0)
            .stdin(Stdio::null());
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        command
    }

    /// Starts the program and waits until it says that it is ready.
    pub(crate) async fn start(self) -> Otlp {
        let otlp = Otlp::spawn(self.command(&[]));
        otlp.until("the forwarder is ready", |seen| {
            seen.ready || seen.exit.is_some()
        })
        .await;
        assert!(
            otlp.seen.borrow().ready,
            "the forwarder did not start:\n{}",
            otlp.log()
        );
        otlp
    }
}

/// What is known of a child from its log and its end.
#[derive(Debug, Default)]
struct Seen {
    lines: Vec<String>,
    ready: bool,
    exit: Option<ExitStatus>,
}

/// A running forwarder. Dropped, it is killed and reaped.
#[derive(Debug)]
pub(crate) struct Otlp {
    pid: u32,
    handle: OwnedFd,
    seen: watch::Receiver<Seen>,
    keeper: Option<JoinHandle<()>>,
}

impl Otlp {
    /// Starts a command and does not wait for anything.
    pub(crate) fn spawn(mut command: Command) -> Self {
        let (reader, writer) = pipe().unwrap();
        command.stdout(writer.try_clone().unwrap()).stderr(writer);
        let mut child = command.spawn().unwrap();
        // The command holds the pipe's writing ends; the log ends only when the child alone does.
        drop(command);
        let pid = child.id();
        let handle = pidfd_open(
            Pid::from_raw(pid.try_into().unwrap()).unwrap(),
            PidfdFlags::empty(),
        )
        .unwrap();
        let (tell, seen) = watch::channel(Seen::default());
        let keeper = std::thread::spawn(move || {
            for line in BufReader::new(reader).lines().map_while(Result::ok) {
                tell.send_modify(|seen| {
                    seen.ready |= message_of(&line).as_deref() == Some("ready");
                    seen.lines.push(line);
                });
            }
            let exit = child.wait().unwrap();
            tell.send_modify(|seen| seen.exit = Some(exit));
        });
        Self {
            pid,
            handle,
            seen,
            keeper: Some(keeper),
        }
    }

    async fn until(&self, what: &str, mut holds: impl FnMut(&Seen) -> bool) {
        let mut seen = self.seen.clone();
        let waited = tokio::time::timeout(PATIENCE, seen.wait_for(|seen| holds(seen))).await;
        assert!(
            waited.is_ok(),
            "{what}: not within {PATIENCE:?}; its log:\n{}",
            self.log()
        );
    }

    /// Everything that it wrote.
    pub(crate) fn log(&self) -> String {
        self.seen.borrow().lines.join("\n")
    }

    /// The address that it logged for a listener: `grpc`, `http` or `admin`.
    pub(crate) fn address(&self, listener: &str) -> SocketAddr {
        let seen = self.seen.borrow();
        let lines = seen
            .lines
            .iter()
            .filter_map(|line| serde_json::from_str(line).ok());
        let address = lines
            .filter(|line: &serde_json::Value| line["message"] == "listening")
            .find(|line| line["listener"] == listener)
            .and_then(|line| line["address"].as_str()?.parse().ok());
        address.unwrap_or_else(|| panic!("no address of {listener} in:\n{}", seen.lines.join("\n")))
    }

    /// The port that a transport's senders use by convention.
    pub(crate) fn port_of(&self, transport: Transport) -> SocketAddr {
        self.address(if transport == Transport::Grpc {
            "grpc"
        } else {
            "http"
        })
    }

    /// A new connection to that port.
    pub(crate) async fn sender(&self, transport: Transport) -> Sender {
        Sender::connect(self.port_of(transport), transport).await
    }

    /// A page of the admin port: its status and text.
    pub(crate) async fn admin(&self, path: &str) -> (u16, String) {
        let mut sender = Sender::connect(self.address("admin"), Transport::Http1).await;
        let (status, _, body) = sender.get(path).await;
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    /// The ledger as `/metrics` has it now.
    pub(crate) async fn ledger(&self) -> Ledger {
        let (status, text) = self.admin("/metrics").await;
        assert_eq!(status, 200, "/metrics answers:\n{text}");
        Ledger::parse(&text)
    }

    /// Every item that was taken in has a place, and none is waiting any more.
    pub(crate) async fn assert_ledger_adds_up(&self) -> Ledger {
        let ledger = self.ledger().await;
        ledger.assert_adds_up();
        ledger
    }

    /// Waits until `/metrics` holds what is asked for, and checks the ledger on the way.
    pub(crate) async fn until_ledger(&self, what: &str, holds: impl Fn(&Ledger) -> bool) -> Ledger {
        within(what, async {
            loop {
                let ledger = self.ledger().await;
                ledger.assert_balanced();
                if holds(&ledger) {
                    return ledger;
                }
                tokio::task::yield_now().await;
            }
        })
        .await
    }

    /// Waits until a page of the admin port answers with this status.
    pub(crate) async fn until_admin(&self, path: &str, status: u16) {
        within(&format!("{path} answers {status}"), async {
            while self.admin(path).await.0 != status {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        // A child that has just ended is fine: the exit status tells.
        pidfd_send_signal(&self.handle, signal).ok();
    }

    /// Waits for the end.
    pub(crate) async fn exit(&self) -> ExitStatus {
        self.until("the forwarder's end", |seen| seen.exit.is_some())
            .await;
        self.seen.borrow().exit.unwrap()
    }

    /// SIGTERM, then the end.
    pub(crate) async fn terminate(&self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.exit().await
    }

    /// SIGKILL, then the end.
    pub(crate) async fn kill9(&self) {
        self.signal(Signal::KILL);
        self.exit().await;
    }

    /// A line of `/proc/<pid>/status` in bytes, such as `VmRSS` or `VmHWM`.
    pub(crate) fn memory(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid)).unwrap();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .unwrap();
        let kibibytes: u64 = line
            .trim_start_matches(':')
            .trim_end_matches("kB")
            .trim()
            .parse()
            .unwrap();
        kibibytes * 1024
    }

    /// Processor time of all threads so far, as the scheduler counts it: a clock tick is too
    /// coarse for a process that hardly runs.
    pub(crate) fn processor_time(&self) -> std::time::Duration {
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.pid)).unwrap();
        let nanoseconds = threads.map(|thread| {
            let text = std::fs::read_to_string(thread.unwrap().path().join("schedstat")).unwrap();
            text.split(' ').next().unwrap().parse::<u64>().unwrap()
        });
        std::time::Duration::from_nanos(nanoseconds.sum())
    }
}

impl Drop for Otlp {
    #[expect(
        clippy::print_stderr,
        reason = "a failing test shows what the forwarder said"
    )]
    fn drop(&mut self) {
        if std::thread::panicking() {
            let ended = self.seen.borrow().exit;
            eprintln!("the forwarder's end: {ended:?}; its log:\n{}", self.log());
        }
        self.signal(Signal::KILL);
        if let Some(keeper) = self.keeper.take() {
            drop(keeper.join());
        }
    }
}

fn message_of(line: &str) -> Option<String> {
    let line: serde_json::Value = serde_json::from_str(line).ok()?;
    Some(line["message"].as_str()?.to_owned())
}
