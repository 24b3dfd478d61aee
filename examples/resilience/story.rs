//! What happens, in its order, and whether anything was lost.

use std::{
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    time::{Duration, Instant},
};

use otlp::rt;
use serde_json::Value;

use super::{
    Failure,
    collector::Collector,
    forwarder::{Figures, Forwarder},
    screen::{Screen, Style},
    sender::Senders,
};

/// How long an answer of the slow collector takes: above the bound that the forwarder was given.
const SLOW: Duration = Duration::from_millis(900);

/// The longest that is waited for anything.
const PATIENCE: Duration = Duration::from_secs(60);

const HEAD: &str = "   time     sent       OK  primary fallback | waiting  on disk      KiB | \
                    breakers (primary, fallback) | data went to";

/// Everybody who plays.
struct Stage {
    screen: Screen,
    primary: Collector,
    fallback: Collector,
    forwarder: Forwarder,
    senders: Senders,
    arrived: Receiver<u64>,
    /// How often each span has arrived, by its number.
    seen: Vec<u32>,
    started: Instant,
    /// Spans at the primary, at the fallback and ever stored, at the last row.
    before: [f64; 3],
    step: Duration,
}

/// Tells the story; says whether all is well that ends.
pub fn tell(is_quick: bool) -> Result<bool, Failure> {
    let (tell, arrived) = mpsc::channel();
    let primary = Collector::start(tell.clone())?;
    let fallback = Collector::start(tell)?;
    let forwarder = Forwarder::start(primary.address, fallback.address)?;
    let senders = Senders::start(forwarder.data)?;
    let mut stage = Stage {
        screen: Screen::new(),
        primary,
        fallback,
        forwarder,
        senders,
        arrived,
        seen: Vec::new(),
        started: rt::now(),
        before: [0.0; 3],
        step: Duration::from_millis(if is_quick { 500 } else { 1000 }),
    };
    let seconds = |long, quick| Duration::from_secs(if is_quick { quick } else { long });

    stage.title("healthy: the collector takes everything");
    stage.play(seconds(4, 1))?;

    stage.title("slow: every answer takes 0.9 s, and 0.5 s is too long: the fallback takes over");
    stage.primary.slow_down(SLOW);
    stage.play(seconds(6, 3))?;

    stage.title("dead: both collectors are gone: the disk takes over, and senders still hear OK");
    stage.primary.die();
    stage.fallback.die();
    stage.play(seconds(6, 3))?;

    stage.title("back: both are there again: probes find them, and the disk is read back");
    stage.primary.rise()?;
    stage.fallback.rise()?;
    stage.play(seconds(4, 2))?;
    if !is_quick {
        stage.title("calm: after ten quiet seconds everything is as it was at first");
        stage.until("the forwarder did not get well", |now| !now.is_degraded())?;
        stage.play(seconds(2, 0))?;
    }
    stage.settle()?;
    stage.verdict()
}

impl Stage {
    fn title(&self, text: &str) {
        self.screen.line(Style::Title, &format!("\n== {text}"));
        self.screen.line(Style::Plain, HEAD);
    }

    /// Watches for so long, then shows the ledger.
    fn play(&mut self, time: Duration) -> Result<(), Failure> {
        let end = rt::now() + time;
        while rt::now() < end {
            self.watch()?;
        }
        self.ledger(&self.forwarder.figures()?);
        Ok(())
    }

    /// Lets the senders finish, and waits until nothing is on its way any more.
    fn settle(&mut self) -> Result<(), Failure> {
        let text = "\n== the senders stop, and what is on its way goes on";
        self.screen.line(Style::Title, text);
        self.senders.finish()?;
        let now = self.until("the last data did not arrive", |now| {
            now.spans("waiting") + now.spans("stored") == 0.0
        })?;
        self.ledger(&now);
        Ok(())
    }

    /// Watches until the figures are so.
    fn until(&mut self, or: &str, are: impl Fn(&Figures) -> bool) -> Result<Figures, Failure> {
        let end = rt::now() + PATIENCE;
        loop {
            let now = self.watch()?;
            if are(&now) {
                return Ok(now);
            }
            if rt::now() >= end {
                return Err(format!("{or} within {PATIENCE:?}").into());
            }
        }
    }

    /// One step: events as they come, then a row of figures.
    fn watch(&mut self) -> Result<Figures, Failure> {
        let end = rt::now() + self.step;
        loop {
            while let Some(line) = self.forwarder.line() {
                self.event(&line);
            }
            let left = end.saturating_duration_since(rt::now());
            if left.is_zero() {
                break;
            }
            match self
                .arrived
                .recv_timeout(left.min(Duration::from_millis(50)))
            {
                Ok(number) => self.mark(number),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Err("no collector is left".into()),
            }
        }
        let figures = self.forwarder.figures()?;
        self.row(&figures);
        Ok(figures)
    }

    fn mark(&mut self, number: u64) {
        let place = usize::try_from(number).unwrap_or(usize::MAX);
        if place > 100_000_000 {
            // Nobody has sent it: the verdict will miss the one that it was.
            return;
        }
        if self.seen.len() <= place {
            self.seen.resize(place + 1, 0);
        }
        self.seen[place] += 1;
    }

    fn row(&mut self, figures: &Figures) {
        let counts = &self.senders.counts;
        let stored = figures.sum("otlp_spool_written_bytes_total", "");
        let taken = [&self.primary, &self.fallback].map(Collector::taken);
        #[expect(clippy::cast_precision_loss, reason = "a few thousand spans")]
        let now = [taken[0] as f64, taken[1] as f64, stored];
        let places = ["the collector", "the fallback", "the disk"];
        let grown = places.iter().zip(now.iter().zip(self.before));
        let ways: Vec<&str> = grown
            .filter(|(_, (now, before))| **now > *before)
            .map(|(place, _)| *place)
            .collect();
        self.before = now;
        let breakers = [&self.primary, &self.fallback].map(|it| figures.breaker(it.address));
        let [primary, fallback] = breakers;
        let is_well = breakers == ["closed"; 2] && !figures.is_degraded();
        let text = format!(
            "{:6.1} s {:8} {:8} {:8} {:8} | {:7} {:8} {:8.0} | {primary:>9}, {fallback:<9}{} | {}",
            self.started.elapsed().as_secs_f64(),
            counts.issued(),
            counts.taken(),
            taken[0],
            taken[1],
            figures.spans("waiting"),
            figures.spans("stored"),
            figures.sum("otlp_spool_bytes", "") / 1024.0,
            if figures.is_degraded() {
                " degraded"
            } else {
                "         "
            },
            if ways.is_empty() {
                "-".to_owned()
            } else {
                ways.join(", ")
            },
        );
        let style = match is_well {
            true => Style::Good,
            false => Style::Plain,
        };
        self.screen.line(style, &text);
    }

    /// What the forwarder itself says of it.
    fn event(&self, line: &Value) {
        let text = |key: &str| line[key].as_str().unwrap_or_default();
        let told = text("message");
        let is_of_others = !matches!(text("signal"), "" | "traces");
        if is_of_others || text("level") == "INFO" && text("target").contains("cli") {
            return;
        }
        let change = match (text("from"), text("to")) {
            ("", _) => String::new(),
            (from, to) => format!(": {from} -> {to}"),
        };
        let more = match text("strategies") {
            "" => String::new(),
            strategies => format!(" ({strategies})"),
        };
        let whose = match text("collector") {
            "" => String::new(),
            address => format!("{address}{change}: "),
        };
        let told = format!("         > {whose}{told}{more}")
            .replace(&self.primary.address.to_string(), "primary")
            .replace(&self.fallback.address.to_string(), "fallback");
        self.screen.line(Style::Note, &told);
    }

    fn ledger(&self, figures: &Figures) {
        let received = figures.spans("received");
        let text = PLACES.map(|place| format!("{} {place}", figures.spans(place)));
        let text = format!("   ledger: {received} received = {}", text.join(" + "));
        self.screen.line(Style::Title, &text);
    }

    /// Looks for every span.
    fn verdict(mut self) -> Result<bool, Failure> {
        let figures = self.forwarder.figures()?;
        let is_stopped = self.forwarder.stop()?;
        while let Ok(number) = self.arrived.try_recv() {
            self.mark(number);
        }
        let (sent, taken) = (self.senders.counts.issued(), self.senders.counts.taken());
        let refused = self.senders.counts.refused();
        let arrivals: Vec<u32> = (1..=sent)
            .map(|number| {
                let place = usize::try_from(number).ok();
                let times = place.and_then(|place| self.seen.get(place));
                times.copied().unwrap_or(0)
            })
            .collect();
        let lost = arrivals.iter().filter(|times| **times == 0).count();
        let twice = arrivals.iter().filter(|times| **times > 1).count();
        let placed: f64 = PLACES.map(|place| figures.spans(place)).iter().sum();
        let adds_up = figures.spans("received") == placed;
        let given_up = figures.spans("dropped") + figures.spans("sampled");
        let is_well =
            lost == 0 && sent > 0 && sent == taken && adds_up && given_up == 0.0 && is_stopped;
        let text = format!(
            "\n{sent} spans sent, {taken} acknowledged, {lost} lost, {twice} arrived more than \
             once; {refused} requests were refused and sent again; {given_up} spans given up; \
             the ledger {}; the forwarder {}",
            if adds_up {
                "adds up"
            } else {
                "does not add up"
            },
            if is_stopped {
                "stopped in good order"
            } else {
                "did not stop in good order"
            },
        );
        self.screen.line(Style::Plain, &text);
        if is_well {
            self.screen.line(Style::Good, "nothing lost");
        } else {
            self.screen.line(Style::Bad, "something is wrong");
        }
        Ok(is_well)
    }
}

/// Where a span that was received can be.
const PLACES: [&str; 7] = [
    "delivered",
    "waiting",
    "stored",
    "refused",
    "rejected",
    "dropped",
    "sampled",
];
