//! Log lines: what is logged, in which shape, and where it goes. A shard never waits for a write.

mod limiter;

use std::{
    env,
    ffi::OsStr,
    fmt, fs,
    io::{self, IsTerminal, Write},
    path::PathBuf,
};

use tracing::Subscriber;
use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::{
    Layer,
    filter::{LevelFilter, Targets},
    fmt as lines,
    layer::SubscriberExt,
    registry,
    util::SubscriberInitExt,
};

pub use self::limiter::Limiter;
use crate::config::{LogFormat, LogOutput, Logging};

/// Lines that wait to be written at the most; what comes on top is lost, counted and said.
///
/// - Chosen: at 200 bytes a line about 1.6 MiB, and a second of the most that a terminal takes.
const LINES_WAITING_MAX: usize = 8192;

/// Starts logging for the whole process, once.
///
/// Keep the guard until the end: dropping it writes what waits and says what was lost.
///
/// - Shard: none; lines are handed to a thread of their own, which writes them.
/// - Cost: a line costs its formatting and one allocation where it is logged; a level that is off
///   costs a load.
///
/// # Errors
///
/// [`Error`] where the level cannot be read, the file cannot be opened or logging runs already.
pub fn init(logging: &Logging) -> Result<Guard, Error> {
    let filter = filter(&logging.level)?;
    let no_color = env::var_os("NO_COLOR");
    let (output, coloured): (Box<dyn Write + Send>, bool) = match &logging.output {
        LogOutput::Stdout => (
            Box::new(io::stdout()),
            colours(io::stdout().is_terminal(), no_color.as_deref()),
        ),
        LogOutput::Stderr => (
            Box::new(io::stderr()),
            colours(io::stderr().is_terminal(), no_color.as_deref()),
        ),
        LogOutput::File(path) => (Box::new(open(path)?), false),
    };
    let (writer, worker) = NonBlockingBuilder::default()
        .buffered_lines_limit(LINES_WAITING_MAX)
        .thread_name("otlp-log")
        .finish(output);
    let lost = Lost(writer.error_counter());
    registry()
        .with(layer(logging.format, coloured, writer).with_filter(filter))
        .try_init()
        .map_err(|_| Error::Running)?;
    Ok(Guard {
        worker: Some(worker),
        lost,
    })
}

/// Writes what waits when it is dropped, and says on standard error how many lines were lost.
#[derive(Debug)]
#[must_use = "logging ends when the guard is dropped"]
pub struct Guard {
    worker: Option<WorkerGuard>,
    lost: Lost,
}

impl Guard {
    /// Where to ask how many lines were lost.
    #[must_use]
    pub fn lost(&self) -> Lost {
        self.lost.clone()
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        drop(self.worker.take());
        let lost = self.lost.lines();
        if lost > 0 {
            let sentence = format!("otlp: {lost} log lines were lost: they came too fast\n");
            // With standard error gone there is nobody left to tell.
            io::stderr()
                .lock()
                .write_all(sentence.as_bytes())
                .unwrap_or_default();
        }
    }
}

/// A count of the lines that were lost because they came faster than they could be written.
#[derive(Clone, Debug)]
pub struct Lost(ErrorCounter);

impl Lost {
    /// Lines lost since the start.
    #[must_use]
    pub fn lines(&self) -> u64 {
        u64::try_from(self.0.dropped_lines()).unwrap_or(u64::MAX)
    }
}

/// Why logging could not be started.
#[derive(Debug)]
pub enum Error {
    /// A part of `logging.level` is neither a level nor a `target=level` pair.
    Level {
        /// That part.
        part: String,
    },
    /// The log file cannot be opened for appending.
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// Logging was started before.
    Running,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Level { part } => write!(
                f,
                "logging.level: `{part}` is no level; write error, warn, info, debug, trace or off, \
                 or pairs such as otlp=debug,warn"
            ),
            Self::File { path, error } => write!(
                f,
                "logging.output: cannot append to {}: {error}; name a file in a directory that \
                 exists and is writable",
                path.display()
            ),
            Self::Running => f.write_str("logging runs already; start it once a process"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::File { error, .. } => Some(error),
            Self::Level { .. } | Self::Running => None,
        }
    }
}

/// Reads levels in the syntax of `RUST_LOG`: `info`, or `otlp=debug,warn`.
///
/// A lone word must be a level: the syntax would take `inof` for a target, and log nothing.
fn filter(level: &str) -> Result<Targets, Error> {
    level
        .split(',')
        .map(str::trim)
        .try_fold(Targets::new(), |targets, part| {
            let bad = || Error::Level {
                part: part.to_owned(),
            };
            let read = |level: &str| match level.trim() {
                // The parser would take nothing for `error`.
                "" => Err(bad()),
                level => level.parse::<LevelFilter>().map_err(|_| bad()),
            };
            Ok(match part.split_once('=') {
                None => targets.with_default(read(part)?),
                Some((target, _)) if target.trim().is_empty() => return Err(bad()),
                Some((target, level)) => targets.with_target(target.trim(), read(level)?),
            })
        })
}

fn open(path: &PathBuf) -> Result<io::BufWriter<fs::File>, Error> {
    fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .map(io::BufWriter::new)
        .map_err(|error| Error::File {
            path: path.clone(),
            error,
        })
}

/// Whether lines are coloured.
///
/// - Source: no-color.org: `NO_COLOR`, when present and not empty, turns colours off.
fn colours(terminal: bool, no_color: Option<&OsStr>) -> bool {
    terminal && no_color.is_none_or(OsStr::is_empty)
}

fn layer<S>(format: LogFormat, coloured: bool, to: NonBlocking) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'span> registry::LookupSpan<'span>,
{
    let lines = lines::layer().with_writer(to).with_ansi(coloured);
    match format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(false)
            .boxed(),
    }
}

#[cfg(test)]
mod tests;
