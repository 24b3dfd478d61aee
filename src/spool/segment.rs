//! What is known of one segment.

use super::{
    Place, SegmentName,
    format::{Entry, Marks},
};

/// What a segment is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It is written to.
    Active,
    /// Its index is being written, behind `end`.
    Sealing { end: u64 },
    /// It has an index at this offset, and a trailer.
    Sealed { index: u64 },
    /// It has no index: its records end here at the latest.
    Unsealed { end: u64 },
    /// Found at the start, and not looked at yet.
    Unknown,
    /// Nothing can be read of it. It is kept until room is needed.
    Unreadable,
    /// Of another version of the format: not touched.
    Foreign,
}

/// One segment. Small while it is not replayed: there may be thousands.
#[derive(Debug)]
pub(super) struct Segment {
    pub kind: Kind,
    pub salt: u64,
    /// The length of its file, in bytes.
    pub bytes: u64,
    /// Records that are not settled.
    pub left: u32,
    /// Those of them that somebody holds.
    pub held: u32,
    /// Items of those.
    held_items: [u64; 4],
    /// Items that are not settled.
    pub items: [u64; 4],
    /// When the oldest and the newest record were taken: nanoseconds of Unix time.
    pub oldest: u64,
    pub newest: u64,
    /// What is settled; none where nothing is.
    pub marks: Option<Box<Marks>>,
    /// Where its records lie, while it is written or replayed.
    pub index: Option<Vec<Entry>>,
    /// Operations on it that are under way.
    pub busy: u32,
    pub has_marks_under_way: bool,
    /// It is to be removed.
    pub is_condemned: bool,
}

impl Segment {
    pub fn new(kind: Kind, salt: u64, bytes: u64) -> Self {
        Self {
            kind,
            salt,
            bytes,
            left: 0,
            held: 0,
            held_items: [0; 4],
            items: [0; 4],
            oldest: u64::MAX,
            newest: 0,
            marks: None,
            index: None,
            busy: 0,
            has_marks_under_way: false,
            is_condemned: false,
        }
    }

    /// Whether records were stored in it, or found.
    pub const fn has_data(&self) -> bool {
        self.newest > 0
    }

    /// Somebody works on a record.
    pub fn hold(&mut self, signal: usize, items: u64) {
        self.held += 1;
        if let Some(held) = self.held_items.get_mut(signal) {
            *held = held.saturating_add(items);
        }
    }

    /// Nobody works on the record any more.
    pub fn let_go(&mut self, signal: usize, items: u64) {
        self.held = self.held.saturating_sub(1);
        if let Some(held) = self.held_items.get_mut(signal) {
            *held = held.saturating_sub(items);
        }
    }

    /// Nobody works on any of its records any more.
    pub fn let_all_go(&mut self) {
        self.held = 0;
        self.held_items = [0; 4];
    }

    /// Whether there are items of these signals that nobody works on.
    pub fn has_items_of(&self, signals: [bool; 4]) -> bool {
        let items = self.items.iter().zip(self.held_items).zip(signals);
        items
            .into_iter()
            .any(|((left, held), is_wanted)| is_wanted && *left > held)
    }

    /// Whether its records can be replayed.
    pub fn is_readable(&self) -> bool {
        !self.is_condemned
            && matches!(
                self.kind,
                Kind::Active | Kind::Sealing { .. } | Kind::Sealed { .. } | Kind::Unsealed { .. }
            )
    }

    /// With one stored record more.
    pub fn add(&mut self, entry: &Entry) {
        self.left += 1;
        self.oldest = self.oldest.min(entry.at);
        self.newest = self.newest.max(entry.at);
        if let Some(items) = self.items.get_mut(entry.signal.index()) {
            *items = items.saturating_add(entry.items);
        }
    }

    pub fn is_settled(&self, ordinal: u32) -> bool {
        let marks = self.marks.as_ref();
        marks.is_some_and(|marks| marks.settled.contains(ordinal))
    }

    /// The record needs no replay any more; false where that was known.
    pub fn settle(&mut self, ordinal: u32, signal: usize, items: u64) -> bool {
        let marks = self.marks.get_or_insert_default();
        if !marks.settled.insert(ordinal) {
            return false;
        }
        if let Some(settled) = marks.items.get_mut(signal) {
            *settled = settled.saturating_add(items);
        }
        if let Some(left) = self.items.get_mut(signal) {
            *left = left.saturating_sub(items);
        }
        self.left = self.left.saturating_sub(1);
        true
    }

    /// The places of all its records.
    pub fn places(name: SegmentName) -> std::ops::RangeInclusive<Place> {
        let at = |ordinal| Place {
            segment: name,
            ordinal,
        };
        at(0)..=at(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_segment_that_is_not_replayed_takes_few_bytes() {
        assert!(size_of::<super::Segment>() <= 208);
    }
}
