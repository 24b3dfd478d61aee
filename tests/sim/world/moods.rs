//! What fails, and when: the moods of collectors and disk.

use otlp::spool::sim::Faults;

use super::{Event, Phase, World};
use crate::{network::Mood, plan::between};

impl World {
    pub(super) fn changes_later(&mut self, collector: usize) {
        let calm = between(&mut self.random, 1, self.plan.calm);
        self.after(calm, Event::Changes(collector));
    }

    pub(super) fn disk_changes(&mut self) {
        let was_bad = self.disk_is_bad;
        if self.plan.disk_fails() && self.has_marked() {
            self.law_of_marks();
        }
        let calm = between(&mut self.random, 1, 3000);
        self.after(calm, Event::DiskChanges);
        let faults = self.plan.disk_faults;
        let has_faults = faults > 0 && self.random.chance(400);
        self.disk.faults = match has_faults {
            true => Faults {
                create: faults,
                write: faults,
                sync: faults,
                read: faults,
                remove: faults,
                marks: faults,
                is_gone: self.random.chance(100),
                is_read_only: self.random.chance(100),
            },
            false => Faults::default(),
        };
        self.disk.capacity = match self.random.chance(500) {
            true => self.plan.disk_bytes,
            false => u64::MAX,
        };
        self.disk_is_bad = has_faults || self.disk.capacity < u64::MAX;
        if was_bad || self.disk_is_bad {
            self.disk_changed_at = self.now;
        }
    }

    pub(super) fn faults_end(&mut self) {
        self.phase = Phase::Recovery;
        self.moods.fill(Mood::Well);
        self.disk.faults = Faults::default();
        self.disk.capacity = u64::MAX;
        self.disk_is_bad = false;
        self.disk_changed_at = self.now;
        self.events.retain(|_, event| {
            !matches!(event, Event::Changes(_) | Event::DiskChanges | Event::Stops)
        });
    }
}
