//! Header blocks into fields.
//!
//! - Source: RFC 7541, sections 3 and 6.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use super::{
    FIELD_OVERHEAD_BYTES, HpackError, TABLE_BYTES_DEFAULT, huffman, integer,
    table::{Entry, Table},
};

/// Reads the header blocks of one direction of a connection, in order.
///
/// - Cost: the table's size, and two buffers as large as the longest Huffman strings so far, which
///   are at most 8/5 of a block. The caller bounds the block.
#[derive(Debug)]
pub struct Decoder {
    table: Table,
    table_bytes_max: usize,
    list_bytes_max: usize,
    name: Vec<u8>,
    value: Vec<u8>,
}

/// What is left of the bound of a list of fields.
struct Room {
    left: Option<usize>,
}

impl Room {
    /// Whether the field is within the bound, as all before it were.
    fn take(&mut self, name: &[u8], value: &[u8]) -> bool {
        let size = name
            .len()
            .saturating_add(value.len())
            .saturating_add(FIELD_OVERHEAD_BYTES);
        self.left = self.left.and_then(|left| left.checked_sub(size));
        self.left.is_some()
    }
}

impl Decoder {
    /// A decoder whose peer may use a table of `table_bytes_max` bytes, as our settings announce,
    /// and may send `list_bytes_max` bytes of fields in a block.
    ///
    /// A table below 4096 bytes counts as 4096: a peer that has not read our settings uses that.
    #[must_use]
    pub fn new(table_bytes_max: usize, list_bytes_max: usize) -> Self {
        Self {
            table: Table::new(TABLE_BYTES_DEFAULT),
            table_bytes_max: table_bytes_max.max(TABLE_BYTES_DEFAULT),
            list_bytes_max,
            name: Vec::new(),
            value: Vec::new(),
        }
    }

    /// Changes whenever the table may have changed. A block that left it as it was reads the same
    /// again for as long as it stays.
    #[must_use]
    pub const fn generation(&self) -> u64 {
        self.table.generation()
    }

    /// Reads a whole block and tells its fields in order: name, value.
    ///
    /// A field is counted as its name, its value and 32 bytes. Fields from the one that passes the
    /// bound on are not told, but the block is read to its end.
    ///
    /// # Errors
    ///
    /// [`HpackError::ListTooLarge`] is of this block alone; after any other the table is out of
    /// step and the connection must end with a compression error.
    pub fn decode(
        &mut self,
        block: &[u8],
        mut field: impl FnMut(&[u8], &[u8]),
    ) -> Result<(), HpackError> {
        let mut rest = block;
        let mut room = Room {
            left: Some(self.list_bytes_max),
        };
        let mut is_start = true;
        while let Some(&first) = rest.first() {
            if first & 0xe0 == 0x20 {
                if !is_start {
                    return Err(HpackError::LateResize);
                }
                self.resize(&mut rest)?;
                continue;
            }
            is_start = false;
            let mut tell = |name: &[u8], value: &[u8]| {
                if room.take(name, value) {
                    field(name, value);
                }
            };
            if first & 0x80 != 0 {
                let (name, value) = self.table.get(integer::read(&mut rest, 7)?)?;
                tell(name, value);
            } else if first & 0x40 != 0 {
                let entry = self.literal(&mut rest, 6, Entry::new)?;
                let (name, value) = entry.field();
                tell(name, value);
                self.table.insert(entry);
            } else {
                self.literal(&mut rest, 4, tell)?;
            }
        }
        match room.left {
            Some(_) => Ok(()),
            None => Err(HpackError::ListTooLarge {
                bytes_max: self.list_bytes_max,
            }),
        }
    }

    fn resize(&mut self, rest: &mut &[u8]) -> Result<(), HpackError> {
        let size = integer::read(rest, 5)?;
        if size > self.table_bytes_max {
            return Err(HpackError::TableTooLarge {
                bytes_max: self.table_bytes_max,
            });
        }
        self.table.resize(size);
        Ok(())
    }

    /// Reads a field whose value, at least, is spelt out.
    fn literal<T>(
        &mut self,
        rest: &mut &[u8],
        prefix_bits: u32,
        with: impl FnOnce(&[u8], &[u8]) -> T,
    ) -> Result<T, HpackError> {
        let name = match integer::read(rest, prefix_bits)? {
            0 => string(rest, &mut self.name)?,
            index => self.table.get(index)?.0,
        };
        let value = string(rest, &mut self.value)?;
        Ok(with(name, value))
    }
}

/// Reads a string, through `scratch` where it is compressed.
fn string<'a, 'b: 'a>(
    rest: &mut &'b [u8],
    scratch: &'a mut Vec<u8>,
) -> Result<&'a [u8], HpackError> {
    let is_huffman = rest.first().is_some_and(|first| first & 0x80 != 0);
    let len = integer::read(rest, 7)?;
    let (text, after) = rest.split_at_checked(len).ok_or(HpackError::Truncated)?;
    *rest = after;
    if !is_huffman {
        return Ok(text);
    }
    scratch.clear();
    huffman::decode(text, scratch)?;
    Ok(scratch)
}

#[cfg(test)]
impl Decoder {
    pub(super) fn table_size(&self) -> usize {
        self.table.size()
    }
}
