//! One HTTP/1.1 request on a connection of its own: for control ports and readiness.

use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1::handshake;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// The longest that an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The largest answer that is read.
const ANSWER_BYTES: usize = 256 << 20;

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its body.
    pub body: Bytes,
}

/// `GET http://ADDRESS/PATH`.
pub async fn get(address: &str, path: &str) -> anyhow::Result<Answer> {
    ask(Method::GET, address, path, Bytes::new()).await
}

/// `PUT http://ADDRESS/PATH`.
pub async fn put(address: &str, path: &str, body: impl Into<Bytes>) -> anyhow::Result<Answer> {
    ask(Method::PUT, address, path, body.into()).await
}

async fn ask(method: Method, address: &str, path: &str, body: Bytes) -> anyhow::Result<Answer> {
    let title = format!("{method} http://{address}{path}");
    timeout(PATIENCE, exchange(method, address, path, body))
        .await
        .with_context(|| format!("{title}: no answer within {PATIENCE:?}"))?
        .with_context(|| title)
}

async fn exchange(
    method: Method,
    address: &str,
    path: &str,
    body: Bytes,
) -> anyhow::Result<Answer> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) = handshake(TokioIo::new(stream)).await?;
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", address)
        .body(Full::new(body))?;
    let answer = async {
        let answer = sender.send_request(request).await?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), ANSWER_BYTES)
            .collect()
            .await;
        let body = body
            .map_err(|error| anyhow::anyhow!("its answer: {error}"))?
            .to_bytes();
        Ok(Answer { status, body })
    };
    tokio::pin!(connection);
    tokio::pin!(answer);
    tokio::select! {
        biased;
        answer = &mut answer => answer,
        // The connection may be over as soon as the answer was read.
        over = &mut connection => { over?; answer.await }
    }
}
