//! What every test stands on: a spawned forwarder, a recording collector, senders and payloads.

use std::{future::Future, time::Duration};

pub(crate) use collector::{Behaviour, Collector, Received};
pub(crate) use ledger::Ledger;
pub(crate) use payload::{Payload, count_ids, ids_in, payload, payload_of_bytes};
pub(crate) use process::{Otlp, Setup};
pub(crate) use rpc::{ExportResponse, PartialSuccess, RpcStatus};
pub(crate) use segment::{Segment, TAKEN};
pub(crate) use sender::{Answer, Sender, Transport, grpc_path, pack};

mod codec;
mod collector;
mod ledger;
mod payload;
mod process;
pub(crate) mod raw;
mod rpc;
mod segment;
mod sender;

/// The longest that any awaited state may take. It bounds a broken test; it measures nothing.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Waits for `future`, and names what did not happen where it does not come.
pub(crate) async fn within<F: Future>(what: &str, future: F) -> F::Output {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(output) => output,
        Err(_) => panic!("{what}: did not happen within {PATIENCE:?}"),
    }
}
