//! Whole runs, with the raw proxy in the forwarder's place.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use loadtest::figures::{self, BASELINE};
use loadtest::results::{Results, Run};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

const HARNESS: &str = env!("CARGO_BIN_EXE_loadtest");

/// A short load on whatever cores there are.
const LOAD: &str = "
[forwarder]
cores = []
[collector]
cores = []
audit = 'full'
[[send]]
items = 10
connections = 2
rate = '100/s'
warmup = '50ms'
duration = '300ms'
";

struct Bench {
    dir: TempDir,
}

impl Bench {
    fn new(scenario: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::write(
            dir.path().join("tiny.toml"),
            format!("name = 'tiny'\n{scenario}"),
        )
        .unwrap();
        Self { dir }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(HARNESS);
        command
            .current_dir(&self.dir)
            .args(arguments)
            .args(["--quiet", "--output", "json"]);
        command
    }

    /// The results, and whether all went well.
    fn results(&self, arguments: &[&str]) -> (Results, bool) {
        let Output {
            status,
            stdout,
            stderr,
        } = self.command(arguments).output().unwrap();
        let results = serde_json::from_slice(&stdout).unwrap_or_else(|error| {
            panic!("{error}: {}", String::from_utf8_lossy(&stderr));
        });
        (results, status.success())
    }
}

fn verdicts(run: &Run) -> Vec<(&str, bool)> {
    run.verdicts
        .iter()
        .map(|verdict| (verdict.objective.as_str(), verdict.met))
        .collect()
}

fn forwarder(name: &str) -> String {
    format!("{name}={HARNESS} proxy --listen {{in}} --to {{out}}")
}

#[test]
fn a_run_is_loaded_audited_priced_and_judged() {
    let bench = Bench::new(&format!(
        "slo = 'loss=0,dup=0,altered=0,error-rate=0'\n{LOAD}"
    ));
    let arguments = [
        "run",
        "tiny.toml",
        "--system",
        &forwarder("stand-in"),
        "--out",
        "saved",
        "--syscalls",
    ];
    let (results, good) = bench.results(&arguments);
    assert!(good, "{results:#?}");

    let [run] = results.runs.as_slice() else {
        panic!("{results:#?}")
    };
    assert_eq!(
        (run.scenario.as_str(), run.system.as_str()),
        ("tiny", "stand-in")
    );
    assert_eq!(
        (run.send[0].requests.due, run.send[0].items.accepted),
        (30, 300)
    );
    // The warm-up is audited too.
    assert!(run.audit.acknowledged > 300 && run.audit.arrived == run.audit.acknowledged);
    assert_eq!(run.audit.level, "full");
    assert_eq!(run.collect.items, run.audit.arrived);
    assert!(verdicts(run).iter().all(|(_, met)| *met) && run.verdicts.len() == 4);

    let roles: Vec<&str> = run.costs.iter().map(|cost| cost.role.as_str()).collect();
    assert_eq!(roles, ["forwarder", "collector", "sender"]);
    assert!(
        run.costs
            .iter()
            .all(|cost| cost.cpu > 0.0 && cost.rss_peak > 0),
        "{:#?}",
        run.costs
    );
    assert!(figures::cpu_per_million(run).is_some());

    let saved = fs::read(bench.dir.path().join("saved/tiny.json")).unwrap();
    assert_eq!(serde_json::from_slice::<Results>(&saved).unwrap(), results);
}

#[test]
fn an_objective_that_is_missed_fails_the_run() {
    let bench = Bench::new(LOAD);
    let arguments = [
        "run",
        "tiny.toml",
        "--system",
        "raw proxy",
        "--slo",
        "rate>1M/s",
        "--duration",
        "100ms",
    ];
    let (results, good) = bench.results(&arguments);
    // The raw proxy is the measure: its own runs are not judged.
    assert!(good && results.runs[0].verdicts.is_empty());

    let arguments = [
        "run",
        "tiny.toml",
        "--system",
        &forwarder("slow"),
        "--slo",
        "rate>1M/s,loss=0",
    ];
    let (results, good) = bench.results(&arguments);
    assert!(!good);
    assert_eq!(
        verdicts(&results.runs[0]),
        [("rate>1M/s", false), ("loss=0", true)]
    );
}

#[test]
fn systems_take_turns() {
    let bench = Bench::new(LOAD);
    let gone = "gone=/no/such/system {in}";
    let arguments = [
        "compare",
        "tiny.toml",
        "--system",
        &forwarder("a"),
        "--system",
        gone,
        "--repeats",
        "2",
        "--duration",
        "100ms",
        "--slo",
        "multiple>0",
    ];
    let (results, good) = bench.results(&arguments);
    // What cannot be measured is left out, and is no success.
    assert!(!good);
    let turns: Vec<&str> = results.runs.iter().map(|run| run.system.as_str()).collect();
    assert_eq!(turns, ["a", BASELINE, "a", BASELINE]);
    assert_eq!(figures::multiple(&results, "tiny", "a").unwrap().count, 2);
    assert_eq!(verdicts(&results.runs[0]), [("multiple>0", true)]);
}

#[test]
fn refusals_are_seen_and_cost_no_item() {
    let scenario = LOAD.replace(
        "audit",
        "behave = 'status=UNAVAILABLE retry-info=1s'\naudit",
    );
    let bench = Bench::new(&format!(
        "slo = 'loss=0,error-rate=0,delay=always'\n{scenario}"
    ));
    let (results, good) = bench.results(&["run", "tiny.toml", "--system", &forwarder("a")]);
    assert!(!good);
    let run = &results.runs[0];
    let expected = [
        ("loss=0", true),
        ("error-rate=0", false),
        ("delay=always", true),
    ];
    assert_eq!(verdicts(run), expected);
    assert_eq!(
        run.send[0].requests.refused, 30,
        "{:#?}",
        run.send[0].statuses
    );
    assert_eq!(run.audit.arrived, 0);
}

#[test]
fn collector_and_forwarder_come_and_go() {
    let events = "
[[event]]
at = '50ms'
do = 'forwarder kill'
[[event]]
at = '60ms'
do = 'forwarder start'
[[event]]
at = '100ms'
do = 'collector stop'
[[event]]
at = '150ms'
do = 'collector start'
";
    let bench = Bench::new(&format!("slo = 'loss=0'\n{LOAD}{events}"));
    let (results, good) = bench.results(&["run", "tiny.toml", "--system", &forwarder("a")]);
    let run = &results.runs[0];
    assert!(good, "{:#?}", run.audit);
    let happened: Vec<&str> = run.events.iter().map(|(_, what)| what.as_str()).collect();
    let expected = [
        "forwarder killed",
        "forwarder ended (signal: 9 (SIGKILL))",
        "forwarder up",
        "collector down",
        "collector up",
    ];
    assert_eq!(happened[..5], expected);
    assert!(run.events.is_sorted_by(|before, after| before.0 <= after.0));
    // Some were answered at the end, by the second process.
    assert!(run.audit.acknowledged > 0);
}

#[test]
fn a_system_that_does_not_start_is_named_with_what_it_said() {
    let bench = Bench::new(LOAD);
    let system = "odd=sh -c 'echo no port {in} >&2; exit 7'";
    let output = bench
        .command(&["run", "tiny.toml", "--system", system])
        .output()
        .unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success());
    assert!(
        error.contains("odd ended (exit status: 7)") && error.contains("no port 127"),
        "{error}"
    );
}

#[test]
fn a_scenario_that_cannot_work_is_refused_before_the_start() {
    let bench = Bench::new(&LOAD.replace("items", "itmes"));
    let output = bench.command(&["run", "tiny.toml"]).output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(
        error.contains("tiny.toml") && error.contains("itmes"),
        "{error}"
    );
}

#[test]
fn an_interruption_ends_everything() {
    let bench = Bench::new(&LOAD.replace("300ms", "1h"));
    let mut run = bench
        .command(&["run", "tiny.toml", "--system", &forwarder("a")])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let children = loop {
        let children = children(run.id());
        if children.len() == 3 {
            break children;
        }
        assert!(run.try_wait().unwrap().is_none(), "it ended by itself");
        std::thread::yield_now();
    };
    let id = Pid::from_raw(i32::try_from(run.id()).unwrap()).unwrap();
    kill_process(id, Signal::TERM).unwrap();
    assert!(!run.wait().unwrap().success());
    for child in children {
        while Path::new("/proc").join(child.to_string()).exists() {
            std::thread::yield_now();
        }
    }
}

/// Processes whose parent this is.
fn children(parent: u32) -> Vec<u32> {
    let processes = fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    processes
        .filter(|id| {
            let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
            let field = stat
                .rsplit_once(") ")
                .and_then(|(_, rest)| rest.split(' ').nth(1));
            field.and_then(|field| field.parse().ok()) == Some(parent)
        })
        .collect()
}
