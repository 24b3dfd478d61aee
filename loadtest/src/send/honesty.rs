//! Whether the sender itself was the limit.

use crate::results::Honesty;

/// What a judgement is made of.
#[derive(Clone, Debug, Default)]
pub(super) struct Evidence {
    /// 99th percentile of how late requests were handed over although a place was free.
    pub(super) late_p99_us: u64,
    /// Median latency.
    pub(super) p50_us: u64,
    /// Share of one core.
    pub(super) cpu_share: f64,
    /// Requests made before the start, and how many were asked for beyond them.
    pub(super) repeated: Option<(usize, u64)>,
    /// Whether the repetition was asked for.
    pub(super) repeat: bool,
    /// Requests that found the line full.
    pub(super) overflowed: u64,
    /// Requests that were due, and still in line when the time was up.
    pub(super) left: u64,
    /// Places in flight: connections, and requests on each.
    pub(super) connections: u32,
    pub(super) in_flight: u32,
    /// Bound of the line.
    pub(super) queue: usize,
    /// Whether a connection can carry more than one request.
    pub(super) multiplexed: bool,
}

/// More of its core than this and the sender has none left to be punctual with.
const BUSY: f64 = 0.9;
/// Lateness that is too much whatever the latency.
const LATE_US: u64 = 1000;
/// Lateness that a timer and a shared core bring with them.
const GRAIN_US: u64 = 250;

/// The judgement, in sentences that say what to change.
pub(super) fn judge(evidence: &Evidence) -> Honesty {
    let mut bottlenecks = Vec::new();
    if evidence.cpu_share > BUSY {
        bottlenecks.push(format!(
            "The sender used {:.0} % of its core: the rate is its own limit. Use several senders \
             on cores of their own, or larger requests.",
            evidence.cpu_share * 100.0
        ));
    }
    let late = evidence.late_p99_us;
    let share = late.saturating_mul(10) > evidence.p50_us && late > GRAIN_US;
    if late > LATE_US || share {
        bottlenecks.push(format!(
            "1 % of the requests were handed over {late} µs late or more although a place was \
             free, against a median latency of {} µs: part of the latency is the sender's. Give it \
             a core of its own or lower the rate.",
            evidence.p50_us
        ));
    }
    if let Some((made, beyond)) = evidence.repeated
        && beyond > 0
        && !evidence.repeat
    {
        bottlenecks.push(format!(
            "The {made} compressed requests ran out and {beyond} were repeated with the same ids: \
             only counts of items can be audited. Raise --pool-memory and --pool-time, or send \
             fewer or smaller requests."
        ));
    }
    let unsent = evidence.overflowed + evidence.left;
    if unsent > 0 {
        let Evidence {
            connections,
            in_flight,
            ..
        } = evidence;
        let what = if evidence.multiplexed {
            "--connections or --in-flight"
        } else {
            "--connections"
        };
        bottlenecks.push(format!(
            "{unsent} requests were due and never sent: {connections} connections × {in_flight} in \
             flight were all taken{}. If the system answers, raise {what}.",
            if evidence.overflowed > 0 {
                format!(", and so was the line of {}", evidence.queue)
            } else {
                String::new()
            }
        ));
    }
    Honesty {
        late_p99_us: late,
        cpu_share: evidence.cpu_share,
        bottlenecks,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fine() -> Evidence {
        Evidence {
            late_p99_us: 200,
            p50_us: 300,
            cpu_share: 0.5,
            repeated: Some((100, 0)),
            connections: 8,
            in_flight: 16,
            queue: 1000,
            multiplexed: true,
            ..Evidence::default()
        }
    }

    #[test]
    fn nothing_is_said_of_a_sender_that_keeps_up() {
        assert_eq!(judge(&fine()).bottlenecks, [""; 0]);
        let asked = Evidence {
            repeated: Some((10, 90)),
            repeat: true,
            ..fine()
        };
        assert_eq!(judge(&asked).bottlenecks, [""; 0]);
    }

    #[test]
    fn each_limit_has_its_sentence() {
        for (evidence, words) in [
            (
                Evidence {
                    cpu_share: 0.95,
                    ..fine()
                },
                "95 % of its core",
            ),
            (
                Evidence {
                    late_p99_us: 1001,
                    p50_us: 100_000,
                    ..fine()
                },
                "1001 µs late",
            ),
            (
                Evidence {
                    late_p99_us: 300,
                    p50_us: 2000,
                    ..fine()
                },
                "300 µs late",
            ),
            (
                Evidence {
                    repeated: Some((100, 7)),
                    ..fine()
                },
                "7 were repeated",
            ),
            (
                Evidence {
                    overflowed: 3,
                    ..fine()
                },
                "the line of 1000. If the system answers, raise --connections or --in-flight",
            ),
            (
                Evidence {
                    left: 3,
                    multiplexed: false,
                    ..fine()
                },
                "taken. If the system answers, raise --connections.",
            ),
        ] {
            let said = judge(&evidence).bottlenecks;
            assert_eq!(said.len(), 1, "{evidence:?}: {said:?}");
            assert!(said[0].contains(words), "{said:?}");
        }
    }
}
