//! Scripted peers: what each says, and what comes of it.

use bytes::{Bytes, BytesMut};
use proptest::prelude::*;

use super::*;
use crate::http2::{
    frame::{
        ACK, END_HEADERS, END_STREAM, HEAD_BYTES, Head, Kind, PADDED, PREFACE, PRIORITY, Setting,
        WINDOW_DEFAULT, WINDOW_MAX,
    },
    hpack,
};

const LIMITS: Limits = Limits {
    streams: 3,
    header_bytes: 16_384,
    stream_window: 65_535,
    connection_window: 131_070,
    frame_bytes: 16_384,
    error_resets: 2,
};

type TestServer = Server<String, u32>;

fn fresh() -> TestServer {
    Server::new(&LIMITS, |parts| parts.uri.path().to_owned())
}

fn frame(kind: Kind, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Head::new(kind, flags, stream, payload.len())
        .to_bytes()
        .to_vec();
    bytes.extend_from_slice(payload);
    bytes
}

fn settings(settings: &[Setting]) -> Vec<u8> {
    let payload: Vec<u8> = settings.iter().flat_map(|s| s.to_bytes()).collect();
    frame(Kind::Settings, 0, 0, &payload)
}

fn fields(extra: &[(&str, &str)]) -> Vec<u8> {
    let mut block = BytesMut::new();
    let pseudo = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/v1/traces"),
    ];
    for (name, value) in pseudo.iter().chain(extra) {
        hpack::encode(name.as_bytes(), value.as_bytes(), false, &mut block);
    }
    block.to_vec()
}

fn request(stream: u32, flags: u8) -> Vec<u8> {
    frame(Kind::Headers, END_HEADERS | flags, stream, &fields(&[]))
}

fn data(stream: u32, flags: u8, payload: &[u8]) -> Vec<u8> {
    frame(Kind::Data, flags, stream, payload)
}

/// The preface and empty settings, then `frames`.
fn opening(frames: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = PREFACE.to_vec();
    bytes.extend(settings(&[]));
    bytes.extend(frames.concat());
    bytes
}

/// What came, in a form that can be compared whatever the pieces: bodies joined.
#[derive(Debug, Default, PartialEq, Eq, Clone)]
struct Seen {
    heads: Vec<(u32, String)>,
    bodies: Vec<(u32, Vec<u8>)>,
    ends: Vec<u32>,
    resets: Vec<u32>,
    error: Option<ErrorCode>,
}

fn feed(server: &mut TestServer, mut input: &[u8], seen: &mut Seen) {
    loop {
        match server.next(&mut input) {
            Ok(None) => return,
            Err(code) => {
                seen.error = Some(code);
                return;
            }
            Ok(Some(Event::Head { stream, head })) => {
                *server.call(stream).unwrap() = Some(stream);
                seen.heads.push((stream, head));
            }
            Ok(Some(Event::Data { stream, bytes })) => match seen.bodies.last_mut() {
                Some((last, body)) if *last == stream => body.extend_from_slice(bytes),
                _ => seen.bodies.push((stream, bytes.to_vec())),
            },
            Ok(Some(Event::End { stream })) => seen.ends.push(stream),
            Ok(Some(Event::Reset { call })) => seen.resets.push(call),
        }
    }
}

fn after(frames: &[Vec<u8>]) -> (TestServer, Seen) {
    let (mut server, mut seen) = (fresh(), Seen::default());
    feed(&mut server, &opening(frames), &mut seen);
    (server, seen)
}

fn error_after(frames: &[Vec<u8>]) -> Option<ErrorCode> {
    after(frames).1.error
}

/// The frames that the server wrote since it was last asked.
fn written(server: &mut TestServer) -> Vec<(Head, Vec<u8>)> {
    let bytes = std::mem::take(server.output());
    let (mut rest, mut frames) = (&bytes[..], Vec::new());
    while let Some((head, after)) = rest.split_first_chunk::<HEAD_BYTES>() {
        let head = Head::parse(*head);
        let (payload, after) = after.split_at(head.len);
        frames.push((head, payload.to_vec()));
        rest = after;
    }
    frames
}

fn resets(server: &mut TestServer) -> Vec<(u32, u32)> {
    written(server)
        .into_iter()
        .filter(|(head, _)| head.kind == Kind::RstStream)
        .map(|(head, payload)| (head.stream, u32::from_be_bytes(payload.try_into().unwrap())))
        .collect()
}

fn reply(body: &'static [u8]) -> Reply {
    Reply {
        head: Bytes::from_static(&[0x88]),
        body: Bytes::from_static(body),
        trailers: Some(Bytes::from_static(&[0x88])),
    }
}

#[test]
fn a_request_comes_in_and_its_answer_goes_out() {
    let (mut server, seen) = after(&[request(1, 0), data(1, 0, b"ab"), data(1, END_STREAM, b"c")]);
    assert_eq!(seen.heads, [(1, "/v1/traces".to_owned())]);
    assert_eq!(seen.bodies, [(1, b"abc".to_vec())]);
    assert_eq!((seen.ends, seen.error), (vec![1], None));
    let kinds: Vec<Kind> = written(&mut server)
        .iter()
        .map(|(head, _)| head.kind)
        .collect();
    assert_eq!(kinds, [Kind::Settings, Kind::WindowUpdate, Kind::Settings]);
    server.respond(1, reply(b"yes"));
    let frames = written(&mut server);
    let shape: Vec<(Kind, u8, &[u8])> = frames
        .iter()
        .map(|(head, payload)| (head.kind, head.flags, &payload[..]))
        .collect();
    assert_eq!(
        shape,
        [
            (Kind::Headers, END_HEADERS, &[0x88][..]),
            (Kind::Data, 0, b"yes"),
            (Kind::Headers, END_HEADERS | END_STREAM, &[0x88]),
        ]
    );
    assert!(server.call(1).is_none());
}

#[test]
fn a_head_that_repeats_means_the_same_until_the_table_changes() {
    let insert = |path: &str| {
        // :path with incremental indexing; then it is entry 62.
        let mut block = fields(&[]);
        block.truncate(2);
        block.extend([0x44, u8::try_from(path.len()).unwrap()]);
        block.extend(path.as_bytes());
        block
    };
    let indexed = vec![0x83, 0x86, 0x80 | 62];
    let head = |stream, block: &[u8]| frame(Kind::Headers, END_HEADERS | END_STREAM, stream, block);
    let (_, seen) = after(&[
        head(1, &insert("/a")),
        frame(Kind::RstStream, 0, 1, &[0; 4]),
        head(3, &indexed),
        frame(Kind::RstStream, 0, 3, &[0; 4]),
        head(5, &indexed),
        frame(Kind::RstStream, 0, 5, &[0; 4]),
        head(7, &insert("/b")),
        frame(Kind::RstStream, 0, 7, &[0; 4]),
        head(9, &indexed),
    ]);
    let paths: Vec<&str> = seen.heads.iter().map(|(_, path)| path.as_str()).collect();
    assert_eq!(paths, ["/a", "/a", "/a", "/b", "/b"]);
}

#[test]
fn an_early_answer_tells_the_peer_to_stop_and_ignores_what_is_on_its_way() {
    let (mut server, mut seen) = after(&[request(1, 0), data(1, 0, b"some")]);
    server.respond(1, reply(b"no"));
    assert_eq!(resets(&mut server), [(1, 0)]);
    feed(&mut server, &data(1, 0, b"more"), &mut seen);
    feed(&mut server, &data(1, END_STREAM, b"and more"), &mut seen);
    assert_eq!((seen.error, seen.ends.len()), (None, 0));
    assert_eq!(seen.bodies, [(1, b"some".to_vec())]);
}

#[test]
fn streams_over_the_limit_are_refused_and_may_be_sent_again() {
    let frames: Vec<Vec<u8>> = [1, 3, 5, 7].map(|id| request(id, 0)).into();
    let (mut server, seen) = after(&frames);
    assert_eq!(seen.heads.len(), 3);
    assert_eq!(resets(&mut server), [(7, ErrorCode::REFUSED_STREAM.0)]);
}

#[test]
fn a_request_that_is_none_resets_its_stream_and_too_many_end_the_connection() {
    let upper = |id| {
        frame(
            Kind::Headers,
            END_HEADERS | END_STREAM,
            id,
            b"\x83\x86\x84\x00\x01A\x01b",
        )
    };
    let (mut server, seen) = after(&[upper(1), upper(3)]);
    assert_eq!(seen, Seen::default());
    let code = ErrorCode::PROTOCOL_ERROR.0;
    assert_eq!(resets(&mut server), [(1, code), (3, code)]);
    assert_eq!(
        error_after(&[upper(1), upper(3), upper(5)]),
        Some(ErrorCode::ENHANCE_YOUR_CALM)
    );
}

#[test]
fn a_body_must_be_as_long_as_was_declared() {
    let declared = |id, length: &str| {
        frame(
            Kind::Headers,
            END_HEADERS,
            id,
            &fields(&[("content-length", length)]),
        )
    };
    let (mut server, seen) = after(&[declared(1, "3"), data(1, END_STREAM, b"four")]);
    assert_eq!(seen.resets, [1]);
    assert_eq!(resets(&mut server), [(1, ErrorCode::PROTOCOL_ERROR.0)]);
    let (mut server, seen) = after(&[declared(1, "5"), data(1, END_STREAM, b"four")]);
    assert_eq!((seen.resets, seen.ends.len()), (vec![1], 0));
    assert_eq!(resets(&mut server), [(1, ErrorCode::PROTOCOL_ERROR.0)]);
    let (_, seen) = after(&[declared(1, "4"), data(1, END_STREAM, b"four")]);
    assert_eq!(seen.ends, [1]);
}

#[test]
fn trailers_end_a_request_and_must_be_trailers() {
    let trailers = |flags, block: &[u8]| frame(Kind::Headers, END_HEADERS | flags, 1, block);
    let (_, seen) = after(&[request(1, 0), trailers(END_STREAM, b"\x00\x01a\x01b")]);
    assert_eq!(seen.ends, [1]);
    for wrong in [
        trailers(0, b"\x00\x01a\x01b"),
        trailers(END_STREAM, &[0x84]),
    ] {
        let (mut server, seen) = after(&[request(1, 0), wrong]);
        assert_eq!((seen.resets, seen.ends.len()), (vec![1], 0));
        assert_eq!(resets(&mut server), [(1, ErrorCode::PROTOCOL_ERROR.0)]);
    }
}

#[test]
fn an_answer_waits_for_room() {
    let (mut server, mut seen) = after(&[
        settings(&[Setting::InitialWindowSize(2)]),
        request(1, END_STREAM),
        request(3, END_STREAM),
    ]);
    written(&mut server);
    let bodies = |server: &mut TestServer| -> Vec<(u32, Vec<u8>)> {
        written(server)
            .into_iter()
            .filter(|(head, _)| head.kind == Kind::Data)
            .map(|(head, payload)| (head.stream, payload))
            .collect()
    };
    server.respond(1, reply(b"hello"));
    server.respond(3, reply(b"hello"));
    assert_eq!(
        bodies(&mut server),
        [(1, b"he".to_vec()), (3, b"he".to_vec())]
    );
    let more = frame(Kind::WindowUpdate, 0, 3, &3_u32.to_be_bytes());
    feed(&mut server, &more, &mut seen);
    assert_eq!(bodies(&mut server), [(3, b"llo".to_vec())]);
    feed(
        &mut server,
        &settings(&[Setting::InitialWindowSize(WINDOW_DEFAULT)]),
        &mut seen,
    );
    assert_eq!(bodies(&mut server), [(1, b"llo".to_vec())]);
    assert!(server.call(1).is_none() && server.call(3).is_none());
    assert_eq!(seen.error, None);
}

#[test]
fn windows_are_held_to_and_given_back() {
    let full = vec![0; 16_384];
    let mut frames = vec![request(1, 0)];
    // Three frames are within the window; what was taken is given back at its half.
    frames.extend((0..3).map(|_| data(1, 0, &full)));
    let (mut server, seen) = after(&frames);
    assert_eq!(seen.error, None);
    let updates: Vec<u32> = written(&mut server)
        .into_iter()
        .filter(|(head, _)| head.kind == Kind::WindowUpdate)
        .map(|(head, _)| head.stream)
        .collect();
    assert_eq!(updates, [0, 1]);
    let limits = Limits {
        stream_window: 10,
        ..LIMITS
    };
    let mut server = TestServer::new(&limits, |parts| parts.uri.path().to_owned());
    let mut seen = Seen::default();
    feed(
        &mut server,
        &opening(&[request(1, 0), data(1, 0, &[0; 11])]),
        &mut seen,
    );
    assert_eq!(resets(&mut server), [(1, ErrorCode::FLOW_CONTROL_ERROR.0)]);
    let limits = Limits {
        connection_window: 10,
        ..LIMITS
    };
    let mut server = TestServer::new(&limits, |parts| parts.uri.path().to_owned());
    feed(
        &mut server,
        &opening(&[request(1, 0), data(1, 0, &[0; 11])]),
        &mut seen,
    );
    assert_eq!(seen.error, Some(ErrorCode::FLOW_CONTROL_ERROR));
}

#[test]
fn the_end_is_told_twice_so_that_no_request_is_lost() {
    let (mut server, mut seen) = after(&[request(1, 0)]);
    written(&mut server);
    server.shut_down();
    server.shut_down();
    let frames = written(&mut server);
    assert_eq!(frames.len(), 2);
    assert_eq!(frames[0].1[..4], WINDOW_MAX.to_be_bytes());
    let ping = frames[1].1.clone();
    // What was under way is served; after the peer knows, nothing more is.
    feed(&mut server, &request(3, END_STREAM), &mut seen);
    feed(&mut server, &frame(Kind::Ping, ACK, 0, &ping), &mut seen);
    feed(&mut server, &request(5, END_STREAM), &mut seen);
    assert_eq!(seen.heads.len(), 2);
    let frames = written(&mut server);
    assert_eq!(
        (frames[0].0.kind, &frames[0].1[..4]),
        (Kind::GoAway, &3_u32.to_be_bytes()[..])
    );
    server.respond(3, reply(b""));
    assert!(!server.is_done());
    feed(&mut server, &data(1, END_STREAM, b""), &mut seen);
    server.respond(1, reply(b""));
    assert!(server.is_done());
}

#[test]
fn what_breaks_the_connection_is_named() {
    use ErrorCode as E;
    let word = |value: u32| value.to_be_bytes();
    let cases: Vec<(E, Vec<Vec<u8>>)> = vec![
        (E::PROTOCOL_ERROR, vec![data(0, 0, b"x")]),
        (E::PROTOCOL_ERROR, vec![data(1, 0, b"x")]),
        (E::PROTOCOL_ERROR, vec![request(2, 0)]),
        (
            E::PROTOCOL_ERROR,
            vec![frame(Kind::PushPromise, 0, 1, &[0; 8])],
        ),
        (
            E::PROTOCOL_ERROR,
            vec![frame(Kind::Continuation, 0, 1, b"")],
        ),
        (
            E::PROTOCOL_ERROR,
            vec![frame(Kind::Headers, 0, 1, &fields(&[])), data(1, 0, b"")],
        ),
        (
            E::PROTOCOL_ERROR,
            vec![frame(Kind::RstStream, 0, 9, &word(8))],
        ),
        (
            E::PROTOCOL_ERROR,
            vec![frame(Kind::WindowUpdate, 0, 9, &word(8))],
        ),
        (
            E::PROTOCOL_ERROR,
            vec![frame(Kind::WindowUpdate, 0, 0, &word(0))],
        ),
        (E::PROTOCOL_ERROR, vec![frame(Kind::Ping, 0, 1, &[0; 8])]),
        (E::PROTOCOL_ERROR, vec![frame(Kind::Settings, 0, 1, b"")]),
        (E::PROTOCOL_ERROR, vec![frame(Kind::GoAway, 0, 1, &[0; 8])]),
        (
            E::PROTOCOL_ERROR,
            vec![frame(Kind::Headers, END_HEADERS | PADDED, 1, b"\x09ab")],
        ),
        (
            E::PROTOCOL_ERROR,
            vec![request(1, 0), data(1, PADDED, b"\x09ab")],
        ),
        (
            E::PROTOCOL_ERROR,
            vec![frame(
                Kind::Headers,
                END_HEADERS | PRIORITY,
                1,
                &[0, 0, 0, 1, 0, 0x84],
            )],
        ),
        (E::FRAME_SIZE_ERROR, vec![frame(Kind::Ping, 0, 0, &[0; 7])]),
        (
            E::FRAME_SIZE_ERROR,
            vec![frame(Kind::Settings, 0, 0, &[0; 5])],
        ),
        (
            E::FRAME_SIZE_ERROR,
            vec![frame(Kind::Settings, ACK, 0, &[0; 6])],
        ),
        (
            E::FRAME_SIZE_ERROR,
            vec![frame(Kind::WindowUpdate, 0, 0, &[0; 3])],
        ),
        (
            E::FRAME_SIZE_ERROR,
            vec![request(1, 0), frame(Kind::RstStream, 0, 1, &[0; 3])],
        ),
        (
            E::FRAME_SIZE_ERROR,
            vec![request(1, 0), data(1, PADDED, b"")],
        ),
        (E::FRAME_SIZE_ERROR, vec![data(1, 0, &[0; 16_385])]),
        (
            E::FLOW_CONTROL_ERROR,
            vec![frame(Kind::WindowUpdate, 0, 0, &word(WINDOW_MAX))],
        ),
        (
            E::COMPRESSION_ERROR,
            vec![frame(Kind::Headers, END_HEADERS, 1, &[0xff, 0xff, 0xff])],
        ),
        (
            E::ENHANCE_YOUR_CALM,
            vec![
                frame(Kind::Headers, 0, 1, &[0x84; 16_384]),
                frame(Kind::Continuation, 0, 1, &[0x84]),
            ],
        ),
        (
            E::STREAM_CLOSED,
            vec![
                request(1, 0),
                frame(Kind::RstStream, 0, 1, &word(8)),
                data(1, 0, b"late"),
            ],
        ),
    ];
    for (at, (code, frames)) in cases.into_iter().enumerate() {
        let (mut server, seen) = after(&frames);
        assert_eq!(seen.error, Some(code), "case {at}");
        let last = written(&mut server).pop().unwrap();
        assert_eq!(
            (last.0.kind, &last.1[4..]),
            (Kind::GoAway, &code.0.to_be_bytes()[..])
        );
    }
    let mut server = fresh();
    let mut seen = Seen::default();
    feed(&mut server, b"GET / HTTP/1.1\r\n\r\n", &mut seen);
    assert_eq!(seen.error, Some(E::PROTOCOL_ERROR));
    let mut seen = Seen::default();
    let unsettled = [PREFACE.to_vec(), request(1, 0)].concat();
    feed(&mut fresh(), &unsettled, &mut seen);
    assert_eq!(seen.error, Some(E::PROTOCOL_ERROR));
}

#[test]
fn what_breaks_a_stream_is_named() {
    use ErrorCode as E;
    let word = |value: u32| value.to_be_bytes();
    let cases: Vec<(E, Vec<Vec<u8>>)> = vec![
        (
            E::STREAM_CLOSED,
            vec![request(1, END_STREAM), data(1, 0, b"late")],
        ),
        (
            E::STREAM_CLOSED,
            vec![request(1, END_STREAM), request(1, END_STREAM)],
        ),
        (
            E::PROTOCOL_ERROR,
            vec![request(1, 0), frame(Kind::WindowUpdate, 0, 1, &word(0))],
        ),
        (
            E::FLOW_CONTROL_ERROR,
            vec![
                request(1, 0),
                frame(Kind::WindowUpdate, 0, 1, &word(WINDOW_MAX)),
            ],
        ),
    ];
    for (at, (code, frames)) in cases.into_iter().enumerate() {
        let (mut server, seen) = after(&frames);
        assert_eq!((seen.error, seen.resets), (None, vec![1]), "case {at}");
        assert_eq!(resets(&mut server), [(1, code.0)], "case {at}");
    }
}

#[test]
fn what_means_nothing_is_ignored() {
    let (_, seen) = after(&[
        frame(Kind::Unknown(0x42), 0xff, 7, b"whatever"),
        frame(Kind::Priority, 0, 1, &[0, 0, 0, 3, 1]),
        frame(Kind::GoAway, 0, 0, &[0; 12]),
        request(1, END_STREAM),
    ]);
    assert_eq!((seen.ends, seen.error), (vec![1], None));
}

#[test]
fn a_head_over_the_limit_is_answered_with_431() {
    // One long field that goes into the table, then references to it: few bytes, many fields.
    let mut block = fields(&[]);
    block.extend([0x40, 1, b'a', 0x7f]);
    // 3,000 beyond the 127 of the prefix: 57 + 22 × 128.
    block.extend([0x80 | 57, 22]);
    block.extend([b'x'; 3_000]);
    block.extend([0x80 | 62; 10]);
    let (mut server, seen) = after(&[
        frame(Kind::Headers, END_HEADERS | END_STREAM, 1, &block),
        request(3, END_STREAM),
    ]);
    assert_eq!(
        (seen.heads.len(), seen.ends, seen.error),
        (1, vec![3], None)
    );
    let answer = written(&mut server).pop().unwrap();
    assert_eq!((answer.0.kind, answer.0.stream), (Kind::Headers, 1));
    assert!(answer.1.ends_with(b"431"));
}

fn session() -> Vec<u8> {
    opening(&[
        request(1, 0),
        frame(Kind::Ping, 0, 0, &[7; 8]),
        data(1, PADDED, b"\x03abcd\0\0\0"),
        frame(Kind::Headers, 0, 3, &fields(&[])[..5]),
        frame(Kind::Continuation, END_HEADERS, 3, &fields(&[])[5..]),
        data(3, END_STREAM, b"three"),
        data(1, END_STREAM, &[9; 3000]),
        frame(Kind::Unknown(99), 0, 0, &[0; 40]),
        request(5, END_STREAM),
    ])
}

proptest! {
    #[test]
    fn the_pieces_of_the_input_do_not_matter(cuts in proptest::collection::vec(1_usize..700, 0..200)) {
        let input = session();
        let (mut whole, mut expected) = (fresh(), Seen::default());
        feed(&mut whole, &input, &mut expected);
        prop_assert_eq!(&expected.ends, &[3, 1, 5]);
        let (mut server, mut seen, mut rest) = (fresh(), Seen::default(), &input[..]);
        for cut in cuts {
            let (piece, after) = rest.split_at(cut.min(rest.len()));
            feed(&mut server, piece, &mut seen);
            rest = after;
        }
        feed(&mut server, rest, &mut seen);
        prop_assert_eq!(&seen, &expected);
        prop_assert_eq!(server.output(), whole.output());
    }

    #[test]
    fn hostile_input_ends_in_order(
        at in 0_usize..3_400, byte: u8, cut in 0_usize..3_400, noise in proptest::collection::vec(any::<u8>(), 0..64),
    ) {
        let mut input = session();
        let (at, cut) = (at % input.len(), cut % input.len());
        input[at] ^= byte;
        input.truncate(cut.max(1));
        input.extend(noise);
        let (mut server, mut seen) = (fresh(), Seen::default());
        feed(&mut server, &input, &mut seen);
        // It writes no more than it reads, besides its own settings and farewell.
        prop_assert!(server.output().len() <= input.len() + 128);
    }
}
