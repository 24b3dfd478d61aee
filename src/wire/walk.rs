//! Proves that a request is well formed and counts its items, over the segments as they lie.

use std::fmt;

use bytes::Bytes;

use crate::{config::Validate, signal::Signal};

/// What is wrong with a body, and at which byte of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// What is wrong.
    pub what: &'static str,
    /// The offset of the byte where the walk stopped.
    pub at: usize,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.what, self.at)
    }
}

/// Counts the items of a request and proves its structure.
///
/// # Errors
///
/// [`Malformed`] with what is wrong and where.
pub fn inspect(signal: Signal, level: Validate, body: &[Bytes]) -> Result<u64, Malformed> {
    let _ = (signal, level, body);
    Err(Malformed {
        what: "not built",
        at: 0,
    })
}
