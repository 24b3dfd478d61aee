//! A collector that counts, audits and, on request, misbehaves.
//!
//! One port takes gRPC, OTLP/HTTP over HTTP/2 and over HTTP/1.1, with or without TLS; a second one
//! controls it while it runs:
//!
//! - `GET /stats`: what arrived so far, a [`CollectReport`](crate::results::CollectReport);
//! - `GET /ids`: the items that arrived, as [`Arrivals`](crate::audit::Arrivals) saves them;
//! - `GET /behave`, `PUT /behave`: the [`behave`] script in force, another one;
//! - `GET /health`.
//!
//! All of it runs on one thread: that of the runtime it is started on.

mod answer;
pub mod behave;
mod body;
mod buffered;
mod control;
mod exchange;
mod http1;
mod http2;
mod inflate;
mod link;
mod port;
mod process;
mod request;
mod server;
mod tally;
pub mod tls;

pub use process::raise_open_files;
pub use server::{Collector, Finished, Options};
