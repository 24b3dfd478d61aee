//! What a peer may do, in order.

use std::io::IoSlice;

use super::super::Failure;
use super::script::{
    Script, answer, block, data, frame, go_away, headers, ok, reset, settings, trailers,
    window_update,
};
use crate::http2::{
    frame::{
        END_HEADERS, END_STREAM, ErrorCode, FRAME_BYTES_DEFAULT, Kind, PADDED, PREFACE, PRIORITY,
        Setting, WINDOW_DEFAULT, WINDOW_MAX,
    },
    hpack,
};

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
