//! Reads a message that lies in one piece: the fast reader. Narrowing the window bounds every read.

use super::{
    engine::{Fault, Source},
    text::{is_ascii, is_utf8},
};

/// A field that reaches past the message that holds it.
pub(super) const CUT: Fault = "field longer than the message that holds it";
/// A varint that breaks off where its message ends.
pub(super) const CUT_VARINT: Fault = "varint cut off by the end of its message";
/// A varint of eleven bytes or more, or with bits above the 64th.
pub(super) const LONG_VARINT: Fault = "varint over 64 bits";
/// A text field that is not UTF-8.
pub(super) const NOT_UTF8: Fault = "text that is not UTF-8";

/// The rest of the message that is being read.
pub(in crate::wire) struct Flat<'a> {
    window: &'a [u8],
    origin: &'a [u8],
}

impl<'a> Flat<'a> {
    /// Reads `window` as one message.
    pub(in crate::wire) const fn new(window: &'a [u8]) -> Self {
        Self {
            window,
            origin: window,
        }
    }

    /// Reads a length and takes that many bytes off the window.
    #[inline(always)]
    fn take(&mut self) -> Result<&'a [u8], Fault> {
        let (length, rest) = match self.window {
            [length @ 0..0x80, rest @ ..] => (usize::from(*length), rest),
            _ => long_length(self.window)?,
        };
        let Some((taken, rest)) = rest.split_at_checked(length) else {
            return Err(CUT);
        };
        self.window = rest;
        Ok(taken)
    }
}

impl<'a> Source for Flat<'a> {
    type Mark = &'a [u8];

    #[inline(always)]
    fn at_end(&self) -> bool {
        self.window.is_empty()
    }

    fn at(&self) -> usize {
        self.window
            .as_ptr()
            .addr()
            .wrapping_sub(self.origin.as_ptr().addr())
    }

    #[inline(always)]
    fn varint(&mut self) -> Result<u64, Fault> {
        if let [byte @ 0..0x80, rest @ ..] = self.window {
            self.window = rest;
            return Ok(u64::from(*byte));
        }
        let (value, rest) = long(self.window)?;
        self.window = rest;
        Ok(value)
    }

    #[inline(always)]
    fn skip(&mut self, count: usize) -> Result<(), Fault> {
        let Some(rest) = self.window.get(count..) else {
            return Err(CUT);
        };
        self.window = rest;
        Ok(())
    }

    #[inline(always)]
    fn bytes(&mut self) -> Result<usize, Fault> {
        Ok(self.take()?.len())
    }

    #[inline(always)]
    fn content(&mut self, mut each: impl FnMut(&[u8])) -> Result<usize, Fault> {
        let content = self.take()?;
        each(content);
        Ok(content.len())
    }

    #[inline(always)]
    fn text(&mut self) -> Result<(), Fault> {
        if is_utf8(self.take()?) {
            Ok(())
        } else {
            Err(NOT_UTF8)
        }
    }

    #[inline(always)]
    fn enter(&mut self) -> Result<Self::Mark, Fault> {
        let inside = self.take()?;
        Ok(std::mem::replace(&mut self.window, inside))
    }

    #[inline(always)]
    fn leave(&mut self, mark: Self::Mark) {
        self.window = mark;
    }

    /// A read whose value nobody waits for: where the next item begins is known only once this one's
    /// length has come from memory, so that without it the walk waits at each (docs/benchmarks.md).
    #[inline(always)]
    fn prefetch(&self, ahead: usize) {
        std::hint::black_box(self.window.get(ahead).copied());
    }

    #[inline(always)]
    fn attribute(&mut self) -> bool {
        let Some(rest) = attribute(self.window) else {
            return false;
        };
        self.window = rest;
        true
    }

    #[inline(always)]
    fn again(&mut self, key: u64) -> bool {
        let [byte @ 0..0x80, rest @ ..] = self.window else {
            return false;
        };
        let is_same = u64::from(*byte) == key;
        if is_same {
            self.window = rest;
        }
        is_same
    }
}

/// Reads a varint of more than one byte.
#[inline(never)]
fn long_varint(window: &[u8]) -> Result<(u64, &[u8]), Fault> {
    let mut value = 0;
    let mut rest = window;
    for shift in (0..70).step_by(7) {
        let [byte, after @ ..] = rest else {
            return Err(CUT_VARINT);
        };
        rest = after;
        if shift == 63 && *byte > 1 {
            break;
        }
        value |= u64::from(*byte & 0x7f) << shift;
        if *byte < 0x80 {
            return Ok((value, rest));
        }
    }
    Err(LONG_VARINT)
}

/// Reads a varint of more than one byte, which seldom are more than two.
#[inline(always)]
fn long(window: &[u8]) -> Result<(u64, &[u8]), Fault> {
    if let [low, high @ 0..0x80, rest @ ..] = window {
        return Ok((u64::from(*low & 0x7f) | u64::from(*high) << 7, rest));
    }
    long_varint(window)
}

/// Reads a length of more than one byte.
#[inline(always)]
fn long_length(window: &[u8]) -> Result<(usize, &[u8]), Fault> {
    let (length, rest) = long(window)?;
    // A length that no address can hold is longer than any message, and so is the largest address.
    Ok((usize::try_from(length).unwrap_or(usize::MAX), rest))
}

/// Passes over a key and a value of one byte of length each, in their order and with nothing else;
/// `None` for any other shape, also for text that is not ASCII. The caller then walks it.
#[inline(always)]
fn attribute(window: &[u8]) -> Option<&[u8]> {
    let [length @ 0..0x80, rest @ ..] = window else {
        return None;
    };
    let (pair, rest) = rest.split_at_checked(usize::from(*length))?;
    let [0x0a, length, tail @ ..] = pair else {
        return None;
    };
    let (key, tail) = tail.split_at_checked(usize::from(*length))?;
    let [0x12, length, value @ ..] = tail else {
        return None;
    };
    if value.len() != usize::from(*length) {
        return None;
    }
    let sound = match value {
        // Keys and lengths are below 0x80 as ASCII is, so that one look over the pair will do.
        [0x0a, length, text @ ..] => text.len() == usize::from(*length) && is_ascii(pair),
        [0x10 | 0x18, 0..0x80] => is_ascii(key),
        // Nine bytes of a varint have 63 bits: only a tenth could have too many.
        [0x18, front @ .., 0..0x80] if front.len() < 9 => {
            front.iter().all(|byte| *byte >= 0x80) && is_ascii(key)
        }
        [0x18, number @ ..] => matches!(long_varint(number), Ok((_, []))) && is_ascii(key),
        [0x21, _, _, _, _, _, _, _, _] => is_ascii(key),
        _ => false,
    };
    sound.then_some(rest)
}
