//! Children are pinned, priced, ended, and never outlive their parent.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use loadtest::host::{
    Answer, Child, Meter, Order, Output, Ready, free_ports, get, wait_until_ready,
};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// Far more than anything here takes: to fail rather than to hang.
const LONG: Duration = Duration::from_secs(30);

fn harness() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_loadtest"))
}

fn shell(dir: &TempDir, script: &str, cores: &[usize]) -> Child {
    let command = ["/bin/sh", "-c", script].map(str::to_owned);
    let order = Order {
        name: "script",
        command: &command,
        env: &BTreeMap::from([("COLOUR".to_owned(), "green".to_owned())]),
        cores,
        log: dir.path().join("log"),
        output: Output::Read,
    };
    Child::start(harness(), order).unwrap()
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// Whether a process runs; one that has ended and was not waited for does not.
fn runs(id: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    let ended = stat
        .rsplit_once(") ")
        .map(|(_, rest)| rest.starts_with('Z'));
    ended == Some(false)
}

/// The kernel tells nobody of these states.
async fn until(mut holds: impl FnMut() -> bool) {
    let wait = async {
        while !holds() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(LONG, wait)
        .await
        .expect("a state that does not come");
}

#[tokio::test]
async fn a_child_gets_its_cores_its_environment_and_a_word() {
    let dir = folder();
    let script = "echo $COLOUR; grep Cpus_allowed_list /proc/self/status; read line";
    let mut child = shell(&dir, script, &[0]);
    assert_eq!(child.line(LONG).await.unwrap(), "green");
    assert_eq!(child.line(LONG).await.unwrap(), "Cpus_allowed_list:\t0");
    assert!(
        child.ended().unwrap().is_none(),
        "its standard input is open"
    );
    child.end(LONG).await.unwrap();
}

#[tokio::test]
async fn a_core_that_is_not_there_is_named() {
    let dir = folder();
    let mut child = shell(&dir, "echo never", &[1023]);
    let error = child.line(LONG).await.unwrap_err().to_string();
    assert!(
        error.contains("1023") && error.contains("ended before it was ready"),
        "{error}"
    );
}

#[tokio::test]
async fn an_end_takes_the_whole_group() {
    let dir = folder();
    let mut child = shell(&dir, "sleep 1000 & echo $!; wait", &[]);
    let grandchild = child.line(LONG).await.unwrap();
    assert!(runs(&grandchild));
    assert!(child.end(LONG).await.unwrap().is_some());
    assert!(!runs(&grandchild));
}

#[tokio::test]
async fn who_does_not_end_is_killed() {
    let dir = folder();
    let mut child = shell(
        &dir,
        "trap '' TERM; echo $$; while :; do read line; done",
        &[],
    );
    let id = child.line(LONG).await.unwrap();
    assert!(child.end(Duration::ZERO).await.unwrap().is_none());
    assert!(!runs(&id));
}

#[tokio::test]
async fn a_dropped_child_is_killed_with_its_group() {
    let dir = folder();
    let mut child = shell(&dir, "sleep 1000 & echo $!; wait", &[]);
    let grandchild = child.line(LONG).await.unwrap();
    drop(child);
    until(|| !runs(&grandchild)).await;
}

#[tokio::test]
async fn a_child_dies_with_its_parent_however_that_ends() {
    // The shell is the parent; it starts the child and is then killed.
    let script = format!("{} exec -- sleep 1000 & echo $!; wait", harness().display());
    let mut parent = Command::new("/bin/sh")
        .args(["-c", &script])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut id = String::new();
    BufReader::new(parent.stdout.take().unwrap())
        .read_line(&mut id)
        .unwrap();
    let id = id.trim().to_owned();
    until(|| fs::read_to_string(format!("/proc/{id}/comm")).is_ok_and(|name| name == "sleep\n"))
        .await;
    parent.kill().unwrap();
    parent.wait().unwrap();
    until(|| !runs(&id)).await;
}

#[tokio::test]
async fn work_is_priced_also_that_of_children() {
    let dir = folder();
    // The shell itself only waits; a child of it works, says so and waits for its end.
    let burn = "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; echo done; sleep 1000";
    let mut child = shell(&dir, &format!("echo go; sh -c '{burn}' & wait"), &[]);
    assert_eq!(child.line(LONG).await.unwrap(), "go");
    let mut meter = Meter::new("script");
    meter.begin();
    assert_eq!(child.line(LONG).await.unwrap(), "done");
    meter.follow(child.group());
    meter.sample(1.0);
    let cost = meter.cost();
    let own = fs::read_to_string(format!("/proc/{}/schedstat", child.group())).unwrap();
    let own: f64 = own.split(' ').next().unwrap().parse().unwrap();
    assert!(
        cost.cpu > own / 1e9,
        "{cost:?}, of which the shell's own is {own} ns"
    );
    assert!(
        cost.rss_peak > 0 && cost.points.len() == 1 && cost.points[0].rss > 0,
        "{cost:?}"
    );
    child.end(LONG).await.unwrap();
}

#[tokio::test]
async fn readiness_is_a_state() {
    let dir = folder();
    let [listen] = free_ports().unwrap();
    let mut child = shell(&dir, "read line", &[]);
    {
        let wait = wait_until_ready(&mut child, &Ready::Tcp, listen, LONG);
        tokio::pin!(wait);
        // Polled until it has looked in vain and waits to look again.
        tokio::select! {
            biased;
            early = &mut wait => panic!("nothing listens yet: {early:?}"),
            () = async { for _ in 0..100 { tokio::task::yield_now().await; } } => {}
        }
        let _listener = TcpListener::bind(listen).await.unwrap();
        wait.await.unwrap();
    }
    child.end(LONG).await.unwrap();
}

#[tokio::test]
async fn a_system_that_ends_before_it_is_ready_shows_its_log() {
    let dir = folder();
    let [listen] = free_ports().unwrap();
    let mut child = shell(&dir, "echo no such flag >&2; exit 3", &[]);
    let error = wait_until_ready(&mut child, &Ready::Tcp, listen, LONG)
        .await
        .unwrap_err();
    let error = error.to_string();
    assert!(
        error.contains("no such flag") && error.contains("exit status: 3"),
        "{error}"
    );
}

#[tokio::test]
async fn a_get_reads_an_answer_also_where_the_server_closes() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            request.push(stream.read_u8().await.unwrap());
        }
        let answer = b"HTTP/1.1 503 Busy\r\nconnection: close\r\n\r\nlater";
        stream.write_all(answer).await.unwrap();
        String::from_utf8(request).unwrap()
    });
    let Answer { status, body } = get(&address, "/stats").await.unwrap();
    assert_eq!((status.as_u16(), body.as_ref()), (503, b"later".as_slice()));
    assert!(server.await.unwrap().starts_with("GET /stats HTTP/1.1\r\n"));
}

#[test]
fn free_ports_differ() {
    let [first, second, third] = free_ports().unwrap();
    assert!(first != second && second != third && first != third);
}

#[test]
fn a_program_that_is_not_there_is_named() {
    let output = Command::new(harness())
        .args(["exec", "--", "/no/such/program"])
        .output()
        .unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(
        !output.status.success() && error.contains("/no/such/program"),
        "{error}"
    );
}
