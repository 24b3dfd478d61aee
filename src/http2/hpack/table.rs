//! The table of fields that a peer has sent: the newest first, the oldest dropped.
//!
//! - Source: RFC 7541, sections 2.3 and 4.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::collections::VecDeque;

use super::{FIELD_OVERHEAD_BYTES, HpackError, static_table::FIELDS};

/// One field: its name and value in one allocation.
#[derive(Debug)]
pub(super) struct Entry {
    bytes: Box<[u8]>,
    name_len: usize,
}

impl Entry {
    pub(super) fn new(name: &[u8], value: &[u8]) -> Self {
        Self {
            bytes: [name, value].concat().into_boxed_slice(),
            name_len: name.len(),
        }
    }

    pub(super) fn field(&self) -> (&[u8], &[u8]) {
        self.bytes
            .split_at_checked(self.name_len)
            .unwrap_or_default()
    }

    fn size(&self) -> usize {
        self.bytes.len().saturating_add(FIELD_OVERHEAD_BYTES)
    }
}

/// The dynamic table behind the static one.
///
/// - Cost: its size is bounded by `size_max`; the 32 bytes that each entry counts for besides its
///   text are about what it costs.
#[derive(Debug)]
pub(super) struct Table {
    entries: VecDeque<Entry>,
    size: usize,
    size_max: usize,
    generation: u64,
}

impl Table {
    pub(super) fn new(size_max: usize) -> Self {
        Self {
            entries: VecDeque::new(),
            size: 0,
            size_max,
            generation: 0,
        }
    }

    /// Counts the changes.
    pub(super) const fn generation(&self) -> u64 {
        self.generation
    }

    /// The field of an index: the static table from 1, the dynamic one behind it.
    pub(super) fn get(&self, index: usize) -> Result<(&[u8], &[u8]), HpackError> {
        let place = index.checked_sub(1).ok_or(HpackError::NoSuchIndex)?;
        if let Some((name, value)) = FIELDS.get(place) {
            return Ok((name.as_bytes(), value.as_bytes()));
        }
        let entry = self.entries.get(place.saturating_sub(FIELDS.len()));
        entry.map(Entry::field).ok_or(HpackError::NoSuchIndex)
    }

    /// Adds a field, dropping old ones to make room; one that is larger than the table empties it.
    pub(super) fn insert(&mut self, entry: Entry) {
        self.generation = self.generation.wrapping_add(1);
        let size = entry.size();
        self.shrink_to(self.size_max.saturating_sub(size));
        if size <= self.size_max {
            self.size = self.size.saturating_add(size);
            self.entries.push_front(entry);
        }
    }

    pub(super) fn resize(&mut self, size_max: usize) {
        self.generation = self.generation.wrapping_add(1);
        self.size_max = size_max;
        self.shrink_to(size_max);
    }

    fn shrink_to(&mut self, size: usize) {
        while self.size > size
            && let Some(oldest) = self.entries.pop_back()
        {
            self.size = self.size.saturating_sub(oldest.size());
        }
    }

    #[cfg(test)]
    pub(super) fn size(&self) -> usize {
        let counted: usize = self.entries.iter().map(Entry::size).sum();
        assert_eq!(counted, self.size);
        self.size
    }
}
