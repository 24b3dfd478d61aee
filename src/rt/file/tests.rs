use std::{future::Future, path::Path, sync::mpsc};

use super::*;
use crate::rt::{ThreadOptions, start};

/// Runs a future on an executor of its own.
fn run<R: Send + 'static, F: Future<Output = R> + 'static>(
    main: impl FnOnce() -> F + Send + 'static,
) -> R {
    let (give, take) = mpsc::channel();
    let options = ThreadOptions {
        name: "files".to_owned(),
        core: None,
        blocking_threads: 1,
    };
    let thread = start(options, move || async move {
        give.send(main().await).unwrap();
    });
    thread.unwrap().join().unwrap();
    take.recv().unwrap()
}

fn worker() -> Rc<Worker> {
    Rc::new(Worker::start("writes").unwrap())
}

/// Every kind of access that the folder takes.
async fn each_access(folder: &Path) -> Vec<Access> {
    let found = Access::find(folder, "probe", &worker()).await;
    assert!(!folder.join("probe").exists(), "the probe is removed");
    let buffered = Access::Buffered("asked for".to_owned());
    match found {
        Access::Direct { .. } => {
            let unit = BLOCK_BYTES;
            vec![found, Access::Direct { unit }, buffered]
        }
        Access::Buffered(_) => vec![buffered],
    }
}

/// `len` bytes that differ from place to place.
fn pattern(len: usize) -> Bytes {
    let bytes = (0..len).map(|at| u8::try_from(at * 31 % 251).unwrap());
    bytes.collect::<Vec<_>>().into()
}

#[test]
fn what_is_written_is_read_whatever_the_pieces_and_the_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_owned();
    run(move || async move {
        for (index, access) in each_access(&path).await.into_iter().enumerate() {
            let path = path.join(format!("{index}"));
            let writer = FileWriter::create(&path, &access, &worker()).await.unwrap();
            // More than one reading, in pieces that end anywhere; some lie at a sector.
            let mut whole = aligned(STEP_BYTES + 5 * BLOCK_BYTES);
            whole.extend_from_slice(&pattern(STEP_BYTES + 5 * BLOCK_BYTES));
            let whole = whole.freeze();
            let cuts = [
                0,
                1,
                512,
                4095,
                4096,
                70_000,
                STEP_BYTES - 1,
                STEP_BYTES + 1,
                STEP_BYTES + 4096,
                whole.len(),
            ];
            let pieces: Vec<_> = cuts
                .windows(2)
                .map(|cut| whole.slice(cut[0]..cut[1]))
                .collect();
            let written = writer.write_synced(BLOCK_BYTES as u64, pieces).await;
            written.unwrap();
            let end = whole.len() + BLOCK_BYTES;
            assert_eq!(fs::metadata(&path).unwrap().len(), end as u64, "{access}");
            let file = File::open(&path, &access).await.unwrap();
            for (offset, len) in [(4096, whole.len()), (4097, 10), (8191, 2), (70_001, 50_000)] {
                let read = file.read_at(offset as u64, len).await.unwrap();
                let from = offset - BLOCK_BYTES;
                assert_eq!(
                    read,
                    whole.slice(from..from + len),
                    "{access} {offset} {len}"
                );
            }
            let read = file.read_at(end as u64 - 10, 100).await.unwrap();
            assert_eq!(
                read,
                whole.slice(whole.len() - 10..),
                "{access}: up to the end"
            );
            assert!(file.read_at(end as u64, 10).await.unwrap().is_empty());
            assert!(file.read_at(end as u64 + 3, 10).await.unwrap().is_empty());
            file.close().await.unwrap();
        }
    });
}

#[test]
fn what_is_no_whole_block_is_refused_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_owned();
    run(move || async move {
        for (index, access) in each_access(&path).await.into_iter().enumerate() {
            let path = path.join(format!("{index}"));
            let file = FileWriter::create(&path, &access, &worker()).await.unwrap();
            for (offset, len) in [(0, 4095), (1, 4096)] {
                let error = file.write_synced(offset, vec![pattern(len)]).await;
                let error = error.unwrap_err();
                assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{access}");
            }
            assert_eq!(fs::metadata(&path).unwrap().len(), 0);
        }
    });
}

#[test]
fn errors_keep_the_kernels_number() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_owned();
    run(move || async move {
        for (index, access) in each_access(&path).await.into_iter().enumerate() {
            let missing = path.join("missing");
            let error = File::open(&missing, &access).await.unwrap_err();
            assert_eq!(error.raw_os_error(), Some(2), "{access}: ENOENT");
            let path = path.join(format!("{index}"));
            let worker = worker();
            FileWriter::create(&path, &access, &worker).await.unwrap();
            let error = FileWriter::create(&path, &access, &worker).await;
            let error = error.unwrap_err();
            assert_eq!(error.raw_os_error(), Some(17), "{access}: EEXIST");
        }
    });
}

#[test]
fn a_file_that_is_removed_while_it_is_open_is_read_still_and_its_next_sync_fails() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_owned();
    run(move || async move {
        for (index, access) in each_access(&path).await.into_iter().enumerate() {
            let path = path.join(format!("{index}"));
            let writer = FileWriter::create(&path, &access, &worker()).await.unwrap();
            let block = || vec![pattern(BLOCK_BYTES)];
            writer.write_synced(0, block()).await.unwrap();
            let file = File::open(&path, &access).await.unwrap();
            fs::remove_file(&path).unwrap();
            let error = writer.write_synced(4096, block()).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::NotFound, "{access}: {error}");
            assert_eq!(file.read_at(4096, 9).await.unwrap(), pattern(9), "{access}");
            file.close().await.unwrap();
        }
    });
}

#[test]
fn a_folder_that_cannot_be_probed_is_accessed_through_the_page_cache() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing");
    let found = run(move || async move { Access::find(&missing, "probe", &worker()).await });
    let Access::Buffered(why) = found else {
        panic!("{found}");
    };
    assert!(why.contains("No such file"), "{why}");
}
