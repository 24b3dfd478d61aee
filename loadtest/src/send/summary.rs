//! What a sender did, for people.

use std::fmt::Write;

use super::progress::time;
use crate::results::SendReport;

/// A few lines for people.
#[must_use]
pub fn summary(report: &SendReport) -> String {
    let mut text = String::new();
    let SendReport {
        requests: r,
        items,
        latency,
        latency_raw: raw,
        honesty,
        ..
    } = report;
    let rate = |count: u64| count as f64 / report.duration.max(f64::MIN_POSITIVE);
    let _ = writeln!(text, "{}", report.title);
    let _ = writeln!(
        text,
        "{:.1} s: {} requests due, {} sent, {} accepted, {} partial, {} refused, {} rejected, {} unanswered",
        report.duration, r.due, r.sent, r.accepted, r.partial, r.refused, r.rejected, r.unanswered
    );
    let _ = writeln!(
        text,
        "accepted: {:.0} requests/s, {:.0} items/s, {:.1} MB/s of bodies",
        rate(r.accepted + r.partial),
        rate(items.accepted),
        rate(report.body_bytes) / 1e6
    );
    for (name, latency) in [("from due", latency), ("raw", raw)] {
        if latency.count > 0 {
            let _ = writeln!(
                text,
                "latency, {name}: p50 {}, p90 {}, p99 {}, p99.9 {}, max {}",
                time(latency.p50_us),
                time(latency.p90_us),
                time(latency.p99_us),
                time(latency.p999_us),
                time(latency.max_us)
            );
        }
    }
    for (name, phase) in &report.phases {
        let _ = writeln!(
            text,
            "phase {name}, {:.1} to {:.1} s: {} of {} accepted, p50 {}, p99 {}",
            phase.from,
            phase.to,
            phase.accepted,
            phase.due,
            time(phase.latency.p50_us),
            time(phase.latency.p99_us)
        );
    }
    for (status, count) in &report.statuses {
        let _ = writeln!(text, "{count:9} × {status}");
    }
    let _ = writeln!(
        text,
        "the sender itself: {:.0} % of a core, p99 {} late",
        honesty.cpu_share * 100.0,
        time(honesty.late_p99_us)
    );
    for bottleneck in &honesty.bottlenecks {
        let _ = writeln!(text, "note: {bottleneck}");
    }
    text
}
