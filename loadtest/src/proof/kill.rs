//! The system under test is killed under load, again and again, or its power is cut.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::time::sleep;

use super::disk::Disk;
use super::ends::{Collector, Load, Sender, Senders};
use super::forwarder::{Acknowledge, Forwarder, Plan};
use super::report::Report;
use super::round::{Moment, Round, rounds};
use crate::audit::compare;
use crate::scenario::System;

/// The longest that a request may take to get through once everything is up.
const RECOVERY: Duration = Duration::from_secs(30);

/// What is sent: each protocol and each signal, requests of a few items and of many, over one connection and
/// over several.
const LOADS: [Load; 3] = [
    Load {
        protocol: "grpc",
        signals: "traces=60,metrics=20,logs=20",
        items: 20,
        connections: 4,
        in_flight: 16,
    },
    Load {
        protocol: "http/protobuf",
        signals: "logs",
        items: 100,
        connections: 8,
        in_flight: 1,
    },
    Load {
        protocol: "grpc",
        signals: "metrics",
        items: 3,
        connections: 1,
        in_flight: 32,
    },
];

/// How a life ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The process is killed, and the next one finds the disk as it is.
    Kill,
    /// The power is cut: the next process finds what was on the disk itself, of so many MiB, and
    /// nothing of what the kernel had not written yet.
    PowerCut {
        /// Size of the disk.
        mib: u64,
    },
}

/// What to do.
#[derive(Debug)]
pub struct Kills<'a> {
    /// The executable of the load test.
    pub harness: &'a Path,
    /// The system.
    pub system: &'a System,
    /// When it says OK.
    pub acknowledge: Acknowledge,
    /// What it speaks with the collector: `grpc` or `http/protobuf`.
    pub protocol: &'a str,
    /// Threads that carry data.
    pub shards: usize,
    /// Environment of the system on top of all that.
    pub env: BTreeMap<String, String>,
    /// How each of its lives ends.
    pub end: End,
    /// How many they are.
    pub rounds: usize,
    /// What the rounds are drawn from.
    pub seed: u64,
    /// Requests a second of each sender.
    pub rate: u32,
    /// The longest that the system may hold something once everything is up and nobody sends.
    pub drain: Duration,
    /// Where everything is written.
    pub dir: PathBuf,
}

/// Kills the system and audits what became of everything that it had acknowledged.
///
/// # Errors
///
/// Something of the proof itself does not work. What the system does wrong is in the report.
pub async fn kill(kills: &Kills<'_>) -> anyhow::Result<Report> {
    let began = Instant::now();
    let mut field = Field::set(kills).await?;
    let family = match kills.end {
        End::Kill => "kill",
        End::PowerCut { .. } => "power-cut",
    };
    let mut report = Report {
        family: format!("{family}-{}", kills.acknowledge),
        seed: kills.seed,
        ..Report::default()
    };
    for (number, round) in rounds(kills.seed, kills.rounds).into_iter().enumerate() {
        let name = || {
            format!(
                "round {}, collector {}, {:?}",
                number + 1,
                round.weather,
                round.moment
            )
        };
        if !report.take(field.round(number + 1, round).await.with_context(name)) {
            break;
        }
        report.rounds += 1;
    }
    // Whatever went wrong, the audit is made: it says what became of what was acknowledged.
    report.take(field.recover().await);
    report.requests = field.senders.acknowledged();
    let acknowledged = field.senders.end().await?;
    report.take(field.forwarder.drained(kills.drain).await);
    report.take(field.forwarder.end().await);
    report.audit = compare(&acknowledged, &field.collector.end().await?);
    report.judge();
    report.seconds = began.elapsed().as_secs_f64();
    Ok(report)
}

/// Everything that runs.
struct Field {
    collector: Collector,
    forwarder: Forwarder,
    senders: Senders,
    /// Where the power is cut.
    disk: Option<Disk>,
}

impl Field {
    /// Starts everything, and waits until requests get through.
    async fn set(kills: &Kills<'_>) -> anyhow::Result<Self> {
        let (harness, dir) = (kills.harness, &kills.dir);
        let collector = Collector::start(harness, dir).await?;
        let disk = match kills.end {
            End::Kill => None,
            End::PowerCut { mib } => Some(Disk::make(dir, mib)?),
        };
        let volume = disk.as_ref().map_or(dir.as_path(), Disk::folder);
        let plan = Plan {
            harness,
            system: kills.system,
            acknowledge: kills.acknowledge,
            protocol: kills.protocol,
            shards: kills.shards,
            env: &kills.env,
            spool: volume.join("spool"),
        };
        let mut forwarder = Forwarder::new(&plan, collector.address(), dir)?;
        forwarder.start()?;
        forwarder.ready().await?;
        let mut senders = Vec::new();
        for (n, load) in LOADS.into_iter().enumerate() {
            let target = forwarder.target(load.protocol);
            let sender = Sender::start(harness, dir, n + 1, target, load, kills.rate);
            senders.push(sender.await?);
        }
        let senders = Senders(senders);
        senders.each_goes_through(RECOVERY).await?;
        Ok(Self {
            collector,
            forwarder,
            senders,
            disk,
        })
    }

    /// The forwarder lives as the round says, is killed and started again.
    async fn round(&mut self, number: usize, round: Round) -> anyhow::Result<()> {
        self.collector.behave(round.weather.behaviour()).await?;
        match round.moment {
            Moment::Starting(after) => sleep(after).await,
            Moment::After(after) => {
                self.forwarder.ready().await?;
                sleep(after).await;
            }
            Moment::Acknowledged(requests) => {
                self.forwarder.ready().await?;
                self.senders.until_more(requests, Round::LONGEST).await?;
            }
        }
        match &mut self.disk {
            None => self.forwarder.kill().await?,
            Some(disk) => {
                // What is acknowledged was acknowledged before the copy: a process that stands
                // still says nothing.
                self.forwarder.stand_still()?;
                let image = disk.copy(number)?;
                self.forwarder.kill().await?;
                disk.replace(image)?;
            }
        }
        self.forwarder.start()
    }

    /// All is up, and requests of every sender get through.
    async fn recover(&mut self) -> anyhow::Result<()> {
        self.collector.behave("ok").await?;
        self.forwarder.ready().await?;
        self.senders.each_goes_through(RECOVERY).await
    }
}
