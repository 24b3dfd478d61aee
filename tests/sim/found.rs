//! What a process would find on a disk that is well.

use std::time::{Duration, Instant};

use otlp::spool::{
    Event, Record, Settings, Spool,
    sim::{Disk, Faults},
};

/// Every record that is to be sent, and the items of each signal that were counted at the start.
pub fn everything(settings: Settings, disk: &Disk, now: Instant) -> (Vec<Record>, [u64; 4]) {
    let mut disk = disk.clone();
    disk.restart();
    disk.faults = Faults::default();
    let settings = Settings {
        age_max: Duration::ZERO,
        ..settings
    };
    let mut spool = Spool::new(settings, 0, 1, &disk.found(), now, 0);
    let (mut records, mut counted) = (Vec::new(), [0; 4]);
    loop {
        while let Some((id, op)) = spool.next_op(now) {
            let came = disk.perform(&op);
            spool.done(id, came, now);
        }
        while let Some(event) = spool.next_event() {
            match event {
                Event::Recovered { items, .. } => {
                    (0..4).for_each(|signal| counted[signal] += items[signal]);
                }
                Event::Replayed(replayed) => records.extend(replayed.into_iter().map(|it| it.1)),
                _ => {}
            }
        }
        if !spool.replay(usize::MAX, [true; 4], now) {
            return (records, counted);
        }
    }
}
