//! Collectors: their moods and their answers.

use std::{rc::Rc, time::Duration};

use otlp::{
    degrade::Probe,
    outcome::{Attempt, Code, Outcome, Reason, Refusal},
    spool::sim::Random,
};

use crate::plan::between;

/// How a collector is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    Well,
    Slow,
    /// It takes no connection.
    Down,
    /// It takes connections and says nothing.
    Silent,
    /// It refuses what comes, in ways that trying again can help.
    Busy,
    /// Any answer.
    Erratic,
}

impl Mood {
    const BAD: [Self; 5] = [
        Self::Slow,
        Self::Down,
        Self::Silent,
        Self::Busy,
        Self::Erratic,
    ];

    pub fn drawn(random: &mut Random) -> Self {
        match random.chance(450) {
            true => Self::Well,
            false => Self::BAD[random.below(Self::BAD.len())],
        }
    }

    /// How long an answer takes; over `timeout` it does not come.
    pub fn delay(self, timeout: Duration, random: &mut Random) -> Duration {
        match self {
            Self::Silent => timeout,
            Self::Slow => between(random, 500, 8000).min(timeout),
            Self::Down => between(random, 0, 30).min(timeout),
            _ if random.chance(100) => Duration::ZERO,
            Self::Well => between(random, 1, 150).min(timeout / 2),
            _ => between(random, 1, 150).min(timeout),
        }
    }

    /// What an attempt comes to; `is_late` where its time is up.
    pub fn answer(self, items: u64, is_late: bool, random: &mut Random) -> Attempt {
        if is_late {
            let text = "no answer in time".to_owned();
            return Attempt::Broken(Reason::Timeout, text);
        }
        match self {
            Self::Well | Self::Slow | Self::Silent => Attempt::Answered(Outcome::Accepted),
            Self::Down => Attempt::NotSent("connection refused".to_owned()),
            Self::Busy => refusal(true, random),
            Self::Erratic => match random.below(8) {
                0 => refusal(false, random),
                1 | 2 => refusal(true, random),
                3 => Attempt::Answered(Outcome::Partial {
                    rejected: random.number() % (items + 2),
                    message: Rc::from("some were bad"),
                }),
                4 => Attempt::NotSent("connection refused".to_owned()),
                5 => Attempt::Stale("closed".to_owned()),
                6 => Attempt::Broken(Reason::Connection, "reset".to_owned()),
                _ => Attempt::Answered(Outcome::Accepted),
            },
        }
    }

    /// What a probe finds; while there are faults, now and then not what calls do.
    pub fn probe(self, has_faults: bool, random: &mut Random) -> Probe {
        let bad = || Probe::Unhealthy("it says so".to_owned());
        if has_faults && random.chance(50) {
            return [Probe::Healthy, Probe::Alive, bad()][random.below(3)].clone();
        }
        match self {
            Self::Well | Self::Slow => match random.chance(500) {
                true => Probe::Healthy,
                false => Probe::Alive,
            },
            Self::Down | Self::Silent => bad(),
            Self::Busy | Self::Erratic => {
                [Probe::Healthy, Probe::Alive, bad()][random.below(3)].clone()
            }
        }
    }
}

fn refusal(is_retryable: bool, random: &mut Random) -> Attempt {
    const FINAL: [Code; 5] = [
        Code::InvalidArgument,
        Code::ResourceExhausted,
        Code::Unimplemented,
        Code::Internal,
        Code::PermissionDenied,
    ];
    const RETRYABLE: [Code; 5] = [
        Code::Unavailable,
        Code::ResourceExhausted,
        Code::DeadlineExceeded,
        Code::Cancelled,
        Code::Aborted,
    ];
    let refusal = if is_retryable {
        let delay = match random.chance(500) {
            true => Duration::ZERO,
            false => between(random, 1, 4000),
        };
        let reason = Reason::Collector(RETRYABLE[random.below(5)]);
        Refusal::retryable(reason, delay, "not now")
    } else {
        Refusal::permanent(Reason::Collector(FINAL[random.below(5)]), "never")
    };
    Attempt::Answered(Outcome::Refused(refusal))
}
