//! What a peer does wrong, and what becomes of it.

use super::super::receive::BLOCK_FRAMES_MAX;
use super::script::{Script, answer, data, frame, headers, ok, reset, settings, window_update};
use crate::http2::frame::{
    ACK, END_HEADERS, END_STREAM, ErrorCode, FRAME_BYTES_DEFAULT, Head, Kind, PADDED, Setting,
    WINDOW_MAX,
};

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
