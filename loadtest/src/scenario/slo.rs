//! Objectives: what a run has to keep, in a line such as `p99<5ms,loss=0,cpu<0.4`.
//!
//! `p99@outage<20ms` is about one phase of the run, `p99@replay/before<2` about how many times that
//! of another phase it is.

use std::str::FromStr;

use super::units;
use crate::figures;
use crate::results::{Latency, Run, Verdict};
use crate::telemetry::Level;

/// The objectives of a scenario.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Slo(Vec<Objective>);

#[derive(Clone, Debug, PartialEq)]
struct Objective {
    text: String,
    term: &'static Term,
    part: Part,
    test: Test,
    bound: f64,
}

/// What of a run an objective is about.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Whole,
    Phase(String),
    /// One phase as a multiple of another.
    Ratio(String, String),
}

/// Terms that a phase has.
const OF_PHASES: [&str; 8] = [
    "p50",
    "p90",
    "p99",
    "p999",
    "max",
    "error-rate",
    "rate",
    "items",
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Test {
    Below,
    AtMost,
    Above,
    AtLeast,
    Exactly,
}

/// Spellings of the tests, the longer before those that they begin with.
const TESTS: [(&str, Test); 5] = [
    ("<=", Test::AtMost),
    (">=", Test::AtLeast),
    ("<", Test::Below),
    (">", Test::Above),
    ("=", Test::Exactly),
];

/// One thing that may be asked for.
#[derive(Debug)]
struct Term {
    name: &'static str,
    example: &'static str,
    read: fn(&str) -> Result<f64, String>,
    show: fn(f64) -> String,
    measure: fn(&Run, Option<f64>) -> Option<f64>,
    level: Level,
}

impl PartialEq for Term {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

const TERMS: [Term; 15] = [
    latency("p50", "p50<1ms", |run, _| {
        percentile(run, |latency| latency.p50_us)
    }),
    latency("p90", "p90<2ms", |run, _| {
        percentile(run, |latency| latency.p90_us)
    }),
    latency("p99", "p99<5ms", |run, _| {
        percentile(run, |latency| latency.p99_us)
    }),
    latency("p999", "p999<20ms", |run, _| {
        percentile(run, |latency| latency.p999_us)
    }),
    latency("max", "max<1s", |run, _| {
        percentile(run, |latency| latency.max_us)
    }),
    number("loss", "loss=0", Level::Count, |run, _| {
        Some(run.audit.lost as f64)
    }),
    number("dup", "dup=0", Level::Ids, |run, _| {
        Some(run.audit.duplicated as f64)
    }),
    number("altered", "altered=0", Level::Full, |run, _| {
        Some(run.audit.altered as f64)
    }),
    Term {
        name: "error-rate",
        example: "error-rate<1%",
        read: units::share,
        show: |share| format!("{}%", round(share * 100.0)),
        measure: |run, _| figures::error_rate(run),
        level: Level::Count,
    },
    Term {
        name: "rate",
        example: "rate>1000/s",
        read: units::rate,
        show: |rate| format!("{}/s", round(rate)),
        measure: |run, _| figures::request_rate(run),
        level: Level::Count,
    },
    Term {
        name: "items",
        example: "items>100k/s",
        read: units::rate,
        show: |rate| format!("{}/s", round(rate)),
        measure: |run, _| figures::item_rate(run),
        level: Level::Count,
    },
    Term {
        name: "cpu",
        example: "cpu<0.4",
        read: units::count,
        show: |cpu| format!("{} CPU-s per million items", round(cpu)),
        measure: |run, _| figures::cpu_per_million(run),
        level: Level::Count,
    },
    Term {
        name: "multiple",
        example: "multiple<1.8",
        read: units::count,
        show: |multiple| format!("{} times the raw proxy", round(multiple)),
        measure: |_, multiple| multiple,
        level: Level::Count,
    },
    Term {
        name: "rss",
        example: "rss<320MiB",
        read: units::size,
        show: |bytes| format!("{} MiB", round(bytes / 1_048_576.0)),
        measure: |run, _| figures::rss_peak(run),
        level: Level::Count,
    },
    Term {
        name: "delay",
        example: "delay=always",
        read: |text| match text {
            "always" => Ok(0.0),
            _ => Err(format!("{text:?} is not known: write delay=always")),
        },
        show: |without| format!("{without} retryable refusals without a delay"),
        measure: |run, _| {
            let delays = run.send.iter().filter_map(|send| send.delays.as_ref());
            Some(delays.map(|delays| delays.without).sum::<u64>() as f64)
        },
        level: Level::Count,
    },
];

const fn latency(
    name: &'static str,
    example: &'static str,
    measure: fn(&Run, Option<f64>) -> Option<f64>,
) -> Term {
    Term {
        name,
        example,
        read: |text| units::duration(text).map(|duration| duration.as_secs_f64() * 1e6),
        show: |micros| format!("{} ms", round(micros / 1e3)),
        measure,
        level: Level::Count,
    }
}

const fn number(
    name: &'static str,
    example: &'static str,
    level: Level,
    measure: fn(&Run, Option<f64>) -> Option<f64>,
) -> Term {
    Term {
        name,
        example,
        read: units::count,
        show: |count| count.to_string(),
        measure,
        level,
    }
}

fn percentile(run: &Run, figure: fn(&Latency) -> u64) -> Option<f64> {
    let latency = figures::latency(run);
    (latency.count > 0).then(|| figure(&latency) as f64)
}

/// Three significant digits: more would claim what a repeat does not confirm.
fn round(value: f64) -> String {
    let digits = match value.abs() {
        0.0 => 0,
        size if size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        size if size >= 1.0 => 2,
        _ => 3,
    };
    format!("{value:.digits$}")
}

impl Slo {
    /// Whether nothing is asked for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the raw proxy has to run too.
    #[must_use]
    pub fn needs_proxy(&self) -> bool {
        self.0
            .iter()
            .any(|objective| objective.term.name == "multiple")
    }

    /// How closely the audit has to look, and for which objective.
    #[must_use]
    pub fn level(&self) -> Option<(Level, &str)> {
        let levels = self
            .0
            .iter()
            .map(|objective| (objective.term.level, objective.text.as_str()));
        levels.max_by_key(|(level, _)| *level)
    }

    /// Judges a run, given its multiple of the raw proxy where that was run. What was not measured
    /// is not kept.
    #[must_use]
    pub fn judge(&self, run: &Run, multiple: Option<f64>) -> Vec<Verdict> {
        self.0
            .iter()
            .map(|objective| objective.judge(run, multiple))
            .collect()
    }
}

impl Objective {
    fn judge(&self, run: &Run, multiple: Option<f64>) -> Verdict {
        let during = |phase: &str| {
            let part = figures::during(run, phase)?;
            (self.term.measure)(&part, None)
        };
        let measured = match &self.part {
            Part::Whole => (self.term.measure)(run, multiple),
            Part::Phase(phase) => during(phase),
            Part::Ratio(phase, other) => during(phase)
                .zip(during(other))
                .map(|(value, base)| value / base)
                .filter(|ratio| ratio.is_finite()),
        };
        let shown = measured.map(|value| match &self.part {
            Part::Ratio(phase, other) => {
                let of = |phase| during(phase).map_or_else(String::new, self.term.show);
                format!("{} times: {} of {}", round(value), of(phase), of(other))
            }
            _ => (self.term.show)(value),
        });
        Verdict {
            objective: self.text.clone(),
            measured: shown.unwrap_or_else(|| "not measured".to_owned()),
            met: measured.is_some_and(|value| match self.test {
                Test::Below => value < self.bound,
                Test::AtMost => value <= self.bound,
                Test::Above => value > self.bound,
                Test::AtLeast => value >= self.bound,
                Test::Exactly => value == self.bound,
            }),
        }
    }
}

impl FromStr for Objective {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let known = || {
            let examples: Vec<&str> = TERMS.iter().map(|term| term.example).collect();
            format!("known are {}", examples.join(", "))
        };
        let (name, test, bound) = text
            .find(['<', '>', '='])
            .and_then(|at| {
                let (spelling, test) = TESTS.iter().find(|(s, _)| text[at..].starts_with(s))?;
                Some((text[..at].trim(), *test, text[at + spelling.len()..].trim()))
            })
            .ok_or_else(|| format!("objective {text:?} has no <, <=, >, >= or =: {}", known()))?;
        let (name, part) = match name.split_once('@') {
            None => (name, Part::Whole),
            Some((name, part)) => match part.split_once('/') {
                None => (name, Part::Phase(part.to_owned())),
                Some((one, other)) => (name, Part::Ratio(one.to_owned(), other.to_owned())),
            },
        };
        if part != Part::Whole && !OF_PHASES.contains(&name) {
            let terms = OF_PHASES.join(", ");
            return Err(format!(
                "objective {text:?}: {name:?} is not known of a phase: known are {terms}"
            ));
        }
        let term = TERMS
            .iter()
            .find(|term| term.name == name)
            .ok_or_else(|| format!("objective {text:?}: {name:?} is not known: {}", known()))?;
        let read = match part {
            Part::Ratio(..) => units::count,
            _ => term.read,
        };
        let bound = read(bound).map_err(|error| format!("objective {text:?}: {error}"))?;
        if term.name == "delay" && test != Test::Exactly {
            return Err(format!(
                "objective {text:?} has no meaning: write {}",
                term.example
            ));
        }
        Ok(Self {
            text: text.to_owned(),
            term,
            part,
            test,
            bound,
        })
    }
}

impl FromStr for Slo {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let terms = text.split(',').filter(|term| !term.trim().is_empty());
        terms.map(str::parse).collect::<Result<_, _>>().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::{Answers, Audit, Cost, Delays, SendPhase, SendReport};

    fn run() -> Run {
        Run {
            send: vec![SendReport {
                duration: 10.0,
                requests: Answers {
                    due: 1000,
                    accepted: 990,
                    ..Answers::default()
                },
                items: Answers {
                    accepted: 99_000,
                    ..Answers::default()
                },
                latency: Latency {
                    count: 990,
                    p99_us: 5_000,
                    ..Latency::default()
                },
                delays: Some(Delays {
                    with: 9,
                    without: 1,
                    min: 1.0,
                    max: 1.0,
                }),
                ..SendReport::default()
            }],
            audit: Audit {
                lost: 3,
                ..Audit::default()
            },
            costs: vec![Cost {
                role: figures::FORWARDER.to_owned(),
                cpu: 0.099,
                rss_peak: 64 << 20,
                ..Cost::default()
            }],
            ..Run::default()
        }
    }

    fn verdict(objective: &str, multiple: Option<f64>) -> (bool, String) {
        let slo: Slo = objective.parse().unwrap();
        let mut verdicts = slo.judge(&run(), multiple);
        assert_eq!(verdicts.len(), 1);
        let verdict = verdicts.remove(0);
        assert_eq!(verdict.objective, objective);
        (verdict.met, verdict.measured)
    }

    #[test]
    fn every_example_is_understood() {
        for term in &TERMS {
            let slo: Slo = term.example.parse().unwrap();
            assert_eq!(slo.0[0].term.name, term.name);
        }
    }

    #[test]
    fn bounds_are_strict_unless_they_say_otherwise() {
        assert_eq!(verdict("p99<5ms", None), (false, "5.00 ms".to_owned()));
        assert_eq!(verdict("p99<=5ms", None), (true, "5.00 ms".to_owned()));
        assert_eq!(verdict("p99<5001us", None), (true, "5.00 ms".to_owned()));
        assert!(!verdict("rate>99/s", None).0);
        assert!(verdict("rate>=99/s", None).0);
    }

    #[test]
    fn each_term_measures_its_own() {
        assert_eq!(verdict("loss=0", None), (false, "3".to_owned()));
        assert!(verdict("loss<4", None).0);
        assert_eq!(verdict("dup=0", None), (true, "0".to_owned()));
        assert_eq!(verdict("error-rate<=1%", None), (true, "1.00%".to_owned()));
        assert_eq!(verdict("items>9.8k/s", None), (true, "9900/s".to_owned()));
        assert_eq!(
            verdict("cpu<1.1", None),
            (true, "1.00 CPU-s per million items".to_owned())
        );
        assert_eq!(
            verdict("multiple<1.8", Some(1.5)).1,
            "1.50 times the raw proxy"
        );
        assert_eq!(verdict("rss<65MiB", None), (true, "64.0 MiB".to_owned()));
        assert_eq!(
            verdict("delay=always", None).1,
            "1 retryable refusals without a delay"
        );
        assert!(!verdict("delay=always", None).0);
    }

    #[test]
    fn phases_are_judged_by_themselves_and_against_each_other() {
        let phase = |p99_us, accepted| SendPhase {
            from: 1.0,
            to: 3.0,
            due: 100,
            accepted,
            items: accepted * 10,
            latency: Latency {
                count: accepted,
                p99_us,
                ..Latency::default()
            },
        };
        let mut run = run();
        let phases = [("before", phase(1000, 100)), ("replay", phase(1800, 98))];
        run.send[0].phases = phases.map(|(name, it)| (name.to_owned(), it)).into();
        for (objective, met, measured) in [
            ("p99@before<=1ms", true, "1.00 ms"),
            ("p99@replay<1ms", false, "1.80 ms"),
            ("error-rate@replay<=2%", true, "2.00%"),
            ("rate@before>=50/s", true, "50.0/s"),
            (
                "p99@replay/before<2",
                true,
                "1.80 times: 1.80 ms of 1.00 ms",
            ),
            (
                "p99@replay/before<1.7",
                false,
                "1.80 times: 1.80 ms of 1.00 ms",
            ),
            ("p99@nowhere<1h", false, "not measured"),
            ("p99@replay/nowhere<9", false, "not measured"),
        ] {
            let slo: Slo = objective.parse().unwrap();
            let verdict = slo.judge(&run, None).remove(0);
            assert_eq!((verdict.met, verdict.measured.as_str()), (met, measured));
        }
        let error = "rss@before<1MiB".parse::<Slo>().unwrap_err();
        assert!(error.contains("p999, max, error-rate"), "{error}");
    }

    #[test]
    fn what_was_not_measured_is_not_kept() {
        assert_eq!(
            verdict("multiple<1.8", None),
            (false, "not measured".to_owned())
        );
        let slo: Slo = "p50<1h, cpu<9, rate>=0, delay=always".parse().unwrap();
        let met: Vec<bool> = slo
            .judge(&Run::default(), None)
            .iter()
            .map(|verdict| verdict.met)
            .collect();
        assert_eq!(met, [false, false, false, true]);
    }

    #[test]
    fn unknown_terms_list_what_is_known() {
        for text in [
            "p98<5ms",
            "p99",
            "speed>1",
            "p99<5",
            "delay<always",
            "loss=none",
        ] {
            let error = text.parse::<Slo>().unwrap_err();
            assert!(error.contains(text), "{error}");
        }
        let error = "p98<5ms".parse::<Slo>().unwrap_err();
        assert!(
            error.contains("p999<20ms") && error.contains("delay=always"),
            "{error}"
        );
    }

    #[test]
    fn the_audit_must_look_closely_enough() {
        let slo: Slo = "p99<5ms,altered=0,dup=0".parse().unwrap();
        assert_eq!(slo.level(), Some((Level::Full, "altered=0")));
        assert_eq!(Slo::default().level(), None);
        assert!("multiple<2".parse::<Slo>().unwrap().needs_proxy());
        assert!(!slo.needs_proxy());
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in ".{0,24}") {
            text.parse::<Slo>().ok();
        }

        #[test]
        fn no_value_panics(value in "[^0-9]{0,3}[0-9]{0,3}.{0,4}") {
            for term in &TERMS {
                (term.read)(&value).ok();
            }
        }
    }
}
