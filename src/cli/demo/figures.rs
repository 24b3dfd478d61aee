//! Figures as people read them.

use std::time::Duration;

/// A count in groups of three digits.
pub(super) fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Microseconds in three digits; `-` for 0, which no request takes.
pub(super) fn latency(microseconds: u64) -> String {
    match microseconds {
        0 => "-".to_owned(),
        1..1_000 => format!("{microseconds} us"),
        1_000..99_950 => {
            let tenths = (microseconds + 50) / 100;
            format!("{}.{} ms", tenths / 10, tenths % 10)
        }
        99_950..10_000_000 => format!("{} ms", (microseconds + 500) / 1_000),
        _ => format!("{} s", microseconds / 1_000_000),
    }
}

/// Bytes in MiB.
pub(super) fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", (bytes + (1 << 19)) >> 20)
}

/// What a count in this time is a second; 0 where no time has passed.
pub(super) fn per_second(count: u64, time: Duration) -> u64 {
    let rate = u128::from(count) * 1_000_000_000;
    u64::try_from(rate.checked_div(time.as_nanos()).unwrap_or(0)).unwrap_or(u64::MAX)
}

/// Seconds of processor time for a million items, with two decimals; `-` without items or where
/// the time is not known.
pub(super) fn cpu_per_million(nanoseconds: u64, items: u64) -> String {
    if nanoseconds == 0 || items == 0 {
        return "-".to_owned();
    }
    let hundredths = u128::from(nanoseconds) / 10 / u128::from(items);
    format!("{}.{:02} s", hundredths / 100, hundredths % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_as_people_write_them() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_000), "1,000");
        assert_eq!(grouped(12_345_678), "12,345,678");
        assert_eq!(latency(0), "-");
        assert_eq!(latency(999), "999 us");
        assert_eq!(latency(1_250), "1.3 ms");
        assert_eq!(latency(99_999), "100 ms");
        assert_eq!(latency(12_000_000), "12 s");
        assert_eq!(mebibytes(3 << 19), "2 MiB");
    }

    #[test]
    fn rates_and_costs_are_shares() {
        assert_eq!(per_second(500, Duration::from_millis(250)), 2000);
        assert_eq!(per_second(500, Duration::ZERO), 0);
        assert_eq!(cpu_per_million(2_500_000_000, 10_000_000), "0.25 s");
        assert_eq!(cpu_per_million(1, 0), "-");
    }
}
