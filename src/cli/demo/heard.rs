//! What the generator has told so far, of all its threads.

use std::time::Instant;

use hdrhistogram::Histogram;

use super::{
    generator::{Note, histogram},
    ids::Ids,
};

/// What the generator has told.
#[derive(Debug)]
pub(super) struct Heard {
    pub latency: Histogram<u64>,
    /// Since the last line of progress.
    pub recent: Histogram<u64>,
    pub acknowledged: [Ids; 4],
    pub last_answer: Instant,
    pub threads_left: usize,
}

impl Heard {
    pub(super) fn new(threads: usize, now: Instant) -> Self {
        Self {
            latency: histogram(),
            recent: histogram(),
            acknowledged: Default::default(),
            last_answer: now,
            threads_left: threads,
        }
    }

    pub(super) fn take(&mut self, notes: impl Iterator<Item = Note>) {
        for note in notes {
            match note {
                Note::Latency(part) => {
                    for into in [&mut self.latency, &mut self.recent] {
                        let fits = into.add(&part).is_ok();
                        debug_assert!(fits, "all histograms have the same bounds");
                    }
                }
                Note::Done {
                    acknowledged,
                    last_answer,
                } => {
                    self.threads_left -= 1;
                    self.last_answer = self.last_answer.max(last_answer);
                    for (all, part) in self.acknowledged.iter_mut().zip(acknowledged) {
                        all.merge(part);
                    }
                }
            }
        }
    }
}
