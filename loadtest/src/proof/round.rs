//! What happens between two kills. Pure: everything is drawn from a seed.

use std::fmt;
use std::time::Duration;

use crate::telemetry::Rng;

/// Most acknowledgements that a round waits for before the kill.
const MOST_ACKNOWLEDGED: u64 = 400;

/// The longest that a round lets the forwarder live once it is ready, in milliseconds.
const LONGEST_MS: u64 = 700;

/// The longest that a forwarder lives which is killed while it starts, in milliseconds.
const LONGEST_START_MS: u64 = 120;

/// How the collector is during a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weather {
    /// It takes everything.
    Up,
    /// It refuses connections.
    Down,
    /// It is up and down by turns.
    Flapping,
    /// It takes its time.
    Slow,
    /// It takes everything and loses some of its answers: what is sent again arrives twice.
    LosesAnswers,
}

impl Weather {
    /// As the collector is told.
    #[must_use]
    pub const fn behaviour(self) -> &'static str {
        match self {
            Self::Up => "ok",
            Self::Down => "refuse",
            Self::Flapping => "flap ok=150ms refuse=80ms",
            Self::Slow => "slow=60ms",
            Self::LosesAnswers => "lose-answer share=0.2",
        }
    }
}

impl fmt::Display for Weather {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Up => "up",
            Self::Down => "down",
            Self::Flapping => "flapping",
            Self::Slow => "slow",
            Self::LosesAnswers => "losing answers",
        })
    }
}

/// When the forwarder is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// When so many more requests have been acknowledged, or after the longest time of a round.
    Acknowledged(u64),
    /// After so long.
    After(Duration),
    /// After so long from its start, ready or not.
    Starting(Duration),
}

/// One round: a forwarder is started, lives for a while and is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Round {
    /// How the collector is meanwhile.
    pub weather: Weather,
    /// When the kill comes.
    pub moment: Moment,
}

impl Round {
    /// The longest that it lasts once the forwarder is ready.
    pub const LONGEST: Duration = Duration::from_millis(LONGEST_MS);
}

/// So many rounds. The same seed gives the same.
#[must_use]
pub fn rounds(seed: u64, count: usize) -> Vec<Round> {
    let mut rng = Rng::new(seed);
    (0..count).map(|_| round(&mut rng)).collect()
}

fn round(rng: &mut Rng) -> Round {
    use Weather::{Down, Flapping, LosesAnswers, Slow, Up};
    let weather = *rng.pick(&[
        Up,
        Up,
        Up,
        Up,
        Down,
        Down,
        Flapping,
        Flapping,
        Slow,
        LosesAnswers,
    ]);
    let moment = match rng.between(0, 9) {
        0 => Moment::Starting(Duration::from_millis(rng.between(0, LONGEST_START_MS))),
        1..=4 => Moment::After(Duration::from_millis(rng.between(0, LONGEST_MS))),
        // As often below twenty as above: the first ones after a start are a case of their own.
        5..=6 => Moment::Acknowledged(rng.between(1, 20)),
        _ => Moment::Acknowledged(rng.between(1, MOST_ACKNOWLEDGED)),
    };
    Round { weather, moment }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_rounds_and_another_one_others() {
        assert_eq!(rounds(7, 50), rounds(7, 50));
        assert_ne!(rounds(7, 50), rounds(8, 50));
        assert_eq!(rounds(7, 50)[..20], rounds(7, 20));
    }

    #[test]
    fn every_weather_and_every_kind_of_moment_comes_up() {
        let all = rounds(1, 1000);
        for weather in [
            Weather::Up,
            Weather::Down,
            Weather::Flapping,
            Weather::Slow,
            Weather::LosesAnswers,
        ] {
            let share = all.iter().filter(|it| it.weather == weather).count();
            assert!(share > 50, "{weather}: {share} of 1000");
        }
        let count = |is: fn(&Moment) -> bool| all.iter().filter(|it| is(&it.moment)).count();
        assert!(count(|it| matches!(it, Moment::Starting(_))) > 50);
        assert!(count(|it| matches!(it, Moment::After(_))) > 300);
        assert!(count(|it| matches!(it, Moment::Acknowledged(1..=20))) > 150);
        assert!(count(|it| matches!(it, Moment::Acknowledged(21..))) > 150);
    }
}
