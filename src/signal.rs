//! The four kinds of telemetry that OTLP carries, and what each is called on every wire.

use std::fmt;

/// A kind of telemetry: what an Export request carries.
///
/// - Source: OTLP 1.11.0, "OTLP/gRPC" and "OTLP/HTTP Request".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Signal {
    /// Spans.
    Traces = 0,
    /// Metric data points.
    Metrics = 1,
    /// Log records.
    Logs = 2,
    /// Profile samples. They share a dictionary, so a request is forwarded whole and never merged.
    Profiles = 3,
}

impl Signal {
    /// Every signal, in the order of [`Signal::index`].
    pub const ALL: [Self; 4] = [Self::Traces, Self::Metrics, Self::Logs, Self::Profiles];

    /// The signal's place in an array of one slot a signal: 0 to 3.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The signal's name in labels, logs and configuration keys.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Traces => "traces",
            Self::Metrics => "metrics",
            Self::Logs => "logs",
            Self::Profiles => "profiles",
        }
    }

    /// What one item of this signal is called in metric names, in the Collector's vocabulary.
    #[must_use]
    pub const fn item_noun(self) -> &'static str {
        match self {
            Self::Traces => "spans",
            Self::Metrics => "metric_points",
            Self::Logs => "log_records",
            Self::Profiles => "profile_samples",
        }
    }

    /// The path of the unary gRPC method.
    #[must_use]
    pub const fn grpc_path(self) -> &'static str {
        match self {
            Self::Traces => "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
            Self::Metrics => "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
            Self::Logs => "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
            Self::Profiles => {
                "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export"
            }
        }
    }

    /// The path of the OTLP/HTTP request.
    #[must_use]
    pub const fn http_path(self) -> &'static str {
        match self {
            Self::Traces => "/v1/traces",
            Self::Metrics => "/v1/metrics",
            Self::Logs => "/v1/logs",
            Self::Profiles => "/v1development/profiles",
        }
    }

    /// The signal that a gRPC path names, if it names one.
    #[must_use]
    pub fn from_grpc_path(path: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|signal| signal.grpc_path() == path)
    }

    /// The signal that an OTLP/HTTP path names, if it names one.
    #[must_use]
    pub fn from_http_path(path: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|signal| signal.http_path() == path)
    }

    /// Whether two requests of this signal, one after the other, are a valid request.
    ///
    /// - Source: the Export requests of traces, metrics and logs are one repeated field each;
    ///   a profiles request carries a dictionary that its indices point into.
    #[must_use]
    pub const fn merges(self) -> bool {
        !matches!(self, Self::Profiles)
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_names_its_signal_and_no_other() {
        for signal in Signal::ALL {
            assert_eq!(Signal::from_grpc_path(signal.grpc_path()), Some(signal));
            assert_eq!(Signal::from_http_path(signal.http_path()), Some(signal));
            assert_eq!(Signal::ALL[signal.index()], signal);
        }
        assert_eq!(Signal::from_grpc_path("/v1/traces"), None);
        assert_eq!(Signal::from_http_path("/v1/spans"), None);
    }
}
