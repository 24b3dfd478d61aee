//! HTTP/1.1 as far as OTLP needs it, without sockets: heads, bodies, the server's side.

pub mod chunked;
pub mod request;
pub mod server;
