//! What the collector's own thread has cost, and how many files it may open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Processor time of this thread, in seconds, by the scheduler's clock. The collector has one
/// thread, so this is its cost.
pub(super) fn cpu_seconds() -> f64 {
    let line = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = line
        .split_whitespace()
        .next()
        .and_then(|it| it.parse().ok());
    nanos.unwrap_or(0.0) / 1e9
}

/// Lets the process open as many files as it is allowed to: each connection is one.
pub fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    // Where this is not allowed, fewer connections fit, and those are told.
    let _ = setrlimit(Resource::Nofile, raised);
}
