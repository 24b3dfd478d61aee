//! Durations and byte counts: from text, and back to the shortest text.

use std::time::Duration;

use super::problem::Complaint;

/// Units of durations with their nanoseconds, longest first.
/// Source: Go's `time.ParseDuration`, which configurations of OpenTelemetry follow.
const DURATION_UNITS: [(&str, u128); 6] = [
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

/// Units of byte counts, largest first within each kind.
const BYTE_UNITS: [(&str, u64); 14] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("KB", 1_000),
    ("kB", 1_000),
    ("Ti", 1 << 40),
    ("Gi", 1 << 30),
    ("Mi", 1 << 20),
    ("Ki", 1 << 10),
    ("B", 1),
];

/// Parses a duration: numbers with units, such as `300ms`, `1.5s` or `1h30m`.
///
/// # Errors
///
/// What is wrong, and how to write it.
pub fn parse_duration(text: &str) -> Result<Duration, Complaint> {
    let refuse = || {
        Complaint::new(
            format!("{text:?} is not a duration"),
            "write a number with a unit (ns, us, ms, s, m, h), for example 300ms, 1.5s or 1h30m",
        )
    };
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Complaint::new(
            format!("{text} has no unit"),
            format!("write {text}s for seconds or {text}ms for milliseconds"),
        ));
    }
    let mut rest = text;
    let mut total: u128 = 0;
    while !rest.is_empty() {
        let number_end = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .ok_or_else(refuse)?;
        let (number, after) = rest.split_at(number_end);
        let unit_end = after
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(after.len());
        let (unit, next) = after.split_at(unit_end);
        let unit = if matches!(unit, "µs" | "μs") {
            "us"
        } else {
            unit
        };
        let nanos = DURATION_UNITS
            .iter()
            .find(|(name, _)| *name == unit)
            .map(|(_, nanos)| *nanos);
        let part = nanos
            .and_then(|nanos| scale(number, nanos))
            .ok_or_else(refuse)?;
        total = total.checked_add(part).ok_or_else(refuse)?;
        rest = next;
    }
    if text.is_empty() {
        return Err(refuse());
    }
    u64::try_from(total).map(Duration::from_nanos).map_err(|_| {
        Complaint::new(
            format!("{text:?} is over 584 years"),
            "write a shorter duration",
        )
    })
}

/// A decimal number times a unit, cut to whole units of 1.
fn scale(number: &str, unit: u128) -> Option<u128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let whole: u128 = if whole.is_empty() {
        0
    } else {
        whole.parse().ok()?
    };
    let mut total = whole.checked_mul(unit)?;
    let mut place = unit;
    for digit in fraction.chars() {
        place /= 10;
        total = total.checked_add(u128::from(digit.to_digit(10)?) * place)?;
    }
    Some(total)
}

/// The shortest text that parses back to this duration.
#[must_use]
pub fn show_duration(duration: Duration) -> String {
    let mut left = duration.as_nanos();
    let mut text = String::new();
    for (unit, nanos) in DURATION_UNITS {
        if left >= nanos {
            text.push_str(&format!("{}{unit}", left / nanos));
            left %= nanos;
        }
    }
    if text.is_empty() {
        "0s".to_owned()
    } else {
        text
    }
}

/// Parses a byte count: a whole number, alone or with a unit, such as `64MiB`, `1GB` or `65536`.
///
/// # Errors
///
/// What is wrong, and how to write it.
pub fn parse_bytes(text: &str) -> Result<u64, Complaint> {
    let refuse = || {
        Complaint::new(
            format!("{text:?} is not a number of bytes"),
            "write a whole number with a unit (B, KiB, MiB, GiB, TiB, KB, MB, GB, TB), \
             for example 64MiB, or bytes without a unit, for example 65536",
        )
    };
    let digits_end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, unit) = text.split_at(digits_end);
    let unit = unit.trim_start();
    let factor = if unit.is_empty() {
        1
    } else {
        BYTE_UNITS
            .iter()
            .find(|(name, _)| *name == unit)
            .ok_or_else(refuse)?
            .1
    };
    digits
        .parse::<u64>()
        .ok()
        .and_then(|count| count.checked_mul(factor))
        .ok_or_else(refuse)
}

/// The byte count in the largest binary unit that divides it.
#[must_use]
pub fn show_bytes(bytes: u64) -> String {
    BYTE_UNITS
        .iter()
        .take(4)
        .find(|(_, factor)| bytes >= *factor && bytes.is_multiple_of(*factor))
        .map_or_else(
            || bytes.to_string(),
            |(unit, factor)| format!("{}{unit}", bytes / factor),
        )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_read_as_go_writes_them() {
        let millis = |text: &str| parse_duration(text).unwrap().as_millis();
        assert_eq!(millis("300ms"), 300);
        assert_eq!(millis("1.5s"), 1_500);
        assert_eq!(millis("1h30m"), 5_400_000);
        assert_eq!(millis(".5m"), 30_000);
        assert_eq!(parse_duration("1µs").unwrap(), Duration::from_micros(1));
        assert_eq!(parse_duration("0s").unwrap(), Duration::ZERO);
    }

    #[test]
    fn a_bare_number_is_refused_with_the_fix() {
        assert_eq!(
            parse_duration("30").unwrap_err().fix,
            "write 30s for seconds or 30ms for milliseconds"
        );
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in [
            "",
            "s",
            ".",
            ".s",
            "1d",
            "-1s",
            "1 s",
            "1s ",
            "1s2",
            "1.2.3s",
            "9999999999h",
        ] {
            assert!(parse_duration(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn byte_counts_read_in_binary_and_decimal_units() {
        for (text, bytes) in [
            ("64MiB", 64 << 20),
            ("512KiB", 512 << 10),
            ("65536", 65_536),
            ("1 GB", 1_000_000_000),
            ("256Mi", 256 << 20),
            ("0", 0),
        ] {
            assert_eq!(parse_bytes(text).unwrap(), bytes, "{text:?}");
        }
        for text in ["", "MiB", "-1", "1.5GiB", "64mib", "99999999TiB"] {
            assert!(parse_bytes(text).is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_parses_back(nanos: u64, bytes: u64) {
            let duration = Duration::from_nanos(nanos);
            prop_assert_eq!(parse_duration(&show_duration(duration)).unwrap(), duration);
            prop_assert_eq!(parse_bytes(&show_bytes(bytes)).unwrap(), bytes);
        }

        #[test]
        fn no_text_makes_a_parser_panic(text in "\\PC{0,24}") {
            drop((parse_duration(&text), parse_bytes(&text)));
        }
    }
}
