//! What a measurement is told apart by: the values of every label, each with a slot.

use serde::Serialize;

use crate::outcome::{Reason, Refusal};

/// The way a call came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Transport {
    /// OTLP/gRPC.
    Grpc = 0,
    /// OTLP/HTTP.
    Http = 1,
}

impl Transport {
    /// Every transport, in the order of its slots.
    pub const ALL: [Self; 2] = [Self::Grpc, Self::Http];

    /// The transport's name in labels, as the Collector spells it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Grpc => "grpc",
            Self::Http => "http",
        }
    }
}

/// Where items of the ledger came from: a [`Transport`] each, and the spool.
pub(super) const ORIGINS: usize = Transport::ALL.len() + 1;

/// The slot of items that an earlier run left on disk.
pub(super) const SPOOL_ORIGIN: usize = Transport::ALL.len();

/// The names of the origins, in the order of their slots.
pub(super) fn origin_names() -> impl Iterator<Item = &'static str> {
    Transport::ALL
        .into_iter()
        .map(Transport::name)
        .chain(["spool"])
}

/// A way to serve on while the collectors do not, in the order in which they are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[repr(u8)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// What the collectors do not take goes to the fallback collector.
    UseFallback = 0,
    /// It goes to the spool on disk.
    UseCache = 1,
    /// Part of it is thinned out.
    ReduceQuality = 2,
}

impl Strategy {
    /// Every strategy, in the order of its slots.
    pub const ALL: [Self; 3] = [Self::UseFallback, Self::UseCache, Self::ReduceQuality];

    /// The strategy's name in labels, as the configuration spells it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::UseFallback => "use_fallback",
            Self::UseCache => "use_cache",
            Self::ReduceQuality => "reduce_quality",
        }
    }
}

/// What a collector made of a health probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ProbeResult {
    /// It says that it is well.
    Healthy = 0,
    /// It answers, but does not speak health.
    Alive = 1,
    /// It does not answer, or says that it is not well.
    Unhealthy = 2,
}

impl ProbeResult {
    pub(super) const ALL: [Self; 3] = [Self::Healthy, Self::Alive, Self::Unhealthy];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Alive => "alive",
            Self::Unhealthy => "unhealthy",
        }
    }
}

/// The states of a circuit breaker by number: 0 closed, 1 open, 2 half-open.
pub(super) const BREAKER_STATES: [&str; 3] = ["closed", "open", "half_open"];

/// What became of items, for the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// A collector has accepted them.
    Delivered,
    /// They will not be accepted, however often they are sent.
    Rejected(Reason),
    /// A collector accepted their request without them: partial success.
    RejectedPartially,
    /// They were not accepted now; the sender was told to try again.
    Refused(Reason),
    /// Their sender was told OK and they are gone.
    Dropped(Reason),
    /// They were thinned out on purpose.
    Sampled,
}

/// How a call was answered.
#[derive(Clone, Copy, Debug)]
pub enum Answer<'a> {
    /// All of it was accepted.
    Accepted,
    /// It was accepted but for `rejected` items, or with a warning where that is 0.
    Partial {
        /// Items that the collector did not take.
        rejected: u64,
    },
    /// None of it was accepted.
    Refused(&'a Refusal),
}

impl Answer<'_> {
    pub(super) const fn outcome(self) -> Outcome {
        match self {
            Self::Accepted => Outcome::Accepted,
            Self::Partial { .. } => Outcome::Partial,
            Self::Refused(refusal) if refusal.is_retryable() => Outcome::Refused,
            Self::Refused(_) => Outcome::Rejected,
        }
    }

    /// The slot of the reason why this answer is an error, where it is one.
    pub(super) const fn error(self) -> Option<usize> {
        match self {
            Self::Accepted | Self::Partial { rejected: 0 } => None,
            Self::Partial { .. } => Some(PARTIAL_SUCCESS),
            Self::Refused(refusal) => Some(refusal.reason().index()),
        }
    }
}

/// The value of the `outcome` label.
#[derive(Clone, Copy, Debug)]
pub(super) enum Outcome {
    Accepted = 0,
    Partial = 1,
    Refused = 2,
    Rejected = 3,
}

impl Outcome {
    pub(super) const ALL: [Self; 4] =
        [Self::Accepted, Self::Partial, Self::Refused, Self::Rejected];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Partial => "partial",
            Self::Refused => "refused",
            Self::Rejected => "rejected",
        }
    }
}

/// Why a batch was sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Trigger {
    /// It holds as many items as a batch may.
    Size = 0,
    /// It holds as many bytes as a batch may.
    Bytes = 1,
    /// Its oldest request has waited as long as one may.
    Interval = 2,
    /// A collector connection was free and no more work was waiting.
    Idle = 3,
    /// The process is finishing what it took.
    Drain = 4,
    /// Its request goes alone: it does not merge, or fills a batch by itself.
    Alone = 5,
}

impl Trigger {
    /// Every trigger, in the order of its slots.
    pub const ALL: [Self; 6] = [
        Self::Size,
        Self::Bytes,
        Self::Interval,
        Self::Idle,
        Self::Drain,
        Self::Alone,
    ];

    /// The trigger's name in labels.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Size => "size",
            Self::Bytes => "bytes",
            Self::Interval => "interval",
            Self::Idle => "idle",
            Self::Drain => "drain",
            Self::Alone => "alone",
        }
    }
}

/// Slots of the `reason` label: every [`Reason`], then partial success.
pub(super) const REASONS: usize = Reason::COUNT + 1;

/// The slot of items that a partial success left out.
pub(super) const PARTIAL_SUCCESS: usize = Reason::COUNT;

/// The values of the `reason` label, in the order of the slots.
pub(super) fn reason_names() -> impl Iterator<Item = &'static str> {
    Reason::all().map(Reason::name).chain(["partial_success"])
}
