//! The command itself: flags, files, signals.

use std::{
    io::{BufRead, BufReader, Read, Write},
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::{Duration, SystemTime},
};

use hdrhistogram::{
    Histogram,
    serialization::{
        Deserializer,
        interval_log::{IntervalLogIterator, LogEntry},
    },
};
use loadtest::{audit::Acknowledged, results::SendReport};

use super::server::{Reply, serve};

/// `google.rpc.Status` with a `RetryInfo` of an hour.
const RETRY_1_H: &str = "GjEKKHR5cGUuZ29vZ2xlYXBpcy5jb20vZ29vZ2xlLnJwYy5SZXRyeUluZm8SBQoDCJAc";

fn send(target: &str, arguments: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_loadtest"));
    command.args([
        "send", "--target", target, "--items", "2", "--json", "-", "--quiet",
    ]);
    command.args(arguments.split_whitespace());
    command
}

fn report(child: Child) -> SendReport {
    let output = child.wait_with_output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn files_say_what_the_report_says() {
    let (target, _) = serve(true, None, |_, _| Reply::ok());
    let folder = tempfile::tempdir().unwrap();
    let (ids, hlog) = (folder.path().join("ids"), folder.path().join("hlog"));
    let mut command = send(
        &target.to_string(),
        "--rate 100/s --warmup 0s --duration 300ms",
    );
    command
        .arg("--ids-out")
        .arg(&ids)
        .arg("--hlog")
        .arg(&hlog)
        .stdout(Stdio::piped());
    let report = report(command.spawn().unwrap());
    assert_eq!(report.requests.accepted, 30);
    let acknowledged = Acknowledged::read_from(std::fs::File::open(ids).unwrap()).unwrap();
    assert_eq!(acknowledged.accepted().len(), 60);
    let log = std::fs::read(hlog).unwrap();
    let mut deserializer = Deserializer::new();
    let mut logged = 0;
    for entry in IntervalLogIterator::new(&log) {
        if let LogEntry::Interval(interval) = entry.unwrap() {
            let text = interval.encoded_histogram();
            let bytes = base64::Engine::decode(&base64::prelude::BASE64_STANDARD, text).unwrap();
            let histogram: Histogram<u64> = deserializer.deserialize(&mut &bytes[..]).unwrap();
            logged += histogram.len();
        }
    }
    assert_eq!(logged, 30);
}

#[test]
fn it_holds_until_it_is_told_when_to_begin() {
    let (target, log) = serve(true, None, |_, _| Reply::ok());
    let mut command = send(
        &target.to_string(),
        "--rate 100/s --warmup 100ms --duration 100ms --hold",
    );
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    assert_eq!(line, "{\"ready\":true}\n");
    assert!(log.lock().unwrap().is_empty());
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap();
    writeln!(child.stdin.as_mut().unwrap(), "{}", now.as_secs_f64() + 3.0).unwrap();
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).unwrap();
    assert!(child.wait().unwrap().success());
    let report: SendReport = serde_json::from_str(&rest).unwrap();
    assert_eq!(report.requests.accepted, 10);
    assert_eq!(log.lock().unwrap().len(), 20);
}

#[test]
fn a_signal_ends_it_with_a_report() {
    let (told, arrived) = mpsc::channel();
    let (target, _) = serve(true, None, move |_, _| {
        // The test may be done listening.
        let _ = told.send(());
        Reply::ok()
    });
    let mut command = send(
        &target.to_string(),
        "--rate 100/s --warmup 0s --duration 10m",
    );
    let child = command.stdout(Stdio::piped()).spawn().unwrap();
    for _ in 0..5 {
        arrived.recv_timeout(Duration::from_secs(60)).unwrap();
    }
    let process = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(process, rustix::process::Signal::INT).unwrap();
    let report = report(child);
    assert!(report.requests.accepted >= 5);
    assert!(report.duration < 600.0);
}

#[test]
fn it_tells_what_was_acknowledged_and_does_not_wait_to_repeat_once_it_is_to_end() {
    // Ten are taken; the rest are told to come back in an hour.
    let (target, _) = serve(true, None, |number, _| match number {
        ..10 => Reply::ok(),
        _ => Reply::refused("14", Some(RETRY_1_H)),
    });
    let arguments = "--rate 100/s --warmup 0s --duration 10h --retry --tell 1ms";
    let mut command = send(&target.to_string(), arguments);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut told = Vec::new();
    while told
        .last()
        .is_none_or(|last| last != "{\"acknowledged\":10}")
    {
        let mut line = String::new();
        assert!(stdout.read_line(&mut line).unwrap() > 0, "{told:?}");
        told.push(line.trim().to_owned());
    }
    let process = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(process, rustix::process::Signal::TERM).unwrap();
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).unwrap();
    assert!(child.wait().unwrap().success());
    let report: SendReport = serde_json::from_str(&rest).unwrap();
    assert_eq!(report.requests.accepted, 10);
}

#[test]
fn arguments_that_make_no_sense_are_refused_with_a_reason() {
    for (arguments, words) in [
        ("", "--rate"),
        ("--rate 10/s --closed", "cannot be used with"),
        ("--rate 10/h", "is no rate"),
        ("--rate 10/s --compression lz4", "is no compression"),
        ("--rate 10/s --header nonsense", "is no header"),
        ("--rate 10/s --protocol thrift", "is no protocol"),
        ("--rate 10/s --duration 0s", "--duration is nothing"),
        ("--rate 10/s --phase late", "NAME=FROM..TO"),
        ("--rate 10/s --tls", "--ca FILE or --insecure"),
        (
            "--rate 1/s --protocol http/protobuf --writes frame",
            "http/protobuf goes over HTTP/1.1",
        ),
        (
            "--rate 1/s --protocol http/json --frame-bytes 16384",
            "http/json goes over HTTP/1.1",
        ),
    ] {
        let output = send("127.0.0.1:9", arguments).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(
            !output.status.success() && error.contains(words),
            "{arguments}: {error}"
        );
    }
}
