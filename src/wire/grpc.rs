//! gRPC's framing: the five bytes before a message, and the text of its headers.

use std::{fmt::Write as _, time::Duration};

/// Bytes before each message: a flag and a length.
///
/// - Source: gRPC over HTTP/2, "Length-Prefixed-Message".
pub const PREFIX_BYTES: usize = 5;

/// The prefix of an empty message: the answer to a request that was wholly accepted.
pub const EMPTY_MESSAGE: [u8; PREFIX_BYTES] = [0; PREFIX_BYTES];

/// What the five bytes before a message say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefix {
    /// Whether the message is compressed as `grpc-encoding` says.
    pub compressed: bool,
    /// The message's length on the wire.
    pub len: usize,
}

impl Prefix {
    /// Reads a prefix; `None` when its flag byte is none that gRPC knows.
    #[must_use]
    pub fn parse(bytes: [u8; PREFIX_BYTES]) -> Option<Self> {
        let [flag, a, b, c, d] = bytes;
        let len = usize::try_from(u32::from_be_bytes([a, b, c, d])).ok()?;
        match flag {
            0 => Some(Self {
                compressed: false,
                len,
            }),
            1 => Some(Self {
                compressed: true,
                len,
            }),
            _ => None,
        }
    }

    /// Writes a prefix; `None` when the message is over what four bytes can say.
    #[must_use]
    pub fn to_bytes(self) -> Option<[u8; PREFIX_BYTES]> {
        let [a, b, c, d] = u32::try_from(self.len).ok()?.to_be_bytes();
        Some([u8::from(self.compressed), a, b, c, d])
    }
}

/// The longest `grpc-message` that is sent, before encoding.
///
/// - Source: chosen: gRPC libraries refuse header lists over 8 KiB.
const MESSAGE_BYTES_MAX: usize = 1024;

/// Encodes a status message for the `grpc-message` header.
///
/// - Source: gRPC over HTTP/2, "Status-Message": printable ASCII but `%` as is, the rest percent
///   encoded.
#[must_use]
pub fn encode_message(message: &str) -> String {
    let mut text = String::with_capacity(message.len());
    for &byte in message.as_bytes().iter().take(MESSAGE_BYTES_MAX) {
        if (0x20..=0x7e).contains(&byte) && byte != b'%' {
            text.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _infallible = write!(text, "%{byte:02X}");
        }
    }
    text
}

/// Decodes a `grpc-message` header, leniently: what is not an escape stays as it is.
#[must_use]
pub fn decode_message(text: &[u8]) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, tail @ ..] = rest {
        if let ([high, low, after @ ..], b'%') = (tail, first)
            && let (Some(high), Some(low)) = (hex(*high), hex(*low))
        {
            bytes.push(high << 4 | low);
            rest = after;
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

/// The text of a `grpc-timeout` header: at most eight digits and a unit.
///
/// - Source: gRPC over HTTP/2, "Timeout".
#[must_use]
pub fn encode_timeout(timeout: Duration) -> String {
    let millis = timeout.as_millis();
    if millis < 100_000_000 {
        format!("{millis}m")
    } else {
        format!("{}S", timeout.as_secs())
    }
}

/// Reads a `grpc-timeout` header: one to eight digits and a unit; `None` where it is anything else.
///
/// - Source: gRPC over HTTP/2, "Timeout".
#[must_use]
pub fn decode_timeout(text: &[u8]) -> Option<Duration> {
    let (unit, digits) = text.split_last()?;
    if digits.is_empty() || digits.len() > 8 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let count: u64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some(match unit {
        b'H' => Duration::from_secs(count * 3600),
        b'M' => Duration::from_secs(count * 60),
        b'S' => Duration::from_secs(count),
        b'm' => Duration::from_millis(count),
        b'u' => Duration::from_micros(count),
        b'n' => Duration::from_nanos(count),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_reads_back_as_written() {
        for prefix in [
            Prefix {
                compressed: false,
                len: 0,
            },
            Prefix {
                compressed: true,
                len: 70_000,
            },
        ] {
            assert_eq!(Prefix::parse(prefix.to_bytes().unwrap()), Some(prefix));
        }
        assert_eq!(Prefix::parse([2, 0, 0, 0, 0]), None);
    }

    #[test]
    fn a_message_reads_back_as_written() {
        let text = "50 % of café\nspans";
        assert_eq!(encode_message(text), "50 %25 of caf%C3%A9%0Aspans");
        assert_eq!(decode_message(encode_message(text).as_bytes()), text);
        assert_eq!(decode_message(b"100%"), "100%");
        assert_eq!(decode_message(b"%zz%4"), "%zz%4");
    }

    #[test]
    fn a_timeout_has_at_most_eight_digits() {
        assert_eq!(encode_timeout(Duration::from_secs(10)), "10000m");
        assert_eq!(encode_timeout(Duration::from_secs(100_000)), "100000S");
    }

    #[test]
    fn a_timeout_is_read_in_every_unit_and_nothing_else_is() {
        for (text, expected) in [
            ("1H", Some(Duration::from_secs(3600))),
            ("2M", Some(Duration::from_secs(120))),
            ("3S", Some(Duration::from_secs(3))),
            ("10000m", Some(Duration::from_secs(10))),
            ("5u", Some(Duration::from_micros(5))),
            ("99999999n", Some(Duration::from_nanos(99_999_999))),
            ("100000000n", None),
            ("10", None),
            ("S", None),
            ("-1S", None),
            ("1s", None),
            ("", None),
        ] {
            assert_eq!(decode_timeout(text.as_bytes()), expected, "{text}");
        }
    }
}
