//! What the keys of retries, breakers, degradation and the spool come to, and what only several of
//! them can tell.

use super::{
    draft::Draft,
    model::{Acknowledge, Degradation, OnFull},
    problem::{Complaint, Problem},
    source::Origin,
    units::{show_bytes, show_duration},
};

/// What to do where the spool is needed and has no place.
const NAME_A_DIRECTORY: &str = "set spool.directory, for example to /var/lib/otlp/spool, or \
                                StateDirectory=otlp in the unit of systemd";

const DIRECTORY: &str = "spool.directory";

/// What the checks tell, and where values came from.
struct Checks<'a> {
    origin_of: &'a dyn Fn(&str) -> Origin,
    problems: &'a mut Vec<Problem>,
    warnings: &'a mut Vec<String>,
}

impl Checks<'_> {
    fn is_set(&self, key: &str) -> bool {
        !matches!((self.origin_of)(key), Origin::Default)
    }

    /// Refuses the value of `key`, or of `other` where nobody set `key`.
    fn refuse(&mut self, key: &str, other: &str, what: String, fix: String) {
        let blamed = if self.is_set(key) { key } else { other };
        let origin = (self.origin_of)(blamed);
        self.problems
            .push(Problem::new(key, &origin, Complaint::new(what, fix)));
    }

    fn warn(&mut self, key: &str, what: &str) {
        let origin = (self.origin_of)(key);
        self.warnings.push(format!("{key} ({origin}): {what}"));
    }
}

impl Draft {
    /// Settles the fallback collector, and checks the keys of the ladder against one another.
    pub(super) fn resolve_resilience(
        &mut self,
        origin_of: &dyn Fn(&str) -> Origin,
        problems: &mut Vec<Problem>,
        warnings: &mut Vec<String>,
    ) {
        self.resolve_fallback(problems);
        let mut checks = Checks {
            origin_of,
            problems,
            warnings,
        };
        self.check_delays(&mut checks);
        self.check_strategies(&mut checks);
        self.check_spool(&mut checks);
    }

    fn resolve_fallback(&mut self, problems: &mut Vec<Problem>) {
        const KEY: &str = "fallback.endpoint";
        let Some((url, origin)) = self.fallback_urls.first() else {
            return;
        };
        if let Some((_, second)) = self.fallback_urls.get(1) {
            let complaint = Complaint::new(
                "there is one fallback, and this is a second one",
                "name one collector; several belong into endpoint",
            );
            problems.push(Problem::new(KEY, second, complaint));
        }
        let endpoint = self.endpoint(url, self.fallback_protocol.or(self.protocol), false);
        self.check_endpoint(KEY, &endpoint, origin, problems);
        let export = &self.config.export;
        let own = export.signal_endpoints.iter().flatten();
        let is_same = own
            .chain(&export.endpoints)
            .any(|other| (&other.host, other.port) == (&endpoint.host, endpoint.port));
        if is_same {
            let what = format!("{} is a collector of its own already", endpoint.authority());
            let complaint = Complaint::new(what, "name another collector, or remove it");
            problems.push(Problem::new(KEY, origin, complaint));
        }
        self.config.export.fallback = Some(endpoint);
    }

    fn check_delays(&self, checks: &mut Checks<'_>) {
        let retry = &self.config.retry;
        if retry.base_delay > retry.max_delay {
            let (base, max) = (
                show_duration(retry.base_delay),
                show_duration(retry.max_delay),
            );
            checks.refuse(
                "retry.max_delay",
                "retry.base_delay",
                format!("{max} is under retry.base_delay, {base}"),
                format!("raise retry.max_delay to {base} or lower retry.base_delay to {max}"),
            );
        }
        let health = &self.config.health_check;
        if health.timeout > health.interval {
            let (timeout, interval) = (
                show_duration(health.timeout),
                show_duration(health.interval),
            );
            checks.refuse(
                "health_check.timeout",
                "health_check.interval",
                format!("{timeout} is over health_check.interval, {interval}"),
                format!("lower health_check.timeout to {interval} or raise health_check.interval"),
            );
        }
    }

    fn check_strategies(&mut self, checks: &mut Checks<'_>) {
        const STRATEGIES: &str = "graceful_degradation.strategies";
        let Degradation {
            enabled,
            use_fallback,
            use_cache,
            reduce_quality,
            ..
        } = self.config.degradation;
        if !enabled {
            let group = [
                STRATEGIES,
                "graceful_degradation.trigger_conditions",
                "fallback.endpoint",
            ];
            if let Some(key) = group.into_iter().find(|key| checks.is_set(key)) {
                checks.warn(
                    key,
                    "it does nothing while graceful_degradation.enabled is false",
                );
            }
            return;
        }
        if !(use_fallback || use_cache || reduce_quality) {
            let what = "it does nothing while graceful_degradation.strategies names none";
            checks.warn("graceful_degradation.enabled", what);
        }
        let has_fallback = self.config.export.fallback.is_some();
        if use_fallback && !has_fallback {
            self.config.degradation.use_fallback = false;
            let what = "use_fallback is left out, because fallback.endpoint is not set";
            checks.warn(STRATEGIES, what);
        }
        if has_fallback && !use_fallback {
            let what = "it does nothing while graceful_degradation.strategies has no use_fallback";
            checks.warn("fallback.endpoint", what);
        }
        let has_directory = !self.config.spool.directory.as_os_str().is_empty();
        if use_cache && !has_directory {
            // A file that asks for every strategy is to start; what it does not get, it is told.
            self.config.degradation.use_cache = false;
            let what = format!(
                "use_cache is left out, because there is no directory for the spool: \
                 {NAME_A_DIRECTORY}"
            );
            checks.warn(STRATEGIES, &what);
        }
    }

    fn check_spool(&self, checks: &mut Checks<'_>) {
        let spool = &self.config.spool;
        // The default makes way: a segment is never over a quarter of a shard's share.
        if checks.is_set("spool.segment_bytes") && spool.segment_bytes > spool.bytes_max {
            let (segment, max) = (show_bytes(spool.segment_bytes), show_bytes(spool.bytes_max));
            checks.refuse(
                "spool.segment_bytes",
                "spool.max_bytes",
                format!("{segment} is over spool.max_bytes, {max}"),
                format!("lower spool.segment_bytes to {max} or raise spool.max_bytes to {segment}"),
            );
        }
        let is_stored = self.config.acknowledge == Acknowledge::Stored;
        if is_stored && spool.directory.as_os_str().is_empty() {
            checks.refuse(
                "acknowledge",
                "acknowledge",
                "\"stored\" needs a directory for the spool, and there is none".to_owned(),
                NAME_A_DIRECTORY.to_owned(),
            );
        }
        if !self.config.spools() {
            // A directory that the service manager made for other state asks for nothing.
            if matches!(
                (checks.origin_of)(DIRECTORY),
                Origin::File(_) | Origin::Flag(_)
            ) {
                let what = "nothing is spooled: acknowledge is not \"stored\", and use_cache is \
                            not in effect";
                checks.warn(DIRECTORY, what);
            }
            return;
        }
        let request = u64::try_from(self.config.limits.request_bytes).unwrap_or(u64::MAX);
        if request > spool.bytes_max {
            let (request, max) = (show_bytes(request), show_bytes(spool.bytes_max));
            checks.refuse(
                "spool.max_bytes",
                "limits.request_bytes",
                format!("{max} cannot hold one request of limits.request_bytes, {request}"),
                format!(
                    "raise spool.max_bytes to {request} or more, or lower limits.request_bytes"
                ),
            );
        }
        if spool.on_full == OnFull::DropOldest {
            checks.warn(
                "spool.on_full",
                "when the spool is full, data is dropped that a sender was told is safe",
            );
        }
    }
}

#[cfg(test)]
#[path = "ladder_tests.rs"]
mod tests;
