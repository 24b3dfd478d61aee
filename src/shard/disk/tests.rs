use std::{fs, future::Future, path::Path, sync::mpsc, time::Duration};

use bytes::Bytes;
use futures_util::{StreamExt, stream::FuturesUnordered};

use super::*;
use crate::{
    encoding::Encoding,
    rt::{self, ThreadOptions, start},
    signal::Signal,
    spool::{
        Event, FoundSegment, OnFull, Record, ReplayOrder, Settings, Spool,
        inspect::{SegmentFile, SegmentState},
    },
};

const SEGMENT: SegmentName = SegmentName {
    sequence: 7,
    shard: 1,
};

/// Runs a test over the disk of a folder, on an executor of its own.
fn with_disk<F: Future<Output = ()> + 'static>(
    path: &Path,
    test: impl FnOnce(Rc<Disk>) -> F + Send + 'static,
) {
    let (give, take) = mpsc::channel();
    let options = ThreadOptions {
        name: "disk".to_owned(),
        core: None,
        blocking_threads: 1,
    };
    let directory = Arc::new(Directory::open(path).unwrap());
    let thread = start(options, move || async move {
        let disk = Disk::open(directory, 1).await.unwrap();
        test(Rc::clone(&disk)).await;
        disk.idle().await;
        give.send(()).unwrap();
    });
    thread.unwrap().join().unwrap();
    take.recv().unwrap();
}

async fn done(disk: &Rc<Disk>, op: Op) -> Done {
    Rc::clone(disk).perform(op).await.unwrap()
}

async fn failed(disk: &Rc<Disk>, op: Op) -> DiskError {
    Rc::clone(disk).perform(op).await.unwrap_err()
}

fn write(offset: u64, byte: u8, blocks: usize) -> Op {
    let half = Bytes::from(vec![byte; blocks * 2048]);
    Op::Write {
        segment: SEGMENT,
        offset,
        pieces: vec![half.clone(), half],
        bytes: blocks * 4096,
    }
}

fn read(offset: u64, bytes: usize) -> Op {
    Op::Read {
        segment: SEGMENT,
        offset,
        bytes,
    }
}

#[test]
fn a_segment_lives_from_its_creation_to_its_removal() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(SEGMENT.file());
    let marks = folder.path().join(SEGMENT.marks_file());
    let segment = SEGMENT;
    with_disk(folder.path(), move |disk| async move {
        assert_eq!(done(&disk, Op::Create { segment }).await, Done::Nothing);
        done(&disk, Op::SyncDirectory).await;
        done(&disk, write(0, 1, 1)).await;
        done(&disk, write(4096, 2, 3)).await;
        assert_eq!(fs::metadata(&file).unwrap().len(), 4 * 4096);
        // What is written can be read meanwhile, from anywhere and past the end.
        let got = done(&disk, read(4090, 12)).await;
        assert_eq!(
            got,
            Done::Bytes(Bytes::from_static(&[1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2]))
        );
        let got = done(&disk, read(4 * 4096 - 3, 9)).await;
        assert_eq!(got, Done::Bytes(Bytes::from_static(&[2, 2, 2])));
        done(&disk, Op::Close { segment }).await;
        done(&disk, Op::Close { segment }).await;
        // And when it is closed.
        let got = done(&disk, read(0, 1)).await;
        assert_eq!(got, Done::Bytes(Bytes::from_static(&[1])));
        let bytes = Bytes::from_static(b"marks");
        done(
            &disk,
            Op::WriteMarks {
                segment,
                bytes: bytes.clone(),
            },
        )
        .await;
        assert_eq!(
            done(&disk, Op::ReadMarks { segment }).await,
            Done::Bytes(bytes)
        );
        done(&disk, Op::Remove { segment }).await;
        done(&disk, Op::Remove { segment }).await;
        assert!(!file.exists() && !marks.exists());
        let error = failed(&disk, read(0, 1)).await;
        assert_eq!(error.kind, io::ErrorKind::NotFound);
    });
}

#[test]
fn an_error_names_the_file_and_what_was_done_to_it() {
    let folder = tempfile::tempdir().unwrap();
    let segment = SEGMENT;
    with_disk(folder.path(), move |disk| async move {
        let error = failed(&disk, write(0, 1, 1)).await;
        assert_eq!(error.kind, io::ErrorKind::NotFound);
        assert_eq!(
            error.text,
            "cannot write at 0 of 0000000000000007-1.spool: not open for writing"
        );
        done(&disk, Op::Create { segment }).await;
        let error = failed(&disk, Op::Create { segment }).await;
        assert_eq!(error.kind, io::ErrorKind::AlreadyExists);
        assert!(
            error
                .text
                .contains("cannot create 0000000000000007-1.spool: ")
        );
        let error = failed(&disk, Op::ReadMarks { segment }).await;
        assert_eq!(error.kind, io::ErrorKind::NotFound);
        // A segment that is only read is not written to.
        done(&disk, Op::Close { segment }).await;
        done(&disk, read(0, 1)).await;
        let error = failed(&disk, write(0, 1, 1)).await;
        assert_eq!(error.kind, io::ErrorKind::NotFound);
    });
}

#[test]
fn operations_run_beside_each_other() {
    let folder = tempfile::tempdir().unwrap();
    with_disk(folder.path(), |disk| async move {
        let segments: Vec<_> = (0..8)
            .map(|sequence| SegmentName { sequence, shard: 0 })
            .collect();
        let creates = segments
            .iter()
            .map(|segment| Rc::clone(&disk).perform(Op::Create { segment: *segment }));
        for created in futures_util::future::join_all(creates).await {
            assert_eq!(created, Ok(Done::Nothing));
        }
        let writes = segments.iter().map(|segment| {
            let pieces = vec![Bytes::from(vec![1; 8192])];
            let segment = *segment;
            Rc::clone(&disk).perform(Op::Write {
                segment,
                offset: 0,
                pieces,
                bytes: 8192,
            })
        });
        for written in futures_util::future::join_all(writes).await {
            assert_eq!(written, Ok(Done::Nothing));
        }
        assert_eq!(disk.directory.segments().unwrap().len(), 8);
    });
}

#[test]
fn of_the_files_that_are_read_a_few_stay_open() {
    let folder = tempfile::tempdir().unwrap();
    let segments: Vec<_> = (0..20)
        .map(|sequence| SegmentName { sequence, shard: 0 })
        .collect();
    for segment in &segments {
        fs::write(folder.path().join(segment.file()), "12345").unwrap();
    }
    with_disk(folder.path(), move |disk| async move {
        done(
            &disk,
            Op::Create {
                segment: SEGMENT_BUSY,
            },
        )
        .await;
        for segment in segments {
            let op = Op::Read {
                segment,
                offset: 1,
                bytes: 2,
            };
            assert_eq!(
                done(&disk, op).await,
                Done::Bytes(Bytes::from_static(b"23"))
            );
        }
        assert_eq!(disk.read.borrow().len(), READING_MAX);
        assert_eq!(disk.written.borrow().len(), 1, "what is written stays open");
    });
}

const SEGMENT_BUSY: SegmentName = SegmentName {
    sequence: 99,
    shard: 0,
};

/// Drives a spool until it asks for nothing more; gives what it has reported.
async fn drive(disk: &Rc<Disk>, spool: &mut Spool) -> Vec<Event> {
    let mut events = Vec::new();
    loop {
        let mut under_way = FuturesUnordered::new();
        while let Some((id, op)) = spool.next_op(rt::now()) {
            let disk = Rc::clone(disk);
            under_way.push(async move { (id, disk.perform(op).await) });
        }
        events.extend(std::iter::from_fn(|| spool.next_event()));
        if under_way.is_empty() {
            return events;
        }
        while let Some((id, result)) = under_way.next().await {
            spool.done(id, result, rt::now());
        }
    }
}

fn spool(found: &[FoundSegment], salt: u64) -> Spool {
    let settings = Settings {
        bytes_max: 64 << 20,
        age_max: Duration::ZERO,
        on_full: OnFull::Refuse,
        segment_bytes: 1 << 20,
        order: ReplayOrder::OldestFirst,
        commit_delay: Duration::ZERO,
    };
    Spool::new(settings, 0, salt, found, rt::now(), 1_000 + salt)
}

fn record(number: u8, bytes: usize) -> Record {
    Record {
        signal: Signal::Logs,
        encoding: Encoding::Identity,
        items: u64::from(number),
        at: 5,
        headers: Bytes::new(),
        body: vec![Bytes::from(vec![number; bytes])],
        bytes,
    }
}

#[test]
fn what_a_spool_has_stored_is_there_for_the_next_one_and_for_a_person() {
    const RECORDS: u8 = 40;
    const BYTES: usize = 100_000;
    let folder = tempfile::tempdir().unwrap();
    with_disk(folder.path(), |disk| async move {
        let mut first = spool(&[], 1);
        for number in 0..RECORDS {
            first.append(record(number, BYTES), rt::now()).unwrap();
        }
        let events = drive(&disk, &mut first).await;
        let places: Vec<_> = events
            .iter()
            .filter_map(|event| match event {
                Event::Stored(_, place) => Some(*place),
                _ => None,
            })
            .collect();
        assert_eq!(places.len(), usize::from(RECORDS));
        first.settle(places[0]);
        first.close();
        drive(&disk, &mut first).await;
        assert!(first.is_closed());

        let folder = disk.directory.path();
        let found = disk.directory.segments().unwrap();
        assert!(found.len() > 3, "several segments");
        let mut left = 0;
        for segment in &found {
            let file = SegmentFile::open(folder, *segment).unwrap();
            assert_eq!(file.state, SegmentState::Sealed);
            let scanned = file.scan().unwrap();
            assert_eq!(file.index().unwrap(), Some(scanned.entries.clone()));
            assert_eq!(scanned.damages, []);
            left += scanned.entries.len() - file.marks.settled.count() as usize;
            let body = file.read(&scanned.entries[0]).unwrap().unwrap().body;
            assert_eq!(body.len(), BYTES);
        }
        assert_eq!(left, usize::from(RECORDS) - 1);

        let mut second = spool(&found, 2);
        let mut replayed = Vec::new();
        drive(&disk, &mut second).await;
        while second.replay(1 << 20, [true; 4], rt::now()) {
            for event in drive(&disk, &mut second).await {
                let Event::Replayed(records) = event else {
                    continue;
                };
                for (place, record) in records {
                    replayed.push(record.body[0][0]);
                    second.settle(place);
                }
            }
        }
        assert_eq!(replayed, (1..RECORDS).collect::<Vec<_>>());
        second.close();
        drive(&disk, &mut second).await;
        assert!(
            disk.directory.segments().unwrap().is_empty(),
            "all was removed"
        );
    });
}
