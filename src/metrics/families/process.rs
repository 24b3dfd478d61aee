//! What is known of the process as a whole.

use super::{FromProcess, Row, Source, row};
use crate::metrics::text::{
    Kind::{self, Counter, Gauge},
    Seconds,
};

pub(super) const ROWS: &[Row] = &[
    process(
        Gauge,
        "otlp_shards",
        "shards",
        "Shards, each pinned to a core.",
        &[],
        |facts, out| out.value(&[], facts.shards),
    ),
    process(
        Counter,
        "otlp_log_lines_lost_total",
        "lines",
        "Log lines lost because they came faster than they could be written.",
        &[],
        |facts, out| out.value(&[], facts.log_lines_lost),
    ),
    process(
        Gauge,
        "otlp_process_uptime_seconds",
        "seconds",
        "Time since the process started.",
        &[],
        |facts, out| out.value(&[], Seconds(facts.process.uptime)),
    ),
    process(
        Counter,
        "otlp_process_cpu_seconds_total",
        "seconds",
        "Processor time that the process used, in user and system mode.",
        &[],
        |facts, out| out.value(&[], Seconds(facts.process.cpu)),
    ),
    process(
        Gauge,
        "otlp_process_memory_rss_bytes",
        "bytes",
        "Memory that the process holds in RAM.",
        &[],
        |facts, out| out.value(&[], facts.process.rss),
    ),
    process(
        Gauge,
        "otlp_build_info",
        "",
        "Always 1; the labels say what is running.",
        &["version"],
        |_, out| out.value(&[env!("CARGO_PKG_VERSION")], 1),
    ),
];

const fn process(
    kind: Kind,
    name: &'static str,
    unit: &'static str,
    help: &'static str,
    labels: &'static [&'static str],
    write: FromProcess,
) -> Row {
    row(kind, name, unit, help, labels, Source::Process(write))
}
