//! Every metric: one row with its name, meaning, labels and where its numbers come from.
//!
//! A metric that is not in these tables does not exist; docs/metrics.md is kept in step by a test.

/// Four rows, one a signal, named after what an item is called: the Collector's way.
///
/// Expands to a `[Row; 4]`.
macro_rules! per_signal {
    ($before:literal, $help:literal, $labels:expr, |$signal:ident, $group:ident, $out:ident| $write:expr) => {{
        macro_rules! row {
            ($noun:literal, $Noun:literal, $which:ident) => {
                crate::metrics::families::counter(
                    concat!($before, "_", $noun, "_total"),
                    "items",
                    concat!($Noun, " ", $help),
                    $labels,
                    |$group, $out| {
                        let $signal = crate::signal::Signal::$which;
                        $write
                    },
                )
            };
        }
        [
            row!("spans", "Spans", Traces),
            row!("metric_points", "Metric points", Metrics),
            row!("log_records", "Log records", Logs),
            row!("profile_samples", "Profile samples", Profiles),
        ]
    }};
}

mod collectors;
mod exporter;
mod ledger;
mod process;
mod receiver;
mod resilience;

pub(super) use collectors::severity;
pub(super) use resilience::oldest_age;

use super::{
    labels::{PARTIAL_SUCCESS, REASONS, reason_names},
    registry::{Facts, Group},
    text::{Family, Kind, Series},
};
use crate::outcome::{Code, Reason};

/// One metric.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) family: Family,
    pub(super) source: Source,
}

/// Where a metric's numbers come from.
#[derive(Debug)]
pub(super) enum Source {
    /// What shards count.
    Shards(FromShards),
    /// What is known of the process as a whole.
    Process(FromProcess),
}

type FromShards = fn(&Group<'_>, &mut Series<'_>);
type FromProcess = fn(&Facts, &mut Series<'_>);

/// Every metric, in the order of the page.
pub(super) fn rows() -> impl Iterator<Item = &'static Row> {
    [
        receiver::CALLS,
        ledger::ROWS,
        receiver::ACCEPTED,
        receiver::REFUSED,
        receiver::FAILED,
        receiver::SENDERS,
        exporter::BATCHES,
        exporter::SENT,
        exporter::SEND_FAILED,
        exporter::ENQUEUE_FAILED,
        exporter::EXPORTS,
        collectors::ROWS,
        resilience::DEGRADATION,
        resilience::SPOOL,
        process::ROWS,
    ]
    .into_iter()
    .flatten()
}

type Labels = &'static [&'static str];

const fn row(
    kind: Kind,
    name: &'static str,
    unit: &'static str,
    help: &'static str,
    labels: Labels,
    source: Source,
) -> Row {
    Row {
        family: Family {
            name,
            kind,
            unit,
            help,
            labels,
        },
        source,
    }
}

const fn counter(
    name: &'static str,
    unit: &'static str,
    help: &'static str,
    labels: Labels,
    write: FromShards,
) -> Row {
    row(
        Kind::Counter,
        name,
        unit,
        help,
        labels,
        Source::Shards(write),
    )
}

const fn gauge(
    name: &'static str,
    unit: &'static str,
    help: &'static str,
    labels: Labels,
    write: FromShards,
) -> Row {
    row(Kind::Gauge, name, unit, help, labels, Source::Shards(write))
}

const fn histogram(
    name: &'static str,
    unit: &'static str,
    help: &'static str,
    labels: Labels,
    write: FromShards,
) -> Row {
    row(
        Kind::Histogram,
        name,
        unit,
        help,
        labels,
        Source::Shards(write),
    )
}

/// Calls `write` for each reason whose series is shown: one that is expected in operation from the
/// start, so that its first event is seen as a rise; any other once it has happened.
fn for_each_reason(numbers: &[u64; REASONS], mut write: impl FnMut(&'static str, u64)) {
    let expected = |place: usize| {
        EXPECTED.iter().any(|reason| reason.index() == place) || place == PARTIAL_SUCCESS
    };
    for (place, (name, &number)) in reason_names().zip(numbers).enumerate() {
        if number > 0 || expected(place) {
            write(name, number);
        }
    }
}

/// Reasons that operators see sooner or later.
const EXPECTED: [Reason; 14] = [
    Reason::Malformed,
    Reason::TooLarge,
    Reason::Unsupported,
    Reason::SlowBody,
    Reason::MemoryFull,
    Reason::Draining,
    Reason::Connection,
    Reason::Timeout,
    Reason::Collector(Code::InvalidArgument),
    Reason::Collector(Code::PermissionDenied),
    Reason::Collector(Code::ResourceExhausted),
    Reason::Collector(Code::Internal),
    Reason::Collector(Code::Unavailable),
    Reason::Collector(Code::Unauthenticated),
];
