//! Requests that lie on the disk in more than one record.
//!
//! What the disk has failed to write is stored once more, or sent elsewhere, while the record that
//! failed may lie there whole: a sync of its directory that fails leaves it so. A mark says that it
//! is nothing to be sent. But marks are written once a second, a kill may come before them; they are
//! not synced, a power cut may lose them; and a disk that fails may not take them, or not give them
//! back. Then the next process finds both records, cannot know better, and may have both under way
//! at once. So much is allowed, and no more: as many as lay there when the process began, and more
//! than one only where nobody could have said so.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use otlp::spool::{SegmentName, sim::Disk};

use crate::{body, found::everything, world::World};

/// How long it takes until marks are due, and until the flusher comes to them at the latest.
const DUE_AFTER: Duration = Duration::from_millis(1_010);

impl World {
    /// Whether the process has had the time, and the disk for it, to mark what had failed, or to
    /// remove it: one operation on a file may have to wait for another.
    pub(crate) fn has_marked(&self) -> bool {
        let well_for = self.now.saturating_duration_since(self.disk_changed_at);
        let needs = DUE_AFTER + 2 * Duration::from_millis(self.plan.disk_delay as u64);
        !self.plan.disk_fails() || (!self.disk_is_bad && well_for >= needs)
    }

    /// Where the process has marked what had failed, a kill at this moment leaves no request in
    /// more records than the process had found.
    pub(crate) fn law_of_marks(&self) {
        for (id, found) in self.lying(&self.disk) {
            let request = &self.books.requests[usize::try_from(id).unwrap()];
            assert!(
                found <= request.records.max(1),
                "request {id} is found in {found} records, and marks could have said so"
            );
        }
    }

    /// Counts the records that the next process finds.
    pub(crate) fn counts_records(&mut self) {
        let mut lying = self.lying(&self.disk);
        for (id, request) in (0..).zip(&mut self.books.requests) {
            request.records = lying.remove(&id).unwrap_or(0);
        }
    }

    /// The marks of a segment were not read: what they say to be settled is found as well.
    pub(crate) fn marks_are_not_read(&mut self, segment: SegmentName) {
        let mut unmarked = self.disk.clone();
        let Some(contents) = unmarked.contents(segment).map(<[u8]>::to_vec) else {
            return;
        };
        unmarked.lose(segment);
        unmarked.put(segment, contents);
        let known = self.lying(&self.disk);
        for (id, found) in self.lying(&unmarked) {
            self.books.get(id).records += found - known.get(&id).unwrap_or(&0);
        }
    }

    /// In how many records each request lies on a disk, of those that are to be sent.
    fn lying(&self, disk: &Disk) -> BTreeMap<u64, u32> {
        let mut lying = BTreeMap::new();
        let Some(settings) = self.plan.spool else {
            return lying;
        };
        for record in everything(settings, disk, self.now).0 {
            if !self.is_real(record.signal) {
                for id in body::ids(Bytes::from(record.body.concat())) {
                    *lying.entry(id).or_default() += 1;
                }
            }
        }
        lying
    }
}
