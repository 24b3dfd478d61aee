//! HTTP/2 as far as OTLP needs it, without sockets: frames and header blocks.

pub mod frame;
pub mod hpack;
