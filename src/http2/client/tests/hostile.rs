//! Bytes of any kind.

use proptest::{collection::vec, prelude::*};

use super::super::receive::BLOCK_BYTES_MAX;
use super::script::{Script, answer, frame, reset, settings, window_update};
use crate::http2::frame::{ErrorCode, FRAME_BYTES_DEFAULT, Kind, Setting, WINDOW_MAX};

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
