//! HPACK: header fields as the compressed blocks of HTTP/2.
//!
//! Reading is complete, because a peer may use all of it. Writing is the part that needs no state:
//! what is sent here are a few constant heads, so a table that the peer must keep in step would
//! cost more than it saves.
//!
//! - Source: RFC 7541.

mod decoder;
mod encoder;
mod huffman;
mod integer;
mod static_table;
mod table;
#[cfg(test)]
mod tests;

use std::fmt;

pub use decoder::Decoder;
pub use encoder::{NO_TABLE, encode};

/// The size of the dynamic table before a peer has read another setting, in bytes.
///
/// - Source: RFC 9113, section 6.5.2.
pub const TABLE_BYTES_DEFAULT: usize = 4096;

/// Bytes that a field counts for besides its name and value.
///
/// - Source: RFC 7541, section 4.1, and RFC 9113, section 6.5.2.
const FIELD_OVERHEAD_BYTES: usize = 32;

/// Why a header block cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HpackError {
    /// The fields are over the bound. The block was read to its end and the table is in step: an
    /// error of this one request.
    ListTooLarge {
        /// The bound in bytes.
        bytes_max: usize,
    },
    /// The block ends inside a field.
    Truncated,
    /// A number has more than four bytes after its first.
    NumberTooLong,
    /// An index of no entry.
    NoSuchIndex,
    /// A Huffman code that is none, the end-of-string symbol, or wrong padding.
    Huffman,
    /// A change of the table's size that is not at the start of the block.
    LateResize,
    /// A table size over the one that was announced.
    TableTooLarge {
        /// The announced size in bytes.
        bytes_max: usize,
    },
}

impl HpackError {
    /// Whether only the message is at fault, and the connection can go on.
    #[must_use]
    pub const fn is_of_message(self) -> bool {
        matches!(self, Self::ListTooLarge { .. })
    }
}

impl fmt::Display for HpackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ListTooLarge { bytes_max } => {
                write!(f, "the header fields are over {bytes_max} bytes")
            }
            Self::Truncated => f.write_str("the header block ends inside a field"),
            Self::NumberTooLong => f.write_str("a number of the header block is too long"),
            Self::NoSuchIndex => f.write_str("the header block names a table entry that is none"),
            Self::Huffman => f.write_str("a Huffman string of the header block is malformed"),
            Self::LateResize => {
                f.write_str("the header block resizes the table after its first field")
            }
            Self::TableTooLarge { bytes_max } => {
                write!(
                    f,
                    "the header table is resized to more than {bytes_max} bytes"
                )
            }
        }
    }
}

impl std::error::Error for HpackError {}
