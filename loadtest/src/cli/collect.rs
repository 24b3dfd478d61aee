//! `loadtest collect`.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context;
use clap::Args;
use serde_json::json;
use tokio::{
    io::AsyncReadExt,
    net::unix::pipe,
    signal::unix::{SignalKind, signal},
};

use crate::{
    collect::{Collector, Finished, Options, behave::Script, raise_open_files, tls},
    results::CollectReport,
    telemetry::Level,
};

/// Arguments of `loadtest collect`.
#[derive(Debug, Args)]
pub(super) struct Collect {
    /// Where gRPC and OTLP/HTTP are taken; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:4317")]
    listen: SocketAddr,

    /// Where the collector is controlled: GET /stats, /ids, /behave, /health; PUT /behave.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    control: SocketAddr,

    /// How closely items are looked at: count, ids or full.
    #[arg(long, value_name = "LEVEL", default_value = "ids")]
    audit: Level,

    /// How to behave at first: `hang`, `status=UNAVAILABLE retry-info=2s share=0.1 for=5s`,
    /// `flap ok=5s hang=2s`, … A wrong word lists what is known.
    #[arg(long, value_name = "SPEC", default_value = "ok")]
    behave: Script,

    /// The largest HTTP/2 frame that senders may use, in bytes.
    #[arg(long, value_name = "BYTES", default_value_t = 16 << 10,
          value_parser = clap::value_parser!(u32).range((16 << 10)..(1 << 24)))]
    max_frame: u32,

    /// Use TLS with a certificate made for localhost; its authority is DIR/ca.pem.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["tls_cert", "tls_key"])]
    tls_self_signed: Option<PathBuf>,

    /// Use TLS with this certificate chain (PEM).
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,

    /// The key of --tls-cert (PEM).
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,

    /// Write the report there at the end; `-`: one line on stdout.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Write the items that arrived there at the end.
    #[arg(long, value_name = "FILE")]
    ids_out: Option<PathBuf>,
}

impl Collect {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        raise_open_files();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("cannot start the runtime")?;
        let finished = runtime.block_on(self.collect())?;
        self.save(&finished)?;
        Ok(ExitCode::SUCCESS)
    }

    async fn collect(&self) -> anyhow::Result<Finished> {
        let tls = match (&self.tls_self_signed, &self.tls_cert, &self.tls_key) {
            (Some(directory), ..) => Some(tls::self_signed(directory)?),
            (None, Some(certificate), Some(key)) => Some(tls::from_files(certificate, key)?),
            _ => None,
        };
        // Asked for before the line below is printed, so that who has read it can end this.
        let end = ended()?;
        let collector = Collector::bind(Options {
            listen: self.listen,
            control: self.control,
            level: self.audit,
            script: self.behave.clone(),
            tls,
            max_frame: self.max_frame,
        })
        .await?;
        let ready = json!({
            "listen": collector.address().to_string(),
            "control": collector.control_address()?.to_string(),
        });
        line(&ready.to_string())?;
        collector.serve(end).await
    }

    fn save(&self, finished: &Finished) -> anyhow::Result<()> {
        let report = &finished.report;
        match &self.json {
            None => eprintln!("{}", summary(report)),
            Some(path) if path.as_os_str() == "-" => line(&serde_json::to_string(report)?)?,
            Some(path) => write(path, |to| Ok(serde_json::to_writer_pretty(to, report)?))?,
        }
        if let Some(path) = &self.ids_out {
            write(path, |to| finished.arrivals.write_to(to))?;
        }
        Ok(())
    }
}

/// Ends on SIGINT, on SIGTERM, and when a pipe that is standard input is closed: by its end a
/// parent that is gone takes its collector along.
fn ended() -> anyhow::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let stdin = rustix::io::dup(io::stdin()).ok();
    // Anything but a pipe, as a terminal or /dev/null, says nothing about the parent.
    let parent = stdin.and_then(|it| pipe::Receiver::from_owned_fd(it).ok());
    let parent_ended = async move {
        let Some(mut parent) = parent else {
            return std::future::pending().await;
        };
        let mut ignored = [0; 256];
        while parent.read(&mut ignored).await.is_ok_and(|it| it > 0) {}
    };
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            () = parent_ended => {}
        }
    })
}

/// A line on standard output, at once.
fn line(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush())?;
    Ok(())
}

fn write(
    path: &Path,
    content: impl FnOnce(&mut BufWriter<File>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let written = || {
        let mut file = BufWriter::new(File::create(path)?);
        content(&mut file)?;
        file.flush()?;
        anyhow::Ok(())
    };
    written().with_context(|| {
        format!(
            "cannot write {}: give a file in a directory that exists",
            path.display()
        )
    })
}

/// The report in a few words.
fn summary(report: &CollectReport) -> String {
    let mut text = format!(
        "{} requests with {} items accepted, {} MB",
        report.requests,
        report.items,
        report.body_bytes / 1_000_000
    );
    if report.undecodable > 0 {
        text.push_str(&format!("; {} could not be read", report.undecodable));
    }
    for (what, count) in &report.misbehaved {
        text.push_str(&format!("; {what}: {count}"));
    }
    text
}
