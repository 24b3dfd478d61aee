//! `otlp spool export` and `import`, and the documented backup.

use super::*;

#[test]
fn what_is_exported_is_imported_byte_for_byte() {
    let left = Left::new();
    let saved = tempfile::tempdir().unwrap();
    let archive = saved.path().join("spool.tar");
    let words = [OsStr::new("export"), archive.as_os_str()];
    let ran = spool(left.path(), &words).well();
    assert!(ran.err.starts_with("saved 3 files, "), "{}", ran.err);
    let mode = fs::metadata(&archive).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    spool(left.path(), &words).badly("exists already");

    let words = [OsStr::new("import"), archive.as_os_str()];
    let other = saved.path().join("new");
    let ran = spool(&other, &words).well();
    assert!(ran.err.starts_with("brought back 3 files, "), "{}", ran.err);
    assert_eq!(files(&other), files(left.path()));
    let before = files(&other);
    spool(&other, &words).badly("importing it again would send it twice");
    assert_eq!(files(&other), before);

    // And through a pipe.
    let piped = Ran::from(
        Command::new("sh")
            .args([
                "-c",
                r#""$1" spool export - --directory "$2" | "$1" spool import - --directory "$3""#,
            ])
            .arg("sh")
            .arg(BINARY)
            .arg(left.path())
            .arg(saved.path().join("piped"))
            .output()
            .unwrap(),
    )
    .well();
    assert!(piped.out.is_empty());
    assert_eq!(files(&saved.path().join("piped")), files(left.path()));
}

#[test]
fn an_archive_that_is_damaged_changes_nothing() {
    let left = Left::new();
    let saved = tempfile::tempdir().unwrap();
    let archive = saved.path().join("spool.tar");
    let target = saved.path().join("new");
    spool(left.path(), &[OsStr::new("export"), archive.as_os_str()]).well();
    let whole = fs::read(&archive).unwrap();
    let import = |bytes: &[u8]| {
        fs::write(&archive, bytes).unwrap();
        let ran = spool(&target, &[OsStr::new("import"), archive.as_os_str()]);
        assert!(files(&target).is_empty(), "{}", ran.err);
        ran
    };
    let mut flipped = whole.clone();
    flipped[5000] ^= 1;
    import(&flipped).badly("0000000000000010-0.spool is not as it was saved; nothing was changed");
    import(&whole[..whole.len() / 2]).badly("the archive is cut off");
    import(b"no archive at all").badly("not an archive of otlp spool export: it is shorter");
    import(&[b'x'; 2048]).badly("not an archive of otlp spool export");
    import(&[0; 1024]).badly("the archive has no manifest");
    let mut foreign = whole;
    foreign[..4].copy_from_slice(b"../x");
    import(&foreign).badly("a head's sum is not right");
}

#[test]
fn the_documented_backup_works_word_for_word() {
    let document = include_str!("../../../docs/spool.md");
    let blocks: Vec<_> = document
        .split("<!-- tested -->\n\n```sh\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap())
        .collect();
    assert_eq!(blocks.len(), 2, "how to save, and how to bring back");
    let left = Left::new();
    let saved = tempfile::tempdir().unwrap();
    let binaries = Path::new(BINARY).parent().unwrap();
    let path = std::env::var("PATH").unwrap();
    let run = |block: &str, folder: &Path| {
        let ran = Command::new("sh")
            .args(["-eu", "-c", block])
            .env_clear()
            .env("PATH", format!("{}:{path}", binaries.display()))
            .env("SPOOL", folder)
            .env("BACKUP", saved.path().join("spool.tar"))
            .current_dir(saved.path())
            .output();
        Ran::from(ran.unwrap()).well()
    };
    run(blocks[0], left.path());
    let restored = saved.path().join("restored");
    run(blocks[1], &restored);
    assert_eq!(files(&restored), files(left.path()));
}
