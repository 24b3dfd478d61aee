//! The rejection threshold of consistent probability sampling, and the randomness it is held
//! against: 56 bits each.

/// Bits of a threshold and of a randomness value.
const BITS: u32 = 56;
/// The values that 56 bits can take.
const VALUES: u64 = 1 << BITS;
/// Hexadecimal digits that 56 bits take.
pub(super) const DIGITS: usize = 14;
/// Digits of a threshold that was made from a ratio, besides leading `f`s.
///
/// - Source: OpenTelemetry, "`TraceState`: Probability Sampling": 4 by default.
const PRECISION: i32 = 4;
/// The most digits that a ratio is given: what a 64-bit float can tell from 1.
const PRECISION_MAX: i32 = 12;

/// How many of 2^56 equally likely randomness values are rejected.
///
/// - Unit: rejected values; the probability to keep is (2^56 − threshold) / 2^56.
/// - Range: 0 (all are kept) to 2^56 − 1.
/// - Source: OpenTelemetry, "`TraceState`: Probability Sampling".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Threshold(u64);

impl Threshold {
    /// Keeps everything.
    pub const KEEP_ALL: Self = Self(0);

    /// The threshold that keeps this share of the traces, to about four digits.
    ///
    /// - Range: 0 to 1; above, and not a number, count as 1; below 2^-48, the least that can be
    ///   said, as 2^-48: nothing is never kept.
    #[must_use]
    pub fn of_ratio(ratio: f64) -> Self {
        if ratio.is_nan() || ratio >= 1.0 {
            return Self::KEEP_ALL;
        }
        // As many digits more as the threshold begins with `f`: one a factor of 16.
        let mut digits = PRECISION;
        let mut scaled = ratio * 16.0;
        while scaled < 1.0 && digits < PRECISION_MAX {
            scaled *= 16.0;
            digits = digits.saturating_add(1);
        }
        let steps = 16_f64.powi(digits);
        let rejected = ((1.0 - ratio.max(0.0)) * steps).round().min(steps - 1.0);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "whole, from 0 to 16^12"
        )]
        let rejected = rejected as u64;
        Self(rejected << BITS.saturating_sub(digits.unsigned_abs().saturating_mul(4)))
    }

    /// Reads the value of a `th` sub-key; `None` where it is none.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let value = hex(text)?;
        let missing = DIGITS.checked_sub(text.len())?;
        Some(Self(
            value << u32::try_from(missing).ok()?.saturating_mul(4),
        ))
    }

    /// The value of a `th` sub-key: no trailing zeros, `0` where all are kept.
    #[must_use]
    pub fn digits(self) -> String {
        let all = format!("{:014x}", self.0);
        let short = all.trim_end_matches('0');
        if short.is_empty() { "0" } else { short }.to_owned()
    }

    /// The share that is kept.
    #[must_use]
    pub fn ratio(self) -> f64 {
        #[expect(
            clippy::cast_precision_loss,
            reason = "a share is wanted, not a number of values"
        )]
        let kept = VALUES.saturating_sub(self.0) as f64;
        kept / 2_f64.powi(56)
    }

    /// Whether what has this randomness is kept.
    #[inline]
    pub(super) const fn keeps(self, randomness: Randomness) -> bool {
        randomness.0 >= self.0
    }
}

/// What a decision is made by: the same for all spans of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Randomness(u64);

impl Randomness {
    /// The low 56 bits.
    pub(super) const fn of_bits(bits: u64) -> Self {
        Self(bits & (VALUES - 1))
    }

    /// That of a trace id; `None` for all zeros, which is no trace id.
    ///
    /// - Source: W3C Trace Context Level 2: the last seven bytes are random.
    pub(super) fn of_trace(id: [u8; 16]) -> Option<Self> {
        let id = u128::from_be_bytes(id);
        let [a, b, c, d, e, f, g, h, ..] = id.to_le_bytes();
        (id != 0).then(|| Self::of_bits(u64::from_le_bytes([a, b, c, d, e, f, g, h])))
    }

    /// Reads the value of an `rv` sub-key; `None` where it is none.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        (text.len() == DIGITS).then(|| hex(text).map(Self))?
    }
}

/// Reads 1 to 14 lower-case hexadecimal digits.
fn hex(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > DIGITS {
        return None;
    }
    text.iter().try_fold(0, |value: u64, digit| {
        let digit = match digit {
            b'0'..=b'9' => digit.wrapping_sub(b'0'),
            b'a'..=b'f' => digit.wrapping_sub(b'a').wrapping_add(10),
            _ => return None,
        };
        Some(value << 4 | u64::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_in_so_many_is_written_as_the_specification_s_table_says() {
        // The table's column of four digits of precision.
        let table = [
            (1.0, "0"),
            (2.0, "8"),
            (3.0, "aaab"),
            (4.0, "c"),
            (5.0, "cccd"),
            (8.0, "e"),
            (10.0, "e666"),
            (16.0, "f"),
            (100.0, "fd70a"),
            (1_000.0, "ffbe77"),
            (10_000.0, "fff9724"),
            (100_000.0, "ffff583a"),
            (1_000_000.0, "ffffef39"),
        ];
        for (one_in, digits) in table {
            let threshold = Threshold::of_ratio(1.0 / one_in);
            assert_eq!(threshold.digits(), digits, "1 in {one_in}");
            assert_eq!(Threshold::parse(digits.as_bytes()), Some(threshold));
            let error = threshold.ratio() * one_in - 1.0;
            assert!(error.abs() < 1e-3, "1 in {one_in}: {error}");
        }
    }

    #[test]
    fn any_ratio_has_a_threshold() {
        for ratio in [1.0, 1.5, f64::INFINITY, f64::NAN] {
            assert_eq!(Threshold::of_ratio(ratio), Threshold::KEEP_ALL);
        }
        for ratio in [0.0, -1.0, f64::MIN_POSITIVE, f64::NEG_INFINITY] {
            assert_eq!(Threshold::of_ratio(ratio).digits(), "ffffffffffff");
        }
        assert_eq!(Threshold::of_ratio(0.999_999_9).digits(), "0");
        let mut last = Threshold::of_ratio(0.0);
        for step in 1..=10_000_u32 {
            let threshold = Threshold::of_ratio(f64::from(step) / 10_000.0);
            assert!(threshold <= last, "a larger ratio rejects no more");
            last = threshold;
        }
    }

    #[test]
    fn digits_are_read_as_the_specification_writes_them() {
        let threshold = |text: &str| Threshold::parse(text.as_bytes()).map(|read| read.0);
        assert_eq!(threshold("c"), Some(0xc0_0000_0000_0000));
        assert_eq!(threshold("fd70a4"), Some(0xfd_70a4_0000_0000));
        assert_eq!(threshold("00"), Some(0));
        assert_eq!(threshold("ffffffffffffff"), Some(VALUES - 1));
        for text in ["", "C", "g", "0x8", "fffffffffffffff", "8 ", "-8"] {
            assert_eq!(threshold(text), None, "{text}");
        }
        let randomness = |text: &str| Randomness::parse(text.as_bytes()).map(|read| read.0);
        assert_eq!(randomness("6e6d1a75832a2f"), Some(0x6e_6d1a_7583_2a2f));
        for text in ["", "6e6d1a75832a2", "6e6d1a75832a2f0", "6E6D1A75832A2F"] {
            assert_eq!(randomness(text), None, "{text}");
        }
    }

    #[test]
    fn a_trace_id_s_last_seven_bytes_decide() {
        let id = 0x0123_4567_89ab_cdef_ff6e_6d1a_7583_2a2f_u128.to_be_bytes();
        let randomness = Randomness::of_trace(id).unwrap();
        assert_eq!(randomness, Randomness::parse(b"6e6d1a75832a2f").unwrap());
        // 43.1 % of the values lie below: kept from 56.9 % on.
        assert!(Threshold::of_ratio(0.57).keeps(randomness));
        assert!(!Threshold::of_ratio(0.56).keeps(randomness));
        let of = |digits: &str| Threshold::parse(digits.as_bytes()).unwrap();
        assert!(of("6e6d1a75832a2f").keeps(randomness), "equal is kept");
        assert!(!of("6e6d1a75832a3").keeps(randomness));
        assert_eq!(Randomness::of_trace([0; 16]), None);
    }
}
