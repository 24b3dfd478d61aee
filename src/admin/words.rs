//! What is known of the collectors, the spool and the degradation, as lines for a person.

use std::time::Duration;

use crate::metrics::{Collector, Degradation, Role, Spool, SpoolState, Strategy, Summary};

/// Characters of an error that are shown; the whole of it is in the status.
const ERROR_CHARS_MAX: usize = 300;

/// A line for each collector, then one for the spool where there is one, then one for each signal
/// that is degraded.
pub(super) fn lines(summary: &Summary) -> String {
    let now = summary.unix_seconds;
    let shards = summary.shards.len();
    let mut text = String::new();
    let collectors = summary.collectors.iter();
    let degradation = summary.degradation.iter();
    for line in collectors
        .map(|it| collector(it, now, shards))
        .chain(summary.spool.iter().map(|it| spool(it, now, shards)))
        .chain(degradation.map(|it| degraded(it, now, shards)))
    {
        text.push_str(&line);
        text.push('\n');
    }
    text
}

fn collector(it: &Collector, now: u64, shards: usize) -> String {
    let role = match it.role {
        Role::Primary => "",
        Role::Fallback => " (fallback)",
    };
    let mut line = format!("collector {}{role}: breaker {}", it.endpoint, it.breaker);
    if it.breaker != "closed" {
        line.push_str(&of_shards(it.breaker_shards, shards));
        line.push_str(&since(it.since_unix_seconds, now));
    }
    line.push_str(match it.healthy {
        Some(true) => ", healthy",
        Some(false) => ", unhealthy",
        None => "",
    });
    with_error(line, it.error.as_deref())
}

fn spool(it: &Spool, now: u64, shards: usize) -> String {
    let state = match it.state {
        SpoolState::Working => "working",
        SpoolState::Recovering => "recovering",
        SpoolState::Broken => "broken",
    };
    let mut line = format!("spool {}: {state}", it.directory);
    if it.state != SpoolState::Working {
        line.push_str(&of_shards(it.state_shards, shards));
        line.push_str(&since(it.since_unix_seconds, now));
    }
    let (records, bytes, bytes_max) = (it.records, it.bytes, it.bytes_max);
    let line = format!("{line}, {records} requests, {bytes} of {bytes_max} bytes");
    with_error(line, it.error.as_deref())
}

fn degraded(it: &Degradation, now: u64, shards: usize) -> String {
    let strategies: Vec<&str> = it.strategies.iter().copied().map(Strategy::name).collect();
    let mut line = format!("{} degraded", it.signal);
    line.push_str(&of_shards(it.shards, shards));
    line.push_str(&since(it.since_unix_seconds, now));
    if !strategies.is_empty() {
        line.push_str(", ");
        line.push_str(&strategies.join(", "));
    }
    with_error(line, Some(&it.why))
}

/// On how many shards, where it is not all of them.
fn of_shards(some: usize, all: usize) -> String {
    if some < all {
        format!(" on {some} of {all} shards")
    } else {
        String::new()
    }
}

fn since(unix_seconds: u64, now: u64) -> String {
    let age = Duration::from_secs(now.saturating_sub(unix_seconds));
    format!(" for {age:?}")
}

/// An error may hold what a collector sent: on a line of text it takes one line, and not a long one.
fn with_error(mut line: String, error: Option<&str>) -> String {
    if let Some(error) = error {
        line.push_str(": ");
        let shown = error.chars().take(ERROR_CHARS_MAX);
        line.extend(shown.map(|c| if c.is_control() { ' ' } else { c }));
    }
    line
}
