//! `loadtest proxy`.

use std::{io::Write, net::TcpListener, process::ExitCode};

use anyhow::Context;
use clap::Args;

use crate::proxy;

/// Arguments of `loadtest proxy`.
#[derive(Debug, Args)]
pub(super) struct Proxy {
    /// Host and port to listen on; port 0 takes a free one.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:0")]
    listen: String,
    /// Host and port to copy to.
    #[arg(long, value_name = "HOST:PORT")]
    to: String,
}

impl Proxy {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let listener = TcpListener::bind(&self.listen)
            .with_context(|| format!("cannot listen on {}", self.listen))?;
        let listen = listener.local_addr()?.to_string();
        let mut stdout = std::io::stdout().lock();
        writeln!(stdout, "{}", serde_json::json!({ "listen": listen }))?;
        stdout.flush()?;
        drop(stdout);
        proxy::run(&listener, &self.to)?;
        Ok(ExitCode::SUCCESS)
    }
}
