//! What the demo found: sent, acknowledged, delivered, lost, and whether the ledger adds up.

use std::{
    fmt::{self, Write as _},
    time::Duration,
};

use hdrhistogram::Histogram;

use super::{
    counts::Tally,
    figures::{cpu_per_million, grouped, latency, mebibytes, per_second},
};
use crate::{metrics::Account, signal::Signal};

/// Everything that the report is made of.
#[derive(Debug)]
pub(super) struct Report {
    /// How it was run.
    pub setup: Setup,
    pub signals: Vec<Row>,
    /// From the first request to the last answer.
    pub elapsed: Duration,
    /// Of requests that were acknowledged, in microseconds.
    pub latency: Histogram<u64>,
    /// Answers that were no acknowledgement.
    pub refused: u64,
    /// Items that arrived and that nobody had sent.
    pub strangers: u64,
    /// Processor time of the shards, in nanoseconds.
    pub shard_cpu: u64,
    /// The most memory that the process held, in bytes.
    pub memory_peak: u64,
}

/// How the demo was run.
#[derive(Clone, Debug)]
pub(super) struct Setup {
    pub shards: usize,
    pub cores: usize,
    pub connections: usize,
    pub in_flight_max: usize,
    pub items: u32,
    pub acknowledge: &'static str,
}

/// One signal: what the generator and the collector know, and the forwarder's ledger.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub signal: Signal,
    pub tally: Tally,
    /// Items that were acknowledged and never came to the collector.
    pub lost: u64,
    /// Items that came to the collector again.
    pub duplicates: u64,
    pub account: Account,
}

impl Row {
    /// What of the ledger does not agree with itself or with what the witnesses have seen.
    fn disagreement(&self) -> Option<String> {
        let account = &self.account;
        let states = account.delivered
            + account.rejected
            + account.refused
            + account.dropped
            + account.sampled
            + account.waiting
            + account.stored;
        let differs = |what: &str, one: u64, other: u64| {
            Some(format!(
                "{}: {what}: {} and {}",
                self.signal,
                grouped(one),
                grouped(other)
            ))
        };
        if account.received != states {
            differs(
                "received and the sum of the states differ",
                account.received,
                states,
            )
        } else if account.waiting > 0 {
            differs("some wait after the drain", account.waiting, 0)
        } else if account.delivered > self.tally.arrived {
            differs(
                "more delivered than arrived",
                account.delivered,
                self.tally.arrived,
            )
        } else if self.tally.acknowledged > account.delivered {
            differs(
                "more acknowledged than delivered",
                self.tally.acknowledged,
                account.delivered,
            )
        } else {
            None
        }
    }
}

impl Report {
    fn acknowledged(&self) -> u64 {
        self.signals.iter().map(|row| row.tally.acknowledged).sum()
    }

    /// What is wrong, a sentence each; empty where nothing is.
    pub(super) fn faults(&self) -> Vec<String> {
        let mut faults: Vec<String> = self.signals.iter().filter_map(Row::disagreement).collect();
        for row in self.signals.iter().filter(|row| row.lost > 0) {
            faults.push(format!(
                "{}: {} items were acknowledged and never delivered",
                row.signal,
                grouped(row.lost)
            ));
        }
        if self.strangers > 0 {
            faults.push(format!(
                "{} items arrived that nobody had sent",
                grouped(self.strangers)
            ));
        }
        if self.acknowledged() == 0 {
            faults.push("nothing was acknowledged".to_owned());
        }
        faults
    }

    fn table(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = ["sent", "acknowledged", "delivered", "lost", "duplicates"];
        row(f, "", columns.map(str::to_owned))?;
        for it in &self.signals {
            let figures = [
                it.tally.sent,
                it.tally.acknowledged,
                it.tally.arrived.saturating_sub(it.duplicates),
                it.lost,
                it.duplicates,
            ];
            row(f, it.signal.name(), figures.map(grouped))?;
        }
        Ok(())
    }

    fn ledger(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = [
            "received",
            "delivered",
            "rejected",
            "refused",
            "dropped",
            "sampled",
            "waiting",
            "stored",
        ];
        narrow(f, "ledger", columns.map(str::to_owned))?;
        f.write_char('\n')?;
        for it in &self.signals {
            let account = &it.account;
            let figures = [
                account.received,
                account.delivered,
                account.rejected,
                account.refused,
                account.dropped,
                account.sampled,
                account.waiting,
                account.stored,
            ];
            narrow(f, it.signal.name(), figures.map(grouped))?;
            let verdict = match it.disagreement() {
                None => "adds up",
                Some(_) => "DOES NOT ADD UP",
            };
            writeln!(f, "  {verdict}")?;
        }
        Ok(())
    }
}

fn row(f: &mut fmt::Formatter<'_>, name: &str, figures: [String; 5]) -> fmt::Result {
    write!(f, "  {name:<9}")?;
    for figure in figures {
        write!(f, "{figure:>15}")?;
    }
    f.write_char('\n')
}

fn narrow(f: &mut fmt::Formatter<'_>, name: &str, figures: [String; 8]) -> fmt::Result {
    write!(f, "  {name:<8}")?;
    for (place, figure) in figures.iter().enumerate() {
        let width = if place < 2 { 13 } else { 9 };
        write!(f, "{figure:>width$}")?;
    }
    Ok(())
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Setup {
            shards,
            cores,
            connections,
            in_flight_max,
            items,
            acknowledge,
        } = &self.setup;
        writeln!(
            f,
            "otlp demo: {:.1} s, shards {shards}, connections {connections}, up to {in_flight_max} \
             requests of {items} items in flight,",
            self.elapsed.as_secs_f64(),
        )?;
        writeln!(
            f,
            "acknowledge = {acknowledge}; the generator and the collector shared {cores} cores with \
             the shards\n"
        )?;
        self.table(f)?;
        let acknowledged = self.acknowledged();
        writeln!(
            f,
            "\n  {:<11}{} items/s acknowledged",
            "rate",
            grouped(per_second(acknowledged, self.elapsed))
        )?;
        writeln!(
            f,
            "  {:<11}p50 {}, p99 {}, max {}, from sending to acknowledgement; {} requests",
            "latency",
            latency(self.latency.value_at_quantile(0.5)),
            latency(self.latency.value_at_quantile(0.99)),
            latency(self.latency.max()),
            grouped(self.latency.len()),
        )?;
        writeln!(
            f,
            "  {:<11}{} for a million items, of the shards alone",
            "processor",
            cpu_per_million(self.shard_cpu, acknowledged)
        )?;
        writeln!(
            f,
            "  {:<11}{} at the most, generator and collector included",
            "memory",
            mebibytes(self.memory_peak)
        )?;
        if self.refused > 0 {
            writeln!(
                f,
                "  {:<11}{} answers; what was refused is not lost: it was not acknowledged",
                "refused",
                grouped(self.refused)
            )?;
        }
        f.write_char('\n')?;
        self.ledger(f)?;
        f.write_char('\n')?;
        let faults = self.faults();
        if faults.is_empty() {
            return writeln!(f, "  nothing was lost, and the ledger adds up");
        }
        for fault in faults {
            writeln!(f, "  FAULT: {fault}")?;
        }
        Ok(())
    }
}
