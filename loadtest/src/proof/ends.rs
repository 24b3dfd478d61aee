//! Both ends of a proof: senders and the collector. They are never killed.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde::Deserialize;
use tokio::io::AsyncBufReadExt as _;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::audit::{Acknowledged, Arrivals};
use crate::host::{Child, Order, Output};
use crate::scenario::Control;

/// The longest that a process may take to be ready.
const START: Duration = Duration::from_secs(30);

/// The longest that an end may take to finish: a sender may wait to repeat, and then for an answer.
const STOP: Duration = Duration::from_secs(30);

/// How long a sender waits for an answer.
const TIMEOUT: &str = "2s";

/// How often a sender says how many requests were acknowledged.
const TELL: &str = "2ms";

/// Longer than any proof: senders send until they are told to end.
const FOR_EVER: &str = "7days";

/// The collector.
#[derive(Debug)]
pub(super) struct Collector {
    child: Child,
    control: Control,
    address: SocketAddr,
    arrived: PathBuf,
}

/// What a collector says when it is ready.
#[derive(Deserialize)]
struct Here {
    listen: SocketAddr,
    control: SocketAddr,
}

impl Collector {
    /// Starts it; what it writes is in `dir`.
    pub(super) async fn start(harness: &Path, dir: &Path) -> anyhow::Result<Self> {
        let arrived = dir.join("arrived");
        let words = [
            "collect",
            "--listen",
            "127.0.0.1:0",
            "--control",
            "127.0.0.1:0",
            "--audit",
            "full",
            "--json",
            &text(&dir.join("collect.json")),
            "--ids-out",
            &text(&arrived),
        ];
        let mut child = start(harness, "collector", &words, dir)?;
        let line = child.line(START).await?;
        let here: Here = serde_json::from_str(&line)
            .with_context(|| format!("the collector's first line, {line:?}"))?;
        Ok(Self {
            child,
            control: Control::at(&here.control.to_string()),
            address: here.listen,
            arrived,
        })
    }

    /// Where it takes telemetry.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Makes it behave differently.
    pub(super) async fn behave(&self, spec: &str) -> anyhow::Result<()> {
        self.control.behave(spec).await
    }

    /// Ends it: what arrived.
    pub(super) async fn end(self) -> anyhow::Result<Arrivals> {
        end(self.child).await?;
        read(&self.arrived, Arrivals::read_from)
    }
}

/// What a sender sends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load {
    /// `grpc`, `http/protobuf` or `http/json`.
    pub(super) protocol: &'static str,
    /// A mix of signals.
    pub(super) signals: &'static str,
    /// Items a request.
    pub(super) items: u32,
    /// Connections.
    pub(super) connections: u32,
    /// Requests in flight on each.
    pub(super) in_flight: u32,
}

/// A sender that repeats what was refused or not answered, as SDKs do.
#[derive(Debug)]
pub(super) struct Sender {
    child: Child,
    acknowledged: watch::Receiver<u64>,
    listening: JoinHandle<()>,
    ids: PathBuf,
}

impl Sender {
    /// Starts it; it begins at once. `number` is in the id of each of its items.
    pub(super) async fn start(
        harness: &Path,
        dir: &Path,
        number: usize,
        target: SocketAddr,
        load: Load,
        rate: u32,
    ) -> anyhow::Result<Self> {
        let name = format!("sender {number}");
        let ids = dir.join(format!("acknowledged-{number}"));
        let words = [
            "send",
            "--target",
            &target.to_string(),
            "--sender",
            &number.to_string(),
            "--seed",
            &number.to_string(),
            "--protocol",
            load.protocol,
            "--signals",
            load.signals,
            "--items",
            &load.items.to_string(),
            "--connections",
            &load.connections.to_string(),
            "--in-flight",
            &load.in_flight.to_string(),
            "--rate",
            &format!("{rate}/s"),
            "--queue",
            // What is due while the forwarder is away is not made up for.
            "100",
            "--warmup",
            "0s",
            "--duration",
            FOR_EVER,
            "--timeout",
            TIMEOUT,
            "--retry",
            "--quiet",
            "--tell",
            TELL,
            "--json",
            &text(&dir.join(format!("send-{number}.json"))),
            "--ids-out",
            &text(&ids),
        ];
        let mut child = start(harness, &name, &words, dir)?;
        let output = child.take_output().context("a sender's output is read")?;
        let (tell, acknowledged) = watch::channel(0);
        let listening = tokio::spawn(async move {
            let mut lines = output.lines();
            while let Ok(Some(line)) = lines.next_line().await {
                if let Ok(Told { acknowledged }) = serde_json::from_str(&line) {
                    tell.send_replace(acknowledged);
                }
            }
        });
        Ok(Self {
            child,
            acknowledged,
            listening,
            ids,
        })
    }

    /// Requests that were acknowledged so far.
    pub(super) fn acknowledged(&self) -> u64 {
        *self.acknowledged.borrow()
    }

    /// Waits until so many requests are acknowledged; an error where the sender ended before.
    async fn until(&self, requests: u64) -> anyhow::Result<()> {
        let mut acknowledged = self.acknowledged.clone();
        let reached = acknowledged.wait_for(|now| *now >= requests).await;
        match reached {
            Ok(_) => Ok(()),
            Err(_) => bail!("{} has ended{}", self.child.name(), self.child.tail()),
        }
    }

    /// Ends it: what it was promised.
    async fn end(self) -> anyhow::Result<Acknowledged> {
        end(self.child).await?;
        self.listening.abort();
        read(&self.ids, Acknowledged::read_from)
    }
}

/// What a sender says now and then.
#[derive(Deserialize)]
struct Told {
    acknowledged: u64,
}

/// All senders of a proof.
#[derive(Debug)]
pub(super) struct Senders(pub(super) Vec<Sender>);

impl Senders {
    /// Requests that were acknowledged so far.
    pub(super) fn acknowledged(&self) -> u64 {
        self.0.iter().map(Sender::acknowledged).sum()
    }

    /// Waits until one of them has had so many more requests acknowledged, or for `longest`:
    /// whether it was the former.
    pub(super) async fn until_more(
        &self,
        requests: u64,
        longest: Duration,
    ) -> anyhow::Result<bool> {
        let waiting = self
            .0
            .iter()
            .map(|sender| Box::pin(sender.until(sender.acknowledged() + requests)));
        match timeout(longest, futures_util::future::select_all(waiting)).await {
            Ok((reached, ..)) => reached.map(|()| true),
            Err(_) => Ok(false),
        }
    }

    /// Waits until each of them has had one more request acknowledged.
    pub(super) async fn each_goes_through(&self, within: Duration) -> anyhow::Result<()> {
        let waiting = self
            .0
            .iter()
            .map(|sender| sender.until(sender.acknowledged() + 1));
        match timeout(within, futures_util::future::try_join_all(waiting)).await {
            Ok(all) => all.map(drop),
            Err(_) => bail!("a sender had nothing acknowledged for {within:?}, with all up"),
        }
    }

    /// Ends them all.
    pub(super) async fn end(self) -> anyhow::Result<Vec<Acknowledged>> {
        let ending = self.0.into_iter().map(Sender::end);
        futures_util::future::try_join_all(ending).await
    }
}

fn start(harness: &Path, name: &str, words: &[&str], dir: &Path) -> anyhow::Result<Child> {
    let command: Vec<String> = [text(harness)]
        .into_iter()
        .chain(words.iter().map(|word| (*word).to_owned()))
        .collect();
    Child::start(
        harness,
        Order {
            name,
            command: &command,
            env: &BTreeMap::new(),
            cores: &[],
            log: dir.join(format!("{name}.log")),
            output: Output::Read,
        },
    )
}

async fn end(child: Child) -> anyhow::Result<()> {
    let (name, tail) = (child.name().to_owned(), child.tail());
    match child.end(STOP).await? {
        Some(status) if status.success() => Ok(()),
        Some(status) => bail!("{name} failed ({status}){tail}"),
        None => bail!("{name} did not end within {STOP:?}{tail}"),
    }
}

fn read<T>(path: &Path, from: fn(BufReader<File>) -> anyhow::Result<T>) -> anyhow::Result<T> {
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    from(BufReader::new(file)).with_context(|| path.display().to_string())
}

fn text(path: &Path) -> String {
    path.display().to_string()
}
