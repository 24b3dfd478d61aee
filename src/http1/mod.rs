//! HTTP/1.1 as far as OTLP needs it, without sockets: the framing of bodies, answers, and the
//! client's side of a connection.

pub mod answer;
pub mod chunked;
pub mod client;
