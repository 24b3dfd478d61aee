//! Heads that were read, remembered: a sender repeats its head, but for the length of the body.

use crate::http1::request::{Framing, Head, number};

/// Heads that are remembered on a connection: one a signal.
const HEADS_MAX: usize = 4;

/// The longest head that is remembered, in bytes: with a token and a few fields of a proxy.
const HEAD_BYTES_MAX: usize = 2048;

/// Digits of a length at the most, so that it fits 64 bits.
const DIGITS_MAX: usize = 19;

/// What a head came to.
#[derive(Clone, Debug)]
pub(super) struct Read<H> {
    pub head: H,
    pub framing: Framing,
    pub length: Option<u64>,
    pub keeps_alive: bool,
    pub expects_continue: bool,
    /// The answer's body is not sent: the method is HEAD.
    pub bodiless: bool,
    /// The sender speaks HTTP/1.0.
    pub old: bool,
}

/// The last heads of a connection, each as what comes before the digits of its length and after.
#[derive(Debug)]
pub(super) struct Remembered<H> {
    known: Vec<Known<H>>,
}

#[derive(Debug)]
struct Known<H> {
    before: Box<[u8]>,
    after: Box<[u8]>,
    read: Read<H>,
}

impl<H> Default for Remembered<H> {
    fn default() -> Self {
        Self { known: Vec::new() }
    }
}

impl<H: Clone> Remembered<H> {
    /// A head that the input begins with, and its length in bytes.
    pub(super) fn find(&self, input: &[u8]) -> Option<(usize, Read<H>)> {
        self.known.iter().find_map(|known| known.matches(input))
    }

    /// Remembers what a head was read to.
    pub(super) fn add(&mut self, bytes: &[u8], digits: Option<(usize, usize)>, read: &Read<H>) {
        let (start, end) = digits.unwrap_or((bytes.len(), bytes.len()));
        let varies = digits.is_some();
        let (Some(before), Some(after)) = (bytes.get(..start), bytes.get(end..)) else {
            return;
        };
        // Two lengths, of which only the first is known to vary, are left to the parser.
        if bytes.len() > HEAD_BYTES_MAX || varies != read.length.is_some() {
            return;
        }
        if self.known.len() >= HEADS_MAX {
            self.known.remove(0);
        }
        self.known.push(Known {
            before: before.into(),
            after: after.into(),
            read: read.clone(),
        });
    }
}

#[cfg(test)]
impl<H> Remembered<H> {
    pub(super) const fn len(&self) -> usize {
        self.known.len()
    }
}

impl<H: Clone> Known<H> {
    fn matches(&self, input: &[u8]) -> Option<(usize, Read<H>)> {
        let rest = input.strip_prefix(&*self.before)?;
        if self.read.length.is_none() {
            return Some((self.before.len(), self.read.clone()));
        }
        let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (digits, rest) = rest.split_at_checked(count)?;
        if count > DIGITS_MAX || !rest.starts_with(&self.after) {
            return None;
        }
        let length = number(digits)?;
        // Whether a body comes decides about more than its length.
        if (length == 0) != (self.read.length == Some(0)) {
            return None;
        }
        let mut read = self.read.clone();
        read.length = Some(length);
        read.framing = Framing::Length(length);
        Some((self.before.len() + count + self.after.len(), read))
    }
}

impl<H> Read<H> {
    pub(super) fn new(head: H, of: &Head) -> Self {
        Self {
            head,
            framing: of.framing,
            length: of.length,
            keeps_alive: of.keeps_alive,
            expects_continue: of.expects_continue,
            bodiless: of.parts.method == http::Method::HEAD,
            old: of.parts.version == http::Version::HTTP_10,
        }
    }
}
