//! How much of traces and logs is kept while memory or disk fill up.

/// The pressure from which on data is thinned: below it there is room for all of it.
const RELIEF: f64 = 0.5;

/// The share to keep under `pressure` (0 to 1: how full what fills up is).
///
/// Everything up to half, then less in a straight line, down to `min_ratio` at 1. What is out of
/// range counts as the nearer end, no number as no pressure.
#[must_use]
pub fn keep_ratio(pressure: f64, min_ratio: f64) -> f64 {
    // `max` and `min` answer with the bound where there is no number.
    let excess = ((pressure - RELIEF).max(0.0) / (1.0 - RELIEF)).min(1.0);
    (1.0 - (1.0 - min_ratio) * excess).clamp(min_ratio.min(1.0), 1.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn all_is_kept_up_to_half_and_the_least_share_at_the_end() {
        let near = |pressure, ratio: f64| (keep_ratio(pressure, 0.1) - ratio).abs() < 1e-9;
        for (pressure, ratio) in [
            (-1.0, 1.0),
            (0.0, 1.0),
            (0.5, 1.0),
            (0.75, 0.55),
            (1.0, 0.1),
            (7.0, 0.1),
            (f64::NAN, 1.0),
        ] {
            assert!(near(pressure, ratio), "{pressure}");
        }
        assert!((keep_ratio(1.0, 1.0) - 1.0).abs() < f64::EPSILON);
    }

    proptest! {
        #[test]
        fn more_pressure_never_keeps_more(one: f64, other: f64, min_ratio in 0.001_f64..=1.0) {
            let (less, more) = if one <= other { (one, other) } else { (other, one) };
            let (kept, fewer) = (keep_ratio(less, min_ratio), keep_ratio(more, min_ratio));
            prop_assert!(kept >= fewer);
            prop_assert!(fewer >= min_ratio && kept <= 1.0);
        }
    }
}
