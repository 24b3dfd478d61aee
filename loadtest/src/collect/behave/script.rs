//! Behaviours one after the other: which one is in force when.

use std::{fmt, str::FromStr, time::Duration};

use super::{Phase, SpecError, words};

/// Phases in turn; see the grammar of [`super`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    pub(super) phases: Vec<Phase>,
    pub(super) repeats: bool,
}

/// What follows a script.
static OVER: Phase = Phase::OK;

/// What is in force at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment<'a> {
    /// Its phase; good behaviour once the script is over.
    pub phase: &'a Phase,
    /// When it changes, on the script's own clock; `None`: never.
    pub until: Option<Duration>,
}

impl Script {
    /// Good behaviour without an end.
    #[must_use]
    pub fn ok() -> Self {
        Self {
            phases: vec![Phase::OK],
            repeats: false,
        }
    }

    /// What is in force that long after the script was begun.
    #[must_use]
    pub fn at(&self, elapsed: Duration) -> Moment<'_> {
        let round: Duration = self.phases.iter().filter_map(|it| it.lasts).sum();
        let mut begins = Duration::ZERO;
        if self.repeats && !round.is_zero() {
            let rounds = elapsed.as_nanos() / round.as_nanos();
            let nanos = rounds * round.as_nanos();
            begins = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        }
        for phase in &self.phases {
            let until = phase.lasts.map(|it| begins + it);
            match until {
                Some(ends) if ends <= elapsed => begins = ends,
                _ => return Moment { phase, until },
            }
        }
        Moment {
            phase: &OVER,
            until: None,
        }
    }
}

impl FromStr for Script {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        words::script(text)
    }
}

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut phases: Vec<String> = self.phases.iter().map(Phase::to_string).collect();
        if self.repeats {
            phases.push("repeat".to_owned());
        }
        f.write_str(&phases.join(" then "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::behave::Act;

    fn at(script: &Script, millis: u64) -> (&Act, Option<u64>) {
        let moment = script.at(Duration::from_millis(millis));
        let until = moment
            .until
            .map(|it| u64::try_from(it.as_millis()).unwrap());
        (&moment.phase.act, until)
    }

    #[test]
    fn a_phase_ends_and_good_behaviour_follows() {
        let script: Script = "hang for=5s".parse().unwrap();
        assert_eq!(at(&script, 0), (&Act::Hang, Some(5000)));
        assert_eq!(at(&script, 4999), (&Act::Hang, Some(5000)));
        assert_eq!(at(&script, 5000), (&Act::Ok, None));
    }

    #[test]
    fn a_phase_without_an_end_stays() {
        let script: Script = "ok for=1s then hang".parse().unwrap();
        assert_eq!(at(&script, 0), (&Act::Ok, Some(1000)));
        assert_eq!(at(&script, 3_600_000), (&Act::Hang, None));
    }

    #[test]
    fn flapping_goes_on_for_ever() {
        let script: Script = "flap ok=5s hang=2s".parse().unwrap();
        for round in [0, 7000, 7_000_000] {
            assert_eq!(at(&script, round), (&Act::Ok, Some(round + 5000)));
            assert_eq!(at(&script, round + 5000), (&Act::Hang, Some(round + 7000)));
            assert_eq!(at(&script, round + 6999), (&Act::Hang, Some(round + 7000)));
        }
    }
}
