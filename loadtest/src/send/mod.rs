//! The sending end: requests go out when they are due, whatever the answers do.
//!
//! - [`Settings`] says what is asked for, [`run`] does it and reports.
//! - `places` hands what is due to a free place in flight; each place is a task of its own that
//!   sends one request at a time on its connection (`link`: `grpc` or `http1` over `connect`).
//! - `source` makes requests, `answer` reads what came back, `tally` counts it, `honesty` says
//!   whether the sender itself was the limit.
//!
//! A request that is to be repeated keeps its place in flight while it waits, as in an SDK.

mod answer;
mod compress;
mod connect;
mod cost;
mod gather;
mod grpc;
mod honesty;
mod http1;
mod latency;
mod link;
mod message;
mod phase;
mod place;
mod places;
mod progress;
mod recorder;
mod settings;
mod source;
mod summary;
mod tally;
mod tell;
mod timer;
mod window;

use std::{
    cell::{Cell, RefCell},
    io::{BufRead, Write},
    rc::Rc,
    time::{Duration, Instant},
};

use anyhow::{Context, anyhow};
use futures_util::future::{join_all, try_join_all};
use rustix::process::getppid;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::Notify,
    task::{LocalSet, spawn_blocking, spawn_local},
    time::timeout,
};

pub use phase::Phase;
pub use settings::{Compression, Load, Pool, Protocol, Settings, Start, Tls, Writes};
pub use summary::summary;

use crate::{
    audit::Acknowledged,
    figures::latency_of,
    results::{self, SendPoint, SendReport},
    schedule::Timeline,
    telemetry::Payloads,
};
use honesty::{Evidence, judge};
use link::Link;
use places::{Due, Places};
use progress::Progress;
use recorder::Recorder;
use source::Source;
use tally::Tally;
use timer::Timer;
use window::Window;

/// What a sender has to tell when it is done.
#[derive(Debug)]
pub struct Outcome {
    /// The figures.
    pub report: SendReport,
    /// What became of every item.
    pub acknowledged: Acknowledged,
}

/// Sends as asked, until the schedule ends or a signal ends it.
///
/// # Errors
/// When the target cannot be reached at the start, or a file cannot be read or written.
pub fn run(settings: &Settings) -> anyhow::Result<Outcome> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    LocalSet::new().block_on(&runtime, send(settings))
}

/// What the tasks of a sender share.
struct Sender {
    load: Load,
    timeout: Duration,
    retry: bool,
    window: Window,
    places: Places,
    source: RefCell<Source>,
    tally: RefCell<Tally>,
    /// A signal asked for the end.
    stopped: Cell<bool>,
    /// Tells so to those that wait.
    stop: Notify,
    /// Every request has ended.
    ended: Notify,
}

impl Sender {
    /// Nothing is begun any more, and nothing repeated.
    fn end(&self) {
        self.stopped.set(true);
        self.stop.notify_waiters();
    }
}

async fn send(settings: &Settings) -> anyhow::Result<Outcome> {
    let timeline = match &settings.load {
        Load::Open(shape) => Some(Timeline::new(shape, settings.warm_up, settings.duration)),
        Load::Closed => None,
    };
    let source = Source::new(
        Payloads::new(&settings.workload),
        settings.compression,
        timeline.as_ref().map(Timeline::total),
        &settings.pool,
    )
    .context("cannot compress")?;
    let links = Link::all(settings)?;
    let connected = try_join_all(links.iter().map(|link| link.connect()));
    timeout(settings.timeout, connected)
        .await
        .unwrap_or_else(|_| Err("no answer in time, see --timeout".into()))
        .map_err(|why| anyhow!("cannot connect to {}: {why}", settings.target))?;
    let at = match settings.start {
        Start::Ready => None,
        Start::At(at) => Some(at),
        // On a thread of its own, so that the connections are kept up meanwhile.
        Start::Hold => Some(spawn_blocking(hold).await??),
    };
    let window = Window::new(at, settings.warm_up, settings.duration, settings.timeout)?;
    let sender = Rc::new(Sender {
        load: settings.load.clone(),
        timeout: settings.timeout,
        retry: settings.retry,
        window,
        places: Places::new(settings.places(), settings.queue),
        source: RefCell::new(source),
        tally: RefCell::new(Tally::new(
            settings.workload.items,
            &settings.phases,
            window.start,
        )),
        stopped: Cell::new(false),
        stop: Notify::new(),
        ended: Notify::new(),
    });
    let places: Vec<_> = (0..settings.places())
        .map(|place| {
            // Neighbouring places are on different connections.
            let link = links[place % links.len()].clone();
            spawn_local(place::work(sender.clone(), link, place))
        })
        .collect();
    let recorder = Recorder::new(settings, sender.window)?;
    let recorder = spawn_local(recorder.record(sender.clone()));

    let telling = settings
        .tell
        .map(|every| spawn_local(tell::acknowledged(sender.clone(), every)));
    tokio::select! {
        outcome = pace(&sender, timeline) => outcome?,
        () = ended_by_signal() => sender.end(),
        () = orphaned(), if settings.start == Start::Hold => sender.end(),
    }
    let ended = Instant::now();
    sender.places.close();
    for place in join_all(places).await {
        place.context("a place in flight failed")?;
    }
    if let Some(telling) = telling {
        telling.abort();
    }
    sender.ended.notify_one();
    let recorded = recorder.await.context("the recorder failed")??;
    Ok(conclude(settings, &sender, recorded, ended))
}

/// Offers every request when it is due, then waits for the end.
async fn pace(sender: &Sender, timeline: Option<Timeline>) -> anyhow::Result<()> {
    let timer = Timer::new().context("cannot make a timer")?;
    for turn in timeline.into_iter().flatten() {
        let due = Due {
            at: sender.window.warm_up + turn.at,
            measured: turn.measured,
        };
        timer.until(due.at).await?;
        let mut tally = sender.tally.borrow_mut();
        tally.due(due);
        if sender.places.offer(due).is_err() {
            tally.overflow(due);
        }
    }
    timer.until(sender.window.end).await?;
    Ok(())
}

/// Says that everything is ready; reads when the measurement is to begin.
fn hold() -> anyhow::Result<f64> {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{{\"ready\":true}}")?;
    stdout.flush()?;
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    let line = line.trim();
    line.parse().with_context(|| {
        format!("`{line}` is no Unix time: --hold reads the start from a line of stdin")
    })
}

async fn ended_by_signal() {
    let listen = |kind| async move {
        match signal(kind) {
            Ok(mut signal) => _ = signal.recv().await,
            // Without a handler the signal ends the process by itself.
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        () = listen(SignalKind::interrupt()) => {}
        () = listen(SignalKind::terminate()) => {}
    }
}

/// Returns when the process that gave the start is gone: nobody is left to read the report.
async fn orphaned() {
    let parent = getppid();
    while getppid() == parent {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

fn conclude(
    settings: &Settings,
    sender: &Sender,
    recorded: recorder::Recorded,
    ended: Instant,
) -> Outcome {
    let tally = &mut *sender.tally.borrow_mut();
    let source = sender.source.borrow();
    let times = latency_of(&tally.times);
    let raw = latency_of(&tally.raw);
    let open = matches!(settings.load, Load::Open(_));
    let honesty = judge(&Evidence {
        late_p99_us: tally.late.value_at_quantile(0.99),
        p50_us: times.p50_us,
        cpu_share: recorded.cpu_share,
        wait_share: recorded.wait_share,
        repeated: source.repeated(),
        repeat: settings.pool.requests.is_some(),
        overflowed: tally.overflowed,
        left: tally.left,
        connections: settings.connections,
        in_flight: settings.in_flight(),
        queue: settings.queue,
        multiplexed: settings.protocol == Protocol::Grpc,
    });
    let duration = ended.saturating_duration_since(sender.window.start);
    let report = SendReport {
        version: results::VERSION,
        title: settings.title(),
        protocol: settings.protocol.to_string(),
        compression: settings.compression.name().into(),
        connections: settings.connections,
        items_per_request: settings.workload.items,
        duration: duration.min(settings.duration).as_secs_f64(),
        requests: tally.requests.clone(),
        items: tally.items.clone(),
        body_bytes: tally.body_bytes,
        wire_bytes: tally.wire_bytes,
        statuses: std::mem::take(&mut tally.statuses)
            .into_iter()
            .map(|(status, count)| (status.into_owned(), count))
            .collect(),
        delays: tally.delays.take(),
        // A closed loop waits for the system, so it does not know what a user would wait.
        latency: if open {
            times
        } else {
            results::Latency::default()
        },
        latency_raw: raw,
        honesty,
        points: recorded.points,
        phases: tally.phases(),
    };
    Outcome {
        report,
        acknowledged: std::mem::take(&mut tally.acknowledged),
    }
}
