//! Marks: which records of a segment are settled, so that a restart replays little twice.

use bytes::Bytes;

use super::{Spool, task::Task};
use crate::spool::{Op, SegmentName};

impl Spool {
    pub(super) fn has_marks_to_write(&self) -> bool {
        !self.removal.dirty.is_empty()
    }

    /// Records that were not written whole, or not synced: they may lie there all the same, and are
    /// not to be found by a restart, when whoever was told so has sent them elsewhere.
    pub(super) fn mark_failed(&mut self, name: SegmentName, ordinals: impl Iterator<Item = u32>) {
        let Some(segment) = self.segments.get_mut(&name) else {
            return;
        };
        let marks = segment.marks.get_or_insert_default();
        for ordinal in ordinals {
            marks.settled.insert(ordinal);
        }
        self.removal.dirty.insert(name);
    }

    /// Writes what has changed: at most once a second, and at the end.
    pub(super) fn work_marks(&mut self) {
        if !self.removal.marks_are_due && !self.is_closing {
            return;
        }
        self.removal.marks_are_due = false;
        for name in std::mem::take(&mut self.removal.dirty) {
            let Some(segment) = self.segments.get_mut(&name) else {
                continue;
            };
            // What is removed needs no marks, unless it cannot be removed.
            let goes = segment.is_condemned && !self.removal.is_put_off(name);
            if segment.has_marks_under_way || goes {
                self.removal.dirty.insert(name);
                continue;
            }
            let Some(marks) = segment.marks.as_ref() else {
                continue;
            };
            let bytes = Bytes::from(marks.encode(segment.salt));
            segment.has_marks_under_way = true;
            self.give(
                Op::WriteMarks {
                    segment: name,
                    bytes,
                },
                Task::Marks(name),
            );
        }
    }

    pub(super) fn marked(&mut self, name: SegmentName, is_written: bool) {
        let Some(segment) = self.segments.get_mut(&name) else {
            return;
        };
        segment.has_marks_under_way = false;
        // Marks that cannot be written cost a replay, and no data: at the end that is left so.
        if !is_written && !self.is_closing {
            self.removal.dirty.insert(name);
        }
    }
}
