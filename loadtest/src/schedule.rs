//! When each request is due.
//!
//! A schedule is made of pieces in which the rate changes linearly, or of bursts. It says when the
//! k-th request is due and never looks at answers: that is what makes the loop open.

use std::{fmt, str::FromStr, time::Duration};

/// Requests a second.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Rate(f64);

impl Rate {
    /// A rate of so many requests a second; `None` when it is negative or not a number.
    #[must_use]
    pub fn per_second(requests: f64) -> Option<Self> {
        (requests.is_finite() && requests >= 0.0).then_some(Self(requests))
    }

    /// Requests a second.
    #[must_use]
    pub const fn requests(self) -> f64 {
        self.0
    }
}

impl FromStr for Rate {
    type Err = String;

    /// `1000/s`, `90/m`, `1.5k/s` or a bare number, which is by the second.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no rate: write it as `1000/s`, `1.5k/s` or `90/m`");
        let text_ = text.trim();
        let (number, seconds) = match text_.rsplit_once('/') {
            Some((number, "s")) => (number, 1.0),
            Some((number, "m" | "min")) => (number, 60.0),
            Some(_) => return Err(wrong()),
            None => (text_, 1.0),
        };
        let (number, factor) = match number.strip_suffix(['k', 'K']) {
            Some(number) => (number, 1000.0),
            None => (number, 1.0),
        };
        let number: f64 = number.trim().parse().map_err(|_| wrong())?;
        Self::per_second(number * factor / seconds).ok_or_else(wrong)
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/s", self.0)
    }
}

/// What the load looks like over the measurement.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// The same rate throughout.
    Constant(Rate),
    /// From one rate to another in a straight line.
    Ramp(Rate, Rate),
    /// Equally long steps.
    Steps(Vec<Rate>),
    /// So many requests at once, again and again.
    Bursts {
        /// Requests of one burst.
        requests: u64,
        /// From the start of one burst to the start of the next.
        every: Duration,
    },
}

impl Shape {
    /// Reads `FROM..TO/s`.
    ///
    /// # Errors
    /// When the text is no such ramp.
    pub fn ramp(text: &str) -> Result<Self, String> {
        let (from, to) = text
            .split_once("..")
            .ok_or_else(|| format!("`{text}` is no ramp: write it as `100..5000/s`"))?;
        Ok(Self::Ramp(from.parse()?, to.parse()?))
    }

    /// Reads `100/s,200/s,400/s`.
    ///
    /// # Errors
    /// When one of the steps is no rate.
    pub fn steps(text: &str) -> Result<Self, String> {
        let rates: Result<_, _> = text.split(',').map(str::parse).collect();
        Ok(Self::Steps(rates?))
    }

    /// Reads `500 every 2s`.
    ///
    /// # Errors
    /// When the text is no such burst, or its interval is nothing.
    pub fn bursts(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no burst: write it as `500 every 2s`");
        let (requests, every) = text.split_once("every").ok_or_else(wrong)?;
        let requests = requests.trim().parse().map_err(|_| wrong())?;
        let every = humantime::parse_duration(every.trim()).map_err(|_| wrong())?;
        if every.is_zero() {
            return Err(wrong());
        }
        Ok(Self::Bursts { requests, every })
    }

    /// The load to warm up with: as the measurement begins, without a change of rate.
    #[must_use]
    pub fn warm_up(&self) -> Self {
        match self {
            Self::Constant(rate) | Self::Ramp(rate, _) => Self::Constant(*rate),
            Self::Steps(rates) => Self::Constant(rates.first().copied().unwrap_or(Rate(0.0))),
            Self::Bursts { .. } => self.clone(),
        }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Constant(rate) => write!(f, "{rate}"),
            Self::Ramp(from, to) => write!(f, "{}..{to}", from.0),
            Self::Steps(rates) => {
                for (index, rate) in rates.iter().enumerate() {
                    write!(f, "{}{rate}", if index > 0 { "," } else { "" })?;
                }
                Ok(())
            }
            Self::Bursts { requests, every } => {
                write!(f, "{requests} every {}", humantime::format_duration(*every))
            }
        }
    }
}

/// A stretch of time in which the rate changes linearly.
#[derive(Clone, Copy, Debug)]
struct Piece {
    /// Its start, seconds.
    start: f64,
    /// Its length, seconds.
    length: f64,
    /// Requests due before it.
    before: f64,
    from: f64,
    to: f64,
}

impl Piece {
    /// Requests due in it.
    fn requests(&self) -> f64 {
        f64::midpoint(self.from, self.to) * self.length
    }

    /// When, after its start, so many requests have been due in it.
    fn reaches(&self, requests: f64) -> f64 {
        if requests <= 0.0 {
            return 0.0;
        }
        let slope = (self.to - self.from) / self.length;
        // The root of from·t + slope·t²/2 = requests, in the form that does not cancel out.
        let root = (self.from * self.from + 2.0 * slope * requests)
            .max(0.0)
            .sqrt();
        2.0 * requests / (self.from + root)
    }
}

#[derive(Clone, Debug)]
enum Plan {
    Pieces(Vec<Piece>),
    Bursts { requests: u64, every: Duration },
}

/// When each request is due, counted from the start, for so long.
#[derive(Clone, Debug)]
pub struct Schedule {
    plan: Plan,
    total: u64,
    duration: Duration,
}

impl Schedule {
    /// The shape, stretched over the duration.
    #[must_use]
    pub fn new(shape: &Shape, duration: Duration) -> Self {
        let seconds = duration.as_secs_f64();
        let plan = match shape {
            Shape::Constant(rate) => pieces(&[(rate.0, rate.0)], seconds),
            Shape::Ramp(from, to) => pieces(&[(from.0, to.0)], seconds),
            Shape::Steps(rates) => {
                let steps: Vec<_> = rates.iter().map(|rate| (rate.0, rate.0)).collect();
                pieces(&steps, seconds)
            }
            Shape::Bursts { requests, every } => Plan::Bursts {
                requests: *requests,
                every: *every,
            },
        };
        let total = total(&plan, duration);
        Self {
            plan,
            total,
            duration,
        }
    }

    /// Requests due before the end.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.total
    }

    /// Its length.
    #[must_use]
    pub const fn duration(&self) -> Duration {
        self.duration
    }

    /// When the request is due, counted from 0; `None` at and after the end.
    #[must_use]
    pub fn due(&self, request: u64) -> Option<Duration> {
        (request < self.total)
            .then(|| due(&self.plan, request))
            .flatten()
    }
}

fn pieces(rates: &[(f64, f64)], seconds: f64) -> Plan {
    let length = seconds / rates.len() as f64;
    let mut before = 0.0;
    let pieces = rates.iter().enumerate().map(|(index, &(from, to))| {
        let piece = Piece {
            start: length * index as f64,
            length,
            before,
            from,
            to,
        };
        before += piece.requests();
        piece
    });
    Plan::Pieces(pieces.collect())
}

/// When the request is due if the plan had no end; `None` when nothing ever is.
fn due(plan: &Plan, request: u64) -> Option<Duration> {
    match plan {
        Plan::Pieces(pieces) => {
            let request = request as f64;
            let next = pieces.partition_point(|piece| piece.before <= request);
            // A piece in which nothing is due holds no request: the one before may end with it.
            let piece = pieces[..next].iter().rev().find(|p| p.requests() > 0.0)?;
            let at = piece.start + piece.reaches(request - piece.before);
            Duration::try_from_secs_f64(at).ok()
        }
        Plan::Bursts { requests, every } => {
            let burst = u32::try_from(request.checked_div(*requests)?).ok()?;
            every.checked_mul(burst)
        }
    }
}

fn total(plan: &Plan, duration: Duration) -> u64 {
    match plan {
        Plan::Pieces(pieces) => {
            let sum: f64 = pieces.iter().map(Piece::requests).sum();
            // The k-th request is due when k are behind it, so a broken remainder is one more.
            let mut total = sum.ceil() as u64;
            while total > 0 && due(plan, total - 1).is_none_or(|at| at >= duration) {
                total -= 1;
            }
            total
        }
        Plan::Bursts { requests, every } => {
            let bursts = duration.as_nanos().div_ceil(every.as_nanos());
            requests.saturating_mul(u64::try_from(bursts).unwrap_or(u64::MAX))
        }
    }
}

/// One request's turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// When it is due, from the start of the warm-up.
    pub at: Duration,
    /// Whether it belongs to the measurement.
    pub measured: bool,
}

/// A warm-up and the measurement after it, request by request.
#[derive(Clone, Debug)]
pub struct Timeline {
    warm_up: Schedule,
    measurement: Schedule,
    request: u64,
    last: Duration,
}

impl Timeline {
    /// Both, in the given shape.
    #[must_use]
    pub fn new(shape: &Shape, warm_up: Duration, duration: Duration) -> Self {
        Self {
            warm_up: Schedule::new(&shape.warm_up(), warm_up),
            measurement: Schedule::new(shape, duration),
            request: 0,
            last: Duration::ZERO,
        }
    }

    /// Requests due in all, warm-up and measurement.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.warm_up
            .total()
            .saturating_add(self.measurement.total())
    }
}

impl Iterator for Timeline {
    type Item = Turn;

    fn next(&mut self) -> Option<Turn> {
        let warm = self.warm_up.total();
        let (at, measured) = match self.request.checked_sub(warm) {
            None => (self.warm_up.due(self.request)?, false),
            Some(request) => {
                let at = self.measurement.due(request)?;
                (self.warm_up.duration() + at, true)
            }
        };
        self.request += 1;
        // Rounding must not turn the order round.
        self.last = self.last.max(at);
        Some(Turn {
            at: self.last,
            measured,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rate(requests: f64) -> Rate {
        Rate::per_second(requests).unwrap()
    }

    fn dues(schedule: &Schedule) -> Vec<f64> {
        (0..schedule.total())
            .map(|k| schedule.due(k).unwrap().as_secs_f64())
            .collect()
    }

    #[test]
    fn constant_is_evenly_spaced_from_zero() {
        let schedule = Schedule::new(&Shape::Constant(rate(4.0)), Duration::from_secs(1));
        assert_eq!(dues(&schedule), [0.0, 0.25, 0.5, 0.75]);
        assert_eq!(schedule.due(4), None);
    }

    #[test]
    fn ramp_follows_the_line() {
        // From 0 to 20/s in 2 s: the rate at t is 10·t, so k are behind at sqrt(k / 5).
        let schedule = Schedule::new(&Shape::ramp("0..20/s").unwrap(), Duration::from_secs(2));
        assert_eq!(schedule.total(), 20);
        for (k, at) in dues(&schedule).into_iter().enumerate() {
            assert!((at - (k as f64 / 5.0).sqrt()).abs() < 1e-6, "{k}: {at}");
        }
    }

    #[test]
    fn steps_share_the_time_and_may_be_still() {
        let shape = Shape::steps("2/s,0/s,4/s").unwrap();
        let schedule = Schedule::new(&shape, Duration::from_secs(3));
        assert_eq!(dues(&schedule), [0.0, 0.5, 2.0, 2.25, 2.5, 2.75]);
    }

    #[test]
    fn bursts_come_at_once() {
        let shape = Shape::bursts("3 every 500ms").unwrap();
        let schedule = Schedule::new(&shape, Duration::from_secs(1));
        assert_eq!(dues(&schedule), [0.0, 0.0, 0.0, 0.5, 0.5, 0.5]);
    }

    #[test]
    fn a_timeline_warms_up_at_the_first_rate() {
        let turns: Vec<_> = Timeline::new(
            &Shape::steps("2/s,4/s").unwrap(),
            Duration::from_secs(1),
            Duration::from_secs(2),
        )
        .collect();
        let measured: Vec<_> = turns.iter().map(|turn| turn.measured).collect();
        let at: Vec<_> = turns.iter().map(|turn| turn.at.as_secs_f64()).collect();
        assert_eq!(at, [0.0, 0.5, 1.0, 1.5, 2.0, 2.25, 2.5, 2.75]);
        assert_eq!(measured[..3], [false, false, true]);
    }

    #[test]
    fn texts_are_read_and_written() {
        for text in ["1000/s", "100..5000/s", "1/s,2/s,0.5/s", "500 every 2s"] {
            let shape = match text {
                t if t.contains("..") => Shape::ramp(t),
                t if t.contains("every") => Shape::bursts(t),
                t if t.contains(',') => Shape::steps(t),
                t => t.parse().map(Shape::Constant),
            };
            assert_eq!(shape.unwrap().to_string(), text);
        }
        assert_eq!("1.5k/s".parse::<Rate>().unwrap(), rate(1500.0));
        assert_eq!("90/m".parse::<Rate>().unwrap(), rate(1.5));
        assert_eq!("20".parse::<Rate>().unwrap(), rate(20.0));
        for text in ["", "x", "1/h", "-1/s", "nan/s", "inf", "/s"] {
            let error = text.parse::<Rate>().unwrap_err();
            assert!(error.contains("is no rate"), "{error}");
        }
        assert!(Shape::ramp("100/s").is_err());
        assert!(Shape::bursts("5 every 0s").is_err());
    }

    proptest! {
        #[test]
        fn due_times_rise_and_stay_inside(
            rates in prop::collection::vec(0.0..5000.0_f64, 1..6),
            ramp in any::<bool>(),
            millis in 1..4000_u64,
        ) {
            let first = rate(rates[0]);
            let last = rate(*rates.last().unwrap());
            let shape = if ramp {
                Shape::Ramp(first, last)
            } else {
                Shape::Steps(rates.iter().copied().map(rate).collect())
            };
            let duration = Duration::from_millis(millis);
            let schedule = Schedule::new(&shape, duration);
            let mut before = Duration::ZERO;
            for k in 0..schedule.total() {
                let at = schedule.due(k).unwrap();
                prop_assert!(at < duration);
                prop_assert!(at + Duration::from_nanos(5) >= before);
                before = at;
            }
            prop_assert_eq!(schedule.due(schedule.total()), None);
            let area = if ramp {
                f64::midpoint(first.0, last.0) * duration.as_secs_f64()
            } else {
                rates.iter().sum::<f64>() / rates.len() as f64 * duration.as_secs_f64()
            };
            prop_assert!((schedule.total() as f64 - area).abs() <= 1.0 + 1e-6);
        }

        #[test]
        fn a_timeline_never_goes_back(
            from in 0.0..3000.0_f64, to in 0.0..3000.0_f64, warm in 0..500_u64, millis in 1..1000_u64,
        ) {
            let timeline = Timeline::new(
                &Shape::Ramp(rate(from), rate(to)),
                Duration::from_millis(warm),
                Duration::from_millis(millis),
            );
            let total = timeline.total();
            let turns: Vec<_> = timeline.collect();
            prop_assert_eq!(turns.len() as u64, total);
            prop_assert!(turns.windows(2).all(|w| w[0].at <= w[1].at && w[0].measured <= w[1].measured));
        }
    }
}
