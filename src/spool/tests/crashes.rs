//! The power is cut after every single operation, and everything is asked for again.

use std::{collections::BTreeSet, time::Duration};

use super::{
    super::{
        Op,
        sim::{Disk, Random},
    },
    rig::{Rig, settings},
};

/// How many crashes are tried at each point: each keeps other sectors.
const CRASHES: u64 = 6;

/// What is known at a moment of a run.
#[derive(Clone, Default)]
struct Known {
    appended: u64,
    settled: BTreeSet<u64>,
}

fn crash_and_check(rig: &Rig, disk: &Disk, known: &Known, what: &str) {
    for crash in 0..CRASHES {
        let mut disk = disk.clone();
        disk.reseed(crash);
        disk.crash();
        let mut again = rig.restarted(disk);
        let found = again.replay_all();
        let unique: BTreeSet<_> = found.iter().copied().collect();
        assert_eq!(unique.len(), found.len(), "{what}: one came twice");
        for number in rig.stored.keys().filter(|it| !known.settled.contains(it)) {
            assert!(
                unique.contains(number),
                "{what}, crash {crash}: {number} is lost"
            );
        }
        let foreign = unique.iter().find(|it| **it >= known.appended);
        assert_eq!(foreign, None, "{what}: never appended");
        assert_eq!(again.spool.status().damaged, 0, "{what}, crash {crash}");
        again.spool.close();
        again.run();
        assert!(again.spool.is_closed());
        assert_eq!(again.disk.found(), [], "{what}");
    }
}

/// Performs what is given one by one, with a crash tried in and after each.
fn run(rig: &mut Rig, known: &Known, points: &mut u32, random: &mut Random, what: &str) {
    rig.ask();
    while !rig.given.is_empty() {
        let which = random.below(rig.given.len());
        let op = rig.given[which].1.clone();
        if matches!(op, Op::Write { .. }) {
            *points += 1;
            let mut disk = rig.disk.clone();
            disk.perform_half(&op);
            let what = format!("{what}, point {points} in {op:.60?}");
            crash_and_check(rig, &disk, known, &what);
        }
        rig.perform(which);
        let is_quiet = matches!(op, Op::Read { .. } | Op::Close { .. });
        if !is_quiet {
            *points += 1;
            let what = format!("{what}, point {points} after {op:.60?}");
            crash_and_check(rig, &rig.disk, known, &what);
        }
    }
}

#[test]
fn a_crash_after_any_operation_loses_nothing_that_was_stored() {
    let mut points = 0;
    for seed in 0..6 {
        let what = format!("seed {seed}");
        let mut random = Random::new(seed);
        let mut rig = Rig::new(settings(), seed);
        let mut known = Known::default();
        for _ in 0..12 {
            for _ in 0..=random.below(4) {
                let bytes = [50, 700, 5_000, 20_000][random.below(4)];
                rig.append(known.appended, bytes).unwrap();
                known.appended += 1;
            }
            run(&mut rig, &known, &mut points, &mut random, &what);
            let stored: Vec<_> = rig.stored.iter().map(|(a, b)| (*a, *b)).collect();
            for (number, place) in stored {
                match random.below(4) {
                    0 | 1 => {
                        rig.spool.settle(place);
                        known.settled.insert(number);
                    }
                    2 => rig.spool.release(place),
                    _ => {}
                }
            }
            if random.chance(500) {
                rig.pass(Duration::from_secs(1));
                run(&mut rig, &known, &mut points, &mut random, &what);
            }
        }
        rig.spool.close();
        run(&mut rig, &known, &mut points, &mut random, &what);
        assert!(rig.spool.is_closed());
    }
    assert!(points > 300, "{points} points");
}
