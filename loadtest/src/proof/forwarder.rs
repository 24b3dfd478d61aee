//! The system under test: started, killed and started again at the same places.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context as _, bail};
use rustix::process::Signal;
use tokio::time::{Instant, sleep};

use super::scrape::Scrape;
use crate::host::{Child, Order, Output, Ready, get, lasting_ports, wait_until_ready};
use crate::scenario::{Places, System};

/// The longest that it may take to be ready: it may have much to read from its disk.
const START: Duration = Duration::from_secs(30);

/// The longest that it may take to end when it is asked to.
const STOP: Duration = Duration::from_secs(20);

/// Between two looks at its ledger.
const LOOK: Duration = Duration::from_millis(20);

/// How long it has to hold nothing before it counts as drained: longer than a look takes.
const STILL: Duration = Duration::from_millis(300);

/// How long nothing may be delivered while there is something to deliver, and a collector that takes
/// it: ten times what a busy machine makes of a pause between two tries.
const STANDSTILL: Duration = Duration::from_secs(10);

/// When the system says OK.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acknowledge {
    /// A collector has it.
    Delivered,
    /// It is on disk.
    Stored,
    /// It is in memory. It loses what it acknowledged when it is killed: a judge that does not
    /// find that is none.
    Queued,
}

impl FromStr for Acknowledge {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "delivered" => Ok(Self::Delivered),
            "stored" => Ok(Self::Stored),
            "queued" => Ok(Self::Queued),
            _ => Err(format!(
                "`{text}` is not known: choose delivered, stored or queued"
            )),
        }
    }
}

impl fmt::Display for Acknowledge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Delivered => "delivered",
            Self::Stored => "stored",
            Self::Queued => "queued",
        })
    }
}

/// What it is started as, each time.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    /// The executable of the load test.
    pub(super) harness: &'a Path,
    /// The system.
    pub(super) system: &'a System,
    /// When it says OK.
    pub(super) acknowledge: Acknowledge,
    /// What it speaks with the collector.
    pub(super) protocol: &'a str,
    /// Threads that carry data.
    pub(super) shards: usize,
    /// Environment on top of all that.
    pub(super) env: &'a BTreeMap<String, String>,
    /// Where its spool lies.
    pub(super) spool: PathBuf,
}

/// The system under test, at places that stay the same over all of its lives.
#[derive(Debug)]
pub(super) struct Forwarder {
    harness: PathBuf,
    name: String,
    command: Vec<String>,
    env: BTreeMap<String, String>,
    places: Places,
    log: PathBuf,
    child: Option<Child>,
}

impl Forwarder {
    /// Not started yet, in front of the collector at `out`; its log is in `dir`.
    pub(super) fn new(
        plan: &Plan<'_>,
        out: std::net::SocketAddr,
        dir: &Path,
    ) -> anyhow::Result<Self> {
        let [grpc, http, admin] = lasting_ports()?;
        let places = Places {
            grpc,
            http,
            admin,
            out,
            dir: dir.to_owned(),
            workers: plan.shards,
        };
        let mut env = plan.system.env(&places);
        for (key, value) in [
            ("OTLP_ACKNOWLEDGE", plan.acknowledge.to_string()),
            ("OTLP_PROTOCOL", plan.protocol.to_owned()),
            // A collector that is back is called soon: a life here is shorter than the defaults.
            ("OTLP_CIRCUIT_BREAKER_RECOVERY_TIMEOUT", "300ms".to_owned()),
        ] {
            env.insert(key.to_owned(), value);
        }
        if plan.acknowledge == Acknowledge::Stored {
            let spool = plan.spool.display().to_string();
            env.insert("OTLP_SPOOL_DIRECTORY".to_owned(), spool);
        }
        env.extend(plan.env.clone());
        Ok(Self {
            harness: plan.harness.to_owned(),
            name: plan.system.name.clone(),
            command: plan.system.command(&places),
            env,
            log: dir.join("forwarder.log"),
            places,
            child: None,
        })
    }

    /// Where senders of a protocol connect.
    pub(super) fn target(&self, protocol: &str) -> std::net::SocketAddr {
        if protocol == "grpc" {
            self.places.grpc
        } else {
            self.places.http
        }
    }

    /// Starts it and waits for nothing.
    pub(super) fn start(&mut self) -> anyhow::Result<()> {
        self.child = Some(Child::start(
            &self.harness,
            Order {
                name: &self.name,
                command: &self.command,
                env: &self.env,
                cores: &[],
                log: self.log.clone(),
                output: Output::Log,
            },
        )?);
        Ok(())
    }

    /// Waits until it says that it is ready.
    pub(super) async fn ready(&mut self) -> anyhow::Result<()> {
        let ready = Ready::Http {
            address: self.places.admin.to_string(),
            path: "/ready".to_owned(),
        };
        let grpc = self.places.grpc;
        wait_until_ready(self.running()?, &ready, grpc, START).await
    }

    /// Stops all of its threads where they are.
    pub(super) fn stand_still(&mut self) -> anyhow::Result<()> {
        self.running()?.signal(Signal::STOP)
    }

    /// Kills it. An error where it had ended by itself: it must not.
    pub(super) async fn kill(&mut self) -> anyhow::Result<()> {
        let child = self.running()?;
        if let Some(status) = child.ended()? {
            bail!(
                "{} ended by itself ({status}){}",
                child.name(),
                child.tail()
            );
        }
        match self.child.take() {
            Some(child) => child.kill().await,
            None => Ok(()),
        }
    }

    /// Asks it to end; an error where it does not, or not with success.
    pub(super) async fn end(&mut self) -> anyhow::Result<()> {
        let Some(child) = self.child.take() else {
            return Ok(());
        };
        let (name, tail) = (child.name().to_owned(), child.tail());
        match child.end(STOP).await? {
            Some(status) if status.success() => Ok(()),
            Some(status) => bail!("{name} ended with {status}{tail}"),
            None => bail!("{name} did not end within {STOP:?}{tail}"),
        }
    }

    /// Waits until it holds nothing, neither in memory nor on disk; an error too where it stands
    /// still before that.
    pub(super) async fn drained(&mut self, within: Duration) -> anyhow::Result<()> {
        let began = Instant::now();
        let mut since = None;
        let mut moved = (0.0, began);
        loop {
            let scrape = self.scrape().await?;
            if let Some(wrong) = scrape.unbalanced() {
                bail!("its ledger does not add up: {wrong}");
            }
            if !scrape.is_drained() {
                since = None;
            } else if since.get_or_insert_with(Instant::now).elapsed() >= STILL {
                return Ok(());
            }
            let held = || {
                let (waiting, stored) = (scrape.items("waiting"), scrape.items("stored"));
                format!("{waiting} items in memory and {stored} on disk")
            };
            if began.elapsed() > within {
                bail!("it still holds {} after {within:?}", held());
            }
            let delivered = scrape.items("delivered");
            if delivered > moved.0 || scrape.is_drained() {
                moved = (delivered, Instant::now());
            } else if moved.1.elapsed() > STANDSTILL {
                bail!("it holds {} and delivers none for {STANDSTILL:?}", held());
            }
            sleep(LOOK).await;
        }
    }

    async fn scrape(&mut self) -> anyhow::Result<Scrape> {
        let admin = self.places.admin.to_string();
        let answer = get(&admin, "/metrics").await?;
        let scrape = Scrape::parse(&String::from_utf8_lossy(&answer.body));
        if !scrape.has_ledger() {
            bail!("{} has no ledger at http://{admin}/metrics", self.name);
        }
        Ok(scrape)
    }

    fn running(&mut self) -> anyhow::Result<&mut Child> {
        self.child.as_mut().context("the forwarder does not run")
    }
}
