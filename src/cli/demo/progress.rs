//! How the demo is getting on: one line, redrawn in a terminal, one a second in a pipe.

use std::{
    io::{self, IsTerminal, Write},
    sync::atomic::Ordering::Relaxed,
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;

use super::{
    counts::Counts,
    figures::{grouped, latency, mebibytes, per_second},
    usage::Memory,
};

/// Writes a line about each interval to standard error.
#[derive(Debug)]
pub(super) struct Progress {
    terminal: bool,
    started: Instant,
    last: Instant,
    acknowledged: u64,
}

impl Progress {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            terminal: io::stderr().is_terminal(),
            started: now,
            last: now,
            acknowledged: 0,
        }
    }

    /// The time from one line to the next.
    pub(super) const fn interval(&self) -> Duration {
        if self.terminal {
            Duration::from_millis(250)
        } else {
            Duration::from_secs(1)
        }
    }

    /// Whether it is time for a line.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.last) >= self.interval()
    }

    /// Writes the line of the interval that ends now.
    pub(super) fn show(&mut self, now: Instant, counts: &Counts, latencies: &Histogram<u64>) {
        let acknowledged = counts.all().acknowledged;
        let line = line(&Moment {
            elapsed: now.saturating_duration_since(self.started),
            rate: per_second(
                acknowledged.saturating_sub(self.acknowledged),
                now.saturating_duration_since(self.last),
            ),
            in_flight: counts.in_flight.load(Relaxed),
            memory: Memory::read().now,
            p50: latencies.value_at_quantile(0.5),
            p99: latencies.value_at_quantile(0.99),
        });
        let text = if self.terminal {
            format!("\r\x1b[2K{line}")
        } else {
            format!("{line}\n")
        };
        write(&text);
        self.last = now;
        self.acknowledged = acknowledged;
    }

    /// Clears the line, so that the report begins on a clean one.
    pub(super) fn clear(&self) {
        if self.terminal {
            write("\r\x1b[2K");
        }
    }
}

/// What one line says.
#[derive(Clone, Copy, Debug)]
struct Moment {
    elapsed: Duration,
    rate: u64,
    in_flight: u64,
    memory: u64,
    p50: u64,
    p99: u64,
}

/// Fewer than 80 characters at any rate that one host reaches.
fn line(moment: &Moment) -> String {
    format!(
        "{:>5.1} s  {:>9} items/s  p50 {} p99 {}  {} in flight  {}",
        moment.elapsed.as_secs_f64(),
        grouped(moment.rate),
        latency(moment.p50),
        latency(moment.p99),
        moment.in_flight,
        mebibytes(moment.memory),
    )
}

fn write(text: &str) {
    let mut err = io::stderr().lock();
    // A closed standard error is no reason to end.
    drop(err.write_all(text.as_bytes()).and_then(|()| err.flush()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_large_figures_fits_a_terminal() {
        let line = line(&Moment {
            elapsed: Duration::from_secs(600),
            rate: 2_345_678,
            in_flight: 128,
            memory: 256 << 20,
            p50: 12_345,
            p99: 99_999,
        });
        assert!(line.chars().count() < 80, "{line}");
        assert!(
            line.contains("2,345,678 items/s  p50 12.3 ms p99 100 ms"),
            "{line}"
        );
    }
}
