//! Signals, their mix, and encodings.

use std::fmt;
use std::str::FromStr;

use anyhow::{Context, bail};

/// A signal of OTLP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Signal {
    /// Spans.
    Traces,
    /// Data points.
    Metrics,
    /// Log records.
    Logs,
}

impl Signal {
    /// Every signal.
    pub const ALL: [Self; 3] = [Self::Traces, Self::Metrics, Self::Logs];

    /// `traces`, `metrics` or `logs`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Traces => "traces",
            Self::Metrics => "metrics",
            Self::Logs => "logs",
        }
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Signal {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        match Self::ALL.into_iter().find(|signal| signal.name() == text) {
            Some(signal) => Ok(signal),
            None => bail!("{text:?} is not a signal: give traces, metrics or logs"),
        }
    }
}

/// How a request's body is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Binary protobuf.
    Protobuf,
    /// OTLP/JSON.
    Json,
}

/// How many requests of each signal, relative to each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mix {
    weights: [u32; 3],
}

impl Mix {
    /// Nothing but `signal`.
    #[must_use]
    pub fn only(signal: Signal) -> Self {
        let mut weights = [0; 3];
        weights[signal as usize] = 1;
        Self { weights }
    }

    /// The weight of a signal.
    #[must_use]
    pub fn weight(&self, signal: Signal) -> u32 {
        self.weights[signal as usize]
    }
}

/// As it is written on the command line: one signal, or `traces=60,metrics=20,logs=20`, or `mix` for
/// just that.
impl FromStr for Mix {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        if text == "mix" {
            return Ok(Self {
                weights: [60, 20, 20],
            });
        }
        if !text.contains('=') {
            return Ok(Self::only(text.parse()?));
        }
        let mut weights = [0_u32; 3];
        for part in text.split(',') {
            let (signal, weight) = part.trim().split_once('=').with_context(|| {
                format!("{part:?} has no weight: write signal=weight, as in traces=60")
            })?;
            let signal: Signal = signal.parse()?;
            let weight: u16 = weight.parse().with_context(|| {
                format!("the weight of {signal} is {weight:?}: give a whole number up to 65535")
            })?;
            weights[signal as usize] = u32::from(weight);
        }
        if weights == [0; 3] {
            bail!("every weight in {text:?} is 0: give one signal at least 1");
        }
        Ok(Self { weights })
    }
}

impl fmt::Display for Mix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let taken = || {
            Signal::ALL
                .into_iter()
                .filter(|&signal| self.weight(signal) > 0)
        };
        if taken().count() == 1 {
            return taken().try_for_each(|signal| write!(f, "{signal}"));
        }
        for (index, signal) in taken().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            write!(f, "{comma}{signal}={}", self.weight(signal))?;
        }
        Ok(())
    }
}

/// Takes turns among the signals of a mix, as evenly as their weights allow.
#[derive(Debug)]
pub(super) struct Turns {
    mix: Mix,
    credit: [i64; 3],
}

impl Turns {
    pub fn new(mix: Mix) -> Self {
        Self {
            mix,
            credit: [0; 3],
        }
    }

    /// The signal whose turn it is: the one that is furthest behind its share.
    pub fn next(&mut self) -> Signal {
        let mut chosen = Signal::Traces;
        let mut total = 0;
        for signal in Signal::ALL {
            let weight = i64::from(self.mix.weight(signal));
            total += weight;
            self.credit[signal as usize] += weight;
            let behind = self.credit[signal as usize] > self.credit[chosen as usize];
            if weight > 0 && (behind || self.mix.weight(chosen) == 0) {
                chosen = signal;
            }
        }
        self.credit[chosen as usize] -= total;
        chosen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mix_reads_and_writes_as_on_the_command_line() {
        for text in [
            "traces",
            "logs",
            "traces=60,metrics=20,logs=20",
            "metrics=1,logs=3",
        ] {
            let mix: Mix = text.parse().unwrap();
            assert_eq!(mix.to_string(), text);
        }
        let mix: Mix = "mix".parse().unwrap();
        assert_eq!(mix.to_string(), "traces=60,metrics=20,logs=20");
    }

    #[test]
    fn a_mix_that_is_not_understood_says_why() {
        for (text, why) in [
            ("spans", "\"spans\" is not a signal"),
            ("traces=60,logs", "\"logs\" has no weight"),
            ("traces=lots", "the weight of traces is \"lots\""),
            ("traces=0,logs=0", "every weight"),
        ] {
            let error = text.parse::<Mix>().unwrap_err();
            assert!(format!("{error:#}").contains(why), "{error:#}");
        }
    }

    #[test]
    fn turns_follow_the_weights_and_never_pause_a_signal_for_long() {
        let mut turns = Turns::new("traces=3,logs=1".parse().unwrap());
        let taken: Vec<_> = (0..8).map(|_| turns.next()).collect();
        for four in taken.chunks(4) {
            assert_eq!(
                four.iter()
                    .filter(|&&signal| signal == Signal::Logs)
                    .count(),
                1
            );
            assert_eq!(
                four.iter()
                    .filter(|&&signal| signal == Signal::Traces)
                    .count(),
                3
            );
        }
        let mut turns = Turns::new(Mix::only(Signal::Metrics));
        assert!((0..5).all(|_| turns.next() == Signal::Metrics));
    }
}
