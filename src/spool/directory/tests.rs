use super::*;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn segment(sequence: u64, shard: u32) -> SegmentName {
    SegmentName { sequence, shard }
}

#[test]
fn a_folder_is_made_for_its_owner_alone() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("spool");
    let directory = Directory::open(&path).unwrap();
    assert_eq!(mode(&path), 0o700);
    assert_eq!(mode(&path.join("lock")), 0o600);
    assert!(!directory.is_open_to_others().unwrap());
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    assert!(directory.is_open_to_others().unwrap());
    assert!(directory.segments().unwrap().is_empty());
    directory.sync().unwrap();
}

#[test]
fn only_one_owns_it_and_the_other_is_told_who() {
    let parent = tempfile::tempdir().unwrap();
    let first = Directory::open(parent.path()).unwrap();
    let text = Directory::open(parent.path()).unwrap_err().to_string();
    let pid = std::process::id();
    assert!(text.contains(&format!("owned by process {pid};")), "{text}");
    assert!(text.contains(&parent.path().display().to_string()));
    drop(first);
    Directory::open(parent.path()).unwrap();
}

#[test]
fn what_cannot_be_used_is_named_with_the_fix() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("missing/spool");
    let error = Directory::open(&path).unwrap_err();
    assert!(matches!(error, OpenError::NoParent(_)), "{error}");
    let error = Directory::own(&path).unwrap_err();
    assert!(matches!(error, OpenError::Other { .. }), "{error}");
    let file = parent.path().join("file");
    fs::write(&file, "").unwrap();
    let error = Directory::open(&file).unwrap_err();
    assert!(error.to_string().contains("Not a directory"), "{error}");
}

#[test]
fn segments_are_found_in_order_and_other_files_are_left() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path();
    let names = [segment(9, 1), segment(3, 0), segment(9, 0)];
    for name in names {
        fs::write(path.join(name.file()), "12345").unwrap();
    }
    fs::write(path.join(names[1].marks_file()), "").unwrap();
    fs::write(path.join(format!("{}.tmp", names[1].marks_file())), "").unwrap();
    fs::write(path.join("notes.txt"), "").unwrap();
    let directory = Directory::open(path).unwrap();
    let found = directory.segments().unwrap();
    let order: Vec<_> = found.iter().map(|segment| segment.name).collect();
    assert_eq!(order, [segment(3, 0), segment(9, 0), segment(9, 1)]);
    assert!(found.iter().all(|segment| segment.bytes == 5));
    let marked: Vec<_> = found.iter().map(|segment| segment.has_marks).collect();
    assert_eq!(marked, [true, false, false]);
    assert!(path.join("notes.txt").exists());
    assert_eq!(
        fs::read_dir(path).unwrap().count(),
        6,
        "the unfinished one is gone"
    );

    directory.remove(names[1]).unwrap();
    directory.remove(names[1]).unwrap();
    assert_eq!(directory.segments().unwrap().len(), 2);
    assert!(!path.join(names[1].marks_file()).exists());
}

#[test]
fn a_file_is_replaced_whole() {
    let parent = tempfile::tempdir().unwrap();
    let directory = Directory::open(parent.path()).unwrap();
    directory.replace("a.done", b"one and more").unwrap();
    directory.replace("a.done", b"two").unwrap();
    assert_eq!(directory.read("a.done").unwrap(), b"two");
    assert_eq!(mode(&parent.path().join("a.done")), 0o600);
    assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 2);
    let missing = directory.read("b.done").unwrap_err();
    assert_eq!(missing.kind(), io::ErrorKind::NotFound);
}

#[test]
fn what_fewer_or_more_shards_left_is_spread_over_all() {
    let found: Vec<_> = (0..7)
        .map(|shard| FoundSegment {
            name: segment(u64::from(shard), shard),
            bytes: 1,
            has_marks: false,
        })
        .collect();
    for shards in 1..10 {
        let spread = assign(found.clone(), shards);
        assert_eq!(spread.len(), shards);
        let sizes: Vec<_> = spread.iter().map(Vec::len).collect();
        assert_eq!(sizes.iter().sum::<usize>(), 7);
        let used = shards.min(7);
        assert!(
            sizes[..used].iter().all(|size| *size >= 7 / used),
            "{sizes:?}"
        );
    }
}
