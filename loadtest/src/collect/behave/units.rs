//! Sizes, shares and durations as words: what is written is read back as the same.

use std::{fmt, str::FromStr, time::Duration};

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

/// Largest unit first, so that a size is written with the largest that divides it.
const UNITS: [(&str, u64); 6] = [
    ("GiB", 1 << 30),
    ("GB", 1_000_000_000),
    ("MiB", 1 << 20),
    ("MB", 1_000_000),
    ("KiB", 1 << 10),
    ("KB", 1000),
];

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no size: give bytes, or KB, KiB, MB, MiB, GB, GiB");
        let digits = text.find(|it: char| !it.is_ascii_digit());
        let (number, unit) = text.split_at(digits.unwrap_or(text.len()));
        let factor = match unit {
            "" | "B" => 1,
            "kB" => 1000,
            _ => UNITS.iter().find(|it| it.0 == unit).ok_or_else(wrong)?.1,
        };
        let number: u64 = number.parse().map_err(|_| wrong())?;
        number.checked_mul(factor).map(Self).ok_or_else(wrong)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(bytes) = *self;
        let fits = |unit: &&(&str, u64)| bytes > 0 && bytes.is_multiple_of(unit.1);
        match UNITS.iter().find(fits) {
            Some((unit, factor)) => write!(f, "{}{unit}", bytes / factor),
            None => write!(f, "{bytes}B"),
        }
    }
}

/// A share above 0 and up to 1, in millionths: exact, so that no request is lost to rounding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share(u32);

impl Share {
    /// Every request.
    pub const ALL: Self = Self(1_000_000);

    /// Whether the share takes request `n`, counted from 0: evenly spread, and of the first `n`
    /// always the share rounded down.
    #[must_use]
    pub fn takes(self, n: u64) -> bool {
        let taken = |n: u64| u128::from(n) * u128::from(self.0) / 1_000_000;
        taken(n) < taken(n.saturating_add(1))
    }
}

impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no share: give a number above 0 and up to 1");
        let share: f64 = text.parse().map_err(|_| wrong())?;
        if !(0.000_001..=1.0).contains(&share) {
            return Err(wrong());
        }
        Ok(Self((share * 1e6).round() as u32))
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", f64::from(self.0) / 1e6)
    }
}

/// `50ms`, `1m30s`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text)
        .map_err(|_| format!("`{text}` is no duration: give one like 50ms, 5s or 1m30s"))
}

/// As [`duration`] reads it: one word.
pub(super) fn written(duration: Duration) -> String {
    let words = humantime::format_duration(duration).to_string();
    words.replace(' ', "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_they_are_written() {
        for (text, bytes, written) in [
            ("0", 0, "0B"),
            ("17", 17, "17B"),
            ("10KB", 10_000, "10KB"),
            ("10kB", 10_000, "10KB"),
            ("64KiB", 65_536, "64KiB"),
            ("2048KiB", 2 << 20, "2MiB"),
            ("3GB", 3_000_000_000, "3GB"),
        ] {
            let size: Size = text.parse().unwrap();
            assert_eq!((size.0, size.to_string().as_str()), (bytes, written));
        }
        for wrong in ["", "KB", "10 KB", "10XB", "-1", "99999999999GiB"] {
            assert!(wrong.parse::<Size>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_share_takes_its_part_evenly() {
        let taken = |share: &str, of: u64| {
            let share: Share = share.parse().unwrap();
            (0..of).filter(|n| share.takes(*n)).count()
        };
        assert_eq!(taken("1", 1000), 1000);
        assert_eq!(taken("0.1", 1000), 100);
        assert_eq!(taken("0.1", 9), 0);
        assert_eq!(taken("0.1", 10), 1);
        assert_eq!(taken("0.333", 1000), 333);
        assert_eq!(taken("0.75", 8), 6);
        for wrong in ["0", "-0.1", "1.1", "NaN", "all", "0.0000001"] {
            assert!(wrong.parse::<Share>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn durations_are_one_word() {
        for text in ["50ms", "5s", "1m30s", "250us"] {
            assert_eq!(written(duration(text).unwrap()), text);
        }
        assert!(duration("5").unwrap_err().contains("50ms"));
    }
}
