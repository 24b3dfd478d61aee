//! A connection's input, the same in every run, and a server that reads it.

use std::hint::black_box;

use bytes::{Bytes, BytesMut};
use otlp::http2::{
    frame::{END_HEADERS, END_STREAM, Head, Kind, PREFACE},
    hpack,
    server::{Event, Limits, Reply, Server},
};

/// Requests of one connection.
pub(crate) const REQUESTS: u32 = 200;
const FRAME_BYTES: usize = 16_384;
const PIECE_BYTES: usize = 27_000;

const LIMITS: Limits = Limits {
    streams: 128,
    header_bytes: 16_384,
    stream_window: 4 << 20,
    connection_window: 64 << 20,
    frame_bytes: 1 << 20,
    error_resets: 256,
};

fn frame(input: &mut Vec<u8>, kind: Kind, flags: u8, stream: u32, payload: &[u8]) {
    input.extend(Head::new(kind, flags, stream, payload.len()).to_bytes());
    input.extend(payload);
}

/// A connection's input: `REQUESTS` requests of `body_bytes` each.
pub(crate) fn input(body_bytes: usize) -> Vec<u8> {
    let mut input = PREFACE.to_vec();
    frame(&mut input, Kind::Settings, 0, 0, &[]);
    let mut block = BytesMut::new();
    for (name, value) in [
        (":method", "POST"),
        (":scheme", "http"),
        (
            ":path",
            "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
        ),
        (":authority", "localhost:4317"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
        ("user-agent", "bench"),
    ] {
        hpack::encode(name.as_bytes(), value.as_bytes(), false, &mut block);
    }
    let body = vec![7; body_bytes];
    for request in 0..REQUESTS {
        let stream = request * 2 + 1;
        frame(&mut input, Kind::Headers, END_HEADERS, stream, &block);
        let frames = body.chunks(FRAME_BYTES).len();
        for (at, piece) in body.chunks(FRAME_BYTES).enumerate() {
            let flags = if at + 1 == frames { END_STREAM } else { 0 };
            frame(&mut input, Kind::Data, flags, stream, piece);
        }
    }
    input
}

/// Reads the input, touches the bodies, answers each request; says how many bytes they had.
pub(crate) fn serve(input: &[u8], reply: &Reply) -> usize {
    let mut server: Server<(), ()> = Server::new(&LIMITS, |_| ());
    let mut taken = 0;
    for mut piece in input.chunks(PIECE_BYTES) {
        while let Ok(Some(event)) = server.next(&mut piece) {
            match event {
                Event::Data { bytes, .. } => taken += bytes.len(),
                Event::End { stream } => server.respond(stream, reply.clone()),
                Event::Head { .. } | Event::Reset { .. } => {}
            }
        }
        black_box(&server.output());
        server.output().clear();
    }
    taken
}

/// The answer that every request gets.
pub(crate) fn reply() -> Reply {
    Reply {
        head: Bytes::from_static(b"\x88\x0f\x10\x10application/grpc"),
        body: Bytes::from_static(&[0; 5]),
        trailers: Some(Bytes::from_static(b"\x00\x0bgrpc-status\x010")),
    }
}
