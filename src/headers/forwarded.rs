//! The headers that go on with a request, as one run of bytes: in memory, in a record of the spool.

use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::is_own;

/// Bytes of the headers that go on with one request at the most, counted as the lines that they are
/// written down in.
///
/// - Source: chosen: many times what names a tenant, half of what all headers may have by default.
pub const FORWARDED_BYTES_MAX: usize = 8 << 10;

const BETWEEN: &[u8] = b": ";
const LINE_END: &[u8] = b"\r\n";

/// Headers that go on with a request, written down as the lines of an HTTP/1.1 head: each is
/// `name: value` and ends with CR LF. Names are in lower case, values are without blanks around
/// them and else the bytes that came; the values of one name keep their order.
///
/// The same headers are the same bytes, so two requests may share a batch exactly where these are
/// equal.
///
/// - Range: up to [`FORWARDED_BYTES_MAX`]; every name and value may stand in a request.
/// - Cost: shared, not copied; nothing is allocated for none.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Forwarded(Bytes);

/// The headers are over [`FORWARDED_BYTES_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong {
    /// Bytes that they have.
    pub bytes: usize,
}

/// The bytes are no headers that may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable;

impl Forwarded {
    /// The headers of a request that are named, in the order of the names.
    ///
    /// # Errors
    ///
    /// [`TooLong`] where they are over the bound.
    pub fn take(headers: &HeaderMap, names: &[HeaderName]) -> Result<Self, TooLong> {
        let mut lines = Vec::new();
        for name in names {
            for value in headers.get_all(name) {
                lines.extend_from_slice(name.as_str().as_bytes());
                lines.extend_from_slice(BETWEEN);
                lines.extend_from_slice(value.as_bytes().trim_ascii());
                lines.extend_from_slice(LINE_END);
            }
        }
        match lines.len() {
            0..=FORWARDED_BYTES_MAX => Ok(Self(Bytes::from(lines))),
            bytes => Err(TooLong { bytes }),
        }
    }

    /// Reads what was written down.
    ///
    /// # Errors
    ///
    /// [`Unreadable`] where it is over the bound, or a line of it is none that
    /// [`Forwarded::take`] could have written.
    pub fn parse(lines: Bytes) -> Result<Self, Unreadable> {
        if lines.len() > FORWARDED_BYTES_MAX {
            return Err(Unreadable);
        }
        let mut rest = &lines[..];
        while !rest.is_empty() {
            let (name, value, after) = first(rest).ok_or(Unreadable)?;
            if !may_go_on(name, value) {
                return Err(Unreadable);
            }
            rest = after;
        }
        Ok(Self(lines))
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// As they are written down.
    #[must_use]
    pub const fn lines(&self) -> &Bytes {
        &self.0
    }

    /// The same in memory of its own.
    pub(super) fn copied(&self) -> Self {
        Self(Bytes::copy_from_slice(&self.0))
    }

    /// Each name with a value, in their order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let mut rest = &self.0[..];
        std::iter::from_fn(move || {
            let (name, value, after) = first(rest)?;
            rest = after;
            Some((name, value))
        })
    }
}

/// Names alone: values may be secrets.
impl fmt::Debug for Forwarded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.iter().map(|(name, _)| String::from_utf8_lossy(name));
        f.debug_list().entries(names).finish()
    }
}

/// The first line as a name and a value, and what comes after it.
fn first(lines: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (line, after) = split_at(lines, LINE_END)?;
    let (name, value) = split_at(line, BETWEEN)?;
    Some((name, value, after))
}

/// What lies before the first mark, and what after it.
fn split_at<'a>(bytes: &'a [u8], mark: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = bytes.windows(mark.len()).position(|it| it == mark)?;
    Some((bytes.get(..at)?, bytes.get(at + mark.len()..)?))
}

fn may_go_on(name: &[u8], value: &[u8]) -> bool {
    let Ok(known) = HeaderName::from_bytes(name) else {
        return false;
    };
    known.as_str().as_bytes() == name
        && !is_own(known.as_str())
        && value.trim_ascii().len() == value.len()
        && HeaderValue::from_bytes(value).is_ok()
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*, sample::select};

    use super::*;

    fn names(names: &[&'static str]) -> Vec<HeaderName> {
        names.iter().copied().map(HeaderName::from_static).collect()
    }

    fn map(pairs: &[(&str, &[u8])]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(
                HeaderName::from_bytes(name.as_bytes()).unwrap(),
                HeaderValue::from_bytes(value).unwrap(),
            );
        }
        headers
    }

    #[test]
    fn the_named_headers_are_taken_in_any_case_and_each_value_in_its_order() {
        let sent = map(&[
            ("x-b", b"2"),
            ("X-Tenant", b" one "),
            ("x-other", b"0"),
            ("x-TENANT", b"two: \xff"),
            ("x-empty", b""),
        ]);
        let taken = Forwarded::take(&sent, &names(&["x-tenant", "x-b", "x-none", "x-empty"]));
        let taken = taken.unwrap();
        assert_eq!(
            &taken.lines()[..],
            b"x-tenant: one\r\nx-tenant: two: \xff\r\nx-b: 2\r\nx-empty: \r\n"
        );
        let pairs: Vec<_> = taken.iter().collect();
        let expected: [(&[u8], &[u8]); 4] = [
            (b"x-tenant", b"one"),
            (b"x-tenant", b"two: \xff"),
            (b"x-b", b"2"),
            (b"x-empty", b""),
        ];
        assert_eq!(pairs, expected);
        assert_eq!(Forwarded::parse(taken.lines().clone()).unwrap(), taken);
        assert!(!format!("{taken:?}").contains("one"), "values are secrets");
    }

    #[test]
    fn what_is_over_the_bound_is_not_taken() {
        let lines = "x: \r\n".len();
        let most = vec![b'v'; FORWARDED_BYTES_MAX - lines];
        let taken = Forwarded::take(&map(&[("x", &most)]), &names(&["x"])).unwrap();
        assert_eq!(taken.lines().len(), FORWARDED_BYTES_MAX);
        let more = vec![b'v'; FORWARDED_BYTES_MAX - lines + 1];
        let bytes = FORWARDED_BYTES_MAX + 1;
        let taken = Forwarded::take(&map(&[("x", &more)]), &names(&["x"]));
        assert_eq!(taken, Err(TooLong { bytes }));
        let lines = [taken_lines(&most), b"y: \r\n".to_vec()].concat();
        assert_eq!(Forwarded::parse(lines.into()), Err(Unreadable));
    }

    fn taken_lines(value: &[u8]) -> Vec<u8> {
        [b"x: ", value, b"\r\n"].concat()
    }

    #[test]
    fn what_may_not_stand_in_a_request_is_not_read() {
        let unreadable: [&[u8]; 14] = [
            b"x: 1",
            b"x: 1\r",
            b"x: 1\r\nx",
            b"\r\n",
            b": 1\r\n",
            b"x:1\r\n",
            b"X: 1\r\n",
            b"x y: 1\r\n",
            b":path: /\r\n",
            b"host: other\r\n",
            b"grpc-timeout: 1S\r\n",
            b"x: a\nhost: b\r\n",
            b"x: a\0\r\n",
            b"x:  a\r\n",
        ];
        for lines in unreadable {
            let read = Forwarded::parse(Bytes::from_static(lines));
            assert_eq!(read, Err(Unreadable), "{}", lines.escape_ascii());
        }
        assert!(Forwarded::parse(Bytes::new()).unwrap().is_empty());
    }

    /// What hostile lines are made of.
    const PIECES: &[&[u8]] = &[
        b"x: 1\r\n",
        b"x-b: ",
        b"\r\n",
        b"\r",
        b": ",
        b"host",
        b"\xff",
        b"\0",
        b" ",
    ];

    proptest! {
        /// Whatever a sender may send is read back as it was written.
        #[test]
        fn what_is_written_is_read_back(
            values in vec(vec(prop_oneof![Just(b'\t'), b' '..=b'~', 0x80..=0xff_u8], 0..40), 0..9),
        ) {
            let mut sent = HeaderMap::new();
            for (at, value) in values.iter().enumerate() {
                let name = HeaderName::from_static(["x-a", "x-b"][at % 2]);
                sent.append(name, HeaderValue::from_bytes(value).unwrap());
            }
            let taken = Forwarded::take(&sent, &names(&["x-b", "x-a"])).unwrap();
            prop_assert_eq!(&Forwarded::parse(taken.lines().clone()).unwrap(), &taken);
            let read: Vec<_> = taken.iter().map(|(_, value)| value.to_vec()).collect();
            let of = |rest: usize| {
                let own = values.iter().enumerate().filter(move |(at, _)| at % 2 == rest);
                own.map(|(_, value)| value.trim_ascii().to_vec())
            };
            prop_assert_eq!(read, of(1).chain(of(0)).collect::<Vec<_>>());
        }

        /// Hostile bytes are refused or read, and what is read is what was there.
        #[test]
        fn any_bytes_are_read_whole_or_not_at_all(
            lines in vec(select(PIECES), 0..12),
        ) {
            let lines = lines.concat();
            if let Ok(read) = Forwarded::parse(lines.clone().into()) {
                let mut again = Vec::new();
                for (name, value) in read.iter() {
                    HeaderName::from_bytes(name).unwrap();
                    HeaderValue::from_bytes(value).unwrap();
                    again.extend([name, b": ", value, b"\r\n"].concat());
                }
                prop_assert_eq!(again, lines);
            }
        }
    }
}
