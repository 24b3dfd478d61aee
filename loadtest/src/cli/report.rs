//! `loadtest report`.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, ValueEnum};

use crate::report;
use crate::results::Results;

/// Where the page goes unless something else is said.
const PAGE: &str = "report.html";

/// Arguments of `loadtest report`.
#[derive(Debug, Args)]
pub(super) struct Report {
    /// Results that `run` or `compare` saved; `-` reads standard input. Several are put together
    #[arg(required = true, value_name = "FILE.json")]
    files: Vec<PathBuf>,
    /// Write here; `-` is standard output [default: report.html for a page, else -]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// What to write [default: what the name after --out ends in, else html]
    #[arg(long, value_enum)]
    output: Option<Output>,
}

/// What is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Output {
    /// The closing summary
    Text,
    /// One Markdown table by scenario and system
    Markdown,
    /// The results, put together
    Json,
    /// The page
    Html,
}

impl Report {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let parts = self
            .files
            .iter()
            .map(|file| read(file))
            .collect::<anyhow::Result<Vec<Results>>>()?;
        let results = report::merge(parts).context("no results")?;
        let output = self.output.unwrap_or_else(|| by_name(self.out.as_deref()));
        let out = self
            .out
            .unwrap_or_else(|| PathBuf::from(if output == Output::Html { PAGE } else { "-" }));
        let to_stdout = out.as_os_str() == "-";
        let text = match output {
            Output::Text if to_stdout => report::Screen::of_stdout().summary(&results),
            Output::Text => report::summary(&results, 80, false),
            Output::Markdown => report::markdown(&results),
            Output::Json => serde_json::to_string_pretty(&results)? + "\n",
            Output::Html => report::page(&results),
        };
        if to_stdout {
            match io::stdout().write_all(text.as_bytes()) {
                // A reader that has seen enough is no error.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
                outcome => outcome.context("standard output")?,
            }
        } else {
            fs::write(&out, text).with_context(|| format!("cannot write {}", out.display()))?;
            eprintln!("wrote {}", out.display());
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn read(file: &Path) -> anyhow::Result<Results> {
    let name = file.display().to_string();
    let text = if file.as_os_str() == "-" {
        let mut text = String::new();
        io::stdin()
            .read_to_string(&mut text)
            .context("standard input")?;
        text
    } else {
        fs::read_to_string(file).with_context(|| format!("cannot read {name}"))?
    };
    Ok(report::parse(&name, &text)?)
}

fn by_name(out: Option<&Path>) -> Output {
    match out.and_then(Path::extension).and_then(|end| end.to_str()) {
        Some("md") => Output::Markdown,
        Some("json") => Output::Json,
        Some("txt") => Output::Text,
        _ => Output::Html,
    }
}
