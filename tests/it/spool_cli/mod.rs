//! `otlp spool` over folders as a forwarder leaves them.

mod archive;
mod disk;
mod replay;

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs,
    io::{ErrorKind, Write},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output, Stdio},
    rc::Rc,
    sync::{Arc, mpsc},
};

use otlp::{
    encoding::Encoding,
    rt::{self, ThreadOptions},
    shard::Disk,
    signal::Signal,
    spool::{Directory, Done, Op, SegmentName},
};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{
    Behaviour, Collector, Payload, Received, Segment, TAKEN, count_ids, payload, within,
};

const BINARY: &str = env!("CARGO_BIN_EXE_otlp");

/// How a command ended, and what it said.
struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self {
            code: output.status.code(),
            out: text(output.stdout),
            err: text(output.stderr),
        }
    }
}

impl Ran {
    /// It did what it is for.
    fn well(self) -> Self {
        assert_eq!(self.code, Some(0), "{}{}", self.out, self.err);
        self
    }

    /// It did not, and says so in this way.
    fn badly(self, says: &str) -> Self {
        assert_eq!(self.code, Some(1), "{}{}", self.out, self.err);
        let all = format!("{}{}", self.out, self.err);
        assert!(all.contains(says), "{says:?} is not in:\n{all}");
        self
    }
}

fn command(folder: &Path, words: &[impl AsRef<OsStr>]) -> Command {
    let mut command = Command::new(BINARY);
    command
        .arg("spool")
        .args(words)
        .arg("--directory")
        .arg(folder)
        .env_clear()
        .stdin(Stdio::null());
    command
}

fn spool(folder: &Path, words: &[impl AsRef<OsStr>]) -> Ran {
    command(folder, words).output().unwrap().into()
}

/// The same beside the tasks of a test.
async fn spool_beside(folder: &Path, words: &[&str]) -> Ran {
    let mut command = command(folder, words);
    let running = tokio::task::spawn_blocking(move || command.output().unwrap());
    within("the command ends", running).await.unwrap().into()
}

fn payloads(signal: Signal, count: usize) -> Vec<Payload> {
    (0..count).map(|_| payload(signal, 10)).collect()
}

fn ids(payloads: &[Payload]) -> BTreeMap<u64, usize> {
    count_ids(payloads.iter().flat_map(|payload| payload.ids.clone()))
}

/// Every file of a folder but its lock.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
    entries
        .map(|entry| {
            let name = entry.file_name().into_string().unwrap();
            (name, fs::read(entry.path()).unwrap())
        })
        .filter(|(name, _)| name != "lock")
        .collect()
}

/// A sealed segment of which a part was delivered, and one that a crash cut off.
struct Left {
    folder: TempDir,
    sealed: Vec<Payload>,
    torn: Vec<Payload>,
}

impl Left {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let sealed = payloads(Signal::Traces, 5);
        let torn = payloads(Signal::Logs, 3);
        Segment::of(0x10, &sealed, Encoding::Identity)
            .settled(0..2)
            .sealed()
            .put(folder.path());
        Segment::of(0x20, &torn, Encoding::Gzip)
            .torn()
            .put(folder.path());
        Self {
            folder,
            sealed,
            torn,
        }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }
}

#[test]
fn ls_shows_what_is_left_of_each_segment() {
    let left = Left::new();
    let ran = spool(left.path(), &["ls"]).well();
    let lines: Vec<_> = ran.out.lines().collect();
    let words = |line: usize| lines[line].split_whitespace().collect::<Vec<_>>();
    assert_eq!(lines.len(), 4, "{}", ran.out);
    assert!(lines[0].starts_with("SEGMENT"), "{}", ran.out);
    assert_eq!(words(1)[..2], ["0000000000000010-0", "sealed"]);
    assert_eq!(words(1)[4..8], ["5", "3", "30", "spans"], "{}", ran.out);
    assert_eq!(words(2)[..2], ["0000000000000020-0", "unsealed"]);
    assert_eq!(words(2)[4..8], ["2", "2", "20", "log_records"]);
    assert!(lines[3].starts_with("2 segments, "), "{}", ran.out);
    assert!(lines[3].ends_with("left: 5 records, 30 spans, 20 log_records"));
    assert!(!ran.out.contains('\x1b'), "plain in a pipe");

    let ran = spool(left.path(), &["ls", "--output", "json"]).well();
    let rows: Vec<Value> = ran
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(rows[0]["records"], 5);
    assert_eq!(rows[0]["settled"], 2);
    assert_eq!(rows[0]["items"]["traces"], 50);
    assert_eq!(rows[0]["items_left"]["traces"], 30);
    assert_eq!(rows[1]["oldest"], "2023-11-14T22:13:20Z");
    assert_eq!(TAKEN / 1_000_000_000, 1_700_000_000);
}

#[test]
fn ls_and_cat_work_beside_the_owner_and_the_others_name_it() {
    let left = Left::new();
    let _owner = Directory::open(left.path()).unwrap();
    spool(left.path(), &["ls"]).well();
    spool(left.path(), &["cat"]).well();
    let owned = format!("owned by process {}", std::process::id());
    spool(left.path(), &["verify"]).badly(&owned);
    spool(left.path(), &["export", "-"]).badly(&owned);
    spool(left.path(), &["import", "-"]).badly(&owned);
    spool(left.path(), &["replay", "--to", "127.0.0.1:1"]).badly(&owned);
}

#[test]
fn verify_tells_damage_from_a_torn_end_by_place_and_exit_code() {
    let left = Left::new();
    let ran = spool(left.path(), &["verify"]).well();
    assert!(
        ran.out
            .contains("0000000000000010-0.spool: ok, sealed, 5 records")
    );
    assert!(
        ran.out
            .contains("0000000000000020-0.spool: at 12288: torn, ")
    );
    assert!(
        ran.out
            .ends_with("2 segments, 7 whole records, 0 damages, 1 torn ends\n")
    );

    let mut segment = Segment::of(0x30, &payloads(Signal::Metrics, 4), Encoding::Identity);
    let offset = segment.damage(2);
    segment.sealed().put(left.path());
    let ran = spool(left.path(), &["verify"]);
    let place = format!("0000000000000030-0.spool: at {offset}: damaged, ");
    let ran = ran.badly(&place);
    assert!(ran.out.contains(", 1 records\n"), "{}", ran.out);
    assert!(
        ran.out.contains("10 whole records, 1 damages"),
        "{}",
        ran.out
    );

    fs::write(left.path().join("0000000000000010-0.done"), "x").unwrap();
    spool(left.path(), &["verify"]).badly("its marks are damaged");
}

#[test]
fn verify_names_what_is_no_file_of_a_spool_and_leaves_it() {
    let left = Left::new();
    let renamed = left.path().join("0000000000000010-0.spool.old");
    fs::rename(left.path().join("0000000000000010-0.spool"), &renamed).unwrap();
    fs::write(left.path().join("0000000000000099-0.done"), "").unwrap();
    fs::write(left.path().join("0000000000000099-0.done.tmp"), "").unwrap();
    let ran = spool(left.path(), &["verify"]).well();
    let strays: Vec<_> = ran
        .out
        .lines()
        .filter(|it| it.contains("no file"))
        .collect();
    assert_eq!(
        strays,
        [
            "0000000000000010-0.spool.old: no file of a spool by its name: it is neither sent nor \
             removed"
        ]
    );
    assert!(renamed.exists());
}

#[test]
fn cat_prints_what_is_left_for_people_and_as_otlp_json() {
    let left = Left::new();
    let ran = spool(left.path(), &["cat"]).well();
    assert_eq!(ran.out.matches("traces  it").count(), 3, "{}", ran.out);
    assert_eq!(ran.out.matches("logs  it").count(), 2, "{}", ran.out);
    assert!(ran.out.starts_with("22:13:20.000 traces"), "{}", ran.out);

    let ran = spool(left.path(), &["cat", "--output", "json", "--all"]).well();
    let lines: Vec<Value> = ran
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 7);
    let spans = &lines[0]["resourceSpans"][0]["scopeSpans"][0]["spans"];
    assert_eq!(spans.as_array().unwrap().len(), 10);
    let trace_id = spans[0]["traceId"].as_str().unwrap();
    assert!(trace_id.len() == 32 && trace_id.bytes().all(|it| it.is_ascii_hexdigit()));
    let ran = spool(
        left.path(),
        &["cat", "--signal", "logs", "--output", "json"],
    )
    .well();
    assert_eq!(ran.out.lines().count(), 2);
    assert!(
        ran.out
            .lines()
            .all(|line| line.starts_with(r#"{"resourceLogs":"#))
    );
}

#[test]
fn cat_passes_over_what_is_damaged_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let mut segment = Segment::of(1, &payloads(Signal::Logs, 3), Encoding::Identity);
    let offset = segment.damage(1);
    segment.sealed().put(folder.path());
    let ran = spool(folder.path(), &["cat"]);
    let ran = ran.badly(&format!(
        "0000000000000001-0.spool at {offset}: damaged; skipped"
    ));
    assert_eq!(ran.out.matches("logs  it").count(), 2);
}

/// Two records of tenants and one without headers.
fn tenants(folder: &Path) -> Vec<Payload> {
    let records = payloads(Signal::Logs, 3);
    Segment::of(1, &[], Encoding::Identity)
        .with(&records[0], "x-tenant: team-a\r\nx-tenant: b\u{e9}\r\n")
        .with(&records[1], "x-tenant: team-b\r\n")
        .with(&records[2], "")
        .sealed()
        .put(folder);
    records
}

#[test]
fn cat_shows_the_headers_that_go_on_with_a_record() {
    let folder = tempfile::tempdir().unwrap();
    tenants(folder.path());
    let ran = spool(folder.path(), &["cat"]).well();
    let lines: Vec<_> = ran.out.lines().collect();
    assert_eq!(lines[0], "x-tenant: team-a");
    assert_eq!(lines[1], r"x-tenant: b\xc3\xa9", "plain in a terminal");
    assert!(lines[2].contains("logs  it"), "{}", ran.out);
    assert_eq!(ran.out.matches("x-tenant").count(), 3, "{}", ran.out);

    let ran = spool(folder.path(), &["cat", "--output", "json"]).well();
    let rows: Vec<Value> = ran
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(
        rows[0]["headers"][0],
        serde_json::json!(["x-tenant", "team-a"])
    );
    assert_eq!(
        rows[1]["headers"],
        serde_json::json!([["x-tenant", "team-b"]])
    );
    assert!(rows[2].get("headers").is_none());
    assert!(rows.iter().all(|row| row["resourceLogs"].is_array()));
}

#[tokio::test]
async fn replay_and_an_archive_keep_the_headers_of_records() {
    let folder = tempfile::tempdir().unwrap();
    let records = tenants(folder.path());
    let archive = folder.path().join("spool.tar");
    spool(folder.path(), &["export".as_ref(), archive.as_os_str()]).well();
    for (protocol, path) in [("grpc", ""), ("http/protobuf", "/")] {
        let copy = tempfile::tempdir().unwrap();
        spool(copy.path(), &["import".as_ref(), archive.as_os_str()]).well();
        let collector = Collector::start().await;
        let to = format!("http://{}{path}", collector.address);
        let words = ["replay", "--to", &to, "--protocol", protocol];
        spool_beside(copy.path(), &words).await.well();
        assert_eq!(collector.accepted_ids(Signal::Logs), ids(&records));
        collector.read(|log| {
            for received in &log.accepted {
                let ids = crate::support::ids_in(Signal::Logs, &received.body);
                let place = records.iter().position(|it| it.ids == ids).unwrap();
                let values = received.headers.get_all("x-tenant").iter();
                let values: Vec<_> = values.map(|it| it.as_bytes()).collect();
                let expected: [&[&[u8]]; 3] =
                    [&[b"team-a", "b\u{e9}".as_bytes()], &[b"team-b"], &[]];
                assert_eq!(values, expected[place], "{protocol}");
            }
        });
    }
}

#[tokio::test]
async fn a_record_whose_headers_cannot_be_read_is_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let records = payloads(Signal::Logs, 2);
    Segment::of(1, &[], Encoding::Identity)
        .with(&records[0], "x-tenant: a")
        .with(&records[1], "x-tenant: b\r\n")
        .sealed()
        .put(folder.path());
    let what = "at 4096: the headers of the record cannot be read";
    spool(folder.path(), &["verify"]).badly(what);
    let ran = spool(folder.path(), &["cat"]).badly("its headers cannot be read; skipped");
    assert_eq!(ran.out.matches("logs  it").count(), 1, "{}", ran.out);
    let collector = Collector::start().await;
    let to = format!("http://{}", collector.address);
    let ran = spool_beside(folder.path(), &["replay", "--to", &to]).await;
    ran.badly("1 records are damaged and stay");
    assert_eq!(collector.accepted_ids(Signal::Logs), ids(&records[1..]));
}

#[test]
fn what_cannot_be_done_says_why_and_what_to_do() {
    let parent = tempfile::tempdir().unwrap();
    let missing = parent.path().join("missing");
    spool(&missing, &["ls"]).badly("No such file or directory");
    spool(&missing, &["verify"]).badly("No such file or directory");
    spool(&missing.join("spool"), &["import", "-"]).badly("its parent folder does not exist");
    let unnamed = Ran::from(
        Command::new(BINARY)
            .args(["spool", "ls"])
            .current_dir(parent.path())
            .env_clear()
            .output()
            .unwrap(),
    );
    unnamed.badly("spool.directory is not set: name the folder with --directory DIR");
    let ran = spool(parent.path(), &["ls"]).well();
    assert_eq!(ran.out, "no segments: nothing is stored\n");
}

#[test]
fn the_folder_is_that_of_the_configuration_where_none_is_named() {
    let left = Left::new();
    let config = tempfile::tempdir().unwrap();
    let file = config.path().join("otlp.toml");
    let text = format!("[spool]\ndirectory = {:?}\n", left.path());
    fs::write(&file, text).unwrap();
    let ran = Ran::from(
        Command::new(BINARY)
            .args(["spool", "ls", "--config"])
            .arg(&file)
            .env_clear()
            .output()
            .unwrap(),
    );
    assert!(ran.well().out.contains("0000000000000010-0"));
}

#[test]
fn whoever_has_seen_enough_ends_it_quietly() {
    let folder = tempfile::tempdir().unwrap();
    Segment::of(1, &payloads(Signal::Logs, 400), Encoding::Identity)
        .sealed()
        .put(folder.path());
    let ran = Ran::from(
        Command::new("bash")
            .args([
                "-c",
                r#"set -o pipefail; "$1" spool cat --directory "$2" | head -1"#,
            ])
            .arg("bash")
            .arg(BINARY)
            .arg(folder.path())
            .output()
            .unwrap(),
    )
    .well();
    assert_eq!(ran.out.lines().count(), 1);
    assert!(ran.err.is_empty(), "{}", ran.err);
}
