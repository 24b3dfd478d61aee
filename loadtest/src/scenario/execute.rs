//! One measured run: everything started, loaded, watched, ended, audited.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, bail};
use rustix::process::Signal;
use tokio::time::{Instant, sleep, sleep_until};

use super::stage::{STOP, Stage};
use super::{Action, Event, Scenario, System};
use super::{accounts, honesty};
use crate::figures::FORWARDER;
use crate::host::{Meter, SystemCalls, Work};
use crate::results::{Cost, Run, VERSION};

/// From the word to the senders to their warm-up: all of them have heard it by then.
const LEAD: Duration = Duration::from_millis(100);

/// Between two looks at what the processes cost.
const SAMPLE: Duration = Duration::from_millis(200);

/// How long the collector's count has to stand still before all is taken to have arrived: well
/// above the time for which forwarders hold a batch open.
const STILL: Duration = Duration::from_millis(500);

/// Between two looks at the collector's count.
const LOOK: Duration = Duration::from_millis(50);

/// Time that a sender may take beyond its load and its last answer.
const GRACE: Duration = Duration::from_secs(30);

/// What to run.
#[derive(Debug)]
pub struct Plan<'a> {
    /// The executable of the load test.
    pub harness: &'a Path,
    /// The scenario.
    pub scenario: &'a Scenario,
    /// The system under test.
    pub system: &'a System,
    /// Its version.
    pub version: &'a str,
    /// Count its system calls, which slows it.
    pub count_syscalls: bool,
}

/// Makes one run. Verdicts are for the caller to add: some need other runs.
pub async fn execute(plan: &Plan<'_>) -> anyhow::Result<Run> {
    let stage = Stage::set(plan).await?;
    let mut take = Take {
        plan,
        forwarder: Meter::new(FORWARDER),
        collector: Meter::new("collector"),
        sender: Meter::new("sender"),
        begin: Instant::now(),
        before: Work::default(),
        events: Vec::new(),
        stage,
    };
    let calls = if plan.count_syscalls {
        take.attach()
    } else {
        None
    };
    take.load().await?;
    let calls = match calls {
        Some(calls) => calls.count().await,
        None => None,
    };
    take.settle().await?;
    let (work, seconds) = (Work::now().since(take.before), take.at());
    take.drain().await?;
    let mut run = take.account(calls).await?;
    honesty::add(&mut run, plan.scenario.collector.cores.len(), work, seconds);
    Ok(run)
}

/// A run in the making.
struct Take<'p> {
    plan: &'p Plan<'p>,
    stage: Stage<'p>,
    forwarder: Meter,
    collector: Meter,
    sender: Meter,
    /// When the measurement begins.
    begin: Instant,
    /// What the machine had done until then.
    before: Work,
    events: Vec<(f64, String)>,
}

impl Take<'_> {
    fn attach(&self) -> Option<SystemCalls> {
        self.stage
            .system
            .as_ref()
            .and_then(|system| SystemCalls::attach(system.group()))
    }

    /// Seconds since the measurement began.
    fn at(&self) -> f64 {
        self.begin.elapsed().as_secs_f64()
    }

    fn note(&mut self, what: impl Into<String>) {
        self.events.push((self.at(), what.into()));
    }

    /// From the start of the senders to the end of the last.
    async fn load(&mut self) -> anyhow::Result<()> {
        self.stage.start_senders().await?;
        self.follow();
        let lead = LEAD + self.plan.scenario.warmup();
        let clock = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .context("the clock is off")?;
        self.begin = Instant::now() + lead;
        self.stage
            .release_senders((clock + lead).as_secs_f64())
            .await?;
        tokio::select! {
            () = sleep_until(self.begin) => {}
            ended = self.stage.senders_ended() => {
                ended?;
                bail!("the senders ended before the measurement began");
            }
        }
        for meter in [&mut self.forwarder, &mut self.collector, &mut self.sender] {
            meter.begin();
        }
        self.before = Work::now();
        self.measure().await
    }

    fn follow(&mut self) {
        if let Some(system) = &self.stage.system {
            self.forwarder.follow(system.group());
        }
        self.collector.follow(self.stage.collector.group());
        for sender in &self.stage.senders {
            self.sender.follow(sender.group());
        }
    }

    async fn measure(&mut self) -> anyhow::Result<()> {
        let scenario = self.plan.scenario;
        let patience = scenario
            .loads
            .iter()
            .map(|load| load.duration + load.timeout)
            .max();
        let patience = patience.unwrap_or_default() + GRACE;
        let mut events: Vec<&Event> = scenario.events.iter().collect();
        events.sort_by_key(|event| event.at);
        let mut events = events.into_iter().peekable();
        let mut next = SAMPLE;
        loop {
            let due = events.peek().map_or(next, |event| event.at.min(next));
            tokio::select! {
                biased;
                ended = self.stage.senders_ended() => {
                    ended?;
                    break;
                }
                () = sleep_until(self.begin + due) => {}
            }
            if let Some(event) = events.next_if(|event| event.at <= due) {
                self.happen(&event.action).await?;
            }
            if next <= due {
                self.sample()?;
                // A look that came late is not made up for.
                next = (next + SAMPLE).max(self.begin.elapsed());
            }
            if due > patience {
                bail!("the senders did not end within {patience:?}");
            }
        }
        // What came late, because an event before it took its time, still happens: a collector
        // that is to come back has to, before the system can be rid of what it holds.
        for event in events {
            self.happen(&event.action).await?;
        }
        Ok(())
    }

    fn sample(&mut self) -> anyhow::Result<()> {
        let at = self.at();
        for meter in [&mut self.forwarder, &mut self.collector, &mut self.sender] {
            meter.sample(at);
        }
        if let Some(status) = self.stage.system_ended()? {
            self.note(format!("forwarder ended ({status})"));
        }
        Ok(())
    }

    async fn happen(&mut self, action: &Action) -> anyhow::Result<()> {
        let control = &self.stage.control;
        match action {
            Action::Behave(spec) => {
                control.behave(spec).await?;
                self.note(format!("collector: {spec}"));
            }
            Action::CollectorStop => {
                control.behave("refuse").await?;
                self.note("collector down");
            }
            Action::CollectorStart => {
                control.behave(&self.plan.scenario.collector.behave).await?;
                self.note("collector up");
            }
            Action::Term => {
                self.stage.signal_system(Signal::TERM)?;
                self.note("forwarder asked to end");
            }
            Action::Kill => {
                self.stage.signal_system(Signal::KILL)?;
                self.note("forwarder killed");
            }
            Action::Start => self.restart().await?,
        }
        Ok(())
    }

    /// Starts the system again, once the one before has ended.
    async fn restart(&mut self) -> anyhow::Result<()> {
        if let Some(system) = &mut self.stage.system {
            let ended = tokio::time::timeout(STOP, system.wait()).await;
            let ended = ended.with_context(|| {
                format!("forwarder start: the one before still runs after {STOP:?}; end it first")
            })?;
            self.note(format!("forwarder ended ({})", ended?));
            self.stage.system = None;
        }
        self.stage.start_system().await?;
        if let Some(system) = &self.stage.system {
            self.forwarder.follow(system.group());
        }
        self.note("forwarder up");
        Ok(())
    }

    /// Waits until the collector's count stands still; what that costs is part of the price.
    async fn settle(&mut self) -> anyhow::Result<()> {
        let bound = Instant::now() + self.plan.scenario.settle;
        let mut arrived = self.stage.control.stats().await?.requests;
        let mut since = Instant::now();
        while since.elapsed() < STILL {
            if Instant::now() > bound {
                self.note("collector still receives");
                break;
            }
            sleep(LOOK).await;
            let now = self.stage.control.stats().await?.requests;
            if now != arrived {
                (arrived, since) = (now, Instant::now());
            }
        }
        self.sample()
    }

    /// Ends the system and lets it finish what it holds.
    async fn drain(&mut self) -> anyhow::Result<()> {
        let Some(system) = self.stage.system.take() else {
            return Ok(());
        };
        let began = Instant::now();
        match system.end(STOP).await? {
            Some(_) => {
                let took = began.elapsed().as_secs_f64();
                self.note(format!("forwarder ended {took:.2} s after it was asked to"));
            }
            None => self.note(format!("forwarder killed: it did not end within {STOP:?}")),
        }
        Ok(())
    }

    async fn account(self, calls: Option<u64>) -> anyhow::Result<Run> {
        let Self {
            plan,
            stage,
            forwarder,
            collector,
            sender,
            events,
            ..
        } = self;
        let left = stage.clear().await?;
        let scenario = plan.scenario;
        let run = Run {
            version: VERSION,
            scenario: scenario.name.clone(),
            system: plan.system.name.clone(),
            system_version: plan.version.to_owned(),
            command: plan.system.title(),
            audit: accounts::audit(&left)?,
            costs: vec![
                Cost {
                    syscalls: calls,
                    ..forwarder.cost()
                },
                collector.cost(),
                sender.cost(),
            ],
            events,
            verdicts: Vec::new(),
            send: left.send,
            collect: left.collect,
        };
        drop(left.dir);
        Ok(run)
    }
}
