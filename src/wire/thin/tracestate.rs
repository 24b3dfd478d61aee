//! What a span's tracestate says of sampling, and how a threshold is written into it.

use super::threshold::{Randomness, Threshold};

/// What OpenTelemetry's member begins with.
const PREFIX: &[u8] = b"ot=";
/// The longest value of a member.
///
/// - Source: W3C Trace Context Level 2; OpenTelemetry, "`TraceState` Handling".
const VALUE_BYTES_MAX: usize = 256;
/// The most members.
///
/// - Source: W3C Trace Context Level 2.
const MEMBERS_MAX: usize = 32;
/// The longest tracestate that is read: more than as many members as may be, each as long as may
/// be.
pub(super) const BYTES_MAX: usize = MEMBERS_MAX * 2 * (VALUE_BYTES_MAX + 2);

/// What a tracestate says of sampling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Said {
    /// The explicit randomness value, where there is a sound one.
    pub randomness: Option<Randomness>,
    /// The threshold so far.
    pub threshold: Before,
}

/// The threshold that earlier samplers wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Before {
    /// None: nobody has sampled so that it could be told.
    Absent,
    /// This.
    Known(Threshold),
    /// One that cannot be read, or several.
    Malformed,
}

impl Said {
    /// What an empty tracestate says.
    pub(super) const NOTHING: Self = Self {
        randomness: None,
        threshold: Before::Absent,
    };

    /// Reads a tracestate. What cannot be read says nothing.
    pub(super) fn read(text: &[u8]) -> Self {
        let mut said = Self::NOTHING;
        let mut randomness_seen = false;
        for sub in sub_keys(entry(text).unwrap_or_default()) {
            if let Some(digits) = sub.strip_prefix(b"rv:") {
                said.randomness = Randomness::parse(digits).filter(|_| !randomness_seen);
                randomness_seen = true;
            } else if let Some(digits) = sub.strip_prefix(b"th:") {
                said.threshold = match (said.threshold, Threshold::parse(digits)) {
                    (Before::Absent, Some(threshold)) => Before::Known(threshold),
                    _ => Before::Malformed,
                };
            }
        }
        said
    }
}

/// Writes the tracestate `text` with `th:` and these digits, or without a `th` where there are
/// none. Says `false`, and writes nothing of use, where it stays as it is.
///
/// The entry comes first, as one that changed does; its other sub-keys and all other members keep
/// their order and bytes. A threshold for which the entry has no room is left out: none says less
/// than a wrong one.
pub(super) fn rewrite(text: &[u8], digits: Option<&str>, into: &mut Vec<u8>) -> bool {
    into.clear();
    let Some(entry) = entry(text) else {
        // Too long to be read, and to be added to.
        return false;
    };
    let had = sub_keys(entry).any(is_threshold);
    if digits.is_none() && !had {
        return false;
    }
    put_entry(entry, digits, into);
    if into.len() > PREFIX.len().saturating_add(VALUE_BYTES_MAX) {
        if !had {
            return false;
        }
        into.clear();
        put_entry(entry, None, into);
    }
    let mut members = usize::from(!into.is_empty());
    for member in members_of(text).filter(|member| value_of(member).is_none()) {
        if members == MEMBERS_MAX {
            break;
        }
        if members > 0 {
            into.push(b',');
        }
        into.extend_from_slice(member);
        members = members.saturating_add(1);
    }
    true
}

/// Writes the `ot` entry with this threshold in the place of its own, or at its end; nothing where
/// nothing would be in it. `into` is empty.
fn put_entry(entry: &[u8], digits: Option<&str>, into: &mut Vec<u8>) {
    let mut digits = digits;
    let mut put = |sub: &[&[u8]]| {
        into.extend_from_slice(if into.is_empty() { PREFIX } else { b";" });
        sub.iter().for_each(|part| into.extend_from_slice(part));
    };
    for sub in sub_keys(entry) {
        if !is_threshold(sub) {
            put(&[sub]);
        } else if let Some(digits) = digits.take() {
            put(&[b"th:", digits.as_bytes()]);
        }
    }
    if let Some(digits) = digits {
        put(&[b"th:", digits.as_bytes()]);
    }
}

/// The value of the first `ot` entry, empty where there is none; `None` where it is too long.
fn entry(text: &[u8]) -> Option<&[u8]> {
    let value = members_of(text).find_map(value_of).unwrap_or_default();
    (value.len() <= VALUE_BYTES_MAX).then_some(value)
}

/// The members of a tracestate that are not empty, without the white space around them.
fn members_of(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b',')
        .map(<[u8]>::trim_ascii)
        .filter(|member| !member.is_empty())
}

/// The value of an `ot` entry.
fn value_of(member: &[u8]) -> Option<&[u8]> {
    member.strip_prefix(PREFIX)
}

/// The sub-keys of an `ot` entry, with their values.
fn sub_keys(entry: &[u8]) -> impl Iterator<Item = &[u8]> {
    entry
        .split(|byte| *byte == b';')
        .filter(|sub| !sub.is_empty())
}

/// Whether a sub-key is the threshold.
fn is_threshold(sub: &[u8]) -> bool {
    sub.starts_with(b"th:")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(text: &str, digits: Option<&str>) -> Option<String> {
        let mut into = Vec::new();
        rewrite(text.as_bytes(), digits, &mut into).then(|| String::from_utf8(into).unwrap())
    }

    #[test]
    fn a_threshold_is_written_first_and_the_rest_keeps_its_order() {
        let cases = [
            ("", "ot=th:8"),
            ("ot=th:0", "ot=th:8"),
            ("ot=th:c;rv:6e6d1a75832a2f", "ot=th:8;rv:6e6d1a75832a2f"),
            (
                "ot=rv:6e6d1a75832a2f;th:4;x:y",
                "ot=rv:6e6d1a75832a2f;th:8;x:y",
            ),
            ("ot=p:8;r:62", "ot=p:8;r:62;th:8"),
            ("rojo=00f067,congo=t61", "ot=th:8,rojo=00f067,congo=t61"),
            (
                "rojo=1 , ot=x:1 ,,\tcongo= 2",
                "ot=x:1;th:8,rojo=1,congo= 2",
            ),
            ("a=1,ot=x:1,b=2,ot=x:2", "ot=x:1;th:8,a=1,b=2"),
            ("lot=th:4,t@ot=th:4", "ot=th:8,lot=th:4,t@ot=th:4"),
            ("nonsense,;;=", "ot=th:8,nonsense,;;="),
            ("ot=th:zz;th:1", "ot=th:8"),
            ("ot=;;a", "ot=a;th:8"),
        ];
        for (before, after) in cases {
            assert_eq!(
                rewritten(before, Some("8")).as_deref(),
                Some(after),
                "{before}"
            );
        }
    }

    #[test]
    fn a_threshold_is_erased_and_the_rest_stays() {
        assert_eq!(rewritten("a=1,ot=th:zz;rv:1", None).unwrap(), "ot=rv:1,a=1");
        assert_eq!(rewritten("a=1,ot=th:zz", None).unwrap(), "a=1");
        assert_eq!(rewritten("ot=th:4", None).unwrap(), "");
        assert_eq!(rewritten("a=1,ot=rv:1", None), None, "there is none");
    }

    #[test]
    fn no_bound_of_a_tracestate_is_passed() {
        let members = |count: usize| {
            let all: Vec<String> = (0..count).map(|n| format!("k{n}=v")).collect();
            all.join(",")
        };
        let after = rewritten(&members(31), Some("8")).unwrap();
        assert_eq!(after, format!("ot=th:8,{}", members(31)));
        let after = rewritten(&members(32), Some("8")).unwrap();
        assert_eq!(
            after,
            format!("ot=th:8,{}", members(31)),
            "the rightmost goes"
        );

        let room = format!("ot=x:{}", "a".repeat(256 - 2 - 5));
        assert_eq!(
            rewritten(&room, Some("8")).unwrap(),
            format!("{room};th:8"),
            "just fits"
        );
        assert_eq!(rewritten(&room, Some("81")), None, "no room, none before");
        let full = format!("ot=th:4;x:{}", "a".repeat(256 - 7));
        assert_eq!(
            rewritten(&full, Some("81")).unwrap(),
            format!("ot=x:{}", "a".repeat(256 - 7))
        );
        let long = format!("ot=th:4;x:{}", "a".repeat(256));
        assert_eq!(rewritten(&long, Some("8")), None);
        assert_eq!(Said::read(long.as_bytes()), Said::NOTHING);
    }

    #[test]
    fn what_cannot_be_read_says_nothing() {
        let said = |text: &str| Said::read(text.as_bytes());
        let rv = Randomness::parse(b"6e6d1a75832a2f");
        let four = Threshold::parse(b"4").unwrap();
        let read = said("a=1, ot=rv:6e6d1a75832a2f;th:4 ,b=2");
        assert_eq!(read.randomness, rv);
        assert_eq!(read.threshold, Before::Known(four));
        for nothing in [
            "", ",,,", "ot", "ot=", "OT=th:4", "ot =th:4", "ot=TH:4", "ot=th",
        ] {
            assert_eq!(said(nothing), Said::NOTHING, "{nothing}");
        }
        for bad in [
            "ot=th:",
            "ot=th:G",
            "ot=th:4;th:4",
            "ot=th:x;th:4",
            "ot=th:4 ;x:1",
        ] {
            assert_eq!(said(bad).threshold, Before::Malformed, "{bad}");
        }
        let twice = "ot=rv:6e6d1a75832a2f;rv:6e6d1a75832a2f";
        for bad in ["ot=rv:1", "ot=rv:6E6D1A75832A2F", twice] {
            assert_eq!(said(bad).randomness, None, "{bad}");
        }
    }
}
