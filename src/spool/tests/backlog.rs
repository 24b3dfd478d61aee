//! A large backlog is looked at cheaply.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

use super::{
    super::{
        Done, Event, FoundSegment, Op, SegmentName, Spool,
        format::{BLOCK, Entry, Summary, Trailer, align},
    },
    rig::{UNIX, record, settings},
};
use crate::signal::Signal;

const SEGMENTS: u64 = 1_600;
const RECORDS: u64 = 1_500;
const CONTENT: u32 = 43_000;

/// A sealed segment of 64 MiB that is made up when it is read.
fn trailer(name: SegmentName) -> Trailer {
    let mut summary = Summary::default();
    let mut offset = BLOCK;
    for ordinal in 0..RECORDS {
        let entry = Entry {
            offset,
            items: 100,
            at: UNIX,
            content: CONTENT,
            ordinal: u32::try_from(ordinal).unwrap(),
            signal: Signal::Traces,
        };
        summary.add(&entry);
        offset = entry.end();
    }
    Trailer {
        name,
        salt: name.sequence,
        index_offset: align(offset, BLOCK),
        summary,
    }
}

#[test]
fn a_hundred_gigabytes_are_taken_over_by_their_trailers_alone() {
    let names = (1..=SEGMENTS).map(|sequence| SegmentName { sequence, shard: 0 });
    let trailers: BTreeMap<_, _> = names.map(|name| (name, trailer(name))).collect();
    let found: Vec<_> = trailers
        .values()
        .map(|trailer| FoundSegment {
            name: trailer.name,
            bytes: trailer.segment_bytes(),
            has_marks: false,
        })
        .collect();
    assert!(found.iter().map(|it| it.bytes).sum::<u64>() > 100_000_000_000);
    let now = crate::rt::now();
    let mut spool = Spool::new(settings(), 0, 1, &found, now, UNIX);
    spool.append(record(1, 500, UNIX), now).unwrap();
    let (mut reads, mut bytes_read, mut reads_before_stored) = (0_u64, 0_usize, None);
    let (mut recovered, mut most_under_way) = (0, 0);
    let mut given = VecDeque::new();
    loop {
        given.extend(std::iter::from_fn(|| spool.next_op(now)));
        most_under_way = most_under_way.max(given.len());
        let Some((id, op)) = given.pop_front() else {
            break;
        };
        let done = match &op {
            Op::Read {
                segment,
                offset,
                bytes,
            } => {
                let trailer = trailers[segment];
                assert_eq!(
                    *offset,
                    trailer.segment_bytes() - BLOCK,
                    "the trailer alone"
                );
                reads += 1;
                bytes_read += bytes;
                Done::Bytes(Bytes::from(trailer.encode()))
            }
            _ => Done::Nothing,
        };
        spool.done(id, Ok(done), now);
        while let Some(event) = spool.next_event() {
            match event {
                Event::Stored(..) => reads_before_stored = Some(reads),
                Event::Recovered { records, items } => {
                    recovered += records;
                    assert_eq!(items, [RECORDS * 100, 0, 0, 0]);
                }
                _ => {}
            }
        }
    }
    assert_eq!((reads, bytes_read), (SEGMENTS, 4096 * 1_600));
    assert!(
        reads_before_stored.unwrap() <= 16,
        "a first record does not wait for a backlog"
    );
    assert!(most_under_way <= 8);
    assert_eq!(recovered, SEGMENTS * RECORDS);
    let status = spool.status();
    assert_eq!(status.records, SEGMENTS * RECORDS + 1);
    assert!(!status.recovering);
}
