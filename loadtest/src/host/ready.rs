//! When a system may be loaded: by what it answers, never by time alone.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use super::{Child, get};

/// Pause between two looks.
const LOOK: Duration = Duration::from_millis(10);

/// What says that a system is ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ready {
    /// Its first port takes a connection.
    Tcp,
    /// An address and a path that answer a GET with 2xx.
    Http {
        /// `host:port`.
        address: String,
        /// From the slash on.
        path: String,
    },
}

impl Ready {
    /// Reads `tcp` or an `http://` URL.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        if text == "tcp" {
            return Ok(Self::Tcp);
        }
        let rest = text.strip_prefix("http://").with_context(|| {
            format!("ready = {text:?} is not known: write \"tcp\" or an http:// URL")
        })?;
        let (address, path) = rest.split_once('/').unwrap_or((rest, ""));
        let address = if address.contains(':') {
            address.to_owned()
        } else {
            format!("{address}:80")
        };
        Ok(Self::Http {
            address,
            path: format!("/{path}"),
        })
    }
}

/// Waits until the child is ready; its end, or no readiness in time, is an error.
pub async fn wait_until_ready(
    child: &mut Child,
    ready: &Ready,
    listen: SocketAddr,
    within: Duration,
) -> anyhow::Result<()> {
    let began = Instant::now();
    loop {
        if is_ready(ready, listen).await {
            return Ok(());
        }
        if let Some(status) = child.ended()? {
            bail!(
                "{} ended ({status}) before it was ready{}",
                child.name(),
                child.tail()
            );
        }
        if began.elapsed() > within {
            bail!(
                "{} is not ready after {within:?}: {ready:?} at {listen}{}",
                child.name(),
                child.tail()
            );
        }
        sleep(LOOK).await;
    }
}

async fn is_ready(ready: &Ready, listen: SocketAddr) -> bool {
    match ready {
        Ready::Tcp => TcpStream::connect(listen).await.is_ok(),
        Ready::Http { address, path } => get(address, path)
            .await
            .is_ok_and(|answer| answer.status.is_success()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readiness_is_a_port_or_a_url() {
        assert_eq!(Ready::parse("tcp").unwrap(), Ready::Tcp);
        let url = Ready::Http {
            address: "127.0.0.1:81".to_owned(),
            path: "/ready?x".to_owned(),
        };
        assert_eq!(Ready::parse("http://127.0.0.1:81/ready?x").unwrap(), url);
        let bare = Ready::Http {
            address: "localhost:80".to_owned(),
            path: "/".to_owned(),
        };
        assert_eq!(Ready::parse("http://localhost").unwrap(), bare);
        let error = Ready::parse("udp").unwrap_err().to_string();
        assert!(
            error.contains("\"udp\"") && error.contains("tcp"),
            "{error}"
        );
    }
}
