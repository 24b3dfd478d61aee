//! Answers in order, cut anywhere, wrong and hostile.
#![expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test that leaves its bounds fails, as it should"
)]

use proptest::{collection::vec, prelude::*};

use super::*;

const LIMITS: Limits = Limits {
    head_bytes_max: 200,
    body_bytes_max: 100,
};

/// What becomes of these pieces: the answer where it is whole, and the bytes that belong to it.
fn read(pieces: &[&[u8]], ends: bool) -> Result<(Option<Answer>, usize, bool), Fault> {
    let (mut reader, mut taken) = (Reader::new(LIMITS), 0);
    for piece in pieces {
        taken += reader.take(piece)?;
    }
    if ends {
        reader.close();
    }
    let keeps = reader.keeps_alive();
    let answer = reader.is_done().then(|| reader.finish());
    Ok((answer, taken, keeps))
}

fn whole(text: &str) -> (Answer, bool) {
    let (answer, taken, keeps) = read(&[text.as_bytes()], false).unwrap();
    assert_eq!(taken, text.len(), "{text:?}");
    (answer.expect("it is whole"), keeps)
}

#[test]
fn an_answer_is_read_the_same_wherever_it_is_cut() {
    for (text, body, ends) in [
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Y: z\r\n\r\nhello",
            "hello",
            false,
        ),
        (
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 503 \r\nRetry-After: 7\r\nTransfer-Encoding: \
             Chunked\r\n\r\n2\r\nhe\r\n3;x\r\nllo\r\n0\r\n\r\n",
            "hello",
            false,
        ),
        (
            "HTTP/1.1 429 Slow\r\n\r\nuntil the end",
            "until the end",
            true,
        ),
        ("HTTP/1.0 204 None\r\nA: b\r\n\r\n", "", false),
    ] {
        let bytes = text.as_bytes();
        let (expected, ..) = read(&[bytes], ends).unwrap();
        let expected = expected.unwrap();
        assert_eq!(expected.body, body.as_bytes());
        for first in 0..=bytes.len() {
            let (a, rest) = bytes.split_at(first);
            for second in 0..=rest.len() {
                let (b, c) = rest.split_at(second);
                let (answer, taken, _) = read(&[a, b, c], ends).unwrap();
                assert_eq!(answer.as_ref(), Some(&expected), "{first} {second}");
                assert_eq!(taken, bytes.len());
            }
            if !ends && first < bytes.len() {
                assert_eq!(read(&[a], true).unwrap().0, None, "{first} are not all");
            }
        }
        let single: Vec<_> = bytes.chunks(1).collect();
        assert_eq!(read(&single, ends).unwrap().0.as_ref(), Some(&expected));
    }
}

#[test]
fn the_head_is_kept_with_names_in_lower_case() {
    let (answer, _) = whole("HTTP/1.1 503 Busy\r\nRetry-After: 7 \r\nContent-Length: 0\r\n\r\n");
    assert_eq!(answer.status, 503);
    assert_eq!(answer.fields.get("retry-after"), Some(&b"7"[..]));
}

#[test]
fn a_connection_is_kept_as_both_sides_have_it() {
    for (text, kept) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", true),
        ("HTTP/1.1 204 None\r\n\r\n", true),
        ("HTTP/1.1 304 None\r\nContent-Length: 5\r\n\r\n", true),
        ("HTTP/1.1 200 OK\r\nContent-Length: 0, 0\r\n\r\n", true),
        (
            "HTTP/1.1 200 OK\r\nConnection: a, Close\r\nContent-Length: 0\r\n\r\n",
            false,
        ),
        ("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", false),
        (
            "HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 0\r\n\r\n",
            true,
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            false,
        ),
    ] {
        assert_eq!(whole(text).1, kept, "{text:?}");
    }
}

#[test]
fn what_comes_after_an_answer_is_not_taken() {
    let text = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK";
    let (answer, taken, _) = read(&[text], false).unwrap();
    assert_eq!(answer.unwrap().body, &b"ok"[..]);
    assert_eq!(&text[taken..], b"HTTP/1.1 200 OK");
}

#[test]
fn one_reader_reads_one_answer_after_the_other() {
    let mut reader = Reader::new(LIMITS);
    for body in ["one", "", "three"] {
        assert!(!reader.has_begun());
        let text = format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        assert_eq!(reader.take(text.as_bytes()), Ok(text.len()));
        assert!(reader.is_done() && reader.keeps_alive());
        assert_eq!(reader.finish().body, body.as_bytes());
    }
}

#[test]
fn what_is_no_answer_is_a_fault() {
    let many = format!("HTTP/1.1 200 OK\r\n{}", "a:b\r\n".repeat(FIELDS_MAX + 1));
    let interim = "HTTP/1.1 102 Processing\r\n\r\n".repeat(17);
    for wrong in [
        "\0\0\0\x04",
        "HTTP/2 200 OK\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 099 OK\r\n\r\n",
        "HTTP/1.1 101 Switching\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx",
        "HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n",
        &many,
        &interim,
    ] {
        let fault = read(&[wrong.as_bytes()], false).expect_err(wrong);
        assert!(fault.to_string().contains("HTTP/1.1"), "{fault}");
    }
}

#[test]
fn everything_that_can_grow_has_a_bound() {
    let head = |bytes: usize| {
        let line = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\na: \r\n\r\n";
        line.replace("a: ", &format!("a: {}", "x".repeat(bytes - line.len())))
    };
    assert_eq!(whole(&head(200)).0.status, 200);
    let endless = "HTTP/1.1 200 OK\r\n".to_owned() + &"a".repeat(200);
    for text in [head(201), endless] {
        for size in [1, 7, 1000] {
            let pieces: Vec<_> = text.as_bytes().chunks(size).collect();
            let fault = read(&pieces, false).unwrap_err();
            assert_eq!(fault, Fault::HeadTooLong { bytes_max: 200 }, "{size}");
        }
    }
    let body = |bytes: usize| "x".repeat(bytes);
    for (fits, bytes) in [(true, 100), (false, 101)] {
        for (head, body, end) in [
            (format!("Content-Length: {bytes}\r\n"), body(bytes), ""),
            (
                "Transfer-Encoding: chunked\r\n".to_owned(),
                format!("1\r\nx\r\n{:x}\r\n{}\r\n", bytes - 1, body(bytes - 1)),
                "0\r\n\r\n",
            ),
            (String::new(), body(bytes), ""),
        ] {
            let text = format!("HTTP/1.1 200 OK\r\n{head}\r\n{body}{end}");
            let result = read(&[text.as_bytes()], true);
            let fault = Fault::BodyTooLong { bytes_max: 100 };
            assert_eq!(result.as_ref().err(), (!fits).then_some(&fault), "{text}");
        }
    }
}

proptest! {
    #[test]
    fn no_bytes_panic(
        start in prop_oneof![
            Just("HTTP/1.1 200 OK\r\n"),
            Just("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n"),
            Just("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
        ],
        rest in vec(prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'0'), any::<u8>()], 0..80),
        cut in 1_usize..20,
    ) {
        let bytes = [start.as_bytes(), &rest].concat();
        let pieces: Vec<_> = bytes.chunks(cut).collect();
        let in_pieces = read(&pieces, true);
        let at_once = read(&[&bytes], true);
        // In pieces a head is looked at when a line ends: what is wrong with it is found later.
        prop_assert!(in_pieces.is_ok() || at_once.is_err());
        if let (Ok(in_pieces), Ok(at_once)) = (in_pieces, at_once) {
            prop_assert_eq!(in_pieces.0, at_once.0);
        }
    }
}
