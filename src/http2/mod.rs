//! HTTP/2 as far as OTLP needs it, without sockets: frames and header blocks.

pub mod flow;
pub mod frame;
pub mod hpack;
pub mod request;
pub mod server;
