//! The summary, the page and the table of realistic results, and the verb that writes them.

#[path = "report/markup.rs"]
mod markup;
#[path = "report/sample.rs"]
mod sample;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use loadtest::report::{self, markdown, page, summary};
use loadtest::results::{Results, VERSION};

fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\u{1b}') {
        plain.push_str(before);
        rest = after.split_once('m').map_or("", |(_, after)| after);
    }
    plain + rest
}

#[test]
fn a_summary_fits_one_screen_whatever_it_is_of() {
    let many = {
        let mut many = sample::only("steady");
        for copy in 0..30 {
            for mut run in sample::only("outage <5 s>").runs {
                run.scenario = format!("scenario {copy}");
                many.runs.push(run);
            }
        }
        many
    };
    for results in [
        sample::results(),
        sample::only("steady"),
        sample::only("outage <5 s>"),
        sample::only("closed loop"),
        many,
        Results::default(),
    ] {
        for width in [1, 40, 80, 200] {
            for colour in [false, true] {
                let text = summary(&results, width, colour);
                let text = if colour { plain(&text) } else { text };
                assert!(text.lines().count() <= 40, "{text}");
                for line in text.lines() {
                    assert!(line.chars().count() <= width, "{width}: {line}");
                }
                assert!(!text.contains('\u{1b}'));
            }
        }
    }
}

#[test]
fn a_summary_says_what_matters() {
    let text = summary(&sample::only("steady"), 80, false);
    for part in [
        "NOT THE SYSTEM'S LIMIT · haproxy, run 4 of 5: the sender used 97 % of its core",
        "otlp",
        "raw proxy",
        "haproxy",
        "items/s",
        "200,000",
        "latency p99.9",
        "CPU per million items",
        "CPU, × raw proxy",
        "1.00×",
        "peak memory",
        "12.8 MiB",
        "items lost",
        "✓ otlp: lost=0, met in 5 of 5 runs",
    ] {
        assert!(text.contains(part), "no {part:?} in\n{text}");
    }
    let coloured = summary(&sample::only("steady"), 80, true);
    assert_eq!(plain(&coloured), text);
    assert_ne!(coloured, text);

    let outage = summary(&sample::only("outage <5 s>"), 80, false);
    assert!(outage.contains("✗ otlp: lost=0, not met (3)"), "{outage}");
}

#[test]
fn a_summary_of_one_scenario_stays_whole_with_many_warnings_and_objectives() {
    let mut results = sample::only("steady");
    for run in &mut results.runs {
        let reason = "a reason of such a length that it does not fit a line of the screen at all";
        run.send[0].honesty.bottlenecks.push(reason.to_owned());
        let verdict = run.verdicts[0].clone();
        for place in 0..9 {
            let mut verdict = verdict.clone();
            verdict.objective = format!("objective {place}");
            run.verdicts.push(verdict);
        }
    }
    let text = summary(&results, 80, false);
    assert!(text.lines().count() <= 40, "{text}");
    for part in [
        "more such warnings",
        "latency p50",
        "items altered",
        "more objectives",
    ] {
        assert!(text.contains(part), "no {part:?} in\n{text}");
    }
}

#[test]
fn a_page_is_well_formed_whatever_it_is_of() {
    for results in [
        sample::results(),
        sample::only("steady"),
        sample::only("closed loop"),
        Results::default(),
    ] {
        let page = page(&results);
        markup::check(&page).unwrap();
        for unwanted in ["NaN", "inf\"", "inf ", "undefined"] {
            assert!(!page.contains(unwanted), "{unwanted}");
        }
    }
}

#[test]
fn a_page_loads_nothing_and_runs_nothing() {
    let page = page(&sample::results());
    let attributes = markup::check(&page).unwrap();
    for (name, value) in &attributes {
        assert!(!name.starts_with("on"), "{name}");
        if ["src", "href", "action", "srcset", "data"].contains(&name.as_str()) {
            assert!(value.starts_with('#'), "{name}={value}");
        }
    }
    for unwanted in [
        "<script", "<link", "<iframe", "<img", "@import", "url(", "http://", "https://",
    ] {
        assert!(!page.contains(unwanted), "{unwanted}");
    }
}

#[test]
fn nothing_of_the_results_becomes_markup() {
    let evil = "\"'><script>alert(1)</script>&";
    let mut results = sample::only("outage <5 s>");
    results.title = evil.to_owned();
    results.command = evil.to_owned();
    for text in [
        &mut results.machine.cpu,
        &mut results.machine.kernel,
        &mut results.machine.date,
    ] {
        *text = evil.to_owned();
    }
    for run in &mut results.runs {
        for text in [
            &mut run.scenario,
            &mut run.system,
            &mut run.system_version,
            &mut run.command,
            &mut run.audit.level,
        ] {
            *text = evil.to_owned();
        }
        run.events.push((1.0, evil.to_owned()));
        run.costs[1].role = evil.to_owned();
        run.collect.misbehaved.insert(evil.to_owned(), 1);
        run.verdicts[0].objective = evil.to_owned();
        run.verdicts[0].measured = evil.to_owned();
        run.send[0].title = evil.to_owned();
        run.send[0].statuses.insert(evil.to_owned(), 1);
        run.send[0].honesty.bottlenecks.push(evil.to_owned());
    }
    let page = page(&results);
    let attributes = markup::check(&page).unwrap();
    assert!(!page.contains("<script"));
    assert!(attributes.iter().all(|(name, _)| name != "on"));
    // It is all there, as text.
    assert!(
        page.matches("&lt;script&gt;alert(1)&lt;/script&gt;&amp;")
            .count()
            > 15
    );
}

#[test]
fn a_page_shows_every_part() {
    let page = page(&sample::results());
    for part in [
        "<title>otlp against a raw proxy &amp; haproxy</title>",
        "1 of 8 objectives not met",
        "Not the system’s limit",
        "<a href=\"#scenario-1\">steady</a>: 1 warning",
        "<li>haproxy, run 4 of 5: the sender used 97 % of its core</li>",
        "<a href=\"#scenario-2\">outage &lt;5 s&gt;</a>",
        "aria-label=\"CPU seconds per million items, by system\"",
        "aria-label=\"Latency by percentile, steady\"",
        "aria-label=\"Throughput of otlp over time\"",
        "aria-label=\"Memory of haproxy over time\"",
        "× raw proxy",
        "collector down",
        "connection reset",
        "delays named",
        "250 ms to 4 s",
        "Requests followed no schedule",
        "loadtest compare steady.toml",
        "AMD EPYC 7763",
        "20,000,000",
        "prefers-color-scheme: dark",
        "@media print",
    ] {
        assert!(page.contains(part), "no {part:?}");
    }
}

#[test]
fn a_table_has_a_row_for_each_system_of_each_scenario() {
    let table = markdown(&sample::results());
    let rows: Vec<&str> = table
        .lines()
        .filter(|line| line.starts_with("| "))
        .collect();
    assert_eq!(rows.len(), 1 + 3 + 1 + 2);
    let columns = rows[0].matches('|').count();
    assert!(rows.iter().all(|row| row.matches('|').count() == columns));
    assert!(
        rows[1].starts_with("| steady | otlp | 5 | 200,000 |"),
        "{}",
        rows[1]
    );
}

fn loadtest(arguments: &[&Path]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_loadtest"))
        .arg("report")
        .args(arguments)
        .output()
        .expect("the executable starts")
}

fn save(folder: &Path, name: &str, results: &Results) -> PathBuf {
    let file = folder.join(name);
    let text = serde_json::to_string(results).expect("results are JSON");
    std::fs::write(&file, text).expect("the folder can be written to");
    file
}

#[test]
fn the_verb_puts_files_together_and_writes_each_form() {
    // Kept beside the build's other files, for a person to look at.
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let one = save(folder, "one.json", &sample::only("steady"));
    let two = save(folder, "two.json", &sample::only("outage <5 s>"));

    let out = folder.join("all.html");
    let closed = save(folder, "closed.json", &sample::only("closed loop"));
    let written = loadtest(&[&one, &two, &closed, "--out".as_ref(), &out]);
    assert!(written.status.success(), "{written:?}");
    assert_eq!(written.stdout, b"");
    let merged = std::fs::read_to_string(&out).unwrap();
    markup::check(&merged).unwrap();
    assert!(merged.contains("id=\"scenario-2\""));

    let json = loadtest(&[&one, &two, "--output".as_ref(), "json".as_ref()]);
    let again = report::parse("again", std::str::from_utf8(&json.stdout).unwrap()).unwrap();
    assert_eq!(again.runs.len(), 16);

    let table = folder.join("all.md");
    assert!(loadtest(&[&one, "--out".as_ref(), &table]).status.success());
    assert!(
        std::fs::read_to_string(table)
            .unwrap()
            .contains("| steady | otlp |")
    );

    let text = loadtest(&[&one, "--output".as_ref(), "text".as_ref()]);
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.contains("items lost"));
    assert!(!text.contains('\u{1b}'), "no colours in a pipe");
}

#[test]
fn the_verb_says_what_is_wrong_with_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let mut old = sample::only("steady");
    old.version = VERSION + 1;
    let old = save(folder.path(), "old.json", &old);
    let refused = loadtest(&[&old]);
    assert_eq!(refused.status.code(), Some(1));
    let error = String::from_utf8(refused.stderr).unwrap();
    assert!(
        error.contains("old.json: results of version 2, and only version 1"),
        "{error}"
    );

    let missing = loadtest(&[&folder.path().join("none.json")]);
    let error = String::from_utf8(missing.stderr).unwrap();
    assert!(
        error.contains("cannot read") && error.contains("none.json"),
        "{error}"
    );
}
