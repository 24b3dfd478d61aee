//! The verb as a parent starts it.

use std::{
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Child, Command, Stdio},
};

use loadtest::{audit::Arrivals, results::CollectReport};
use rustix::process::{Pid, Signal as Kill, kill_process};

fn start(arguments: &[&str]) -> (Child, serde_json::Value, impl Read + use<>) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_loadtest"))
        .args(["collect", "--listen", "127.0.0.1:0"])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    let ready = serde_json::from_str(&line).unwrap();
    (child, ready, out)
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_parent_that_is_gone_ends_the_collector_and_all_is_written() {
    let directory = tempfile::tempdir().unwrap();
    let report = directory.path().join("report.json");
    let ids = directory.path().join("ids");
    let (mut child, ready, _out) = start(&["--json", text(&report), "--ids-out", text(&ids)]);
    for port in ["listen", "control"] {
        let address = ready[port].as_str().unwrap();
        assert!(std::net::TcpStream::connect(address).is_ok(), "{port}");
    }
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
    let report: CollectReport = serde_json::from_slice(&std::fs::read(report).unwrap()).unwrap();
    assert_eq!(report.requests, 0);
    assert!(Arrivals::read_from(std::fs::File::open(ids).unwrap()).is_ok());
}

#[test]
fn signals_end_it_in_order() {
    for signal in [Kill::INT, Kill::TERM] {
        let (mut child, _, mut out) = start(&["--json", "-", "--behave", "hang share=0.5"]);
        kill_process(Pid::from_child(&child), signal).unwrap();
        assert!(child.wait().unwrap().success());
        let mut line = String::new();
        out.read_to_string(&mut line).unwrap();
        let report: CollectReport = serde_json::from_str(&line).unwrap();
        assert_eq!(report.version, loadtest::results::VERSION);
    }
}

#[test]
fn arguments_that_are_not_understood_say_what_is() {
    let told = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_loadtest"));
        let output = command.arg("collect").args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(told(&["--behave", "sulk"]).contains("known are ok, hang"));
    assert!(told(&["--audit", "all"]).contains("count, ids or full"));
    assert!(told(&["--max-frame", "1"]).contains("16384"));
}
