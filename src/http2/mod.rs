//! HTTP/2 as far as OTLP needs it, without sockets: frames, header blocks, the client's side.

pub mod client;
pub mod fields;
pub mod flow;
pub mod frame;
pub mod hpack;
