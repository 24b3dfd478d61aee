//! Rows: what is done while no collector takes the data, and where data waits on disk.

use std::time::Duration;

use super::secs;
use crate::config::{
    draft::{Draft, Trigger},
    model::{OnFull, Protocol, ReplayOrder},
    problem::Complaint,
    schema::{KEY, Key, Kind, Section},
};

pub(super) const DEGRADATION: Section = Section {
    title: "Graceful degradation",
    keys: &[
        Key {
            path: "graceful_degradation.enabled",
            kind: Kind::Bool(|draft, flag| draft.config.degradation.enabled = flag),
            default: "false",
            doc: "Whether the strategies may run.",
            ..KEY
        },
        Key {
            path: "graceful_degradation.strategies",
            kind: Kind::Choices {
                words: &["use_fallback", "use_cache", "reduce_quality"],
                set: |draft, words| {
                    let has = |wanted| words.iter().any(|word| word == wanted);
                    let degradation = &mut draft.config.degradation;
                    degradation.use_fallback = has("use_fallback");
                    degradation.use_cache = has("use_cache");
                    degradation.reduce_quality = has("reduce_quality");
                },
            },
            example: "use_fallback,use_cache",
            doc: "What may be done when a collector does not take the data. use_fallback: it goes \
                  to fallback.endpoint. use_cache: it goes to the spool on disk, and on from there \
                  when the collector is back. reduce_quality: traces and logs are thinned while \
                  memory or disk fill up. They are tried in this order, whatever their order here: \
                  what loses nothing comes first.",
            cost: "reduce_quality throws data away, and counts it.",
            ..KEY
        },
        Key {
            path: "graceful_degradation.trigger_conditions",
            kind: Kind::Triggers(|draft, triggers| {
                for trigger in triggers {
                    let degradation = &mut draft.config.degradation;
                    match trigger {
                        Trigger::HighErrorRate(rate) => degradation.high_error_rate = Some(rate),
                        Trigger::HighLatency(time) => degradation.high_latency = Some(time),
                    }
                }
            }),
            example: "high_error_rate=0.5,high_latency=2s",
            doc: "When the strategies start, besides an open circuit breaker: the share of failed \
                  calls, or the 95th percentile of a call's time, over \
                  circuit_breaker.sliding_window_size and at least circuit_breaker.minimum_calls. \
                  They end under four fifths of the threshold. In a variable: type=threshold pairs \
                  with commas.",
            ..KEY
        },
        Key {
            path: "graceful_degradation.reduce_quality.min_ratio",
            kind: Kind::Decimal {
                min: 0.001,
                max: 1.0,
                set: |draft, number| draft.config.degradation.min_ratio = number,
            },
            default: "0.1",
            doc: "The least share of traces and logs that reduce_quality keeps. Of a trace it keeps \
                  all or nothing. Metrics and profiles are never thinned.",
            ..KEY
        },
        Key {
            path: "graceful_degradation.reduce_quality.keep_severity",
            kind: Kind::Choice {
                // Source: SeverityNumber of the OpenTelemetry logs data model.
                words: &[
                    ("TRACE", |draft| draft.config.degradation.logs_keep = 1),
                    ("DEBUG", |draft| draft.config.degradation.logs_keep = 5),
                    ("INFO", |draft| draft.config.degradation.logs_keep = 9),
                    ("WARN", |draft| draft.config.degradation.logs_keep = 13),
                    ("ERROR", |draft| draft.config.degradation.logs_keep = 17),
                    ("FATAL", |draft| draft.config.degradation.logs_keep = 21),
                ],
                refused: &[],
            },
            default: "WARN",
            doc: "Logs of this severity and above are never thinned.",
            ..KEY
        },
        Key {
            path: "fallback.endpoint",
            kind: Kind::Urls(|draft, urls| draft.fallback_urls = urls),
            example: "http://other-collector:4317",
            doc: "The one collector that use_fallback sends to, for every signal. It is none of the \
                  others. For OTLP/HTTP the path of the signal is appended.",
            ..KEY
        },
        Key {
            path: "fallback.protocol",
            kind: Kind::Choice {
                words: &[
                    ("grpc", |draft| {
                        draft.fallback_protocol = Some(Protocol::Grpc);
                    }),
                    ("http/protobuf", |draft| {
                        draft.fallback_protocol = Some(Protocol::HttpProtobuf);
                    }),
                ],
                refused: &[super::destination::NO_JSON],
            },
            example: "grpc",
            doc: "What is spoken there. When it is not set: protocol, or else as the port says.",
            ..KEY
        },
    ],
};

pub(super) const SPOOL: Section = Section {
    title: "Spool on disk",
    keys: &[
        Key {
            path: "spool.directory",
            kind: Kind::Text {
                form: "an absolute path of a directory",
                parse: |text| {
                    if text.starts_with('/') && !text.contains('\0') {
                        return Ok(text.to_owned());
                    }
                    Err(Complaint::new(
                        format!("{text:?} is not an absolute path"),
                        "write one that begins with /, for example /var/lib/otlp/spool",
                    ))
                },
                set: |draft, path| draft.config.spool.directory = path.into(),
            },
            example: "/var/lib/otlp/spool",
            doc: "Where data waits on disk: with acknowledge = \"stored\", and for use_cache. One \
                  process uses it at a time. When it is not set: spool in the first directory of \
                  the variable STATE_DIRECTORY, which systemd sets for StateDirectory=. Without \
                  either there is no spool.",
            ..KEY
        },
        bytes(
            "spool.max_bytes",
            1 << 20,
            1 << 50,
            "1GiB",
            |draft, n| draft.config.spool.bytes_max = n,
            "Bytes on disk at the most, over all cores.",
        ),
        Key {
            path: "spool.max_age",
            kind: Kind::Duration {
                min: Duration::ZERO,
                max: secs(365 * 86_400),
                set: |draft, time| draft.config.spool.age_max = time,
            },
            default: "0s",
            doc: "How long data is kept at the most; then it is dropped and counted. 0s: until a \
                  collector takes it, however long that takes, because a sender was told that it \
                  is safe.",
            ..KEY
        },
        Key {
            path: "spool.on_full",
            kind: Kind::Choice {
                words: &[
                    ("refuse", |draft| {
                        draft.config.spool.on_full = OnFull::Refuse;
                    }),
                    ("drop_oldest", |draft| {
                        draft.config.spool.on_full = OnFull::DropOldest;
                    }),
                ],
                refused: &[],
            },
            default: "refuse",
            doc: "What happens when spool.max_bytes is reached. refuse: senders are told to come \
                  back later. drop_oldest: the oldest data is dropped and counted, and what is new \
                  is kept.",
            cost: "drop_oldest loses data that was acknowledged.",
            ..KEY
        },
        Key {
            path: "spool.commit_delay",
            kind: Kind::Duration {
                min: Duration::ZERO,
                max: Duration::from_millis(100),
                set: |draft, time| draft.config.spool.commit_delay = time,
            },
            default: "5ms",
            doc: "How long after the beginning of a sync to disk the next one begins, so that what \
                  comes meanwhile shares it; where 256 KiB wait it begins at once, and so it does \
                  after a silence.",
            cost: "With acknowledge = \"stored\" a sender hears OK so much later at the most. At \
                   500 requests a second 2ms takes half as much CPU again, and 8ms a tenth less.",
            ..KEY
        },
        Key {
            cost: "Space is given back segment by segment; small ones cost more files and syncs.",
            ..bytes(
                "spool.segment_bytes",
                1 << 20,
                1 << 30,
                "64MiB",
                |draft, n| draft.config.spool.segment_bytes = n,
                "Bytes at which a file of the spool is sealed and the next one begun; less where \
                 that is over a quarter of a core's share of spool.max_bytes. What is set cannot be \
                 over spool.max_bytes.",
            )
        },
        Key {
            path: "spool.replay",
            kind: Kind::Choice {
                words: &[
                    ("oldest_first", |draft| {
                        draft.config.spool.replay = ReplayOrder::OldestFirst;
                    }),
                    ("newest_first", |draft| {
                        draft.config.spool.replay = ReplayOrder::NewestFirst;
                    }),
                ],
                refused: &[],
            },
            default: "oldest_first",
            doc: "What is sent first when a collector is back: the oldest data, or the newest, \
                  which shows sooner how things are now.",
            ..KEY
        },
        bytes(
            "spool.replay_rate",
            0,
            1 << 40,
            "32MiB",
            |draft, n| draft.config.spool.replay_rate = n,
            "Bytes that are sent from the spool each second at the most, over all cores, so that a \
             collector that comes back is not met by all of it at once. 0: no bound.",
        ),
    ],
};

const fn bytes(
    path: &'static str,
    min: u64,
    max: u64,
    default: &'static str,
    set: fn(&mut Draft, u64),
    doc: &'static str,
) -> Key {
    Key {
        path,
        kind: Kind::Bytes { min, max, set },
        default,
        doc,
        ..KEY
    }
}
