//! The demo's flags.

use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::{config, signal::Signal};

/// How the demo runs.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// How long to send, such as 10s or 1m30s.
    #[arg(long, default_value = "10s", value_parser = duration)]
    pub(super) duration: Duration,
    /// Items a second; without it, as fast as answers come.
    #[arg(long, value_name = "ITEMS", value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) rate: Option<u64>,
    /// Connections to the forwarder, each with up to 4 requests on their way.
    #[arg(long, default_value_t = 16, value_name = "COUNT",
          value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub(super) connections: u16,
    /// Spans, data points or log records of each request.
    #[arg(long, default_value_t = 100, value_name = "COUNT",
          value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(super) spans: u32,
    /// What to send; of all three, eight requests of ten are traces.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "SIGNALS",
          default_values_t = [Sent::Traces, Sent::Metrics, Sent::Logs])]
    pub(super) signals: Vec<Sent>,
    /// When the forwarder acknowledges.
    #[arg(long, value_enum, default_value_t = Acknowledge::Delivered)]
    pub(super) acknowledge: Acknowledge,
    /// Shards of the forwarder. Default: one for every core.
    #[arg(long, default_value_t = 0, hide_default_value = true, value_name = "COUNT",
          value_parser = clap::value_parser!(u16).range(0..=1024))]
    pub(super) workers: u16,
}

/// A signal that the generator can send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Sent {
    Traces,
    Metrics,
    Logs,
}

/// When the forwarder acknowledges.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Acknowledge {
    /// When the collector has accepted the data.
    Delivered,
    /// When the data is in the forwarder's memory.
    Queued,
}

impl Acknowledge {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Queued => "queued",
        }
    }
}

impl From<Acknowledge> for config::Acknowledge {
    fn from(acknowledge: Acknowledge) -> Self {
        match acknowledge {
            Acknowledge::Delivered => Self::Delivered,
            Acknowledge::Queued => Self::Queued,
        }
    }
}

impl Options {
    /// The signal of each request, in turn: eight of traces to one of each other.
    pub(super) fn turns(&self) -> Vec<Signal> {
        [
            (Sent::Traces, Signal::Traces, 4),
            (Sent::Metrics, Signal::Metrics, 1),
            (Sent::Traces, Signal::Traces, 4),
            (Sent::Logs, Signal::Logs, 1),
        ]
        .into_iter()
        .filter(|(sent, _, _)| self.signals.contains(sent))
        .flat_map(|(_, signal, count)| std::iter::repeat_n(signal, count))
        .collect()
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    config::parse_duration(text).map_err(|it| format!("{}; {}", it.what, it.fix))
}
