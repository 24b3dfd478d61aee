//! In which order what an earlier run has left is recovered and replayed.

use std::time::Duration;

use super::{
    super::{Op, ReplayOrder, sim::Disk},
    rig::{Rig, settings},
};

const LIVES: u64 = 8;

/// A spool that starts over the segments of so many lives, each with its number as the only record.
/// Those that are killed leave theirs unsealed.
fn lives(order: ReplayOrder, is_killed: impl Fn(u64) -> bool) -> Rig {
    let mut rig = Rig::new(settings(), 1);
    rig.settings.order = order;
    rig = rig.restarted(Disk::new(1));
    for number in 0..LIVES {
        rig.append(number, 100).unwrap();
        rig.run();
        if !is_killed(number) {
            rig.spool.close();
            rig.run();
        }
        rig = rig.restarted(rig.disk.clone());
    }
    rig.ask();
    rig
}

/// Replays and settles what is known, while the rest is still looked at.
fn replay_meanwhile(rig: &mut Rig) -> Vec<u64> {
    let mut all = Vec::new();
    loop {
        for (place, number) in std::mem::take(&mut rig.replayed) {
            rig.spool.settle(place);
            all.push(number);
        }
        if rig.spool.replay(16 << 10, [true; 4], rig.now) {
            rig.ask();
        }
        if rig.given.is_empty() {
            return all;
        }
        rig.perform(0);
    }
}

#[test]
fn a_trailer_that_is_read_late_does_not_put_its_segment_behind_the_others() {
    for order in [ReplayOrder::OldestFirst, ReplayOrder::NewestFirst] {
        let mut rig = lives(order, |_| true);
        // Of the reads that a disk has at once three rest, and the fourth goes through all others.
        while rig.given.len() > 3 {
            rig.perform(3);
        }
        let mut expected: Vec<_> = (0..LIVES).collect();
        if order == ReplayOrder::NewestFirst {
            expected.reverse();
        }
        assert_eq!(replay_meanwhile(&mut rig), expected);
    }
}

#[test]
fn a_trailer_that_is_read_again_does_not_put_its_segment_behind_the_others() {
    let mut rig = lives(ReplayOrder::OldestFirst, |_| true);
    rig.fail(0);
    // All other trailers are read, and the oldest of the others is being scanned.
    let is_head = |op: &Op| matches!(op, Op::Read { offset: 0, .. });
    while !rig.given.iter().any(|(_, op)| is_head(op)) {
        rig.perform(0);
    }
    rig.pass(Duration::from_secs(1));
    assert_eq!(replay_meanwhile(&mut rig), [1, 0, 2, 3, 4, 5, 6, 7]);
}

/// What was scanned is first again as soon as it is known.
#[test]
fn what_is_sealed_is_replayed_while_what_a_crash_cut_off_is_scanned() {
    let mut rig = lives(ReplayOrder::OldestFirst, |number| number < 2);
    assert_eq!(replay_meanwhile(&mut rig), [2, 3, 0, 1, 4, 5, 6, 7]);
}
