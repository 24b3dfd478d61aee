//! Numbers as people read them: three digits that matter, thousands set apart, a unit.

/// A whole number with its thousands set apart: `1,234,567`.
pub(super) fn thousands(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// At least three digits that matter.
pub(super) fn number(value: f64) -> String {
    let size = value.abs();
    // Judged as rounded, so that 9.996 is 10.0 and not 10.00.
    if size >= 999.5 {
        let sign = if value < 0.0 { "-" } else { "" };
        format!("{sign}{}", thousands(size.round() as u64))
    } else if size >= 99.95 {
        format!("{value:.0}")
    } else if size >= 9.995 {
        format!("{value:.1}")
    } else if size >= 0.9995 {
        format!("{value:.2}")
    } else if size >= 0.0005 {
        format!("{value:.3}")
    } else if size > 0.0 {
        "<0.001".to_owned()
    } else {
        "0".to_owned()
    }
}

/// A latency, from microseconds.
pub(super) fn micros(value: f64) -> String {
    if value < 999.5 {
        format!("{value:.0} µs")
    } else if value < 999_500.0 {
        format!("{} ms", number(value / 1e3))
    } else {
        format!("{} s", number(value / 1e6))
    }
}

/// A length of time, from seconds.
pub(super) fn seconds(value: f64) -> String {
    if value > 0.0 && value < 0.9995 {
        micros(value * 1e6)
    } else {
        format!("{} s", trimmed((value * 100.0).round() / 100.0))
    }
}

/// A size, in the largest binary unit that it fills.
pub(super) fn bytes(value: f64) -> String {
    let (size, unit) = byte_unit(value);
    if size > 1.0 {
        format!("{} {unit}", number(value / size))
    } else {
        format!("{value:.0} {unit}")
    }
}

/// The largest binary unit that a size fills, and its name.
pub(super) fn byte_unit(value: f64) -> (f64, &'static str) {
    const UNITS: [(f64, &str); 4] = [
        (1_099_511_627_776.0, "TiB"),
        (1_073_741_824.0, "GiB"),
        (1_048_576.0, "MiB"),
        (1024.0, "KiB"),
    ];
    UNITS
        .into_iter()
        .find(|(size, _)| value >= *size)
        .unwrap_or((1.0, "B"))
}

/// A share of one, in percent.
pub(super) fn percent(share: f64) -> String {
    let value = share * 100.0;
    if value == 0.0 {
        "0 %".to_owned()
    } else if value < 0.01 {
        "<0.01 %".to_owned()
    } else if value < 9.95 {
        format!("{value:.2} %")
    } else {
        format!("{value:.1} %")
    }
}

/// A number without zeros at its end: for ticks and for settings.
pub(super) fn trimmed(value: f64) -> String {
    if value.abs() >= 1000.0 {
        return number(value);
    }
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A quantile as a percentile: `99.9`.
pub(super) fn percentile(quantile: f64) -> String {
    trimmed((quantile * 1e6).round() / 1e4)
}

/// `1 run`, `5 runs`.
pub(super) fn counted(count: usize, one: &str, many: &str) -> String {
    let noun = if count == 1 { one } else { many };
    format!("{} {noun}", thousands(count as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_set_apart() {
        assert_eq!(thousands(0), "0");
        assert_eq!(thousands(999), "999");
        assert_eq!(thousands(1000), "1,000");
        assert_eq!(thousands(12_345_678), "12,345,678");
    }

    #[test]
    fn three_digits_matter() {
        for (value, text) in [
            (0.0, "0"),
            (0.0001, "<0.001"),
            (0.0124, "0.012"),
            (0.9996, "1.00"),
            (1.234, "1.23"),
            (9.996, "10.0"),
            (99.96, "100"),
            (999.7, "1,000"),
            (123_456.7, "123,457"),
            (-1234.0, "-1,234"),
        ] {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn units_follow_the_size() {
        assert_eq!(micros(820.0), "820 µs");
        assert_eq!(micros(1234.0), "1.23 ms");
        assert_eq!(micros(2_100_000.0), "2.10 s");
        assert_eq!(seconds(0.0), "0 s");
        assert_eq!(seconds(0.25), "250 ms");
        assert_eq!(seconds(10.0), "10 s");
        assert_eq!(seconds(1.002), "1 s");
        assert_eq!(bytes(512.0), "512 B");
        assert_eq!(bytes(1536.0), "1.50 KiB");
        assert_eq!(bytes(13.0 * 1_048_576.0), "13.0 MiB");
        assert_eq!(percent(0.0), "0 %");
        assert_eq!(percent(0.000_01), "<0.01 %");
        assert_eq!(percent(0.985), "98.5 %");
        assert_eq!(trimmed(2.50), "2.5");
        assert_eq!(trimmed(20.0), "20");
        assert_eq!(percentile(0.9999), "99.99");
        assert_eq!(counted(1, "run", "runs"), "1 run");
        assert_eq!(counted(1200, "run", "runs"), "1,200 runs");
    }
}
