//! Rows: the process itself, its log and its numbers.

use std::path::PathBuf;

use super::{secs, size};
use crate::config::{
    model::{LogFormat, LogOutput},
    problem::Complaint,
    schema::{KEY, Key, Kind, Section, State},
    url,
};

pub(super) const PROCESS: Section = Section {
    title: "The process",
    keys: &[
        Key {
            path: "worker_threads",
            kind: Kind::Integer {
                min: 0,
                max: 1024,
                set: |draft, n| draft.config.worker_threads = size(n),
            },
            default: "0",
            unit: "threads",
            doc: "Threads that carry data, each on its own core. 0: one for every core that the \
                  process may use.",
            cost: "More than there are cores makes each of them slower.",
            ..KEY
        },
        Key {
            path: "async_threads",
            kind: Kind::Integer {
                min: 1,
                max: 64,
                set: |draft, n| draft.config.async_threads = size(n),
            },
            default: "1",
            unit: "threads",
            doc: "Threads beside each worker thread for work that blocks, such as resolving names.",
            ..KEY
        },
        Key {
            path: "memory_limit",
            kind: Kind::Bytes {
                min: 0,
                max: 1 << 40,
                set: |draft, n| draft.config.memory_limit = n,
            },
            default: "0",
            doc: "Bytes of requests that are held at the most, over all cores; what comes on top is \
                  refused with a delay. 0: 64 MiB for each core, at least 256 MiB.",
            cost: "The process takes somewhat more than this: connections and buffers are on top.",
            ..KEY
        },
        Key {
            path: "drain_timeout",
            kind: Kind::Duration {
                min: secs(0),
                max: secs(3600),
                set: |draft, time| draft.config.drain_timeout = time,
            },
            default: "10s",
            doc: "The longest time from a stop signal to the exit, in which what was taken is \
                  finished. Keep it below the grace period of systemd or Kubernetes.",
            ..KEY
        },
    ],
};

pub(super) const LOGGING: Section = Section {
    title: "Logging",
    keys: &[
        Key {
            path: "logging.level",
            kind: Kind::Text {
                form: "error, warn, info, debug, trace or off, or target=level pairs with commas",
                parse: level,
                set: |draft, level| draft.config.logging.level = level,
            },
            default: "info",
            doc: "What is logged, for example info or warn,otlp=debug.",
            cost: "debug and trace are for finding faults, not for load.",
            fallbacks: &["RUST_LOG"],
            ..KEY
        },
        Key {
            path: "logging.format",
            kind: Kind::Choice {
                words: &[
                    ("text", |draft| {
                        draft.config.logging.format = LogFormat::Text;
                    }),
                    ("json", |draft| {
                        draft.config.logging.format = LogFormat::Json;
                    }),
                ],
                refused: &[],
            },
            default: "text",
            doc: "The shape of a line: text for people, json for machines.",
            ..KEY
        },
        Key {
            path: "logging.output",
            kind: Kind::Text {
                form: "stdout, stderr or a path",
                parse: |text| {
                    if text.is_empty() || text.contains('\0') {
                        return Err(Complaint::new(
                            format!("{text:?} is not a place for a log"),
                            "write stdout, stderr or the path of a file",
                        ));
                    }
                    Ok(text.to_owned())
                },
                set: |draft, text| {
                    draft.config.logging.output = match text.as_str() {
                        "stdout" => LogOutput::Stdout,
                        "stderr" => LogOutput::Stderr,
                        _ => LogOutput::File(PathBuf::from(text)),
                    };
                },
            },
            default: "stdout",
            doc: "Where lines go. A file is appended to.",
            ..KEY
        },
    ],
};

/// What happens to the program's own traces.
const NO_TRACING: State = State::NotInEffect(
    "the process records no traces of itself; watch it by its log and its metrics",
);

pub(super) const MONITORING: Section = Section {
    title: "Monitoring",
    keys: &[
        Key {
            path: "monitoring.metrics_enabled",
            kind: Kind::Bool(|draft, on| draft.config.monitoring.metrics_enabled = on),
            default: "true",
            doc: "Whether /metrics is served, at listen.admin.",
            variables: &["OTLP_METRICS_ENABLED"],
            ..KEY
        },
        Key {
            path: "monitoring.metrics_port",
            kind: Kind::Integer {
                min: 1,
                max: 65_535,
                set: |draft, n| draft.config.monitoring.metrics_port = u16::try_from(n).ok(),
            },
            example: "9090",
            doc: "A further port for /metrics, at the address of listen.admin.",
            variables: &["OTLP_METRICS_PORT"],
            ..KEY
        },
        Key {
            path: "monitoring.tracing_enabled",
            kind: Kind::Bool(|_, _| {}),
            default: "false",
            doc: "Whether the process records traces of itself.",
            variables: &["OTLP_TRACING_ENABLED"],
            state: NO_TRACING,
            ..KEY
        },
        Key {
            path: "monitoring.tracing_endpoint",
            kind: Kind::Text {
                form: "a URL",
                parse: |text| url::parse(text).map(|_| text.to_owned()),
                set: |_, _| {},
            },
            example: "http://jaeger:14268/api/traces",
            doc: "Where the process's own traces go.",
            state: NO_TRACING,
            ..KEY
        },
    ],
};

/// A level, or levels by target, in lower case.
fn level(text: &str) -> Result<String, Complaint> {
    const LEVELS: [&str; 6] = ["error", "warn", "info", "debug", "trace", "off"];
    let fix = "write error, warn, info, debug, trace or off, or pairs such as warn,otlp=debug";
    let mut parts = Vec::new();
    for part in text.split(',').map(str::trim) {
        let (target, level) = match part.split_once('=') {
            Some((target, level)) => (Some(target.trim()), level.trim()),
            None => (None, part),
        };
        let level = level.to_ascii_lowercase();
        let named = target.is_none_or(|target| {
            !target.is_empty()
                && target
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"_:-".contains(&byte))
        });
        if !named || !LEVELS.contains(&level.as_str()) {
            return Err(Complaint::new(format!("{part:?} is not a log level"), fix));
        }
        parts.push(target.map_or_else(|| level.clone(), |target| format!("{target}={level}")));
    }
    Ok(parts.join(","))
}

#[cfg(test)]
mod tests {
    #[test]
    fn levels_and_pairs_are_taken_and_slips_refused() {
        assert_eq!(super::level("INFO").unwrap(), "info");
        assert_eq!(
            super::level("warn, otlp::net=Debug").unwrap(),
            "warn,otlp::net=debug"
        );
        for text in ["", "inof", "otlp", "otlp=", "=info", "info,,warn", "3"] {
            assert!(super::level(text).is_err(), "{text:?}");
        }
    }
}
