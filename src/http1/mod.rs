//! HTTP/1.1 as far as OTLP needs it, without sockets: heads, the framing of bodies, answers, the
//! server's and the client's side of a connection.

pub mod answer;
pub mod chunked;
pub mod client;
pub mod request;
pub mod server;
