//! One answer as its bytes come: the head, then a body that ends by its length, its last chunk or
//! the connection's end.
//!
//! - Source: RFC 9112, sections 4 and 6.3.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::fmt;

use bytes::Bytes;

use super::chunked::{Chunked, Malformed, Piece};
use crate::http2::fields::Fields;

/// Header fields of one head.
///
/// - Source: chosen: what proxies add to an answer is some twenty.
const FIELDS_MAX: usize = 100;

/// Interim answers (1xx) before the answer itself.
///
/// - Source: chosen: a collector has one to send, if any; more without end is hostile.
const INTERIM_MAX: u32 = 16;

/// Bytes that are reserved at once for a body of a declared length.
///
/// - Source: chosen: answers are a few bytes; a declared length is not yet a sent one.
const RESERVE_BYTES_MAX: usize = 64 << 10;

/// What an answer may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of a head, from its first to its empty line.
    pub head_bytes_max: usize,
    /// Bytes of a body.
    pub body_bytes_max: usize,
}

/// A whole answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status: 200 to 999.
    pub status: u16,
    /// The fields of the head, names in lower case.
    pub fields: Fields,
    /// The body.
    pub body: Bytes,
}

/// Why bytes are no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The head is over the bound.
    HeadTooLong {
        /// The bound in bytes.
        bytes_max: usize,
    },
    /// The body is over the bound.
    BodyTooLong {
        /// The bound in bytes.
        bytes_max: usize,
    },
    /// The head is not one of HTTP/1.1.
    NoHead(httparse::Error),
    /// The body breaks its coding.
    NotChunked(Malformed),
    /// What is wrong.
    Malformed(&'static str),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the answer is no HTTP/1.1: ")?;
        match self {
            Self::HeadTooLong { bytes_max } => write!(f, "its head is over {bytes_max} bytes"),
            Self::BodyTooLong { bytes_max } => write!(f, "its body is over {bytes_max} bytes"),
            Self::NoHead(error) => error.fmt(f),
            Self::NotChunked(error) => error.fmt(f),
            Self::Malformed(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for Fault {}

impl From<Malformed> for Fault {
    fn from(error: Malformed) -> Self {
        Self::NotChunked(error)
    }
}

/// What the next bytes belong to.
#[derive(Debug)]
enum At {
    Head,
    /// So many bytes of the body are missing.
    Length(usize),
    Chunked(Chunked),
    /// The body ends with the connection.
    Close,
    Done,
}

/// Reads one answer.
///
/// - Cost: a head that comes in one piece is read where it lies.
#[derive(Debug)]
pub struct Reader {
    limits: Limits,
    at: At,
    /// The beginning of a head whose end has not come.
    partial: Vec<u8>,
    interim: u32,
    status: u16,
    fields: Fields,
    body: Vec<u8>,
    keeps_alive: bool,
}

impl Reader {
    /// Reads an answer within these limits.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            at: At::Head,
            partial: Vec::new(),
            interim: 0,
            status: 0,
            fields: Fields::default(),
            body: Vec::new(),
            keeps_alive: false,
        }
    }

    /// Takes the next bytes and says how many belong to the answer: fewer than there are only
    /// when it has ended.
    ///
    /// # Errors
    ///
    /// Why the bytes are no answer; nothing that comes afterwards can be told apart.
    pub fn take(&mut self, bytes: &[u8]) -> Result<usize, Fault> {
        let mut rest = bytes;
        while !rest.is_empty() && !self.is_done() {
            let taken = match &mut self.at {
                At::Head => self.take_head(rest)?,
                At::Length(left) => {
                    let these = rest.get(..*left).unwrap_or(rest);
                    self.body.extend_from_slice(these);
                    *left = left.saturating_sub(these.len());
                    if *left == 0 {
                        self.at = At::Done;
                    }
                    these.len()
                }
                At::Chunked(chunked) => {
                    let mut input = rest;
                    match chunked.next(&mut input)? {
                        Some(Piece::Data(data)) => self.push(data)?,
                        Some(Piece::End) => self.at = At::Done,
                        None => {}
                    }
                    rest.len().saturating_sub(input.len())
                }
                At::Close => {
                    self.push(rest)?;
                    rest.len()
                }
                At::Done => 0,
            };
            rest = rest.get(taken..).unwrap_or_default();
        }
        Ok(bytes.len().saturating_sub(rest.len()))
    }

    /// The peer has closed the connection in order: the end of a body that has no other.
    pub fn close(&mut self) {
        if matches!(self.at, At::Close) {
            self.at = At::Done;
        }
    }

    /// Whether the answer is whole.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        matches!(self.at, At::Done)
    }

    /// Whether a byte of it has come.
    #[must_use]
    pub const fn has_begun(&self) -> bool {
        !(matches!(self.at, At::Head) && self.partial.is_empty() && self.interim == 0)
    }

    /// Whether the peer keeps the connection for another request after a whole answer.
    #[must_use]
    pub const fn keeps_alive(&self) -> bool {
        self.keeps_alive
    }

    /// What was read of the answer. The next one may be read then.
    pub fn finish(&mut self) -> Answer {
        self.at = At::Head;
        self.interim = 0;
        self.keeps_alive = false;
        Answer {
            status: self.status,
            fields: std::mem::take(&mut self.fields),
            body: Bytes::from(std::mem::take(&mut self.body)),
        }
    }

    /// Adds to the body.
    fn push(&mut self, data: &[u8]) -> Result<(), Fault> {
        let room = self.limits.body_bytes_max.saturating_sub(self.body.len());
        if data.len() > room {
            return Err(self.too_long());
        }
        self.body.extend_from_slice(data);
        Ok(())
    }

    const fn too_long(&self) -> Fault {
        Fault::BodyTooLong {
            bytes_max: self.limits.body_bytes_max,
        }
    }

    /// Takes what of these bytes belongs to the head.
    fn take_head(&mut self, bytes: &[u8]) -> Result<usize, Fault> {
        if self.partial.is_empty() {
            let taken = self.parse(bytes)?;
            if taken.is_none() {
                self.partial.extend_from_slice(bytes);
            }
            return Ok(taken.unwrap_or(bytes.len()));
        }
        let mut partial = std::mem::take(&mut self.partial);
        let known = partial.len();
        // Only a line's end can be the head's end.
        let is_worth_a_look = bytes.contains(&b'\n') || known > self.limits.head_bytes_max;
        partial.extend_from_slice(bytes);
        if is_worth_a_look && let Some(len) = self.parse(&partial)? {
            return Ok(len.saturating_sub(known));
        }
        self.partial = partial;
        Ok(bytes.len())
    }

    /// Reads the head that these bytes begin with, up to its end where that has come.
    fn parse(&mut self, bytes: &[u8]) -> Result<Option<usize>, Fault> {
        let bytes_max = self.limits.head_bytes_max;
        let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
        let mut head = httparse::Response::new(&mut fields);
        let len = match head.parse(bytes).map_err(Fault::NoHead)? {
            httparse::Status::Complete(len) if len <= bytes_max => len,
            httparse::Status::Partial if bytes.len() <= bytes_max => return Ok(None),
            _ => return Err(Fault::HeadTooLong { bytes_max }),
        };
        match head.code.unwrap_or_default() {
            101 => return Err(Fault::Malformed("it changes to another protocol")),
            100..=199 if self.interim >= INTERIM_MAX => {
                return Err(Fault::Malformed("interim answers without end"));
            }
            100..=199 => self.interim = self.interim.saturating_add(1),
            status @ 200.. => self.begin(status, head.version == Some(1), head.headers)?,
            _ => return Err(Fault::Malformed("a status below 100")),
        }
        Ok(Some(len))
    }

    /// Notes the head and how its body ends.
    fn begin(
        &mut self,
        status: u16,
        is_1_1: bool,
        headers: &[httparse::Header<'_>],
    ) -> Result<(), Fault> {
        let (mut length, mut coded) = (None, false);
        let (mut close, mut keep_alive) = (false, false);
        let mut lower = Vec::with_capacity(32);
        for header in headers {
            lower.clear();
            lower.extend(header.name.bytes().map(|byte| byte.to_ascii_lowercase()));
            let value = header.value;
            match lower.as_slice() {
                b"content-length" => {
                    let said = length_of(value)?;
                    if length.replace(said).is_some_and(|known| known != said) {
                        return Err(Fault::Malformed("two content-lengths"));
                    }
                }
                b"transfer-encoding" => {
                    if coded || !value.trim_ascii().eq_ignore_ascii_case(b"chunked") {
                        let what = "a transfer-encoding other than chunked";
                        return Err(Fault::Malformed(what));
                    }
                    coded = true;
                }
                b"connection" => {
                    for token in value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
                        close |= token.eq_ignore_ascii_case(b"close");
                        keep_alive |= token.eq_ignore_ascii_case(b"keep-alive");
                    }
                }
                _ => {}
            }
            self.fields.push(&lower, value);
        }
        self.status = status;
        // With both a length and a coding, the coding holds and the connection is not trusted.
        let is_plain = length.is_none() || !coded;
        self.keeps_alive = !close && (is_1_1 || keep_alive) && is_plain;
        self.at = match length {
            _ if matches!(status, 204 | 304) => At::Done,
            _ if coded => At::Chunked(Chunked::default()),
            Some(0) => At::Done,
            Some(length) => {
                let length = usize::try_from(length).unwrap_or(usize::MAX);
                if length > self.limits.body_bytes_max {
                    return Err(self.too_long());
                }
                self.body.reserve_exact(length.min(RESERVE_BYTES_MAX));
                At::Length(length)
            }
            None => {
                self.keeps_alive = false;
                At::Close
            }
        };
        Ok(())
    }
}

/// The length that a field's value says: one number, which a sender may repeat.
fn length_of(value: &[u8]) -> Result<u64, Fault> {
    let mut length = None;
    for part in value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
        let text = std::str::from_utf8(part).ok();
        let digits = text.filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
        let said: Option<u64> = digits.and_then(|digits| digits.parse().ok());
        let said = said.ok_or(Fault::Malformed("a content-length that is no number"))?;
        if length.replace(said).is_some_and(|known| known != said) {
            return Err(Fault::Malformed("two content-lengths"));
        }
    }
    length.ok_or(Fault::Malformed("a content-length that is no number"))
}

#[cfg(test)]
mod tests;
