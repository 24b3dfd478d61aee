//! HTTP/2 as far as OTLP needs it, without sockets: frames, header blocks, both sides.

pub mod client;
pub mod fields;
pub mod flow;
pub mod frame;
pub mod hpack;
mod remembered;
pub mod request;
pub mod server;
mod write;
