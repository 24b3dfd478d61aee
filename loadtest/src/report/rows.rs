//! The figures that are shown of a system: one list for the terminal, the page and the table.

use crate::figures::{self, Figure, Spread};
use crate::results::{Latency, Results, Run};

use super::format;

/// What a figure is measured in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    /// How many.
    Count,
    /// Microseconds.
    Micros,
    /// Seconds of CPU.
    CpuSeconds,
    /// Bytes.
    Bytes,
    /// A share of one.
    Share,
    /// Multiples of the raw proxy.
    Times,
}

impl Unit {
    /// A value in this unit.
    pub(super) fn show(self, value: f64) -> String {
        match self {
            Self::Count => format::number(value),
            Self::Micros => format::micros(value),
            Self::CpuSeconds => format!("{} s", format::number(value)),
            Self::Bytes => format::bytes(value),
            Self::Share => format::percent(value),
            Self::Times => format!("{value:.2}×"),
        }
    }
}

/// Where a row's figures come from.
#[derive(Clone, Copy, Debug)]
enum Source {
    /// A figure of each run.
    Each(Figure),
    /// CPU an item against the raw proxy's, round by round.
    Multiple,
}

/// One figure, to be shown for every system.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    /// What it is.
    pub(super) name: &'static str,
    /// What it is measured in.
    pub(super) unit: Unit,
    source: Source,
}

impl Row {
    const fn each(name: &'static str, unit: Unit, figure: Figure) -> Self {
        Self {
            name,
            unit,
            source: Source::Each(figure),
        }
    }

    /// Over the repeats of a system.
    pub(super) fn spread(self, results: &Results, scenario: &str, system: &str) -> Option<Spread> {
        match self.source {
            Source::Each(figure) => figures::spread(results, scenario, system, figure),
            Source::Multiple => figures::multiple(results, scenario, system),
        }
    }
}

/// Requests accepted a second.
pub(super) const REQUEST_RATE: Row = Row::each("requests/s", Unit::Count, figures::request_rate);
/// Items accepted a second.
pub(super) const ITEM_RATE: Row = Row::each("items/s", Unit::Count, figures::item_rate);
/// Share of the due requests that were not accepted.
pub(super) const ERROR_RATE: Row =
    Row::each("requests not accepted", Unit::Share, figures::error_rate);
/// Median latency from when requests were due.
pub(super) const P50: Row = Row::each("latency p50", Unit::Micros, |run| {
    corrected(run, |latency| latency.p50_us)
});
/// 99th percentile, likewise.
pub(super) const P99: Row = Row::each("latency p99", Unit::Micros, |run| {
    corrected(run, |latency| latency.p99_us)
});
/// 99.9th percentile, likewise.
pub(super) const P999: Row = Row::each("latency p99.9", Unit::Micros, |run| {
    corrected(run, |latency| latency.p999_us)
});
/// Largest, likewise.
pub(super) const MAX: Row = Row::each("latency max", Unit::Micros, |run| {
    corrected(run, |latency| latency.max_us)
});
/// 99th percentile from when requests were handed over.
pub(super) const RAW_P99: Row = Row::each("raw latency p99", Unit::Micros, |run| {
    known(&figures::latency_raw(run), |latency| latency.p99_us)
});
/// CPU of the system under test.
pub(super) const CPU: Row = Row::each(
    "CPU per million items",
    Unit::CpuSeconds,
    figures::cpu_per_million,
);
/// Its part in user mode.
pub(super) const USER: Row = Row::each(
    "  in user mode",
    Unit::CpuSeconds,
    figures::user_per_million,
);
/// Its part in the kernel.
pub(super) const SYSTEM: Row = Row::each(
    "  in the kernel",
    Unit::CpuSeconds,
    figures::system_per_million,
);
/// CPU against the raw proxy's.
pub(super) const MULTIPLE: Row = Row {
    name: "CPU, × raw proxy",
    unit: Unit::Times,
    source: Source::Multiple,
};
/// CPU a gigabyte.
pub(super) const CPU_PER_GB: Row =
    Row::each("CPU per GB", Unit::CpuSeconds, figures::cpu_per_gigabyte);
/// Largest resident set.
pub(super) const RSS: Row = Row::each("peak memory", Unit::Bytes, figures::rss_peak);
/// Context switches.
pub(super) const SWITCHES: Row = Row::each(
    "context switches/request",
    Unit::Count,
    figures::switches_per_request,
);
/// System calls.
pub(super) const SYSCALLS: Row = Row::each(
    "system calls/request",
    Unit::Count,
    figures::syscalls_per_request,
);

/// Every row, in the order of reading.
pub(super) const ALL: [Row; 16] = [
    REQUEST_RATE,
    ITEM_RATE,
    ERROR_RATE,
    P50,
    P99,
    P999,
    MAX,
    RAW_P99,
    CPU,
    USER,
    SYSTEM,
    MULTIPLE,
    CPU_PER_GB,
    RSS,
    SWITCHES,
    SYSCALLS,
];

/// The rows that at least one system has a figure for, with each system's.
pub(super) fn table(
    results: &Results,
    scenario: &str,
    systems: &[&str],
) -> Vec<(Row, Vec<Option<Spread>>)> {
    ALL.into_iter()
        .map(|row| {
            let spreads = systems
                .iter()
                .map(|system| row.spread(results, scenario, system))
                .collect::<Vec<_>>();
            (row, spreads)
        })
        .filter(|(_, spreads)| spreads.iter().any(Option::is_some))
        .collect()
}

/// The lowest and the highest of several runs, where there are several and they differ as shown.
pub(super) fn range(unit: Unit, spread: &Spread) -> Option<String> {
    let (min, max) = (unit.show(spread.min), unit.show(spread.max));
    if spread.count < 2 || min == max {
        return None;
    }
    // The unit once, where both share it: `1.20–1.31 ms`.
    let unit = max.find([' ', '×']).map_or("", |place| &max[place..]);
    let short = min.strip_suffix(unit).unwrap_or(&min);
    Some(format!("{short}–{max}"))
}

fn corrected(run: &Run, value: fn(&Latency) -> u64) -> Option<f64> {
    known(&figures::latency(run), value)
}

fn known(latency: &Latency, value: fn(&Latency) -> u64) -> Option<f64> {
    (latency.count > 0).then(|| value(latency) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_shown() {
        assert_eq!(Unit::Count.show(100_000.0), "100,000");
        assert_eq!(Unit::Micros.show(1500.0), "1.50 ms");
        assert_eq!(Unit::CpuSeconds.show(0.5), "0.500 s");
        assert_eq!(Unit::Times.show(1.0), "1.00×");
    }

    #[test]
    fn a_range_says_its_unit_once_and_only_when_there_is_one() {
        let spread = |values: &[f64]| Spread::of(values.iter().copied()).unwrap();
        assert_eq!(
            range(Unit::Micros, &spread(&[1200.0, 1310.0])).unwrap(),
            "1.20–1.31 ms"
        );
        assert_eq!(
            range(Unit::Micros, &spread(&[900.0, 1310.0])).unwrap(),
            "900 µs–1.31 ms"
        );
        assert_eq!(
            range(Unit::Times, &spread(&[1.0, 1.1])).unwrap(),
            "1.00–1.10×"
        );
        assert_eq!(range(Unit::Count, &spread(&[1.0])), None);
        assert_eq!(range(Unit::Count, &spread(&[1.0, 1.0])), None);
    }

    #[test]
    fn rows_without_any_figure_are_left_out() {
        let results = Results {
            runs: vec![Run {
                scenario: "s".to_owned(),
                system: "a".to_owned(),
                ..Run::default()
            }],
            ..Results::default()
        };
        assert!(table(&results, "s", &["a"]).is_empty());
    }
}
