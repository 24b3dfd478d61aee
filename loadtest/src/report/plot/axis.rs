//! Scales, and ticks at round values.

use super::super::format;

/// Where a value lies between the ends of an axis.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Scale {
    Linear { from: f64, to: f64 },
    Log { from: f64, to: f64 },
}

/// An axis: a scale, what its ticks say and what it is of.
#[derive(Clone, Debug)]
pub(in crate::report) struct Axis {
    scale: Scale,
    /// Values and what is written at them.
    pub(super) ticks: Vec<(f64, String)>,
    /// What it is of, with the unit.
    pub(super) label: String,
}

impl Axis {
    /// Numbers from nought, with a little room above the largest: a line on the rim is not seen.
    pub(in crate::report) fn numbers(max: f64, label: &str) -> Self {
        Self::linear(max * 1.03, 1.0, label.to_owned(), 5)
    }

    /// Sizes from nought, in the binary unit that fits the largest.
    pub(in crate::report) fn sizes(max: f64, label: &str) -> Self {
        let (size, unit) = format::byte_unit(max);
        Self::linear(max, size, format!("{label}, {unit}"), 5)
    }

    /// Time that passed: seconds, minutes or hours.
    pub(in crate::report) fn time(span: f64) -> Self {
        let (size, unit) = match span {
            ..=180.0 => (1.0, "seconds"),
            ..=10_800.0 => (60.0, "minutes"),
            _ => (3600.0, "hours"),
        };
        let mut axis = Self::linear(span, size, unit.to_owned(), 8);
        // The whole width is the run's, whether or not its length is round.
        axis.scale = Scale::Linear {
            from: 0.0,
            to: positive(span),
        };
        axis.ticks.retain(|(value, _)| *value <= span * 1.000_001);
        axis
    }

    /// Latencies in microseconds, by powers of ten.
    pub(in crate::report) fn latencies(min: f64, max: f64, label: &str) -> Self {
        let (min, max) = (min.max(1.0), max.max(2.0));
        let (from, mut to) = (step_below(min), step_above(max));
        if to <= from {
            to = from * 10.0;
        }
        let (low, high) = (from.log10().floor() as i32, to.log10().ceil() as i32);
        let decades = to.log10() - from.log10();
        let steps: &[f64] = if decades > 2.5 {
            &[1.0]
        } else {
            &[1.0, 2.0, 5.0]
        };
        let ticks = (low..=high)
            .flat_map(|power| steps.iter().map(move |step| step * 10_f64.powi(power)))
            .filter(|value| (from * 0.999..=to * 1.001).contains(value))
            .map(|value| (value, latency(value)))
            .collect();
        Self {
            scale: Scale::Log { from, to },
            ticks,
            label: label.to_owned(),
        }
    }

    /// Quantiles from a half up, each further nine as wide as the one before.
    pub(in crate::report) fn nines(top: f64, label: &str) -> Self {
        let ticks = [
            (0.5, "50"),
            (0.75, "75"),
            (0.9, "90"),
            (0.95, "95"),
            (0.99, "99"),
            (0.999, "99.9"),
            (0.9999, "99.99"),
        ];
        Self {
            scale: Scale::Linear {
                from: nines(0.5),
                to: nines(top),
            },
            ticks: ticks
                .into_iter()
                .filter(|(quantile, _)| *quantile <= top)
                .map(|(quantile, text)| (nines(quantile), text.to_owned()))
                .collect(),
            label: label.to_owned(),
        }
    }

    /// Where a value lies: 0 at the beginning of the axis, 1 at its end.
    pub(super) fn place(&self, value: f64) -> f64 {
        let place = match self.scale {
            Scale::Linear { from, to } => (value - from) / (to - from),
            Scale::Log { from, to } => (value.max(from) / from).log10() / (to / from).log10(),
        };
        place.clamp(0.0, 1.0)
    }

    fn linear(max: f64, size: f64, label: String, about: u32) -> Self {
        let top = positive(max) / size;
        let step = step_above(top / f64::from(about) * 0.999);
        let count = (top / step * 0.999_999).ceil().max(1.0);
        let ticks = (0..=count as u32)
            .map(|place| f64::from(place) * step)
            .map(|value| (value * size, format::trimmed(value)))
            .collect();
        Self {
            scale: Scale::Linear {
                from: 0.0,
                to: count * step * size,
            },
            ticks,
            label,
        }
    }
}

/// How many nines a quantile has: 1 for 90 %, 2 for 99 %.
pub(in crate::report) fn nines(quantile: f64) -> f64 {
    -(1.0 - quantile).log10()
}

fn positive(value: f64) -> f64 {
    if value > 0.0 { value } else { 1.0 }
}

/// The largest of 1, 2, 5, 10, 20, … that is not above the value.
fn step_below(value: f64) -> f64 {
    let power = 10_f64.powf(value.log10().floor());
    let digits = value / power;
    let step = if digits >= 4.999 {
        5.0
    } else if digits >= 1.999 {
        2.0
    } else {
        1.0
    };
    step * power
}

/// The smallest of 1, 2, 5, 10, 20, … that is not below the value.
fn step_above(value: f64) -> f64 {
    let power = 10_f64.powf(value.log10().floor());
    let digits = value / power;
    let step = if digits <= 1.001 {
        1.0
    } else if digits <= 2.001 {
        2.0
    } else if digits <= 5.001 {
        5.0
    } else {
        10.0
    };
    step * power
}

/// A round latency without zeros at its end.
fn latency(micros: f64) -> String {
    if micros < 1e3 {
        format!("{} µs", format::trimmed(micros))
    } else if micros < 1e6 {
        format!("{} ms", format::trimmed(micros / 1e3))
    } else {
        format!("{} s", format::trimmed(micros / 1e6))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|(_, text)| text.as_str()).collect()
    }

    #[test]
    fn ticks_are_round() {
        assert_eq!(
            texts(&Axis::numbers(93_000.0, "")),
            ["0", "20,000", "40,000", "60,000", "80,000", "100,000"]
        );
        assert_eq!(
            texts(&Axis::numbers(0.9, "")),
            ["0", "0.2", "0.4", "0.6", "0.8", "1"]
        );
        assert_eq!(texts(&Axis::numbers(0.0, "")).len(), 6);
        let sizes = Axis::sizes(13.0 * 1_048_576.0, "resident");
        assert_eq!(sizes.label, "resident, MiB");
        assert_eq!(texts(&sizes), ["0", "5", "10", "15"]);
    }

    #[test]
    fn time_fills_the_axis() {
        let axis = Axis::time(9.7);
        assert_eq!(axis.place(9.7), 1.0);
        assert_eq!(texts(&axis), ["0", "2", "4", "6", "8"]);
        assert_eq!(Axis::time(600.0).label, "minutes");
    }

    #[test]
    fn latencies_go_by_powers_of_ten() {
        let narrow = Axis::latencies(300.0, 1500.0, "");
        assert_eq!(texts(&narrow), ["200 µs", "500 µs", "1 ms", "2 ms"]);
        assert_eq!(narrow.place(200.0), 0.0);
        assert_eq!(narrow.place(2000.0), 1.0);
        let wide = Axis::latencies(90.0, 2_000_000.0, "");
        assert_eq!(texts(&wide), ["100 µs", "1 ms", "10 ms", "100 ms", "1 s"]);
        // One value alone, or none, still has an axis.
        assert!(
            Axis::latencies(1000.0, 1000.0, "")
                .place(1000.0)
                .is_finite()
        );
        assert!(Axis::latencies(0.0, 0.0, "").place(0.0).is_finite());
    }

    #[test]
    fn every_nine_is_as_wide() {
        let axis = Axis::nines(0.9999, "");
        let wide = axis.place(nines(0.99)) - axis.place(nines(0.9));
        let next = axis.place(nines(0.999)) - axis.place(nines(0.99));
        assert!((wide - next).abs() < 1e-9);
        assert_eq!(axis.place(nines(0.5)), 0.0);
        assert_eq!(texts(&Axis::nines(0.999, "")).last(), Some(&"99.9"));
    }
}
