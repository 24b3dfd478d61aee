//! Each promise once, in a small run.

use std::time::Duration;

use super::{
    super::{Event, OnFull, Op, Refused, ReplayOrder, State, Why, sim::Faults},
    rig::{Rig, settings},
};
use crate::signal::Signal;

fn dropped(rig: &Rig, why: Why) -> u64 {
    let dropped = rig.events.iter().filter_map(|event| match event {
        Event::Dropped {
            records, why: it, ..
        } if *it == why => Some(*records),
        _ => None,
    });
    dropped.sum()
}

#[test]
fn the_first_record_is_stored_after_its_segment_and_the_directory_are_synced() {
    let mut rig = Rig::new(settings(), 1);
    rig.append(1, 100).unwrap();
    rig.ask();
    assert!(matches!(rig.given[0].1, Op::Create { .. }));
    rig.perform(0);
    assert!(matches!(rig.given[0].1, Op::Write { offset: 0, .. }));
    assert!(matches!(rig.given[1].1, Op::SyncDirectory));
    rig.perform(1);
    assert!(rig.stored.is_empty());
    rig.perform(0);
    assert!(rig.given.is_empty());
    assert!(rig.stored.contains_key(&1));
}

#[test]
fn what_comes_while_a_group_is_written_is_one_group() {
    let mut rig = Rig::new(settings(), 1);
    rig.append(1, 100).unwrap();
    rig.ask();
    rig.perform(0);
    for number in 2..50 {
        rig.append(number, 300).unwrap();
        rig.ask();
    }
    rig.run();
    assert_eq!(rig.stored.len(), 49);
    assert_eq!(rig.disk.syncs, 2, "one for the first, one for all others");
}

#[test]
fn a_group_waits_for_more_unless_much_waits_already() {
    let pause = Duration::from_millis(1);
    let mut rig = Rig::new(settings(), 1);
    rig.settings.commit_delay = pause;
    rig.settings.segment_bytes = 1 << 20;
    rig = rig.restarted(rig.disk.clone());
    rig.append(1, 100).unwrap();
    rig.run();
    assert_eq!(rig.stored.len(), 1, "what comes seldom waits for nothing");

    rig.append(2, 100).unwrap();
    rig.append(3, 100).unwrap();
    rig.run();
    assert_eq!(rig.stored.len(), 1);
    assert_eq!(rig.spool.next_at(), Some(rig.now + pause));
    rig.pass(pause);
    rig.run();
    assert_eq!(rig.stored.len(), 3);

    for number in 4..10 {
        rig.append(number, 50_000).unwrap();
    }
    rig.run();
    assert_eq!(rig.stored.len(), 9, "much goes at once");

    rig.append(10, 100).unwrap();
    rig.spool.close();
    rig.run();
    assert_eq!(rig.stored.len(), 10, "at the end nothing waits");
}

#[test]
fn long_bodies_begin_at_a_sector_and_short_ones_where_there_is_room() {
    let mut rig = Rig::new(settings(), 1);
    rig.settings.segment_bytes = 1 << 20;
    rig = rig.restarted(rig.disk.clone());
    for number in 0..30 {
        let bytes = if number % 2 == 0 { 43_017 } else { 300 };
        rig.append(number, bytes).unwrap();
    }
    rig.ask();
    rig.perform(0);
    rig.ask();
    let Op::Write { pieces, .. } = &rig.given[0].1 else {
        panic!("{:?}", rig.given[0]);
    };
    let starts = pieces.iter().scan(0, |next, piece| {
        let at = *next;
        *next += piece.len();
        Some((at, piece.len()))
    });
    // The bodies are of two pieces; this is the first one's length.
    let firsts: Vec<_> = starts.filter(|(_, bytes)| *bytes == 43_017 / 3).collect();
    assert_eq!(firsts.len(), 15);
    assert!(firsts.iter().all(|(at, _)| at % 512 == 0), "{firsts:?}");
    rig.run();
    let mut rig = rig.restarted(rig.disk.clone());
    assert_eq!(rig.replay_all(), (0..30).collect::<Vec<_>>());
    // Short ones lie close together.
    let mut rig = Rig::new(settings(), 1);
    rig.append(1, 100).unwrap();
    rig.append(2, 100).unwrap();
    rig.run();
    let name = rig.disk.found()[0].name;
    assert_eq!(rig.disk.contents(name).unwrap().len(), 2 * 4096);
}

#[test]
fn all_comes_back_in_order_and_then_nothing_is_left_on_disk() {
    for order in [ReplayOrder::OldestFirst, ReplayOrder::NewestFirst] {
        let mut rig = Rig::new(settings(), 1);
        rig.settings.order = order;
        rig = rig.restarted(rig.disk.clone());
        for number in 0..200 {
            rig.append(number, 2_000).unwrap();
            rig.run();
        }
        assert!(rig.disk.found().len() > 5, "several segments");
        let held: Vec<_> = rig.stored.values().copied().collect();
        assert!(
            !rig.spool.replay(1, [true; 4], rig.now),
            "all of it is held"
        );
        held.iter().for_each(|place| rig.spool.release(*place));
        let mut expected: Vec<u64> = (0..200).collect();
        if order == ReplayOrder::NewestFirst {
            expected.reverse();
        }
        assert_eq!(rig.replay_all(), expected);
        assert_eq!(rig.spool.status().records, 0);
        rig.spool.close();
        rig.run();
        assert!(rig.spool.is_closed());
        assert_eq!(rig.disk.found(), []);
    }
}

#[test]
fn a_restart_replays_what_was_not_settled_after_a_close_and_after_a_crash() {
    for closes in [true, false] {
        let mut rig = Rig::new(settings(), 1);
        for number in 0..100 {
            rig.append(number, 2_000).unwrap();
            rig.run();
        }
        for number in 0..30 {
            rig.spool.settle(rig.stored[&number]);
        }
        rig.pass(Duration::from_secs(1));
        rig.run();
        let unsettled = rig.spool.status();
        if closes {
            rig.spool.close();
            rig.run();
            assert!(rig.spool.is_closed());
        }
        let mut rig = rig.restarted(rig.disk.clone());
        rig.run();
        let status = rig.spool.status();
        assert_eq!((status.records, status.items), (70, unsettled.items));
        assert!(!status.recovering);
        assert_eq!(rig.replay_all(), (30..100).collect::<Vec<_>>());
        assert_eq!(dropped(&rig, Why::Damaged), 0);
    }
}

#[test]
fn a_failed_sync_fails_its_group_and_that_file_is_never_synced_again() {
    let mut rig = Rig::new(settings(), 1);
    rig.append(1, 100).unwrap();
    rig.run();
    let first = rig.disk.found()[0].name;
    rig.disk.faults.sync = 1000;
    rig.append(2, 100).unwrap();
    rig.append(3, 100).unwrap();
    rig.run();
    assert_eq!(rig.failed.len(), 2);
    assert!(matches!(rig.spool.status().state, State::Broken { .. }));
    let refused = rig.append(4, 100).unwrap_err();
    assert!(matches!(refused, Refused::Broken { retry_in, .. }
        if retry_in == Duration::from_secs(1)));
    rig.disk.faults = Faults::default();
    rig.pass(Duration::from_secs(1));
    while !rig.given.is_empty() {
        let op = &rig.given[0].1;
        assert!(!matches!(op, Op::Write { segment, .. } if *segment == first));
        rig.perform(0);
    }
    assert_eq!(rig.spool.status().state, State::Working);
    rig.append(5, 100).unwrap();
    rig.run();
    assert_ne!(rig.stored[&5].segment, first);
    let mut rig = rig.restarted(rig.disk.clone());
    let found = rig.replay_all();
    assert!(found.contains(&1) && found.contains(&5), "{found:?}");
}

/// The failed group lies there whole: what was written is read, synced or not.
#[test]
fn what_has_failed_is_not_found_after_a_clean_stop() {
    let mut rig = Rig::new(settings(), 1);
    rig.append(1, 100).unwrap();
    rig.run();
    rig.disk.faults.sync = 1000;
    rig.append(2, 100).unwrap();
    rig.append(3, 100).unwrap();
    rig.run();
    assert_eq!(rig.failed.len(), 2);
    rig.disk.faults = Faults::default();
    rig.spool.close();
    rig.run();
    assert!(rig.spool.is_closed());
    let mut rig = rig.restarted(rig.disk.clone());
    assert_eq!(rig.replay_all(), [1]);
    assert_eq!(dropped(&rig, Why::Damaged), 0);
}

/// Nothing is left in a segment, and the disk removes none: its marks say so.
#[test]
fn what_cannot_be_removed_is_not_found_by_a_restart() {
    let found_again = |rig: &Rig| {
        let mut disk = rig.disk.clone();
        disk.faults = Faults::default();
        rig.restarted(disk).replay_all()
    };
    let mut rig = Rig::new(settings(), 1);
    rig.disk.faults.remove = 1000;
    rig.disk.faults.sync = 1000;
    rig.append(1, 100).unwrap();
    rig.run();
    assert_eq!(rig.failed.len(), 1);
    rig.disk.faults.sync = 0;
    rig.pass(Duration::from_secs(1));
    rig.run();
    assert_eq!(found_again(&rig), [0; 0], "after a kill");
    rig.append(2, 100).unwrap();
    rig.run();
    rig.spool.settle(rig.stored[&2]);
    rig.spool.close();
    rig.run();
    assert!(rig.spool.is_closed());
    assert_eq!(rig.disk.found().len(), 2, "neither was removed");
    assert_eq!(found_again(&rig), [0; 0], "after a stop");
    rig.disk.faults.remove = 0;
    let mut rig = rig.restarted(rig.disk.clone());
    rig.run();
    assert_eq!(rig.disk.found(), []);
}

#[test]
fn a_full_spool_refuses_or_drops_the_oldest_segment() {
    let mut bounded = settings();
    bounded.bytes_max = 512 << 10;
    for on_full in [OnFull::Refuse, OnFull::DropOldest] {
        bounded.on_full = on_full;
        let mut rig = Rig::new(bounded, 1);
        let mut refused = 0;
        for number in 0..1_000 {
            refused += u32::from(rig.append(number, 3_000).is_err());
            rig.run();
            if let Some(place) = rig.stored.get(&number) {
                rig.spool.release(*place);
            }
            assert!(rig.disk.bytes() <= bounded.bytes_max);
        }
        assert!(rig.disk.bytes() > bounded.bytes_max * 6 / 10, "used");
        match on_full {
            OnFull::Refuse => assert!(refused > 800),
            OnFull::DropOldest => assert_eq!(refused, 0),
        }
        let found = rig.replay_all();
        assert_eq!(
            found.len() as u64 + dropped(&rig, Why::Full) + u64::from(refused),
            1_000
        );
    }
}

#[test]
fn what_is_too_old_is_dropped_and_counted_and_what_is_held_is_its_holders() {
    let mut aging = settings();
    aging.age_max = Duration::from_secs(60);
    let mut rig = Rig::new(aging, 1);
    for number in 0..10 {
        rig.append(number, 3_000).unwrap();
        rig.run();
    }
    let places: Vec<_> = rig.stored.values().copied().collect();
    for place in &places[..6] {
        rig.spool.release(*place);
    }
    rig.pass(Duration::from_secs(59));
    assert_eq!(dropped(&rig, Why::Expired), 0);
    rig.pass(Duration::from_secs(3));
    rig.run();
    assert_eq!(dropped(&rig, Why::Expired), 6);
    for place in &places[6..8] {
        rig.spool.settle(*place);
    }
    for place in &places[8..] {
        rig.spool.release(*place);
    }
    rig.run();
    assert_eq!(dropped(&rig, Why::Expired), 8);
    assert_eq!(rig.disk.found(), []);
}

#[test]
fn a_record_larger_than_a_segment_has_one_of_its_own() {
    let mut rig = Rig::new(settings(), 1);
    for (number, bytes) in [(1, 1_000), (2, 200_000), (3, 1_000)] {
        rig.append(number, bytes).unwrap();
    }
    rig.run();
    assert_eq!(rig.disk.found().len(), 3);
    let places: Vec<_> = rig.stored.values().copied().collect();
    places.iter().for_each(|place| rig.spool.release(*place));
    assert_eq!(rig.replay_all(), [1, 2, 3]);
}

#[test]
fn a_vanished_disk_counts_nothing_as_damaged_and_comes_back() {
    let mut rig = Rig::new(settings(), 1);
    for number in 0..100 {
        rig.append(number, 3_000).unwrap();
        rig.run();
    }
    let mut rig = rig.restarted(rig.disk.clone());
    rig.run();
    rig.disk.faults.is_gone = true;
    for _ in 0..600 {
        rig.spool.replay(1 << 20, [true; 4], rig.now);
        rig.run();
        rig.pass(Duration::from_secs(1));
    }
    assert!(matches!(rig.spool.status().state, State::Broken { .. }));
    assert_eq!(rig.spool.status().damaged, 0);
    rig.disk.faults.is_gone = false;
    rig.pass(Duration::from_secs(31));
    assert_eq!(rig.replay_all().len(), 100);
    assert_eq!(rig.spool.status().state, State::Working);
}

#[test]
fn a_disk_that_was_full_is_tried_as_soon_as_data_is_removed_and_else_when_its_time_has_come() {
    let mut rig = Rig::new(settings(), 1);
    rig.disk.capacity = 100 << 10;
    let mut number = 0;
    // Failure upon failure, until the disk is left alone for half a minute.
    loop {
        match rig.append(number, 3_000) {
            Err(Refused::Broken { retry_in, .. }) if retry_in.as_secs() < 30 => rig.pass(retry_in),
            Err(_) => break,
            Ok(()) => number += 1,
        }
        rig.run();
    }
    let broken = |rig: &mut Rig| matches!(rig.append(number, 100), Err(Refused::Broken { .. }));
    rig.pass(Duration::from_secs(10));
    rig.run();
    assert!(broken(&mut rig), "what came to nothing is no room");
    let places: Vec<_> = rig.stored.values().copied().collect();
    for place in places {
        assert!(broken(&mut rig));
        rig.spool.settle(place);
        rig.run();
        if !broken(&mut rig) {
            rig.run();
            assert!(rig.stored.contains_key(&number), "at once");
            return;
        }
    }
    panic!("a segment is removed, and the disk is not tried");
}

#[test]
fn only_signals_that_are_asked_for_are_replayed() {
    let mut rig = Rig::new(settings(), 1);
    for number in 0..400 {
        rig.append(number, 1_000).unwrap();
        rig.run();
    }
    assert!(rig.disk.found().len() > 3, "in several segments");
    let places: Vec<_> = rig.stored.values().copied().collect();
    places.iter().for_each(|place| rig.spool.release(*place));
    let only_metrics = Signal::ALL.map(|signal| signal == Signal::Metrics);
    while rig.spool.replay(16 << 10, only_metrics, rig.now) {
        rig.run();
    }
    let seen: Vec<u64> = rig.replayed.iter().map(|(_, number)| *number).collect();
    let metrics: Vec<u64> = (0..400).filter(|it| it % 4 == 1).collect();
    assert_eq!(seen, metrics);
    for (place, _) in std::mem::take(&mut rig.replayed) {
        rig.spool.settle(place);
    }
    let others: Vec<u64> = (0..400).filter(|it| it % 4 != 1).collect();
    assert_eq!(rig.replay_all(), others);
}
