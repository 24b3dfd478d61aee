//! Rows: retries, circuit breakers, and the probes of collectors.

use std::time::Duration;

use super::{ms, secs, word};
use crate::config::{
    draft::Draft,
    model::RetryableErrors,
    problem::Complaint,
    schema::{KEY, Key, Kind, Section},
};

pub(super) const RETRY: Section = Section {
    title: "Retry",
    keys: &[
        Key {
            cost: "Each further attempt makes the sender wait for its delay and its answer.",
            ..whole(
                "retry.max_attempts",
                1,
                100,
                "3",
                "attempts",
                |draft, n| draft.config.retry.attempts_max = word(n),
                "Attempts of one batch that a sender waits for, the first included. What was \
                 acknowledged already is bounded by time alone: retry.max_elapsed, on disk \
                 spool.max_age.",
            )
        },
        time(
            "retry.base_delay",
            ms(1),
            secs(60),
            "100ms",
            |draft, time| draft.config.retry.base_delay = time,
            "The delay before the second attempt. A delay that the collector names (RetryInfo, \
             Retry-After) is waited for at the least.",
        ),
        time(
            "retry.max_delay",
            ms(1),
            secs(3600),
            "5s",
            |draft, time| draft.config.retry.max_delay = time,
            "The longest delay between attempts, unless the collector names a longer one. It \
             cannot be under retry.base_delay.",
        ),
        Key {
            path: "retry.backoff_multiplier",
            kind: Kind::Decimal {
                min: 1.0,
                max: 10.0,
                set: |draft, number| draft.config.retry.multiplier = number,
            },
            default: "2.0",
            doc: "What each delay is multiplied by for the next.",
            ..KEY
        },
        Key {
            path: "retry.jitter",
            kind: Kind::Bool(|draft, flag| draft.config.retry.jitter = flag),
            default: "true",
            doc: "Whether a delay is drawn at random from its upper half, so that what failed \
                  together does not come back together.",
            ..KEY
        },
        Key {
            path: "retry.retryable_errors",
            kind: Kind::Choices {
                words: &["timeout", "connection", "temporary"],
                set: |draft, words| {
                    let has = |wanted| words.iter().any(|word| word == wanted);
                    draft.config.retry.errors = RetryableErrors {
                        timeout: has("timeout"),
                        connection: has("connection"),
                        temporary: has("temporary"),
                    };
                },
            },
            default: "timeout,connection,temporary",
            doc: "Which failures are tried again. timeout: no answer in time. connection: none \
                  could be made, or it broke before an answer. temporary: the collector said that \
                  trying again can help.",
            ..KEY
        },
        Key {
            cost: "Memory: what is tried again stays in it, within memory_limit.",
            ..time(
                "retry.max_elapsed",
                Duration::ZERO,
                secs(86_400),
                "5m",
                |draft, time| draft.config.retry.elapsed_max = time,
                "How long a batch that was acknowledged already is tried from memory, before it is \
                 dropped and counted. 0s: for ever. What is in the spool is bounded by \
                 spool.max_age instead.",
            )
        },
    ],
};

pub(super) const BREAKER: Section = Section {
    title: "Circuit breaker",
    keys: &[
        Key {
            cost: "It is a count and no share: with many calls a second raise it, or a few failures \
                   among thousands close the way to a collector that works.",
            ..whole(
                "circuit_breaker.failure_threshold",
                1,
                1000,
                "5",
                "failures",
                |draft, n| draft.config.circuit_breaker.failure_threshold = word(n),
                "Failures within circuit_breaker.sliding_window_size that open the breaker of a \
                 collector, on one core: no connection, no answer in time, or an answer that says \
                 to try again. Data that the collector refuses for good is no failure of the \
                 collector.",
            )
        },
        time(
            "circuit_breaker.recovery_timeout",
            ms(100),
            secs(3600),
            "60s",
            |draft, time| draft.config.circuit_breaker.recovery_timeout = time,
            "How long it stays open, before a few calls try the collector again. A good probe \
             (health_check) ends it sooner.",
        ),
        whole(
            "circuit_breaker.half_open_max_calls",
            1,
            1000,
            "3",
            "calls",
            |draft, n| draft.config.circuit_breaker.half_open_max_calls = word(n),
            "Calls in flight at the most that try a half-open breaker. As many successes close it, \
             and one failure opens it again.",
        ),
        time(
            "circuit_breaker.sliding_window_size",
            secs(1),
            secs(3600),
            "60s",
            |draft, time| draft.config.circuit_breaker.window = time,
            "The time over which calls and failures are counted, here and for the triggers of \
             graceful degradation.",
        ),
        whole(
            "circuit_breaker.minimum_calls",
            1,
            1_000_000,
            "10",
            "calls",
            |draft, n| draft.config.circuit_breaker.minimum_calls = word(n),
            "Calls within the window before the breaker may open, or a trigger may hold.",
        ),
    ],
};

pub(super) const HEALTH: Section = Section {
    title: "Health check of collectors",
    keys: &[
        time(
            "health_check.interval",
            secs(1),
            secs(3600),
            "30s",
            |draft, time| draft.config.health_check.interval = time,
            "From one probe of a collector to the next, on each core.",
        ),
        time(
            "health_check.timeout",
            ms(10),
            secs(300),
            "5s",
            |draft, time| draft.config.health_check.timeout = time,
            "How long a probe may take.",
        ),
        Key {
            path: "health_check.path",
            kind: Kind::Text {
                form: "a path that begins with /",
                parse: path,
                set: |draft, path| draft.config.health_check.path = Some(path),
            },
            example: "/health",
            doc: "The path that is asked for with GET, at the collector's own address. When it is \
                  not set: gRPC's health service for grpc, and / for http/protobuf. Any answer \
                  says that the collector is there; it is unhealthy where there is none, or where \
                  it says so.",
            ..KEY
        },
        whole(
            "health_check.unhealthy_threshold",
            1,
            100,
            "3",
            "probes",
            |draft, n| draft.config.health_check.unhealthy_threshold = word(n),
            "Failed probes in a row that make a collector unhealthy.",
        ),
        whole(
            "health_check.healthy_threshold",
            1,
            100,
            "2",
            "probes",
            |draft, n| draft.config.health_check.healthy_threshold = word(n),
            "Good probes in a row that make it healthy again.",
        ),
    ],
};

fn path(text: &str) -> Result<String, Complaint> {
    if text.starts_with('/') && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(text.to_owned());
    }
    Err(Complaint::new(
        format!("{text:?} is not a path"),
        "write /health",
    ))
}

const fn whole(
    path: &'static str,
    min: u64,
    max: u64,
    default: &'static str,
    unit: &'static str,
    set: fn(&mut Draft, u64),
    doc: &'static str,
) -> Key {
    Key {
        path,
        kind: Kind::Integer { min, max, set },
        default,
        unit,
        doc,
        ..KEY
    }
}

const fn time(
    path: &'static str,
    min: Duration,
    max: Duration,
    default: &'static str,
    set: fn(&mut Draft, Duration),
    doc: &'static str,
) -> Key {
    Key {
        path,
        kind: Kind::Duration { min, max, set },
        default,
        doc,
        ..KEY
    }
}
