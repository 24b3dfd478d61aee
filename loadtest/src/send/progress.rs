//! Tells on stderr how the sending goes.

use std::{
    io::{IsTerminal, stderr},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};

use crate::results::SendPoint;

/// A bar on a terminal, a line an interval elsewhere, or nothing.
pub(super) enum Progress {
    Bar(ProgressBar),
    Lines,
    Silent,
}

impl Progress {
    pub(super) fn new(quiet: bool, duration: Duration) -> Self {
        if quiet {
            Self::Silent
        } else if stderr().is_terminal() {
            let style = ProgressStyle::with_template("{elapsed_precise} {bar:24} {msg}");
            let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
            Self::Bar(ProgressBar::new(duration.as_secs().max(1)).with_style(style))
        } else {
            Self::Lines
        }
    }

    pub(super) fn show(&self, point: &SendPoint) {
        match self {
            Self::Bar(bar) => {
                bar.set_position(point.at as u64);
                bar.set_message(line(point));
            }
            Self::Lines => eprintln!("{:7.1} s  {}", point.at, line(point)),
            Self::Silent => {}
        }
    }

    pub(super) fn end(&self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}

fn line(point: &SendPoint) -> String {
    let rate = |count: u64| count as f64 / point.length.max(f64::MIN_POSITIVE);
    format!(
        "{:.0} requests/s, {:.0} items/s, {} failed, {} in flight, p50 {} p99 {}",
        rate(point.accepted),
        rate(point.items),
        point.failed,
        point.in_flight,
        time(point.p50_us),
        time(point.p99_us),
    )
}

/// Microseconds, with the unit that fits.
pub(super) fn time(micros: u64) -> String {
    match micros {
        0..1_000 => format!("{micros} µs"),
        1_000..1_000_000 => format!("{:.3} ms", micros as f64 / 1e3),
        _ => format!("{:.3} s", micros as f64 / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_rates_by_the_second() {
        let point = SendPoint {
            at: 1.0,
            length: 0.5,
            accepted: 100,
            items: 1000,
            p50_us: 900,
            p99_us: 2_500_000,
            ..SendPoint::default()
        };
        assert_eq!(
            line(&point),
            "200 requests/s, 2000 items/s, 0 failed, 0 in flight, p50 900 µs p99 2.500 s"
        );
        assert_eq!(time(1234), "1.234 ms");
    }
}
