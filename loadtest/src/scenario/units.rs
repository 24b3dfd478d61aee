//! Values with units, as people write them in a scenario.

use std::time::Duration;

use serde::{Deserialize, Deserializer, de};

/// Reads a duration such as `5s` or `200ms`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text.trim())
        .map_err(|error| format!("{text:?} is no duration ({error}): write it as 5s or 200ms"))
}

/// Reads a number that may end in `k` or `M`.
pub(super) fn count(text: &str) -> Result<f64, String> {
    let text = text.trim();
    let (digits, factor) = match text.as_bytes().last() {
        Some(b'k' | b'K') => (&text[..text.len() - 1], 1e3),
        Some(b'M') => (&text[..text.len() - 1], 1e6),
        _ => (text, 1.0),
    };
    match digits.trim().parse::<f64>() {
        Ok(number) if number.is_finite() && number >= 0.0 => Ok(number * factor),
        _ => Err(format!(
            "{text:?} is no number: write it as 0, 1.5, 100k or 2M"
        )),
    }
}

/// Reads a rate a second, such as `100k/s`.
pub(super) fn rate(text: &str) -> Result<f64, String> {
    let number = text.trim().strip_suffix("/s").unwrap_or(text);
    count(number).map_err(|_| format!("{text:?} is no rate: write it as 1000/s or 100k/s"))
}

/// Reads a share such as `1%` or `0.01`.
pub(super) fn share(text: &str) -> Result<f64, String> {
    let (number, factor) = match text.trim().strip_suffix('%') {
        Some(percent) => (percent, 0.01),
        None => (text, 1.0),
    };
    count(number)
        .map(|number| number * factor)
        .ok()
        .filter(|share| *share <= 1.0)
        .ok_or_else(|| format!("{text:?} is no share: write it as 1% or 0.01"))
}

/// Reads a size in bytes such as `320MiB`.
pub(super) fn size(text: &str) -> Result<f64, String> {
    const UNITS: [(&str, f64); 7] = [
        ("KiB", 1024.0),
        ("MiB", 1_048_576.0),
        ("GiB", 1_073_741_824.0),
        ("KB", 1e3),
        ("MB", 1e6),
        ("GB", 1e9),
        ("B", 1.0),
    ];
    let text = text.trim();
    let (number, factor) = UNITS
        .iter()
        .find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, *factor)))
        .unwrap_or((text, 1.0));
    count(number)
        .map(|number| number * factor)
        .map_err(|_| format!("{text:?} is no size: write it as 320MiB or 65536"))
}

/// For fields of a file that hold a duration.
pub(super) fn duration_field<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    duration(&String::deserialize(from)?).map_err(de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_carry_their_units() {
        assert_eq!(duration("200ms").unwrap(), Duration::from_millis(200));
        assert_eq!(count("100k").unwrap(), 100_000.0);
        assert_eq!(count("2M").unwrap(), 2e6);
        assert_eq!(rate("1.5k/s").unwrap(), 1500.0);
        assert_eq!(rate("7").unwrap(), 7.0);
        assert_eq!(share("1%").unwrap(), 0.01);
        assert_eq!(share("0.5").unwrap(), 0.5);
        assert_eq!(size("320MiB").unwrap(), 335_544_320.0);
        assert_eq!(size("10B").unwrap(), 10.0);
        assert_eq!(size("3").unwrap(), 3.0);
    }

    #[test]
    fn what_is_none_names_itself_and_the_form() {
        for error in [
            duration("5").unwrap_err(),
            count("-1").unwrap_err(),
            count("k").unwrap_err(),
            count("").unwrap_err(),
            rate("1/m").unwrap_err(),
            share("200%").unwrap_err(),
            size("1 TB").unwrap_err(),
            count("inf").unwrap_err(),
        ] {
            assert!(error.contains("write it as"), "{error}");
        }
    }
}
