//! One sender of a scenario: every flag of `loadtest send` as a key.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::units::duration_field;
use crate::send::Phase;

/// What one sender sends, how fast and for how long. A key that is not given is the sender's
/// default.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Load {
    /// `grpc`, `http/protobuf` or `http/json`.
    #[serde(default = "grpc")]
    pub protocol: String,
    /// `traces`, `metrics`, `logs`, or a mix such as `traces=60,metrics=20,logs=20`.
    pub signals: Option<String>,
    /// Items a request.
    pub items: Option<u32>,
    /// `none`, `gzip` or `zstd`.
    pub compression: Option<String>,
    /// How hard to compress.
    pub level: Option<u32>,
    /// Make just so many requests and repeat them.
    pub pool: Option<u32>,
    /// Most MiB of compressed requests made before the start.
    pub pool_memory: Option<u32>,
    /// Most time to make them in.
    #[serde(default = "ten_seconds", deserialize_with = "duration_field")]
    pub pool_time: Duration,
    /// Connections.
    pub connections: Option<u32>,
    /// Requests in flight on each connection.
    pub in_flight: Option<u32>,
    /// Most bytes of an HTTP/2 frame, where the receiver takes more.
    pub frame_bytes: Option<u32>,
    /// HTTP/2 frames in one write: those of a `turn`, or each `frame` by itself.
    pub writes: Option<String>,
    /// Most requests that are due and wait for a place in flight.
    pub queue: Option<u32>,
    /// Requests a second, such as `1000/s`.
    pub rate: Option<String>,
    /// From one rate to another, such as `100..5000/s`.
    pub ramp: Option<String>,
    /// One rate after the other, such as `100/s,200/s`.
    pub steps: Option<String>,
    /// Bursts, such as `500 every 1s`.
    pub burst: Option<String>,
    /// No schedule: as fast as the places in flight allow.
    #[serde(default)]
    pub closed: bool,
    /// Load before the measurement.
    #[serde(default = "one_second", deserialize_with = "duration_field")]
    pub warmup: Duration,
    /// Length of the measurement.
    #[serde(default = "ten_seconds", deserialize_with = "duration_field")]
    pub duration: Duration,
    /// The longest that an answer may take.
    #[serde(default = "ten_seconds", deserialize_with = "duration_field")]
    pub timeout: Duration,
    /// Send again after a refusal that allows it.
    #[serde(default)]
    pub retry: bool,
    /// Seed of the telemetry.
    pub seed: Option<u64>,
    /// Speak TLS.
    #[serde(default)]
    pub tls: bool,
    /// Authority to trust.
    pub ca: Option<PathBuf>,
    /// Client certificate.
    pub cert: Option<PathBuf>,
    /// Its key.
    pub key: Option<PathBuf>,
    /// Trust any certificate.
    #[serde(default)]
    pub insecure: bool,
    /// Headers, each as `name: value`.
    #[serde(default)]
    pub header: Vec<String>,
    /// Parts of the measurement that are told apart, each as `name=from..to`.
    #[serde(default)]
    pub phases: Vec<String>,
    /// Interval log of the latencies, a file.
    pub hlog: Option<PathBuf>,
}

fn grpc() -> String {
    "grpc".to_owned()
}

const fn one_second() -> Duration {
    Duration::from_secs(1)
}

const fn ten_seconds() -> Duration {
    Duration::from_secs(10)
}

impl Load {
    /// Says what is wrong; the place is the caller's to name.
    pub(super) fn check(&self) -> Result<(), String> {
        let schedules = [
            self.rate.is_some(),
            self.ramp.is_some(),
            self.steps.is_some(),
            self.burst.is_some(),
            self.closed,
        ];
        match schedules.iter().filter(|given| **given).count() {
            1 => {}
            0 => return Err("no schedule: give one of rate, ramp, steps, burst, closed".to_owned()),
            _ => return Err("give only one of rate, ramp, steps, burst, closed".to_owned()),
        }
        for phase in &self.phases {
            phase.parse::<Phase>()?;
        }
        if self.duration.is_zero() {
            return Err("duration = \"0s\" measures nothing: make it longer".to_owned());
        }
        Ok(())
    }

    /// The longest that a sender takes to make its requests before the start.
    pub(super) const fn preparation(&self) -> Duration {
        self.pool_time
    }

    /// The arguments of `loadtest send` that say this.
    #[must_use]
    pub fn arguments(&self) -> Vec<String> {
        fn text(value: &impl ToString) -> Option<String> {
            Some(value.to_string())
        }
        let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
        let seconds = |duration: Duration| Some(humantime::format_duration(duration).to_string());
        let values = [
            ("--protocol", text(&self.protocol)),
            ("--signals", self.signals.clone()),
            ("--items", self.items.as_ref().and_then(text)),
            ("--compression", self.compression.clone()),
            ("--level", self.level.as_ref().and_then(text)),
            ("--pool", self.pool.as_ref().and_then(text)),
            ("--pool-memory", self.pool_memory.as_ref().and_then(text)),
            ("--pool-time", seconds(self.pool_time)),
            ("--connections", self.connections.as_ref().and_then(text)),
            ("--in-flight", self.in_flight.as_ref().and_then(text)),
            ("--frame-bytes", self.frame_bytes.as_ref().and_then(text)),
            ("--writes", self.writes.clone()),
            ("--queue", self.queue.as_ref().and_then(text)),
            ("--rate", self.rate.clone()),
            ("--ramp", self.ramp.clone()),
            ("--steps", self.steps.clone()),
            ("--burst", self.burst.clone()),
            ("--warmup", seconds(self.warmup)),
            ("--duration", seconds(self.duration)),
            ("--timeout", seconds(self.timeout)),
            ("--seed", self.seed.as_ref().and_then(text)),
            ("--ca", path(&self.ca)),
            ("--cert", path(&self.cert)),
            ("--key", path(&self.key)),
            ("--hlog", path(&self.hlog)),
        ];
        let switches = [
            ("--closed", self.closed),
            ("--retry", self.retry),
            ("--tls", self.tls),
            ("--insecure", self.insecure),
        ];
        let headers = self
            .header
            .iter()
            .map(|header| ("--header", Some(header.clone())));
        let phases = self
            .phases
            .iter()
            .map(|phase| ("--phase", Some(phase.clone())));
        values
            .into_iter()
            .chain(headers)
            .chain(phases)
            .filter_map(|(flag, value)| Some([flag.to_owned(), value?]))
            .flatten()
            .chain(
                switches
                    .iter()
                    .filter(|(_, on)| *on)
                    .map(|(flag, _)| (*flag).to_owned()),
            )
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Load {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn keys_become_flags() {
        let load = load("rate = '100/s'\nin-flight = 4\nduration = '1500ms'\nheader = ['a: b']\n");
        assert_eq!(
            load.arguments().join(" "),
            "--protocol grpc --pool-time 10s --in-flight 4 --rate 100/s --warmup 1s --duration 1s 500ms \
             --timeout 10s --header a: b"
        );
        assert!(load.check().is_ok());
    }

    #[test]
    fn switches_carry_no_value() {
        let load = load("closed = true\nretry = true\n");
        assert!(
            load.arguments()
                .ends_with(&["--closed".to_owned(), "--retry".to_owned()])
        );
    }

    #[test]
    fn there_is_exactly_one_schedule() {
        assert!(load("").check().unwrap_err().contains("no schedule"));
        let two = load("rate = '1/s'\nclosed = true\n").check().unwrap_err();
        assert!(two.contains("only one"), "{two}");
        let never = load("rate = '1/s'\nduration = '0s'\n").check().unwrap_err();
        assert!(never.contains("duration"), "{never}");
    }
}
