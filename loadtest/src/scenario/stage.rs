//! The processes of one run: collector, system, senders.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use rustix::process::Signal;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tempfile::TempDir;

use super::control::Control;
use super::execute::Plan;
use super::{Load, Places};
use crate::host::{self, Child, Order, Output, Ready};
use crate::results::{CollectReport, SendReport};

/// The longest that a process may take to be ready.
const START: Duration = Duration::from_secs(30);

/// The longest that a process may take to end.
pub(super) const STOP: Duration = Duration::from_secs(20);

/// Everything that runs.
#[derive(Debug)]
pub(super) struct Stage<'p> {
    plan: &'p Plan<'p>,
    dir: TempDir,
    places: Places,
    pub(super) control: Control,
    pub(super) collector: Child,
    pub(super) system: Option<Child>,
    pub(super) senders: Vec<Child>,
}

/// What a collector says when it is ready.
#[derive(Debug, Deserialize)]
struct Here {
    listen: SocketAddr,
    control: SocketAddr,
}

/// What a run leaves behind.
#[derive(Debug)]
pub(super) struct Left {
    pub(super) send: Vec<SendReport>,
    pub(super) collect: CollectReport,
    /// Where each sender wrote which items were acknowledged.
    pub(super) acknowledged: Vec<PathBuf>,
    /// Where the collector wrote which items arrived.
    pub(super) arrived: PathBuf,
    /// Holds the files.
    pub(super) dir: TempDir,
}

impl<'p> Stage<'p> {
    /// Starts the collector and then the system.
    pub(super) async fn set(plan: &'p Plan<'p>) -> anyhow::Result<Self> {
        let dir = tempfile::Builder::new().prefix("loadtest-").tempdir();
        let dir = dir.context("cannot make a temporary folder")?;
        let options = &plan.scenario.collector;
        let command = harness(
            plan,
            [
                ("collect", ""),
                ("--listen", "127.0.0.1:0"),
                ("--control", "127.0.0.1:0"),
                ("--audit", &options.audit.to_string()),
                ("--behave", &options.behave),
                ("--json", &text(&dir.path().join("collect.json"))),
                ("--ids-out", &text(&dir.path().join("arrived"))),
            ],
        );
        let mut collector = Child::start(
            plan.harness,
            Order {
                name: "collector",
                command: &command,
                env: &BTreeMap::new(),
                cores: &options.cores,
                log: dir.path().join("collector.log"),
                output: Output::Read,
            },
        )?;
        let line = collector.line(START).await?;
        let here: Here = serde_json::from_str(&line)
            .with_context(|| format!("the collector's first line, {line:?}"))?;
        let workers = plan.scenario.forwarder.cores.len().max(1);
        let mut stage = Self {
            plan,
            places: Places::before(here.listen, dir.path(), workers)?,
            dir,
            control: Control::at(&here.control.to_string()),
            collector,
            system: None,
            senders: Vec::new(),
        };
        stage.start_system().await?;
        Ok(stage)
    }

    /// Starts the system, again or for the first time, and waits until it is ready.
    pub(super) async fn start_system(&mut self) -> anyhow::Result<()> {
        let system = self.plan.system;
        let mut child = Child::start(
            self.plan.harness,
            Order {
                name: &system.name,
                command: &system.command(&self.places),
                env: &system.env(&self.places),
                cores: &self.plan.scenario.forwarder.cores,
                log: self.dir.path().join("system.log"),
                output: Output::Log,
            },
        )?;
        let ready = Ready::parse(&self.places.fill(&system.ready))?;
        host::wait_until_ready(&mut child, &ready, self.places.grpc, START).await?;
        self.system = Some(child);
        Ok(())
    }

    /// Starts the senders and waits until each has made what it needs and is connected.
    pub(super) async fn start_senders(&mut self) -> anyhow::Result<()> {
        for (n, load) in self.plan.scenario.loads.iter().enumerate() {
            let name = format!("sender {}", n + 1);
            let mut command = harness(
                self.plan,
                [
                    ("send", ""),
                    ("--target", &self.target(load).to_string()),
                    ("--sender", &(n + 1).to_string()),
                    ("--json", &text(&self.reported(n))),
                    ("--ids-out", &text(&self.acknowledged(n))),
                    ("--hold", ""),
                    ("--quiet", ""),
                ],
            );
            command.extend(self.spoken(load).arguments());
            let child = Child::start(
                self.plan.harness,
                Order {
                    name: &name,
                    command: &command,
                    env: &BTreeMap::new(),
                    cores: &self.plan.scenario.collector.cores,
                    log: self.dir.path().join(format!("{name}.log")),
                    output: Output::Read,
                },
            )?;
            self.senders.push(child);
        }
        for (sender, load) in self.senders.iter_mut().zip(&self.plan.scenario.loads) {
            sender.line(START + load.preparation()).await?;
        }
        Ok(())
    }

    /// Tells the senders when to begin to measure, in seconds since 1970.
    pub(super) async fn release_senders(&mut self, at: f64) -> anyhow::Result<()> {
        for sender in &mut self.senders {
            sender.tell(&format!("{at:.6}")).await?;
        }
        Ok(())
    }

    /// Waits for all senders; one that fails is an error.
    pub(super) async fn senders_ended(&mut self) -> anyhow::Result<()> {
        for sender in &mut self.senders {
            let status = sender.wait().await?;
            if !status.success() {
                bail!("{} failed ({status}){}", sender.name(), sender.tail());
            }
        }
        Ok(())
    }

    /// Asks the system to end or kills it; it is noted when it has ended.
    pub(super) fn signal_system(&self, signal: Signal) -> anyhow::Result<()> {
        self.system
            .as_ref()
            .map_or(Ok(()), |system| system.signal(signal))
    }

    /// How the system ended, when it has just done so.
    pub(super) fn system_ended(&mut self) -> anyhow::Result<Option<String>> {
        let Some(system) = &mut self.system else {
            return Ok(None);
        };
        let status = system.ended()?;
        if status.is_some() {
            self.system = None;
        }
        Ok(status.map(|status| status.to_string()))
    }

    /// Ends the collector and reads what everybody wrote.
    pub(super) async fn clear(self) -> anyhow::Result<Left> {
        let senders = self.senders.len();
        let collector_log = self.collector.tail();
        match self.collector.end(STOP).await? {
            Some(status) if status.success() => {}
            Some(status) => bail!("the collector failed ({status}){collector_log}"),
            None => bail!("the collector did not end within {STOP:?}{collector_log}"),
        }
        let file = |name: String| self.dir.path().join(name);
        Ok(Left {
            send: (0..senders)
                .map(|n| read(&file(format!("send-{n}.json"))))
                .collect::<Result<_, _>>()?,
            collect: read(&file("collect.json".to_owned()))?,
            acknowledged: (0..senders)
                .map(|n| file(format!("acknowledged-{n}")))
                .collect(),
            arrived: file("arrived".to_owned()),
            dir: self.dir,
        })
    }

    fn reported(&self, sender: usize) -> PathBuf {
        self.dir.path().join(format!("send-{sender}.json"))
    }

    fn acknowledged(&self, sender: usize) -> PathBuf {
        self.dir.path().join(format!("acknowledged-{sender}"))
    }

    /// What the sender speaks: some systems speak one protocol only.
    fn spoken(&self, load: &Load) -> Load {
        let mut load = load.clone();
        if let Some(protocol) = &self.plan.system.protocol {
            load.protocol.clone_from(protocol);
        }
        load
    }

    fn target(&self, load: &Load) -> SocketAddr {
        let http = self.spoken(load).protocol.starts_with("http");
        if http && self.plan.system.has_http() {
            self.places.http
        } else {
            self.places.grpc
        }
    }
}

fn harness<const N: usize>(plan: &Plan<'_>, flags: [(&str, &str); N]) -> Vec<String> {
    let flags = flags.into_iter().flat_map(|(flag, value)| [flag, value]);
    let flags = flags.filter(|part| !part.is_empty()).map(str::to_owned);
    [text(plan.harness)].into_iter().chain(flags).collect()
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

fn read<T: DeserializeOwned>(path: &Path) -> anyhow::Result<T> {
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_slice(&bytes).with_context(|| path.display().to_string())
}
