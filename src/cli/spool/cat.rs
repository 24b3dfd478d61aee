//! `otlp spool cat`: the telemetry that is left, for people or as OTLP/JSON.

use std::{
    fmt::Write as _,
    io::{IsTerminal, Write, stdout},
    path::Path,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use clap::Args;
use opentelemetry_proto::tonic::collector::{
    logs::v1::ExportLogsServiceRequest, metrics::v1::ExportMetricsServiceRequest,
    profiles::v1development::ExportProfilesServiceRequest, trace::v1::ExportTraceServiceRequest,
};
use prost::Message;
use serde::Serialize;

use super::{Failure, Output, Result, file_error, found, open};
use crate::{
    cli::console,
    encoding::Encoding,
    headers::Forwarded,
    signal::Signal,
    spool::{format::Entry, inspect::SegmentFile},
    wire::Unpacker,
};

/// Bytes that a record may unpack to.
///
/// - Source: chosen: sixteen times the largest request that is taken by default.
const BYTES_MAX: usize = 1 << 30;

/// What to print.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// The shape: a summary of each request, or each request as OTLP/JSON on a line.
    #[arg(long, value_enum, default_value_t)]
    output: Output,
    /// Only this signal: traces, metrics, logs or profiles.
    #[arg(long, value_parser = signal)]
    signal: Option<Signal>,
    /// What was delivered already as well, as far as it is still there.
    #[arg(long)]
    all: bool,
}

fn signal(text: &str) -> std::result::Result<Signal, String> {
    let named = |signal: &Signal| signal.name() == text;
    let found = Signal::ALL.into_iter().find(named);
    found.ok_or_else(|| "write traces, metrics, logs or profiles".to_owned())
}

pub(super) fn cat(
    folder: &Path,
    options: &Options,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<()> {
    let mut unpacker = Unpacker::new();
    let mut unreadable = 0_u64;
    for segment in found(folder)? {
        let Some(file) = open(folder, segment)? else {
            continue;
        };
        let failed = |error| file_error(folder, &file, &error);
        for entry in file.entries().map_err(failed)? {
            let is_wanted = options.signal.is_none_or(|signal| signal == entry.signal);
            let is_left = !file.marks.settled.contains(entry.ordinal);
            if !is_wanted || !(is_left || options.all) {
                continue;
            }
            if let Err(why) = print(&file, &entry, options.output, &mut unpacker, out)? {
                unreadable += 1;
                let name = file.name.file();
                writeln!(err, "{name} at {}: {why}; skipped", entry.offset)?;
            }
        }
    }
    if unreadable > 0 {
        return Err(Failure::Bad);
    }
    Ok(())
}

/// Prints one record; says why where it cannot be read.
fn print(
    file: &SegmentFile,
    entry: &Entry,
    output: Output,
    unpacker: &mut Unpacker,
    out: &mut dyn Write,
) -> Result<std::result::Result<(), String>> {
    let stored = match file.read(entry) {
        Ok(Some(stored)) => stored,
        Ok(None) => return Ok(Err("damaged".to_owned())),
        Err(error) => return Ok(Err(error.to_string())),
    };
    let Ok(headers) = Forwarded::parse(stored.headers) else {
        return Ok(Err("its headers cannot be read".to_owned()));
    };
    let body = match stored.encoding {
        Encoding::Identity => stored.body,
        packed => {
            let take = |bytes: &mut Vec<u8>, _| Bytes::from(std::mem::take(bytes));
            match unpacker.unpack(packed, &[stored.body], BYTES_MAX, take) {
                Ok(body) => body,
                Err(error) => return Ok(Err(format!("does not unpack: {error:?}"))),
            }
        }
    };
    let text = match output {
        Output::Json => json(stored.signal, body, &headers),
        Output::Text => {
            let at = SystemTime::UNIX_EPOCH + Duration::from_nanos(entry.at);
            console::summary(stored.signal, body, at, stdout().is_terminal())
                .map(|summary| told(&headers) + &summary)
                .map_err(|error| error.to_string())
        }
    };
    Ok(match text {
        Ok(text) => {
            out.write_all(text.as_bytes())?;
            Ok(())
        }
        Err(why) => Err(why),
    })
}

/// The headers that go on with a request, a line each: what no terminal should be sent is escaped.
fn told(headers: &Forwarded) -> String {
    let mut lines = String::new();
    for (name, value) in headers.iter() {
        let (name, value) = (name.escape_ascii(), value.escape_ascii());
        // Writing to a text cannot fail.
        writeln!(lines, "{name}: {value}").unwrap_or_default();
    }
    lines
}

/// A request as OTLP/JSON. Headers that go on with it stand beside it as a field that readers of
/// OTLP pass over.
#[derive(Serialize)]
struct Line<M> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    headers: Vec<[String; 2]>,
    #[serde(flatten)]
    request: M,
}

/// A request as OTLP/JSON, on one line.
fn json(signal: Signal, body: Bytes, headers: &Forwarded) -> std::result::Result<String, String> {
    fn line<M: Message + Default + Serialize>(
        body: Bytes,
        headers: Vec<[String; 2]>,
    ) -> std::result::Result<String, String> {
        let request = M::decode(body).map_err(|error| error.to_string())?;
        let line = Line { headers, request };
        let line = serde_json::to_string(&line).map_err(|error| error.to_string())?;
        Ok(line + "\n")
    }
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    let pairs = headers.iter();
    let headers = pairs
        .map(|(name, value)| [text(name), text(value)])
        .collect();
    match signal {
        Signal::Traces => line::<ExportTraceServiceRequest>(body, headers),
        Signal::Metrics => line::<ExportMetricsServiceRequest>(body, headers),
        Signal::Logs => line::<ExportLogsServiceRequest>(body, headers),
        Signal::Profiles => line::<ExportProfilesServiceRequest>(body, headers),
    }
}
