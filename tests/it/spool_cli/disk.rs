//! Folders on disks that are full or cannot be written.

use super::*;

/// Mounts a file system in memory of one MiB; unmounts it in the end. `None`, and why, where this
/// user may not.
struct Mounted(TempDir);

impl Mounted {
    fn new(options: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", options, "otlp-test"])
            .arg(folder.path())
            .output();
        match mount {
            Ok(mount) if mount.status.success() => Some(Self(folder)),
            other => {
                let skipped = format!("skipped: cannot mount a file system: {other:?}\n");
                std::io::stderr().write_all(skipped.as_bytes()).unwrap();
                None
            }
        }
    }

    fn remount(&self, options: &str) {
        let mount = Command::new("mount")
            .args(["-o", options])
            .arg(self.0.path())
            .status();
        assert!(mount.unwrap().success());
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("-l").arg(self.0.path()).status();
        drop(unmounted);
    }
}

#[test]
fn a_full_disk_takes_nothing_in_and_lets_what_is_there_out() {
    let Some(disk) = Mounted::new("size=1m,mode=700") else {
        return;
    };
    let folder = disk.0.path();
    let left = Left::new();
    for (name, bytes) in files(left.path()) {
        fs::write(folder.join(name), bytes).unwrap();
    }
    let saved = tempfile::tempdir().unwrap();
    let archive = saved.path().join("large.tar");
    let large = tempfile::tempdir().unwrap();
    Segment::of(0x99, &payloads(Signal::Logs, 400), Encoding::Identity).put(large.path());
    spool(large.path(), &[OsStr::new("export"), archive.as_os_str()]).well();

    let before = files(folder);
    let import = [OsStr::new("import"), archive.as_os_str()];
    spool(folder, &import).badly("No space left on device");
    assert_eq!(files(folder), before, "nothing was changed");

    // Not one byte is free: it is read and owned all the same.
    let rest = vec![1; 2 << 20];
    let filled = fs::write(folder.join("other"), rest);
    assert!(filled.is_err(), "the disk is full");
    spool(folder, &["ls"]).well();
    spool(folder, &["verify"]).well();
    let archive = saved.path().join("all.tar");
    spool(folder, &[OsStr::new("export"), archive.as_os_str()]).well();
    fs::remove_file(folder.join("lock")).unwrap();
    spool(folder, &["verify"]).well();
}

#[test]
fn a_write_that_does_not_fit_is_told_as_a_full_disk_and_what_was_written_stays() {
    let Some(disk) = Mounted::new("size=1m,mode=700") else {
        return;
    };
    let directory = Arc::new(Directory::open(disk.0.path()).unwrap());
    let (give, take) = mpsc::channel();
    let options = ThreadOptions {
        name: "disk".to_owned(),
        core: None,
        blocking_threads: 1,
    };
    let thread = rt::start(options, move || async move {
        let disk = Disk::open(directory, 0).await.unwrap();
        let segment = SegmentName {
            sequence: 1,
            shard: 0,
        };
        let write = |offset: u64, byte: u8, bytes: usize| {
            Rc::clone(&disk).perform(Op::Write {
                segment,
                offset,
                pieces: vec![vec![byte; bytes].into()],
                bytes,
            })
        };
        let create = Rc::clone(&disk).perform(Op::Create { segment });
        create.await.unwrap();
        write(0, 1, 8192).await.unwrap();
        let error = write(8192, 2, 2 << 20).await.unwrap_err();
        let read = Rc::clone(&disk).perform(Op::Read {
            segment,
            offset: 0,
            bytes: 8192,
        });
        give.send((error, read.await.unwrap())).unwrap();
    });
    thread.unwrap().join().unwrap();
    let (error, read) = take.recv().unwrap();
    assert_eq!(error.kind, ErrorKind::StorageFull, "{error}");
    assert!(
        error
            .text
            .starts_with("cannot write at 8192 of 0000000000000001-0.spool: ")
    );
    assert_eq!(read, Done::Bytes(vec![1; 8192].into()));
}

#[test]
fn a_folder_that_cannot_be_written_is_shown_and_not_owned() {
    let Some(disk) = Mounted::new("size=1m,mode=700") else {
        return;
    };
    let left = Left::new();
    for (name, bytes) in files(left.path()) {
        fs::write(disk.0.path().join(name), bytes).unwrap();
    }
    disk.remount("remount,ro");
    spool(disk.0.path(), &["ls"]).well();
    spool(disk.0.path(), &["cat"]).well();
    let ran = spool(disk.0.path(), &["verify"]).badly("Read-only file system");
    assert!(
        ran.err
            .contains("give this user a folder that it may read and write")
    );
}
