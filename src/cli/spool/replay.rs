//! `otlp spool replay`: sends what is left to a collector, and marks what that has accepted.

use std::{
    cell::{Cell, RefCell},
    io::{self, IsTerminal, Write},
    path::Path,
    rc::Rc,
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};

use clap::Args;
use futures_util::{StreamExt, stream::FuturesUnordered};

use super::{Failure, Result, figures, found, own};
use crate::{
    config::{Config, Environment, Export, LoadOptions, load},
    exporter::{Exporter, Shared},
    headers::Forwarded,
    metrics::ShardMetrics,
    net::Buffers,
    outcome::Outcome,
    rt::{self, ThreadOptions},
    spool::{
        Directory, FoundSegment,
        format::Entry,
        inspect::{SegmentFile, Stored},
    },
    wire::Message,
};

/// Requests in flight.
///
/// - Source: chosen: hides the way to a far collector, and holds few bodies in memory.
const IN_FLIGHT_MAX: usize = 8;

/// How long a request is tried again that the collector does not take now.
///
/// - Source: chosen: a restart of a collector.
const PATIENCE: Duration = Duration::from_secs(30);

/// The longest that an answer is waited for.
const ANSWER_TIMEOUT: Duration = PATIENCE;

/// The pause before another try where nobody names one.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// How often marks are written and progress is told.
const TICK: Duration = Duration::from_secs(1);

/// Where to send.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// The collector, written as the key endpoint is. Headers and timeouts are those of the
    /// configuration.
    #[arg(long, value_name = "URL")]
    to: String,
    /// What is spoken there, written as the key protocol is. Default: what the URL suggests.
    #[arg(long)]
    protocol: Option<String>,
}

/// What became of the records.
#[derive(Clone, Debug, Default)]
struct Tally {
    records: u64,
    items: [u64; 4],
    bytes: u64,
    rejected: u64,
    refused: u64,
    damaged: u64,
    /// The collector's first complaint.
    complaint: Option<String>,
    /// Why it did not go on.
    stopped: Option<String>,
}

pub(super) fn replay(
    folder: &Path,
    config: &Config,
    options: &Options,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<()> {
    let export = export(config, options)?;
    let directory = own(folder)?;
    let segments = found(directory.path())?;
    rt::preflight().map_err(|obstacle| Failure::Refused(obstacle.to_string()))?;
    let (give, take) = mpsc::channel();
    let thread = ThreadOptions {
        name: "otlp-replay".to_owned(),
        core: None,
        blocking_threads: 1,
    };
    let ended = rt::start(thread, move || async move {
        let replay = Replay::new(directory, &export);
        // The other side waits for it.
        drop(give.send(replay.all(segments).await));
    })
    .and_then(rt::Thread::join);
    ended.map_err(|error| Failure::Refused(error.to_string()))?;
    let tally = take.recv();
    let tally = tally.map_err(|_| Failure::Refused("the replay ended early".to_owned()))??;
    tell(&tally, out, err)
}

/// What the configuration says of exports, to this one collector.
fn export(config: &Config, options: &Options) -> Result<Export> {
    let protocol = options.protocol.iter();
    let only = LoadOptions {
        set: std::iter::once(format!("endpoint={}", options.to))
            .chain(protocol.map(|protocol| format!("protocol={protocol}")))
            .collect(),
        search: Vec::new(),
        ..LoadOptions::default()
    };
    let loaded = load(&only, &Environment::default());
    let named = loaded.map_err(|errors| Failure::Config(errors.to_string()))?;
    Ok(Export {
        endpoints: named.config.export.endpoints,
        signal_endpoints: Default::default(),
        ..config.export.clone()
    })
}

fn tell(tally: &Tally, out: &mut dyn Write, err: &mut dyn Write) -> Result<()> {
    writeln!(
        out,
        "accepted: {} records, {}, {}",
        tally.records,
        figures::items(tally.items),
        figures::size(tally.bytes)
    )?;
    if tally.rejected > 0 {
        writeln!(
            err,
            "of these the collector rejected {} items",
            tally.rejected
        )?;
    }
    if tally.damaged > 0 {
        writeln!(
            err,
            "{} records are damaged and stay; otlp spool verify says where",
            tally.damaged
        )?;
    }
    if tally.refused > 0 {
        writeln!(
            err,
            "{} records were refused for good, and stay",
            tally.refused
        )?;
    }
    if let Some(complaint) = &tally.complaint {
        writeln!(err, "the collector says: {complaint}")?;
    }
    if let Some(stopped) = &tally.stopped {
        return Err(Failure::Refused(format!(
            "not all was sent: {stopped}. What was accepted is marked: the same command goes on \
             from there"
        )));
    }
    if tally.refused + tally.damaged > 0 {
        return Err(Failure::Bad);
    }
    Ok(())
}

/// One replay, on its executor.
struct Replay {
    directory: Directory,
    exporter: Rc<Exporter>,
    tally: RefCell<Tally>,
    progress: Progress,
    /// A record was tried until patience ended: no other is begun.
    stop: Cell<bool>,
}

impl Replay {
    fn new(directory: Directory, export: &Export) -> Self {
        let shared = Shared {
            buffers: Rc::new(Buffers::default()),
            metrics: ShardMetrics::new(0),
            response_bytes_max: 4 << 20,
        };
        Self {
            directory,
            exporter: Rc::new(Exporter::new(export, shared)),
            tally: RefCell::default(),
            progress: Progress::new(),
            stop: Cell::new(false),
        }
    }

    async fn all(self, segments: Vec<FoundSegment>) -> Result<Tally> {
        let exporter = Rc::downgrade(&self.exporter);
        rt::spawn(async move {
            while let Some(exporter) = exporter.upgrade() {
                exporter.sweep();
                drop(exporter);
                rt::sleep(TICK).await;
            }
        });
        for segment in segments {
            if self.stop.get() {
                break;
            }
            self.one(segment).await?;
        }
        self.progress.end();
        Ok(self.tally.into_inner())
    }

    async fn one(&self, segment: FoundSegment) -> Result<()> {
        let folder = self.directory.path();
        let failed = |error| Failure::of(&folder.join(segment.name.file()), &error);
        let mut file = SegmentFile::open(folder, segment).map_err(failed)?;
        let mut is_whole = file.is_readable();
        let entries = if file.marks_are_damaged || file.index().map_err(failed)?.is_none() {
            let scanned = file.scan().map_err(failed)?;
            is_whole &= scanned.damages.iter().all(|damage| damage.is_torn);
            scanned.entries
        } else {
            file.entries().map_err(failed)?
        };
        let mut left = entries
            .iter()
            .filter(|entry| !file.marks.settled.contains(entry.ordinal))
            .copied()
            .collect::<Vec<_>>()
            .into_iter();
        let mut sending = FuturesUnordered::new();
        let mut marked = rt::now();
        loop {
            while sending.len() < IN_FLIGHT_MAX && !self.stop.get() {
                let Some(entry) = left.next() else { break };
                match file.read(&entry).map_err(failed)?.and_then(message) {
                    Some(message) => sending.push(self.send(entry, message)),
                    None => self.tally.borrow_mut().damaged += 1,
                }
            }
            let Some((entry, outcome)) = sending.next().await else {
                break;
            };
            if self.note(&entry, &outcome) {
                file.settle(&entry);
            }
            if rt::now() > marked + TICK {
                marked = rt::now();
                self.mark(&file)?;
                self.progress.tell(&self.tally.borrow());
            }
        }
        let settled = file.marks.settled.count() as usize;
        if is_whole && settled == entries.len() {
            let removed = self.directory.remove(segment.name);
            removed.map_err(failed)
        } else {
            self.mark(&file)
        }
    }

    fn mark(&self, file: &SegmentFile) -> Result<()> {
        if file.marks.settled.is_empty() {
            return Ok(());
        }
        let name = file.name.marks_file();
        let replaced = self.directory.replace(&name, &file.marks_file());
        replaced.map_err(|error| Failure::of(&self.directory.path().join(name), &error))
    }

    /// Sends one record, again and again while that can help.
    async fn send(&self, entry: Entry, message: Message) -> (Entry, Outcome) {
        let began = rt::now();
        loop {
            let attempt = self.exporter.attempt(0, &message, ANSWER_TIMEOUT).await;
            let outcome = attempt.into_outcome(RETRY_DELAY);
            let Outcome::Refused(refusal) = &outcome else {
                return (entry, outcome);
            };
            let Some(delay) = refusal.retry_after() else {
                return (entry, outcome);
            };
            if self.stop.get() || rt::now() + delay > began + PATIENCE {
                self.stop.set(true);
                return (entry, outcome);
            }
            rt::sleep(delay).await;
        }
    }

    /// Counts what became of a record; says whether it is settled.
    fn note(&self, entry: &Entry, outcome: &Outcome) -> bool {
        let tally = &mut *self.tally.borrow_mut();
        match outcome {
            Outcome::Refused(refusal) if refusal.is_retryable() => {
                tally.stopped.get_or_insert_with(|| refusal.to_string());
                return false;
            }
            Outcome::Refused(refusal) => {
                tally.refused += 1;
                tally.complaint.get_or_insert_with(|| refusal.to_string());
                return false;
            }
            Outcome::Accepted => {}
            Outcome::Partial { rejected, message } => {
                tally.rejected += rejected;
                tally.complaint.get_or_insert_with(|| message.to_string());
            }
        }
        tally.records += 1;
        tally.bytes += u64::from(entry.content);
        if let Some(items) = tally.items.get_mut(entry.signal.index()) {
            *items += entry.items;
        }
        true
    }
}

/// What is sent of a record; `None` where its headers cannot be read.
fn message(stored: Stored) -> Option<Message> {
    let headers = Forwarded::parse(stored.headers).ok()?;
    let message = Message::new(stored.signal, stored.encoding, Arc::from([stored.body]));
    Some(message.with_headers(headers))
}

/// Tells how far it is, where a person watches.
struct Progress {
    began: Instant,
    is_watched: bool,
}

impl Progress {
    fn new() -> Self {
        Self {
            began: rt::now(),
            is_watched: io::stderr().is_terminal(),
        }
    }

    fn tell(&self, tally: &Tally) {
        let seconds = self.began.elapsed().as_secs().max(1);
        let text = format!(
            "\r{} records, {}, {}/s ",
            tally.records,
            figures::size(tally.bytes),
            figures::size(tally.bytes / seconds)
        );
        self.show(&text);
    }

    fn end(&self) {
        self.show("\r\x1b[K");
    }

    fn show(&self, text: &str) {
        if self.is_watched {
            // With standard error gone there is nobody left to tell.
            drop(io::stderr().lock().write_all(text.as_bytes()));
        }
    }
}
