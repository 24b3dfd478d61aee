//! A client, and what its peer says and sees.

use std::io::IoSlice;

use bytes::Bytes;

use super::super::{Client, Failure, Key, Options};
use crate::http2::{
    frame::{END_HEADERS, END_STREAM, ErrorCode, Head, Kind, PREFACE, Setting},
    hpack,
};

pub(super) const OPTIONS: Options = Options {
    fields_bytes_max: 1000,
    body_bytes_max: 100_000,
    stream_window: 65_536,
    connection_window: 100_000,
    streams_before_settings: 2,
};

/// A client and what its peer sees.
pub(super) struct Script {
    pub(super) client: Client<Bytes>,
    pub(super) seen: Vec<u8>,
}

pub(super) type Frame = (Head, Vec<u8>);

pub(super) fn frame(kind: Kind, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let head = Head::new(kind, flags, stream, payload.len());
    [&head.to_bytes()[..], payload].concat()
}

pub(super) fn settings(settings: &[Setting]) -> Vec<u8> {
    let payload: Vec<u8> = settings.iter().flat_map(|it| it.to_bytes()).collect();
    frame(Kind::Settings, 0, 0, &payload)
}

pub(super) fn window_update(stream: u32, bytes: u32) -> Vec<u8> {
    frame(Kind::WindowUpdate, 0, stream, &bytes.to_be_bytes())
}

pub(super) fn reset(stream: u32, code: ErrorCode) -> Vec<u8> {
    frame(Kind::RstStream, 0, stream, &code.0.to_be_bytes())
}

pub(super) fn go_away(last: u32, code: ErrorCode, said: &str) -> Vec<u8> {
    let numbers = [last.to_be_bytes(), code.0.to_be_bytes()].concat();
    frame(Kind::GoAway, 0, 0, &[&numbers, said.as_bytes()].concat())
}

pub(super) fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        hpack::encode(name.as_bytes(), value.as_bytes(), false, &mut block);
    }
    block
}

pub(super) fn headers(stream: u32, flags: u8, fields: &[(&str, &str)]) -> Vec<u8> {
    frame(Kind::Headers, END_HEADERS | flags, stream, &block(fields))
}

pub(super) fn ok(stream: u32) -> Vec<u8> {
    headers(
        stream,
        0,
        &[(":status", "200"), ("content-type", "application/grpc")],
    )
}

pub(super) fn data(stream: u32, flags: u8, payload: &[u8]) -> Vec<u8> {
    frame(Kind::Data, flags, stream, payload)
}

pub(super) fn trailers(stream: u32) -> Vec<u8> {
    headers(stream, END_STREAM, &[("grpc-status", "0")])
}

/// A whole gRPC answer.
pub(super) fn answer(stream: u32) -> Vec<u8> {
    [ok(stream), data(stream, 0, &[0; 5]), trailers(stream)].concat()
}

impl Script {
    /// Before the peer's settings.
    pub(super) fn fresh() -> Self {
        Self {
            client: Client::new(OPTIONS),
            seen: Vec::new(),
        }
    }

    /// After the peer's settings.
    pub(super) fn greeted(with: &[Setting]) -> Self {
        let mut script = Self::fresh();
        script.client.receive(&settings(with));
        script.sent();
        script
    }

    pub(super) fn request(&mut self, len: usize) -> Key {
        let body = Bytes::from(vec![b'x'; len]);
        self.client
            .request(Bytes::from(block(&[(":method", "POST")])), body)
    }

    /// The frames that were sent since.
    pub(super) fn sent(&mut self) -> Vec<Frame> {
        loop {
            let mut slices = [IoSlice::new(&[]); 3];
            let count = self.client.pieces(&mut slices);
            let bytes: Vec<u8> = slices[..count].iter().flat_map(|it| it.to_vec()).collect();
            if bytes.is_empty() {
                break;
            }
            self.client.sent(bytes.len());
            self.seen.extend(bytes);
        }
        let mut rest = std::mem::take(&mut self.seen);
        if rest.starts_with(PREFACE) {
            rest.drain(..PREFACE.len());
        }
        let mut frames = Vec::new();
        let mut rest = rest.as_slice();
        while let Some((head, after)) = rest.split_first_chunk() {
            let head = Head::parse(*head);
            let (payload, after) = after.split_at(head.len);
            frames.push((head, payload.to_vec()));
            rest = after;
        }
        assert!(rest.is_empty(), "frames are sent whole");
        frames
    }

    /// What was sent since, in short.
    pub(super) fn sent_kinds(&mut self) -> Vec<(Kind, u32, usize)> {
        let frames = self.sent().into_iter();
        frames
            .map(|(head, _)| (head.kind, head.stream, head.len))
            .collect()
    }

    pub(super) fn failure(&mut self, key: Key) -> Failure {
        self.client.take(key).expect("it has ended").unwrap_err()
    }

    pub(super) fn is_answered(&mut self, key: Key) -> bool {
        let answer = self.client.take(key).expect("it has ended").unwrap();
        assert_eq!(answer.body.len(), 5);
        answer.status == 200 && answer.trailers.unwrap().get("grpc-status") == Some(b"0")
    }
}
