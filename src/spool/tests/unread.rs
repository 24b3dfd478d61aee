//! What an earlier run has left and cannot be read at first.

use std::time::Duration;

use super::{
    super::{Event, Op, sim::Faults},
    rig::{Rig, settings},
};

/// A spool that starts over one segment with records 1 to 3, of which 2 is marked as settled.
fn marked(is_sealed: bool) -> Rig {
    let mut rig = Rig::new(settings(), 1);
    for number in 1..=3 {
        rig.append(number, 100).unwrap();
    }
    rig.run();
    rig.spool.settle(rig.stored[&2]);
    rig.pass(Duration::from_secs(1));
    rig.run();
    if is_sealed {
        rig.spool.close();
        rig.run();
    }
    rig.restarted(rig.disk.clone())
}

fn unread(rig: &Rig) -> Vec<&Event> {
    let is_unread = |it: &&Event| matches!(it, Event::Unread { .. });
    rig.events.iter().filter(is_unread).collect()
}

#[test]
fn marks_that_cannot_be_read_at_first_still_count() {
    for is_sealed in [false, true] {
        let mut rig = marked(is_sealed);
        rig.disk.faults.marks = 1000;
        assert_eq!(rig.replay_all(), [0; 0], "not before its marks are read");
        rig.pass(Duration::from_secs(1));
        assert_eq!(rig.replay_all(), [0; 0], "twice");
        rig.disk.faults = Faults::default();
        rig.pass(Duration::from_secs(2));
        assert_eq!(rig.replay_all(), [1, 3]);
        assert_eq!(unread(&rig).len(), 1, "told once");
    }
}

#[test]
fn marks_that_can_never_be_read_do_not_keep_their_segment_back() {
    for is_sealed in [false, true] {
        let mut rig = marked(is_sealed);
        rig.disk.faults.marks = 1000;
        let mut found = rig.replay_all();
        for _ in 0..3 {
            rig.pass(Duration::from_secs(4));
            found.extend(rig.replay_all());
        }
        assert_eq!(found, [1, 2, 3]);
    }
}

#[test]
fn a_read_that_fails_is_told_once_a_segment_with_its_place() {
    let mut rig = marked(true);
    let segment = rig.disk.found()[0];
    rig.ask();
    let error = rig.fail(0);
    for _ in 0..2 {
        rig.run();
        rig.pass(Duration::from_secs(1));
        let is_look = |(_, op): &(_, Op)| matches!(op, Op::Read { .. });
        if let Some(look) = rig.given.iter().position(is_look) {
            rig.fail(look);
        }
    }
    rig.pass(Duration::from_secs(4));
    assert_eq!(rig.replay_all(), [1, 3]);
    let expected = Event::Unread {
        segment: segment.name,
        offset: segment.bytes - 4096,
        error,
    };
    assert_eq!(unread(&rig), [&expected]);
}
