//! Laws of the client against scripted peers, in order, wrong and hostile.

use proptest::{collection::vec, prelude::*};

use super::{
    Client, Failure, Key, Options,
    receive::{BLOCK_BYTES_MAX, BLOCK_FRAMES_MAX},
};
use crate::http2::{
    frame::{
        ACK, END_HEADERS, END_STREAM, ErrorCode, FRAME_BYTES_DEFAULT, Head, Kind, PADDED, PREFACE,
        PRIORITY, Setting, WINDOW_DEFAULT, WINDOW_MAX,
    },
    hpack,
};
use bytes::Bytes;
use std::io::IoSlice;

const OPTIONS: Options = Options {
    fields_bytes_max: 1000,
    body_bytes_max: 100_000,
    stream_window: 65_536,
    connection_window: 100_000,
    streams_before_settings: 2,
};

/// A client and what its peer sees.
struct Script {
    client: Client<Bytes>,
    seen: Vec<u8>,
}

type Frame = (Head, Vec<u8>);

fn frame(kind: Kind, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let head = Head::new(kind, flags, stream, payload.len());
    [&head.to_bytes()[..], payload].concat()
}

fn settings(settings: &[Setting]) -> Vec<u8> {
    let payload: Vec<u8> = settings.iter().flat_map(|it| it.to_bytes()).collect();
    frame(Kind::Settings, 0, 0, &payload)
}

fn window_update(stream: u32, bytes: u32) -> Vec<u8> {
    frame(Kind::WindowUpdate, 0, stream, &bytes.to_be_bytes())
}

fn reset(stream: u32, code: ErrorCode) -> Vec<u8> {
    frame(Kind::RstStream, 0, stream, &code.0.to_be_bytes())
}

fn go_away(last: u32, code: ErrorCode, said: &str) -> Vec<u8> {
    let numbers = [last.to_be_bytes(), code.0.to_be_bytes()].concat();
    frame(Kind::GoAway, 0, 0, &[&numbers, said.as_bytes()].concat())
}

fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        hpack::encode(name.as_bytes(), value.as_bytes(), false, &mut block);
    }
    block
}

fn headers(stream: u32, flags: u8, fields: &[(&str, &str)]) -> Vec<u8> {
    frame(Kind::Headers, END_HEADERS | flags, stream, &block(fields))
}

fn ok(stream: u32) -> Vec<u8> {
    headers(
        stream,
        0,
        &[(":status", "200"), ("content-type", "application/grpc")],
    )
}

fn data(stream: u32, flags: u8, payload: &[u8]) -> Vec<u8> {
    frame(Kind::Data, flags, stream, payload)
}

fn trailers(stream: u32) -> Vec<u8> {
    headers(stream, END_STREAM, &[("grpc-status", "0")])
}

/// A whole gRPC answer.
fn answer(stream: u32) -> Vec<u8> {
    [ok(stream), data(stream, 0, &[0; 5]), trailers(stream)].concat()
}

impl Script {
    /// Before the peer's settings.
    fn fresh() -> Self {
        Self {
            client: Client::new(OPTIONS),
            seen: Vec::new(),
        }
    }

    /// After the peer's settings.
    fn greeted(with: &[Setting]) -> Self {
        let mut script = Self::fresh();
        script.client.receive(&settings(with));
        script.sent();
        script
    }

    fn request(&mut self, len: usize) -> Key {
        let body = Bytes::from(vec![b'x'; len]);
        self.client
            .request(Bytes::from(block(&[(":method", "POST")])), body)
    }

    /// The frames that were sent since.
    fn sent(&mut self) -> Vec<Frame> {
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
    fn sent_kinds(&mut self) -> Vec<(Kind, u32, usize)> {
        let frames = self.sent().into_iter();
        frames
            .map(|(head, _)| (head.kind, head.stream, head.len))
            .collect()
    }

    fn failure(&mut self, key: Key) -> Failure {
        self.client.take(key).expect("it has ended").unwrap_err()
    }

    fn is_answered(&mut self, key: Key) -> bool {
        let answer = self.client.take(key).expect("it has ended").unwrap();
        assert_eq!(answer.body.len(), 5);
        answer.status == 200 && answer.trailers.unwrap().get("grpc-status") == Some(b"0")
    }
}

#[test]
fn the_preface_and_the_settings_come_first() {
    let mut script = Script::fresh();
    script.request(1);
    let mut slices = [IoSlice::new(&[]); 1];
    script.client.pieces(&mut slices);
    assert!(slices[0].starts_with(PREFACE));
    let kinds: Vec<_> = script.sent_kinds().iter().map(|(kind, ..)| *kind).collect();
    assert_eq!(
        kinds,
        [
            Kind::Settings,
            Kind::WindowUpdate,
            Kind::Headers,
            Kind::Data
        ]
    );
}

#[test]
fn a_request_is_answered() {
    let mut script = Script::greeted(&[]);
    let key = script.request(40_000);
    let frames = script.sent();
    let (head, payload) = &frames[0];
    assert_eq!(
        (head.kind, head.stream, head.flags),
        (Kind::Headers, 1, END_HEADERS)
    );
    assert_eq!(
        payload,
        &[&[hpack::NO_TABLE], &block(&[(":method", "POST")])[..]].concat()
    );
    let lens: Vec<_> = frames[1..].iter().map(|(head, _)| head.len).collect();
    assert_eq!(lens, [16_384, 16_384, 7_232]);
    let ends: Vec<_> = frames[1..].iter().map(|(head, _)| head.flags).collect();
    assert_eq!(ends, [0, 0, END_STREAM]);
    assert!(script.client.take(key).is_none());
    script.client.receive(&answer(1));
    assert_eq!(script.client.next_finished(), Some(key));
    assert!(script.is_answered(key));
    let second = script.request(0);
    let (head, payload) = script.sent().remove(0);
    assert_eq!((head.stream, head.flags), (3, END_HEADERS | END_STREAM));
    assert_eq!(
        payload,
        block(&[(":method", "POST")]),
        "the table is resized once"
    );
    script.client.receive(&answer(3));
    assert!(script.is_answered(second));
    assert!(script.client.calls.is_empty() && script.client.open.is_empty());
}

#[test]
fn interim_answers_padding_priority_and_continuations_are_read() {
    let mut script = Script::greeted(&[]);
    let key = script.request(1);
    script.sent();
    script
        .client
        .receive(&headers(1, 0, &[(":status", "103"), ("link", "x")]));
    let head = block(&[(":status", "200"), ("a", "1")]);
    let (first, second) = head.split_at(3);
    let padded = [&[2, 0, 0, 0, 0, 9][..], first, &[0, 0]].concat();
    script
        .client
        .receive(&frame(Kind::Headers, PADDED | PRIORITY, 1, &padded));
    script.client.receive(&frame(Kind::Continuation, 0, 1, &[]));
    script
        .client
        .receive(&frame(Kind::Continuation, END_HEADERS, 1, second));
    script.client.receive(&frame(Kind::Priority, 0, 1, &[0; 5]));
    script
        .client
        .receive(&frame(Kind::Unknown(77), 0xff, 1, b"anything"));
    script
        .client
        .receive(&data(1, PADDED, &[3, b'h', b'i', 0, 0, 0]));
    script.client.receive(&data(1, END_STREAM | PADDED, &[0]));
    let answer = script.client.take(key).unwrap().unwrap();
    assert_eq!((answer.status, &answer.body[..]), (200, &b"hi"[..]));
    assert_eq!(answer.fields.get("a"), Some(&b"1"[..]));
    assert!(answer.trailers.is_none());
}

#[test]
fn bodies_keep_to_the_windows_of_the_stream_and_of_the_connection() {
    let mut script = Script::greeted(&[Setting::InitialWindowSize(10)]);
    script.request(25);
    script.request(5);
    let sent = script.sent_kinds();
    let bodies = [
        (Kind::Headers, 1),
        (Kind::Data, 1),
        (Kind::Headers, 3),
        (Kind::Data, 3),
    ];
    assert!(sent.iter().map(|it| (it.0, it.1)).eq(bodies), "{sent:?}");
    assert_eq!((sent[1].2, sent[3].2), (10, 5));
    script.client.receive(&window_update(1, 7));
    assert_eq!(script.sent_kinds(), [(Kind::Data, 1, 7)]);
    script
        .client
        .receive(&settings(&[Setting::InitialWindowSize(4)]));
    script.client.receive(&window_update(1, 6));
    assert_eq!(
        script.sent_kinds(),
        [(Kind::Settings, 0, 0)],
        "the window is 0 now"
    );
    script
        .client
        .receive(&settings(&[Setting::InitialWindowSize(100_000)]));
    assert_eq!(script.sent_kinds().last(), Some(&(Kind::Data, 1, 8)));

    script.request(70_000);
    let sent: usize = script
        .sent()
        .iter()
        .filter(|it| it.0.kind == Kind::Data)
        .map(|it| it.0.len)
        .sum();
    assert_eq!(sent, WINDOW_DEFAULT as usize - 30);
    script.request(0);
    assert!(
        script.sent().is_empty(),
        "the connection's window is used up"
    );
    script.client.receive(&window_update(0, 10_000));
    let sent = script.sent_kinds();
    assert_eq!(sent[0], (Kind::Data, 5, 70_000 - 65_505));
    assert_eq!((sent[1].0, sent[1].1), (Kind::Headers, 7));
}

#[test]
fn frames_are_as_large_as_the_peer_takes() {
    let mut script = Script::greeted(&[
        Setting::MaxFrameSize(20_000),
        Setting::InitialWindowSize(1 << 20),
    ]);
    script.request(30_000);
    let lens: Vec<_> = script.sent_kinds().iter().skip(1).map(|it| it.2).collect();
    assert_eq!(lens, [20_000, 10_000]);
}

#[test]
fn requests_wait_while_the_peer_takes_no_more_at_once() {
    let mut script = Script::fresh();
    let keys: Vec<_> = (0..4).map(|_| script.request(0)).collect();
    let opened = |script: &mut Script| {
        let frames = script.sent_kinds().into_iter();
        frames
            .filter(|it| it.0 == Kind::Headers)
            .map(|it| it.1)
            .collect::<Vec<_>>()
    };
    assert_eq!(opened(&mut script), [1, 3], "before its settings");
    script
        .client
        .receive(&settings(&[Setting::MaxConcurrentStreams(1)]));
    script.client.receive(&answer(1));
    assert_eq!(opened(&mut script), [0; 0]);
    script.client.receive(&answer(3));
    assert_eq!(opened(&mut script), [5]);
    script.client.cancel(keys[2]);
    assert_eq!(opened(&mut script), [7]);
    script.client.receive(&answer(7));
    assert!(script.is_answered(keys[3]));
    let mut unlimited = Script::greeted(&[]);
    let keys: Vec<_> = (0..500).map(|_| unlimited.request(0)).collect();
    assert_eq!(opened(&mut unlimited).len(), keys.len());
}

#[test]
fn a_reset_stream_fails_alone_and_tells_whether_it_was_begun() {
    let mut script = Script::greeted(&[]);
    let keys = [script.request(1), script.request(1), script.request(1)];
    script.sent();
    script.client.receive(&reset(1, ErrorCode::REFUSED_STREAM));
    script.client.receive(&reset(3, ErrorCode::INTERNAL_ERROR));
    script.client.receive(&answer(5));
    assert!(script.failure(keys[0]).is_not_processed());
    let failure = script.failure(keys[1]);
    assert!(!failure.is_not_processed());
    assert!(failure.to_string().contains("INTERNAL_ERROR"));
    assert!(script.is_answered(keys[2]));
    assert!(script.client.is_open());
}

#[test]
fn a_peer_that_goes_away_answers_what_it_has_begun() {
    let mut script = Script::greeted(&[Setting::MaxConcurrentStreams(2)]);
    let keys = [script.request(1), script.request(1), script.request(1)];
    script.sent();
    script
        .client
        .receive(&go_away(WINDOW_MAX, ErrorCode::NO_ERROR, ""));
    assert!(
        script.failure(keys[2]).is_not_processed(),
        "it had no stream yet"
    );
    assert!(!script.client.is_open() && !script.client.has_ended());
    script
        .client
        .receive(&go_away(1, ErrorCode::ENHANCE_YOUR_CALM, "too_many_pings"));
    let failure = script.failure(keys[1]);
    assert!(failure.is_not_processed());
    assert!(
        failure
            .to_string()
            .contains("ENHANCE_YOUR_CALM (too_many_pings)")
    );
    script.client.receive(&answer(1));
    assert!(script.is_answered(keys[0]));
    let late = script.request(1);
    assert!(script.failure(late).is_not_processed());
    script.client.end("closed");
    assert!(script.client.has_ended() && script.client.calls.is_empty());
}

#[test]
fn an_end_tells_what_may_have_been_begun() {
    let mut script = Script::greeted(&[Setting::MaxConcurrentStreams(2)]);
    let sent = script.request(1);
    script.sent();
    let keys = [script.request(1), script.request(1)];
    script.client.pieces(&mut [IoSlice::new(&[]); 1]);
    script.client.end("it closed");
    assert_eq!(script.failure(sent), Failure::Ended("it closed".into()));
    for key in keys {
        assert!(
            script.failure(key).is_not_processed(),
            "not a byte of it was sent"
        );
    }
    let late = script.request(1);
    assert!(script.failure(late).is_not_processed());
}

#[test]
fn used_up_stream_numbers_retire_the_connection() {
    let mut script = Script::greeted(&[]);
    script.client.next_stream = WINDOW_MAX;
    let keys = [script.request(1), script.request(1)];
    script.sent();
    assert!(!script.client.is_open());
    assert!(script.failure(keys[1]).is_not_processed());
    script.client.receive(&answer(WINDOW_MAX));
    assert!(script.is_answered(keys[0]));
}

#[test]
fn a_cancelled_request_is_reset_and_what_still_comes_of_it_is_let_pass() {
    let mut script = Script::greeted(&[]);
    let keys = [script.request(100_000), script.request(1)];
    script.sent();
    script.client.cancel(keys[0]);
    let sent = script.sent_kinds();
    assert_eq!(sent, [(Kind::RstStream, 1, 4)]);
    let mut inserts = block(&[(":status", "200")]);
    inserts.extend([0x40, 1, b'n', 1, b'v']);
    script
        .client
        .receive(&frame(Kind::Headers, END_HEADERS, 1, &inserts));
    script.client.receive(&data(1, 0, &[0; 100]));
    script.client.receive(&window_update(1, 5));
    script.client.receive(&reset(1, ErrorCode::NO_ERROR));
    script.client.receive(&window_update(0, 100));
    assert_eq!(script.sent_kinds().last(), Some(&(Kind::Data, 3, 1)));
    script.client.receive(&frame(
        Kind::Headers,
        END_HEADERS | END_STREAM,
        3,
        &[0x88, 0xbe],
    ));
    let answer = script.client.take(keys[1]).unwrap().unwrap();
    assert_eq!(
        answer.fields.get("n"),
        Some(&b"v"[..]),
        "the table is in step"
    );
    assert!(script.client.calls.is_empty() && script.client.sending.is_empty());
}

#[test]
fn an_answer_before_the_request_is_whole_is_the_answer() {
    let mut script = Script::greeted(&[]);
    let key = script.request(100_000);
    script.sent();
    script.client.receive(&answer(1));
    assert_eq!(script.sent_kinds(), [(Kind::RstStream, 1, 4)]);
    assert!(script.is_answered(key));
    assert!(script.client.sending.is_empty());
}

#[test]
fn windows_are_given_back_and_long_bodies_arrive() {
    let mut script = Script::greeted(&[]);
    let key = script.request(0);
    script.sent();
    script.client.receive(&ok(1));
    let mut given = [0_u32; 2];
    for _ in 0..6 {
        script
            .client
            .receive(&data(1, 0, &[7; FRAME_BYTES_DEFAULT]));
        for (head, payload) in script.sent() {
            if head.kind == Kind::WindowUpdate {
                given[usize::from(head.stream == 1)] +=
                    u32::from_be_bytes(payload.try_into().unwrap());
            }
        }
    }
    assert!(given[0] >= 50_000 && given[1] >= 60_000, "{given:?}");
    script.client.receive(&trailers(1));
    let answer = script.client.take(key).unwrap().unwrap();
    assert_eq!(answer.body.len(), 6 * FRAME_BYTES_DEFAULT);
}

#[test]
fn a_fault_of_one_answer_resets_its_stream_alone() {
    let long = "x".repeat(1000);
    let five = [0; 5];
    let cases: [(&str, Vec<Vec<u8>>, ErrorCode); 15] = [
        (
            "no status",
            vec![headers(1, 0, &[("a", "1")])],
            ErrorCode::PROTOCOL_ERROR,
        ),
        (
            "a bad name",
            vec![headers(1, 0, &[(":status", "200"), ("a b", "1")])],
            ErrorCode::PROTOCOL_ERROR,
        ),
        (
            "a body first",
            vec![data(1, 0, &five)],
            ErrorCode::PROTOCOL_ERROR,
        ),
        (
            "an interim end",
            vec![headers(1, END_STREAM, &[(":status", "100")])],
            ErrorCode::PROTOCOL_ERROR,
        ),
        ("two heads", vec![ok(1), ok(1)], ErrorCode::PROTOCOL_ERROR),
        (
            "open trailers",
            vec![ok(1), headers(1, 0, &[("a", "1")])],
            ErrorCode::PROTOCOL_ERROR,
        ),
        (
            "a status in trailers",
            vec![ok(1), headers(1, END_STREAM, &[(":status", "200")])],
            ErrorCode::PROTOCOL_ERROR,
        ),
        (
            "long fields",
            vec![headers(1, 0, &[(":status", "200"), ("a", &long)])],
            ErrorCode::CANCEL,
        ),
        (
            "long trailers",
            vec![ok(1), headers(1, END_STREAM, &[("a", &long)])],
            ErrorCode::CANCEL,
        ),
        (
            "no increment",
            vec![window_update(1, 0)],
            ErrorCode::PROTOCOL_ERROR,
        ),
        (
            "a window overflow",
            vec![window_update(1, WINDOW_MAX)],
            ErrorCode::FLOW_CONTROL_ERROR,
        ),
        (
            "a long body",
            {
                let mut frames = vec![ok(1)];
                frames.extend((0..7).map(|_| data(1, 0, &[0; FRAME_BYTES_DEFAULT])));
                frames
            },
            ErrorCode::CANCEL,
        ),
        (
            "a short body",
            vec![
                headers(1, 0, &[(":status", "200"), ("content-length", "6")]),
                data(1, END_STREAM, &five),
            ],
            ErrorCode::NO_ERROR,
        ),
        (
            "a longer body",
            vec![
                headers(1, 0, &[(":status", "200"), ("content-length", "4")]),
                data(1, END_STREAM, &five),
            ],
            ErrorCode::NO_ERROR,
        ),
        (
            "a missing body",
            vec![headers(
                1,
                END_STREAM,
                &[(":status", "200"), ("content-length", "4")],
            )],
            ErrorCode::NO_ERROR,
        ),
    ];
    for (what, frames, code) in cases {
        let mut script = Script::greeted(&[]);
        let keys = [script.request(1), script.request(1)];
        script.sent();
        for bytes in frames {
            script.client.receive(&bytes);
        }
        assert!(!script.failure(keys[0]).is_not_processed(), "{what}");
        let resets: Vec<_> = script
            .sent()
            .into_iter()
            .filter(|it| it.0.kind == Kind::RstStream)
            .collect();
        if code == ErrorCode::NO_ERROR {
            assert!(resets.is_empty(), "{what}: both sides had ended");
        } else {
            assert_eq!(resets[0].0.stream, 1, "{what}");
            assert_eq!(resets[0].1, code.0.to_be_bytes(), "{what}");
        }
        script.client.receive(&answer(3));
        assert!(script.is_answered(keys[1]), "{what}");
    }
}

#[test]
fn a_fault_of_the_connection_ends_it_and_is_named() {
    use ErrorCode as Code;
    let open_block = frame(Kind::Headers, 0, 1, &[0x88]);
    let cases: [(&str, Vec<u8>, Code); 29] = [
        (
            "a push",
            frame(Kind::PushPromise, 0, 1, &[0; 4]),
            Code::PROTOCOL_ERROR,
        ),
        (
            "pushes on",
            settings(&[Setting::EnablePush(true)]),
            Code::PROTOCOL_ERROR,
        ),
        (
            "settings of a stream",
            frame(Kind::Settings, 0, 1, &[]),
            Code::PROTOCOL_ERROR,
        ),
        (
            "a long acknowledgement",
            frame(Kind::Settings, ACK, 0, &[0; 6]),
            Code::FRAME_SIZE_ERROR,
        ),
        (
            "settings cut short",
            frame(Kind::Settings, 0, 0, &[0; 5]),
            Code::FRAME_SIZE_ERROR,
        ),
        (
            "a huge window",
            frame(Kind::Settings, 0, 0, &[0, 4, 0x80, 0, 0, 0]),
            Code::FLOW_CONTROL_ERROR,
        ),
        (
            "small frames",
            frame(Kind::Settings, 0, 0, &[0, 5, 0, 0, 0, 9]),
            Code::PROTOCOL_ERROR,
        ),
        (
            "a window that overflows",
            [
                window_update(1, WINDOW_MAX - 65_535),
                settings(&[Setting::InitialWindowSize(65_537)]),
            ]
            .concat(),
            Code::FLOW_CONTROL_ERROR,
        ),
        (
            "a short ping",
            frame(Kind::Ping, 0, 0, &[0; 7]),
            Code::FRAME_SIZE_ERROR,
        ),
        (
            "a ping of a stream",
            frame(Kind::Ping, 0, 1, &[0; 8]),
            Code::PROTOCOL_ERROR,
        ),
        ("no increment", window_update(0, 0), Code::PROTOCOL_ERROR),
        (
            "a window overflow",
            window_update(0, WINDOW_MAX),
            Code::FLOW_CONTROL_ERROR,
        ),
        (
            "a short update",
            frame(Kind::WindowUpdate, 0, 0, &[0; 3]),
            Code::FRAME_SIZE_ERROR,
        ),
        (
            "a short reset",
            frame(Kind::RstStream, 0, 1, &[0; 3]),
            Code::FRAME_SIZE_ERROR,
        ),
        (
            "a reset of nothing",
            reset(0, Code::CANCEL),
            Code::PROTOCOL_ERROR,
        ),
        (
            "a reset of an idle stream",
            reset(9, Code::CANCEL),
            Code::PROTOCOL_ERROR,
        ),
        ("a stream of the peer's", ok(2), Code::PROTOCOL_ERROR),
        ("a head of an idle stream", ok(9), Code::PROTOCOL_ERROR),
        (
            "a body of an idle stream",
            data(9, 0, &[]),
            Code::PROTOCOL_ERROR,
        ),
        ("a body of nothing", data(0, 0, &[]), Code::PROTOCOL_ERROR),
        (
            "a short goaway",
            frame(Kind::GoAway, 0, 0, &[0; 7]),
            Code::FRAME_SIZE_ERROR,
        ),
        (
            "a goaway of a stream",
            frame(Kind::GoAway, 0, 1, &[0; 8]),
            Code::PROTOCOL_ERROR,
        ),
        (
            "a continuation of nothing",
            frame(Kind::Continuation, 0, 1, &[]),
            Code::PROTOCOL_ERROR,
        ),
        (
            "an interrupted block",
            [open_block.clone(), settings(&[])].concat(),
            Code::PROTOCOL_ERROR,
        ),
        (
            "another's continuation",
            [open_block, frame(Kind::Continuation, 0, 3, &[])].concat(),
            Code::PROTOCOL_ERROR,
        ),
        (
            "a bad block",
            frame(Kind::Headers, END_HEADERS, 1, &[0xff]),
            Code::COMPRESSION_ERROR,
        ),
        (
            "padding over all",
            frame(Kind::Headers, END_HEADERS | PADDED, 1, &[9, 0x88]),
            Code::PROTOCOL_ERROR,
        ),
        (
            "no padding length",
            data(1, PADDED, &[]),
            Code::FRAME_SIZE_ERROR,
        ),
        (
            "a long frame",
            Head::new(Kind::Data, 0, 1, 16_385).to_bytes().to_vec(),
            Code::FRAME_SIZE_ERROR,
        ),
    ];
    for (what, bytes, code) in cases {
        let mut script = Script::greeted(&[]);
        let keys = [script.request(1), script.request(1)];
        script.sent();
        script.client.receive(&bytes);
        assert!(script.client.has_ended(), "{what}");
        for key in keys {
            let failure = script.failure(key);
            assert!(!failure.is_not_processed(), "{what}");
            assert!(
                failure.to_string().contains(code.name().unwrap()),
                "{what}: {failure}"
            );
        }
        let (head, payload) = script.sent().pop().unwrap();
        assert_eq!(head.kind, Kind::GoAway, "{what}");
        assert_eq!(payload[4..], code.0.to_be_bytes(), "{what}");
        script.client.receive(&answer(1));
        assert_eq!(script.client.next_finished(), Some(keys[0]));
        assert_eq!(script.client.next_finished(), Some(keys[1]));
        assert_eq!(script.client.next_finished(), None, "{what}");
    }
}

#[test]
fn a_peer_that_speaks_no_http_2_is_named() {
    for (bytes, said) in [
        (&b"HTTP/1.1 400 Bad Request\r\n"[..], "HTTP/1.1"),
        (b"\x15\x03\x03\x00\x02\x02\x46 and more", "settings"),
        (&ok(1), "settings"),
    ] {
        let mut script = Script::fresh();
        let key = script.request(1);
        script.sent();
        script.client.receive(bytes);
        let failure = script.failure(key).to_string();
        assert!(failure.contains(said), "{failure}");
    }
}

#[test]
fn questions_are_answered_within_a_bound() {
    let mut script = Script::greeted(&[]);
    script.client.receive(&frame(Kind::Ping, 0, 0, b"question"));
    script
        .client
        .receive(&frame(Kind::Ping, ACK, 0, b"an answr"));
    let sent = script.sent();
    assert_eq!(
        sent,
        [(Head::new(Kind::Ping, ACK, 0, 8), b"question".to_vec())]
    );
    for question in [frame(Kind::Ping, 0, 0, &[0; 8]), settings(&[])] {
        let mut script = Script::greeted(&[]);
        for _ in 0..100_000 {
            script.client.receive(&question);
        }
        assert!(script.client.has_ended());
        assert!(script.client.waiting_bytes() < 32 << 10);
        assert_eq!(script.sent().pop().unwrap().0.kind, Kind::GoAway);
    }
}

#[test]
fn a_header_block_without_end_is_cut_off() {
    for (piece, frames_max) in [(0, BLOCK_FRAMES_MAX), (FRAME_BYTES_DEFAULT, 5)] {
        let mut script = Script::greeted(&[]);
        script.request(1);
        script.sent();
        script.client.receive(&frame(Kind::Headers, 0, 1, &[]));
        let piece = frame(Kind::Continuation, 0, 1, &vec![0x88; piece]);
        let taken = (0..1000).take_while(|_| {
            script.client.receive(&piece);
            !script.client.has_ended()
        });
        assert!(taken.count() < frames_max);
    }
}

/// Frames of any kind, about streams that are open, closed and idle, with likely payloads.
fn any_frame() -> impl Strategy<Value = Vec<u8>> {
    let kind = prop_oneof![
        Just(Kind::Data),
        Just(Kind::Headers),
        Just(Kind::Priority),
        Just(Kind::RstStream),
        Just(Kind::Settings),
        Just(Kind::Ping),
        Just(Kind::GoAway),
        Just(Kind::WindowUpdate),
        Just(Kind::Continuation),
        Just(Kind::Unknown(99)),
    ];
    let payload = prop_oneof![
        vec(any::<u8>(), 0..20),
        vec(0_u8..4, 4),
        vec(0_u8..6, 6),
        vec(any::<u8>(), 8),
        Just(vec![0x88]),
        Just(vec![0x88, 0x40, 1, b'a', 1, b'1']),
        Just(vec![0x88, 0xbe]),
        Just(vec![0, 1, b'z', 1, b'1']),
    ];
    let streams = prop_oneof![
        Just(0_u32),
        Just(1),
        Just(3),
        Just(5),
        Just(7),
        any::<u32>()
    ];
    (kind, any::<u8>(), streams, payload).prop_map(|(kind, flags, stream, payload)| {
        frame(kind, flags, stream & WINDOW_MAX, &payload)
    })
}

/// A well-behaved peer's frames, mixed with others.
fn any_input() -> impl Strategy<Value = Vec<u8>> {
    let likely = prop_oneof![
        6 => (0_u32..6).prop_map(|n| answer(2 * n + 1)),
        2 => (0_u32..6, 1_u32..9000).prop_map(|(n, bytes)| window_update(n.saturating_sub(1) * 2 + 1, bytes)),
        2 => (1_u32..70_000).prop_map(|bytes| window_update(0, bytes)),
        1 => (0_u32..6).prop_map(|n| reset(2 * n + 1, ErrorCode::CANCEL)),
        1 => (0_u32..20_000).prop_map(|n| settings(&[Setting::InitialWindowSize(n)])),
        1 => (0_u32..4).prop_map(|n| settings(&[Setting::MaxConcurrentStreams(n)])),
        1 => any_frame(),
    ];
    vec(likely, 0..40).prop_map(|frames| frames.concat())
}

proptest! {
    /// In whatever pieces the input comes, the same answers and the same bytes come out.
    #[test]
    fn chunks_do_not_matter(input in any_input(), cuts in vec(1_usize..40, 1..60)) {
        let mut results = Vec::new();
        for cuts in [&[usize::MAX][..], &cuts] {
            let mut script = Script::greeted(&[Setting::MaxConcurrentStreams(4)]);
            let keys: Vec<_> = (0..6).map(|n| script.request(n * 10_000)).collect();
            let (mut sent, mut rest, mut turn) = (script.sent(), &input[..], 0);
            while !rest.is_empty() {
                let (now, after) = rest.split_at(rest.len().min(cuts[turn % cuts.len()]));
                script.client.receive(now);
                (rest, turn) = (after, turn + 1);
            }
            sent.extend(script.sent());
            let ended = script.client.has_ended();
            let answers: Vec<_> = keys.into_iter().map(|key| format!("{:?}", script.client.take(key))).collect();
            results.push((answers, sent, ended));
        }
        prop_assert_eq!(&results[0], &results[1]);
    }

    /// No input panics, and nothing that is kept grows over its bound.
    #[test]
    fn hostile_input_is_bounded(inputs in vec(prop_oneof![any_frame(), any_input(), vec(any::<u8>(), 0..99)], 0..12)) {
        let mut script = Script::greeted(&[]);
        let keys: Vec<_> = (0..4).map(|n| script.request(n * 30_000)).collect();
        script.client.pieces(&mut []);
        let before = script.client.waiting_bytes();
        for input in inputs {
            script.client.receive(&input);
            script.client.pieces(&mut []);
            prop_assert!(script.client.partial.len() < FRAME_BYTES_DEFAULT + 9);
            let block = script.client.block.as_ref().map_or(0, |block| block.bytes.len());
            prop_assert!(block <= BLOCK_BYTES_MAX);
            prop_assert!(script.client.waiting_bytes() <= before + (300 << 10));
            prop_assert!(script.client.finished.len() <= keys.len());
        }
        script.client.end("over");
        for key in keys {
            prop_assert!(script.client.take(key).is_some());
        }
        prop_assert!(script.client.calls.is_empty());
        prop_assert!(script.client.open.is_empty() && script.client.queue.is_empty());
        prop_assert!(script.client.sending.is_empty());
    }
}
