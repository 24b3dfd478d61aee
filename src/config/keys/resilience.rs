//! Rows that are checked and not in effect in this version.

use super::{ms, secs};
use crate::config::{
    problem::Complaint,
    schema::{KEY, Key, Kind, Section, State},
};

const NO_RETRY: State = State::NotInEffect(
    "a batch is sent once, and a refusal goes back to the sender with a delay, which sends again",
);

pub(super) const RETRY: Section = Section {
    title: "Retry",
    keys: &[
        whole(
            "retry.max_attempts",
            1,
            100,
            "3",
            "attempts",
            NO_RETRY,
            "Attempts of one batch.",
        ),
        time(
            "retry.base_delay",
            ms(1),
            secs(60),
            "100ms",
            NO_RETRY,
            "The delay before the second attempt.",
        ),
        time(
            "retry.max_delay",
            ms(1),
            secs(3600),
            "5s",
            NO_RETRY,
            "The longest delay between attempts.",
        ),
        Key {
            path: "retry.backoff_multiplier",
            kind: Kind::Decimal {
                min: 1.0,
                max: 10.0,
            },
            default: "2.0",
            doc: "What each delay is multiplied by for the next.",
            state: NO_RETRY,
            ..KEY
        },
        Key {
            path: "retry.jitter",
            kind: Kind::Bool(|_, _| {}),
            default: "true",
            doc: "Whether delays are spread at random.",
            state: NO_RETRY,
            ..KEY
        },
        Key {
            path: "retry.retryable_errors",
            kind: Kind::Choices(&["timeout", "connection", "temporary"]),
            default: "timeout,connection,temporary",
            doc: "Which failures are tried again.",
            state: NO_RETRY,
            ..KEY
        },
    ],
};

const NO_BREAKER: State = State::NotInEffect(
    "every batch is tried, and a collector that fails is found out by the timeouts",
);

pub(super) const BREAKER: Section = Section {
    title: "Circuit breaker",
    keys: &[
        whole(
            "circuit_breaker.failure_threshold",
            1,
            1000,
            "5",
            "failures",
            NO_BREAKER,
            "Failures that open the breaker.",
        ),
        time(
            "circuit_breaker.recovery_timeout",
            ms(100),
            secs(3600),
            "60s",
            NO_BREAKER,
            "How long it stays open.",
        ),
        whole(
            "circuit_breaker.half_open_max_calls",
            1,
            1000,
            "3",
            "calls",
            NO_BREAKER,
            "Calls that probe a half-open breaker.",
        ),
        time(
            "circuit_breaker.sliding_window_size",
            secs(1),
            secs(3600),
            "60s",
            NO_BREAKER,
            "The time over which failures are counted.",
        ),
        whole(
            "circuit_breaker.minimum_calls",
            1,
            1_000_000,
            "10",
            "calls",
            NO_BREAKER,
            "Calls before the breaker may open.",
        ),
    ],
};

const NO_DEGRADATION: State = State::NotInEffect(
    "under pressure requests are refused with a delay, and nothing is cached, diverted or thinned",
);

pub(super) const DEGRADATION: Section = Section {
    title: "Graceful degradation",
    keys: &[
        Key {
            path: "graceful_degradation.enabled",
            kind: Kind::Bool(|_, _| {}),
            default: "false",
            doc: "Whether the strategies may run.",
            state: NO_DEGRADATION,
            ..KEY
        },
        Key {
            path: "graceful_degradation.strategies",
            kind: Kind::Choices(&["use_cache", "use_fallback", "reduce_quality"]),
            example: "use_fallback",
            doc: "What to do when a collector does not take the data, in this order.",
            state: NO_DEGRADATION,
            ..KEY
        },
        Key {
            path: "graceful_degradation.trigger_conditions",
            kind: Kind::Triggers,
            example: "high_error_rate=0.5,high_latency=2s",
            doc: "When the strategies run. In a variable: type=threshold pairs with commas.",
            state: NO_DEGRADATION,
            ..KEY
        },
    ],
};

const NO_HEALTH_CHECK: State = State::NotInEffect(
    "collectors are not probed; /health and /ready of this process are served at listen.admin",
);

pub(super) const HEALTH: Section = Section {
    title: "Health check of collectors",
    keys: &[
        time(
            "health_check.interval",
            secs(1),
            secs(3600),
            "30s",
            NO_HEALTH_CHECK,
            "The time between probes.",
        ),
        time(
            "health_check.timeout",
            ms(10),
            secs(300),
            "5s",
            NO_HEALTH_CHECK,
            "How long a probe may take.",
        ),
        Key {
            path: "health_check.path",
            kind: Kind::Text {
                form: "a path that begins with /",
                parse: |text| {
                    if text.starts_with('/') && text.bytes().all(|byte| byte.is_ascii_graphic()) {
                        return Ok(text.to_owned());
                    }
                    Err(Complaint::new(
                        format!("{text:?} is not a path"),
                        "write /health",
                    ))
                },
                set: |_, _| {},
            },
            default: "/health",
            doc: "The path that is asked for.",
            state: NO_HEALTH_CHECK,
            ..KEY
        },
        whole(
            "health_check.unhealthy_threshold",
            1,
            100,
            "3",
            "probes",
            NO_HEALTH_CHECK,
            "Failed probes that take a collector out.",
        ),
        whole(
            "health_check.healthy_threshold",
            1,
            100,
            "2",
            "probes",
            NO_HEALTH_CHECK,
            "Good probes that bring it back.",
        ),
    ],
};

const fn whole(
    path: &'static str,
    min: u64,
    max: u64,
    default: &'static str,
    unit: &'static str,
    state: State,
    doc: &'static str,
) -> Key {
    Key {
        path,
        kind: Kind::Integer {
            min,
            max,
            set: |_, _| {},
        },
        default,
        unit,
        doc,
        state,
        ..KEY
    }
}

const fn time(
    path: &'static str,
    min: std::time::Duration,
    max: std::time::Duration,
    default: &'static str,
    state: State,
    doc: &'static str,
) -> Key {
    Key {
        path,
        kind: Kind::Duration {
            min,
            max,
            set: |_, _| {},
        },
        default,
        doc,
        state,
        ..KEY
    }
}
