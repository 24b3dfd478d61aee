//! Asks a collector whether it is well, beside the requests and without their places.

use std::{rc::Rc, sync::Arc, time::Duration};

use bytes::Bytes;
use prost::Message;

use super::{
    answer::{Answer, named},
    collector::Collector,
    connection::{Broken, Connection},
    head::{self, Head},
};
use crate::{
    config::Protocol,
    degrade::Probe,
    outcome::Code,
    rt,
    wire::{Rope, grpc::EMPTY_MESSAGE},
};

/// The page that is asked for where none is named.
const PATH_DEFAULT: &str = "/";

impl Collector {
    /// Asks for its health: gRPC's health service, or with a `path` or over OTLP/HTTP a page, `/`
    /// where none is named. The same headers are sent as with requests.
    ///
    /// | answer | means |
    /// | --- | --- |
    /// | `SERVING`, 2xx | healthy |
    /// | any other answer below 500, a reset stream, `UNIMPLEMENTED`, `UNAUTHENTICATED` | alive |
    /// | `NOT_SERVING`, other gRPC codes, 5xx, no connection, no answer by `timeout` | unhealthy |
    ///
    /// - Cost: one request on a connection that is open, over HTTP/2; over HTTP/1.1, or where none
    ///   is open, a connection of its own. No place of those in flight is taken.
    pub(super) async fn probe(&self, path: Option<&str>, timeout: Duration) -> Probe {
        match rt::timeout(timeout, self.ask(path, timeout)).await {
            Ok(probe) => probe,
            Err(rt::Elapsed) => Probe::Unhealthy(format!(
                "{}: no answer within {timeout:?}",
                self.endpoint().authority()
            )),
        }
    }

    async fn ask(&self, path: Option<&str>, timeout: Duration) -> Probe {
        let (endpoint, resources) = (self.endpoint(), self.resources());
        let asks_grpc = endpoint.protocol == Protocol::Grpc && path.is_none();
        let (head, body) = if asks_grpc {
            (
                head::health(endpoint, timeout, resources),
                &EMPTY_MESSAGE[..],
            )
        } else {
            let path = path.unwrap_or(PATH_DEFAULT);
            (head::page(endpoint, path, resources), &[][..])
        };
        let Some(head) = head else {
            return self.unhealthy("the path of health checks makes no request");
        };
        let body = Rope::new(Arc::from([Bytes::from_static(body)]));
        match self.exchange(&head, body).await {
            Ok(answer) => {
                let read = if asks_grpc { read_health } else { read_page };
                read(&answer).unwrap_or_else(|why| self.unhealthy(&why))
            }
            Err(broken) if broken.reset => Probe::Alive,
            Err(broken) => self.unhealthy(&broken.error),
        }
    }

    fn unhealthy(&self, why: &str) -> Probe {
        Probe::Unhealthy(format!("{}: {why}", self.endpoint().authority()))
    }

    /// Sends one request on a connection that is open and carries many, or else on one of its own.
    async fn exchange(&self, head: &Head, body: Rope) -> Result<Answer, Broken> {
        if let Some(connection) = self.open_multiplexed() {
            match connection.send(head, body.clone()).await {
                // It was closed meanwhile, which tells nothing of the collector.
                Err(broken) if broken.not_processed => {}
                result => return result,
            }
        }
        let own = Own(self.open().await.map_err(Broken::not_processed)?);
        own.0.send(head, body).await
    }
}

/// A connection for one request alone, which ends with it.
struct Own(Rc<Connection>);

impl Drop for Own {
    fn drop(&mut self) {
        self.0.retire();
    }
}

/// `grpc.health.v1.HealthCheckResponse`.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
struct HealthCheckResponse {
    #[prost(int32, tag = "1")]
    status: i32,
}

/// What a page says of the collector; the error is why it is not well.
fn read_page(answer: &Answer) -> Result<Probe, String> {
    match (answer.grpc_code(), answer.status) {
        (_, 501) => Ok(Probe::Alive),
        (Some(Code::Unavailable), _) | (_, 500..) => Err(refused(&named(answer.status))),
        (None, 200..=299) => Ok(Probe::Healthy),
        // A gRPC server answers every request so, and other ones what they do not serve.
        _ => Ok(Probe::Alive),
    }
}

/// What gRPC's health service says; the error is why the collector is not well.
fn read_health(answer: &Answer) -> Result<Probe, String> {
    let code = match (answer.grpc_code(), answer.status) {
        (Some(code), _) => code,
        (None, status @ 500..) if status != 501 => return Err(refused(&named(status))),
        // Whoever that is, it is no gRPC server and it answers.
        (None, _) => return Ok(Probe::Alive),
    };
    match code {
        Code::Ok => {}
        Code::Unimplemented
        | Code::NotFound
        | Code::InvalidArgument
        | Code::Unauthenticated
        | Code::PermissionDenied
        | Code::ResourceExhausted => return Ok(Probe::Alive),
        code => return Err(refused(code.name())),
    }
    let message = answer.grpc_message().unwrap_or_default();
    match HealthCheckResponse::decode(message).map(|said| said.status) {
        Ok(0) => Err("its health is UNKNOWN".to_owned()),
        Ok(1) => Ok(Probe::Healthy),
        Ok(2) => Err("its health is NOT_SERVING".to_owned()),
        _ => Ok(Probe::Alive),
    }
}

fn refused(with: &str) -> String {
    format!("its health check was answered with {with}")
}
