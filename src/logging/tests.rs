//! Laws of the log: levels are read strictly, lines have the documented shape, nothing waits.

use std::{env, fs};

use tracing::{debug, info, subscriber, warn};

use super::*;

/// What a file holds after `log` ran with this format and level.
fn logged(format: LogFormat, level: &str, log: impl FnOnce()) -> String {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("otlp.log");
    let (writer, worker) = NonBlockingBuilder::default().finish(open(&path).unwrap());
    let layer = layer(format, false, writer).with_filter(filter(level).unwrap());
    subscriber::with_default(registry().with(layer), log);
    drop(worker);
    fs::read_to_string(&path).unwrap()
}

#[test]
fn levels_and_pairs_are_read_and_a_slip_is_named() {
    assert_eq!(
        filter("info").unwrap(),
        Targets::new().with_default(LevelFilter::INFO)
    );
    assert_eq!(
        filter(" otlp=debug , WARN,h2=off").unwrap(),
        Targets::new()
            .with_target("otlp", LevelFilter::DEBUG)
            .with_default(LevelFilter::WARN)
            .with_target("h2", LevelFilter::OFF)
    );
    for (level, part) in [
        ("inof", "inof"),
        ("", ""),
        ("info,", ""),
        ("otlp=loud", "otlp=loud"),
        ("=info", "=info"),
    ] {
        let error = filter(level).unwrap_err();
        assert!(
            matches!(&error, Error::Level { part: named } if named == part),
            "{level}"
        );
        assert!(error.to_string().contains("write error, warn"), "{error}");
    }
}

#[test]
fn a_json_line_is_one_flat_object() {
    let text = logged(LogFormat::Json, "info", || {
        warn!(
            collector = "localhost:4317",
            attempts = 3,
            "cannot connect\nyet"
        );
    });
    let line: serde_json::Value = serde_json::from_str(text.trim_end()).unwrap();
    assert_eq!(text.lines().count(), 1);
    assert_eq!(line["level"], "WARN");
    assert_eq!(line["message"], "cannot connect\nyet");
    assert_eq!(
        (&line["collector"], &line["attempts"]),
        (&"localhost:4317".into(), &3.into())
    );
    assert_eq!(line["target"], "otlp::logging::tests");
    assert!(line["timestamp"].as_str().unwrap().ends_with('Z'));
    assert_eq!(line.as_object().unwrap().len(), 6);
}

#[test]
fn a_text_line_outside_a_terminal_has_no_colour_and_a_level_below_is_silent() {
    let text = logged(LogFormat::Text, "otlp=info,off", || {
        info!(shard = 1, "listening");
        debug!("not said");
    });
    assert!(
        text.contains("INFO") && text.contains("listening shard=1"),
        "{text}"
    );
    assert!(
        !text.contains('\u{1b}') && !text.contains("not said"),
        "{text}"
    );
}

#[test]
fn colours_need_a_terminal_and_no_objection() {
    assert!(colours(true, None) && colours(true, Some(OsStr::new(""))));
    assert!(!colours(true, Some(OsStr::new("1"))) && !colours(false, None));
}

#[test]
fn a_file_that_cannot_be_opened_is_named_with_the_way_out() {
    let path = PathBuf::from("/nowhere/at/all/otlp.log");
    let error = open(&path).unwrap_err().to_string();
    assert!(
        error.contains("/nowhere/at/all/otlp.log") && error.contains("name a file"),
        "{error}"
    );
}

/// A writer that never returns holds no logging thread up: what does not fit is counted as lost.
#[test]
fn a_stuck_output_loses_lines_and_counts_them_but_holds_nobody_up() {
    struct Stuck(std::sync::mpsc::Receiver<()>);
    impl Write for Stuck {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            // Waits until the test has let go of its end.
            self.0.recv().unwrap_or_default();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let (release, stuck) = std::sync::mpsc::channel();
    let (mut writer, worker) = NonBlockingBuilder::default()
        .buffered_lines_limit(2)
        .finish(Stuck(stuck));
    let lost = Lost(writer.error_counter());
    for _ in 0..10 {
        writer.write_all(b"line\n").unwrap();
    }
    // At the most one line is being written and two wait.
    assert!((7..=8).contains(&lost.lines()), "{}", lost.lines());
    drop(release);
    drop(worker);
}

/// The whole of it, in a process of its own because logging starts once a process.
#[test]
fn logging_starts_once_and_the_guard_writes_what_waits() {
    const PATH: &str = "OTLP_TEST_LOG_PATH";
    if let Some(path) = env::var_os(PATH) {
        let logging = Logging {
            level: "info".to_owned(),
            format: LogFormat::Json,
            output: LogOutput::File(path.into()),
        };
        let guard = init(&logging).unwrap();
        assert!(matches!(init(&logging), Err(Error::Running)));
        info!("said before the end");
        assert_eq!(guard.lost().lines(), 0);
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("otlp.log");
    let status = std::process::Command::new(env::current_exe().unwrap())
        .args([
            "--exact",
            "logging::tests::logging_starts_once_and_the_guard_writes_what_waits",
        ])
        .env(PATH, &path)
        .stdout(std::process::Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
    assert!(
        fs::read_to_string(&path)
            .unwrap()
            .contains("said before the end")
    );
}
