//! What a damaged segment loses: exhaustively for one of 64 KiB, cut off and sealed.

use std::time::Duration;

use bytes::Bytes;

use super::{
    super::{
        Event, Scanned, Scanner, SegmentName, Why,
        format::{Crc, Entry, Kind, RecordHeader, SegmentHeader, Trailer, record as read_record},
        sim::{Disk, Random},
    },
    rig::{Rig, settings},
};
use crate::{encoding::Encoding, signal::Signal};

/// A segment of about 64 KiB, in groups of several records, as it lies on disk.
fn segment(is_sealed: bool) -> (SegmentName, Vec<u8>) {
    let mut rig = Rig::new(settings(), 7);
    rig.settings.segment_bytes = 1 << 20;
    rig = rig.restarted(Disk::new(7));
    for number in 0..24 {
        // One is so long that its body begins at a sector.
        let bytes = match number {
            7 => 9_000,
            _ => [5_000, 300, 1_500, 40][usize::try_from(number).unwrap() % 4],
        };
        rig.append(number, bytes).unwrap();
        if number % 3 == 2 {
            rig.run();
        }
    }
    rig.run();
    if is_sealed {
        rig.spool.close();
        rig.run();
    }
    let name = rig.disk.found()[0].name;
    (name, rig.disk.contents(name).unwrap().to_vec())
}

fn salt(name: SegmentName, file: &[u8]) -> u64 {
    SegmentHeader::decode(&file[..4096], name).unwrap().salt
}

/// Feeds a scan, from the state in which it is.
fn feed(mut scanner: Scanner, file: &[u8]) -> Scanned {
    while let Some((from, bytes)) = scanner.wants() {
        let from = usize::try_from(from).unwrap().min(file.len());
        scanner.take(&file[from..(from + bytes).min(file.len())]);
    }
    scanner.finish(false)
}

fn scan(salt: u64, file: &[u8]) -> Scanned {
    feed(Scanner::new(salt, file.len() as u64), file)
}

fn at(offset: u64) -> usize {
    usize::try_from(offset).unwrap()
}

fn content_end(entry: &Entry) -> usize {
    at(entry.offset) + 64 + entry.content as usize
}

/// Whether a byte of the file belongs to a record, and not to its fill, which no checksum covers.
fn counts(byte: usize, entry: &Entry, salt: u64, file: &[u8]) -> bool {
    let from = at(entry.offset);
    let header = RecordHeader::decode(&file[from..], salt, entry.offset).unwrap();
    let fill = from + 64 + header.headers as usize;
    let body = fill + usize::from(header.fill);
    (from..fill).contains(&byte) || (body..content_end(entry)).contains(&byte)
}

#[test]
fn every_cut_keeps_all_whole_records_before_it() {
    for is_sealed in [false, true] {
        let (name, file) = segment(is_sealed);
        let salt = salt(name, &file);
        let all = scan(salt, &file).entries;
        assert_eq!(all.len(), 24);
        for cut in 0..=file.len() {
            let found = scan(salt, &file[..cut]);
            let whole = all.iter().take_while(|it| content_end(it) <= cut).count();
            assert_eq!(found.entries, all[..whole], "cut at {cut}");
            assert!(found.damages.iter().all(|it| it.is_torn), "cut at {cut}");
        }
    }
}

/// A spool that starts over this file alone.
fn start_over(name: SegmentName, file: Vec<u8>) -> Rig {
    let rig = Rig::new(settings(), 9);
    let mut disk = Disk::new(9);
    disk.put(name, file);
    rig.restarted(disk)
}

#[test]
fn a_spool_that_starts_over_a_cut_segment_replays_what_is_whole() {
    for is_sealed in [false, true] {
        let (name, file) = segment(is_sealed);
        let all = scan(salt(name, &file), &file).entries;
        for cut in (0..=file.len()).step_by(509).chain([file.len()]) {
            let mut rig = start_over(name, file[..cut].to_vec());
            let found = rig.replay_all();
            let whole = all.iter().take_while(|it| content_end(it) <= cut).count() as u64;
            assert_eq!(found, (0..whole).collect::<Vec<_>>(), "cut at {cut}");
        }
    }
}

#[test]
fn every_flipped_bit_of_a_cut_off_segment_costs_its_record_alone() {
    let (name, mut file) = segment(false);
    let salt = salt(name, &file);
    let end = file.len() as u64;
    let all = scan(salt, &file).entries;
    // The states of a scan at the beginning of each record: what follows hangs on them alone.
    let states: Vec<_> = (0..all.len())
        .map(|index| {
            let mut scanner = Scanner::new(salt, end);
            while let Some((from, _)) = scanner.wants().filter(|it| it.0 < all[index].offset) {
                let (from, to) = (at(from), at(all[index].offset));
                scanner.take_of(&file[from..to], to - from);
            }
            scanner
        })
        .collect();
    for bit in 4096 * 8..file.len() * 8 {
        let byte = bit / 8;
        let hit = all.iter().rposition(|it| it.offset <= byte as u64).unwrap();
        file[byte] ^= 1 << (bit % 8);
        let found = feed(states[hit].clone(), &file);
        file[byte] ^= 1 << (bit % 8);
        let lost: u64 = found.damages.iter().map(|it| it.records).sum();
        if counts(byte, &all[hit], salt, &file) {
            assert_eq!(lost, 1, "bit {bit}");
            assert_eq!(found.entries.len(), all.len() - 1, "bit {bit}");
        } else {
            assert_eq!(lost, 0, "bit {bit} of the fill");
            assert_eq!(found.entries.len(), all.len(), "bit {bit}");
        }
        let mut others = all.iter().filter(|it| it.ordinal as usize != hit);
        let all_others = others.all(|it| found.entries.contains(it));
        assert!(all_others, "bit {bit}");
    }
}

#[test]
fn every_flipped_bit_of_a_sealed_segment_is_noticed_where_it_is_read() {
    let (name, file) = segment(true);
    let salt = salt(name, &file);
    let length = file.len() as u64;
    let trailer = Trailer::decode(&file[file.len() - 4096..], name, length).unwrap();
    let index_at = usize::try_from(trailer.index_offset).unwrap();
    let index_end = file.len() - 4096;
    let all = Entry::decode_index(&file[index_at..index_end], salt, trailer.index_offset).unwrap();
    assert_eq!(all, scan(salt, &file).entries);
    for entry in &all {
        let from = at(entry.offset);
        let whole = file[from..content_end(entry)].to_vec();
        assert!(read_record(&Bytes::from(whole.clone()), entry.offset, entry, salt).is_some());
        for bit in 0..whole.len() * 8 {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let read = read_record(&Bytes::from(flipped), entry.offset, entry, salt);
            let is_lost = counts(from + bit / 8, entry, salt, &file);
            assert_eq!(
                read.is_none(),
                is_lost,
                "bit {bit} of record {}",
                entry.ordinal
            );
        }
    }
    let index_used = 64 + all.len() * 40;
    for bit in 0..(index_end - index_at) * 8 {
        let mut index = file[index_at..index_end].to_vec();
        index[bit / 8] ^= 1 << (bit % 8);
        let found = Entry::decode_index(&index, salt, trailer.index_offset);
        let expected = (bit / 8 >= index_used).then(|| all.clone());
        assert_eq!(found, expected, "bit {bit} of the index");
    }
    for bit in 0..4096 * 8 {
        let mut block = file[index_end..].to_vec();
        block[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(Trailer::decode(&block, name, length), Some(trailer));
    }
}

#[test]
fn a_flipped_bit_anywhere_is_counted_by_the_spool_and_all_else_is_replayed() {
    for is_sealed in [false, true] {
        let (name, file) = segment(is_sealed);
        let salt = salt(name, &file);
        let all = scan(salt, &file).entries;
        let mut random = Random::new(3);
        for _ in 0..400 {
            let bit = random.below(file.len() * 8);
            let mut flipped = file.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let mut rig = start_over(name, flipped);
            let mut found = rig.replay_all();
            // What was read wrong is read once more, later.
            rig.pass(Duration::from_secs(2));
            found.extend(rig.replay_all());
            let is_hit = |it: &&Entry| counts(bit / 8, it, salt, &file);
            let hit = all.iter().find(is_hit).map(|it| u64::from(it.ordinal));
            let expected: Vec<_> = (0..24).filter(|it| Some(*it) != hit).collect();
            assert_eq!(found, expected, "bit {bit}");
            let told = rig.events.iter().any(|event| {
                matches!(event, Event::Damaged { records: 1, .. })
                    || matches!(
                        event,
                        Event::Dropped {
                            records: 1,
                            why: Why::Damaged,
                            ..
                        }
                    )
            });
            assert_eq!(told, hit.is_some(), "bit {bit}: {:?}", rig.events);
            assert_eq!(rig.spool.status().records, 0);
        }
    }
}

#[test]
fn garbage_is_never_taken_for_a_record() {
    let (name, file) = segment(false);
    let salt = salt(name, &file);
    let mut random = Random::new(5);
    for _ in 0..3_000 {
        let length = random.below(20_000);
        let mut garbage: Vec<u8> = (0..length / 8)
            .flat_map(|_| random.number().to_le_bytes())
            .collect();
        assert_eq!(scan(salt, &garbage).entries, []);
        // Behind a head that is right, and after some records.
        let keep = 4096 + random.below(file.len() - 4096);
        let mut tail = file[..keep].to_vec();
        tail.append(&mut garbage);
        let whole = scan(salt, &file).entries;
        let whole = whole.iter().filter(|it| content_end(it) <= keep).count();
        assert_eq!(scan(salt, &tail).entries.len(), whole);
    }
    for seed in 0..200 {
        let mut random = Random::new(seed);
        let length = random.below(30_000);
        let garbage = (0..length).map(|_| random.number().to_le_bytes()[0]);
        let mut rig = start_over(name, garbage.collect());
        assert!(rig.replay_all().is_empty());
        rig.append(1, 100).unwrap();
        rig.run();
        assert!(rig.stored.contains_key(&1));
    }
}

#[test]
fn a_record_inside_a_body_needs_the_salt_and_its_own_offset_to_be_taken_for_one() {
    let name = SegmentName {
        sequence: 1,
        shard: 0,
    };
    let salt = 77;
    let inner_body = b"inner".repeat(20);
    let inner = |salt, offset| {
        let header = RecordHeader {
            kind: Kind::Request(Signal::Logs, Encoding::Identity),
            ordinal: 1,
            body_crc: Crc::default().with(&inner_body).get(),
            headers: 0,
            body: 100,
            items: 1,
            at: 1,
            group: 4096,
            fill: 0,
        };
        let mut bytes = header.encode(salt, offset).to_vec();
        bytes.extend_from_slice(&inner_body);
        bytes
    };
    // The body lies behind the header of the segment and the head of its record.
    let place = 4096 + 64 + 512;
    for (salt_of_inner, offset, is_taken) in [
        (78, place, false),
        (salt, place + 8, false),
        (salt, place, true),
    ] {
        let mut body = vec![b'x'; 2_000];
        let inner = inner(salt_of_inner, offset);
        body[512..512 + inner.len()].copy_from_slice(&inner);
        let outer = RecordHeader {
            kind: Kind::Request(Signal::Logs, Encoding::Identity),
            ordinal: 0,
            body_crc: Crc::default().with(&body).get(),
            headers: 0,
            body: 2_000,
            items: 1,
            at: 1,
            group: 4096,
            fill: 0,
        };
        let mut file = SegmentHeader {
            name,
            salt,
            created: 1,
        }
        .encode();
        file.extend_from_slice(&outer.encode(salt, 4096));
        file.extend_from_slice(&body);
        file.resize(8192, 0);
        assert_eq!(scan(salt, &file).entries.len(), 1, "the outer one alone");
        assert_eq!(scan(salt, &file).entries[0].ordinal, 0);
        file[4100] ^= 1;
        let found = scan(salt, &file).entries;
        assert_eq!(!found.is_empty(), is_taken);
    }
}

#[test]
fn the_fill_of_a_write_is_no_damage_however_short_it_is() {
    for fill in (0..4096).step_by(8) {
        let mut rig = Rig::new(settings(), 3);
        // A header of 64 bytes, headers of its own, and a body that leaves `fill` bytes of a block.
        let bytes = 2 * 4096 - 64 - 5 - fill;
        rig.append(1, bytes).unwrap();
        rig.run();
        rig.append(2, 100).unwrap();
        rig.run();
        let name = rig.disk.found()[0].name;
        let file = rig.disk.contents(name).unwrap();
        let found = scan(salt(name, file), file);
        assert_eq!(found.entries.len(), 2, "{fill}");
        assert!(found.damages.is_empty(), "{fill}: {:?}", found.damages);
    }
}
