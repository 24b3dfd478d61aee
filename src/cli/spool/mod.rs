//! `otlp spool`: what lies in the spool, checked, shown, sent on, saved and brought back.

mod archive;
mod cat;
mod export;
mod figures;
mod import;
mod ls;
mod replay;
mod verify;

use std::{
    fmt::Display,
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, Subcommand, ValueEnum};

use super::check::EX_CONFIG;
use crate::{
    config::{Config, Environment, LoadOptions, load},
    spool::{
        Directory, FoundSegment, OpenError,
        inspect::{SegmentFile, SegmentState},
        segments,
    },
};

/// Which spool, and what to do with it.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// The folder of the spool. Default: spool.directory of the configuration.
    #[arg(long, global = true, value_name = "DIR")]
    directory: Option<PathBuf>,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Lists the segments and what is left in them. Works beside a running process.
    Ls {
        /// The shape: a table, or a JSON object a line.
        #[arg(long, value_enum, default_value_t)]
        output: Output,
    },
    /// Reads everything and reports what is damaged. Exit code 0, or 1 where something is.
    Verify,
    /// Prints the telemetry that is left. Works beside a running process.
    Cat(cat::Options),
    /// Sends what is left to a collector, and marks what that has accepted. Can be broken off and
    /// begun again.
    Replay(replay::Options),
    /// Saves the whole spool as a tar archive.
    Export {
        /// The archive, which must not exist; - for standard output.
        file: PathBuf,
    },
    /// Brings a saved spool back into the folder, beside what is there.
    Import {
        /// The archive; - for standard input.
        file: PathBuf,
    },
}

/// The shape of what is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Output {
    /// For people.
    #[default]
    Text,
    /// A JSON object a line.
    Json,
}

/// Why a command did not do what it is for.
enum Failure {
    /// It cannot be done; the sentence says why and what to do.
    Refused(String),
    /// The configuration does not hold.
    Config(String),
    /// It was done, and what it found is bad; it has been said.
    Bad,
    /// What is printed goes nowhere.
    Output(io::Error),
}

type Result<T> = std::result::Result<T, Failure>;

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        Self::Refused(error.to_string())
    }
}

impl Failure {
    /// What could not be done with a file.
    fn of(path: &Path, error: &dyn Display) -> Self {
        Self::Refused(format!("{}: {error}", path.display()))
    }
}

/// Runs one command.
///
/// The exit code is 0, 1 where it could not be done or has found damage, and [`EX_CONFIG`] where
/// the configuration does not hold.
pub(super) fn spool(
    options: Options,
    load: &LoadOptions,
    env: &Environment,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> ExitCode {
    let done = run(options, load, env, out, err).and_then(|()| Ok(out.flush()?));
    let (sentence, code) = match done {
        Ok(()) => return ExitCode::SUCCESS,
        // Whoever read it has seen enough.
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            return ExitCode::SUCCESS;
        }
        Err(Failure::Bad) => return ExitCode::FAILURE,
        Err(Failure::Refused(sentence)) => (format!("error: {sentence}"), ExitCode::FAILURE),
        Err(Failure::Output(error)) => (format!("error: {error}"), ExitCode::FAILURE),
        Err(Failure::Config(sentence)) => (sentence, ExitCode::from(EX_CONFIG)),
    };
    // There is nobody left to tell when standard error is closed.
    drop(writeln!(err, "{}", sentence.trim_end()));
    code
}

fn run(
    options: Options,
    load: &LoadOptions,
    env: &Environment,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<()> {
    let Options { directory, verb } = options;
    if let Verb::Replay(options) = verb {
        let config = configured(load, env)?;
        let folder = folder(directory, || Ok(config.clone()))?;
        return replay::replay(&folder, &config, &options, out, err);
    }
    let folder = folder(directory, || configured(load, env))?;
    match verb {
        Verb::Ls { output } => ls::ls(&folder, output, out),
        Verb::Verify => verify::verify(&folder, out),
        Verb::Cat(options) => cat::cat(&folder, &options, out, err),
        Verb::Export { file } => export::export(&folder, &file, out, err),
        Verb::Import { file } => import::import(&folder, &file, err),
        // Done above.
        Verb::Replay(_) => Ok(()),
    }
}

fn configured(load_options: &LoadOptions, env: &Environment) -> Result<Config> {
    match load(load_options, env) {
        Ok(loaded) => Ok(loaded.config),
        Err(errors) => Err(Failure::Config(errors.to_string())),
    }
}

/// The folder that is meant.
fn folder(named: Option<PathBuf>, config: impl Fn() -> Result<Config>) -> Result<PathBuf> {
    if let Some(named) = named {
        return Ok(named);
    }
    let folder = config()?.spool.directory;
    if folder.as_os_str().is_empty() {
        return Err(Failure::Refused(
            "spool.directory is not set: name the folder with --directory DIR, or the \
             configuration with --config FILE"
                .to_owned(),
        ));
    }
    Ok(folder)
}

/// The folder, for this process alone.
fn own(folder: &Path) -> Result<Directory> {
    Ok(Directory::own(folder)?)
}

/// The segments of a folder, whoever owns it.
fn found(folder: &Path) -> Result<Vec<FoundSegment>> {
    segments(folder).map_err(|error| Failure::of(folder, &error))
}

/// Opens a segment; `None` where its owner has removed it meanwhile.
fn open(folder: &Path, segment: FoundSegment) -> Result<Option<SegmentFile>> {
    match SegmentFile::open(folder, segment) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::of(&folder.join(segment.name.file()), &error)),
    }
}

/// The name of the file of a segment, for messages.
fn file_error(folder: &Path, file: &SegmentFile, error: &io::Error) -> Failure {
    Failure::of(&folder.join(file.name.file()), error)
}

/// How a segment is, in a word or two.
fn state(state: SegmentState) -> String {
    match state {
        SegmentState::Sealed => "sealed".to_owned(),
        SegmentState::Unsealed => "unsealed".to_owned(),
        SegmentState::Blank => "blank".to_owned(),
        SegmentState::Unreadable => "unreadable".to_owned(),
        SegmentState::Foreign(version) => format!("format {version}"),
    }
}
