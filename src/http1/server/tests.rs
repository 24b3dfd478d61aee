//! Scripts of a connection, whole and cut at every place.

use super::*;

const LIMITS: Limits = Limits {
    header_bytes: 256,
    skipped_bytes: 16,
};
const DATE: &str = "Thu, 01 Jan 1970 00:00:00 GMT";
const POST: &str = "POST /v1/logs HTTP/1.1\r\nHost: it\r\n";

fn server() -> Server<String> {
    Server::new(LIMITS, |parts| format!("{} {}", parts.method, parts.uri))
}

fn reply(status: StatusCode) -> Reply {
    Reply {
        status,
        fields: Bytes::from_static(b"x: y\r\n"),
        body: Bytes::from_static(b"no"),
    }
}

/// How the requests of a script are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answers {
    Whole,
    AtTheHead,
}

/// What a connection came to.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    /// `head length body`, one a request that became whole.
    requests: Vec<String>,
    output: String,
    done: bool,
    /// Bytes that are left when no answer is waited for.
    left: usize,
}

/// Feeds the pieces, in each of which nothing may be left over but at the end.
fn feed(server: &mut Server<String>, pieces: &[&[u8]], answers: Answers) -> Seen {
    let (mut seen, mut open, mut body) = (Seen::default(), String::new(), Vec::new());
    for piece in pieces {
        let mut rest = *piece;
        loop {
            match server.next(&mut rest) {
                Ok(Some(Event::Head { head, length })) => {
                    open = format!("{head} {length:?}");
                    body.clear();
                    match answers {
                        Answers::Whole => server.proceed(),
                        Answers::AtTheHead => {
                            server.respond(&reply(StatusCode::CONFLICT), DATE, false);
                        }
                    }
                }
                Ok(Some(Event::Data(data))) => {
                    assert!(!data.is_empty());
                    body.extend_from_slice(data);
                }
                Ok(Some(Event::End)) => {
                    assert!(!server.is_between());
                    assert!(matches!(server.next(&mut rest), Ok(None)), "one at a time");
                    let body = String::from_utf8_lossy(&body);
                    seen.requests.push(format!("{open} {body}"));
                    server.respond(&reply(StatusCode::OK), DATE, false);
                }
                Ok(None) => break,
                Err(problem) if matches!(server.state, State::Body(_)) => {
                    server.respond(&reply(problem.status), DATE, true);
                }
                Err(problem) => server.fail(problem, DATE),
            }
        }
        seen.left = rest.len();
        assert!(rest.is_empty() || server.is_done(), "{}", seen.left);
    }
    seen.done = server.is_done();
    seen.output = String::from_utf8(std::mem::take(server.output())).unwrap();
    seen
}

/// The statuses of the answers, with `!` where one says that the connection ends.
fn statuses(output: &str) -> Vec<String> {
    let heads = output.split("HTTP/1.1 ").skip(1);
    heads
        .map(|head| {
            let close = head.contains("\r\nconnection: close\r\n");
            format!("{}{}", &head[..3], if close { "!" } else { "" })
        })
        .collect()
}

/// The same whether the script comes whole, cut at any place, or byte by byte.
fn script(text: &str, answers: Answers) -> Seen {
    let bytes = text.as_bytes();
    let whole = feed(&mut server(), &[bytes], answers);
    for at in 1..bytes.len() {
        let (first, second) = bytes.split_at(at);
        let mut cut = feed(&mut server(), &[first, second], answers);
        // What comes after the end is not looked at.
        cut.left = whole.left;
        assert_eq!(cut, whole, "cut at {at}");
    }
    let single: Vec<&[u8]> = bytes.chunks(1).collect();
    let mut cut = feed(&mut server(), &single, answers);
    cut.left = whole.left;
    assert_eq!(cut, whole, "byte by byte");
    whole
}

#[test]
fn requests_are_served_in_their_order() {
    let text = format!(
        "{POST}Content-Length: 5\r\n\r\nhello\
         \r\n{POST}Transfer-Encoding: chunked\r\n\r\n3;x\r\nabc\r\n2\r\nde\r\n0\r\nA: b\r\n\r\n\
         GET /x HTTP/1.1\r\n\r\n{POST}Content-Length: 0\r\n\r\n"
    );
    let seen = script(&text, Answers::Whole);
    assert_eq!(
        seen.requests,
        [
            "POST /v1/logs Some(5) hello",
            "POST /v1/logs None abcde",
            "GET /x None ",
            "POST /v1/logs Some(0) ",
        ]
    );
    assert_eq!(statuses(&seen.output), ["200"; 4]);
    assert!(!seen.done);
}

#[test]
fn an_answer_has_its_length_and_a_date() {
    let seen = script("GET / HTTP/1.1\r\n\r\n", Answers::Whole);
    assert_eq!(
        seen.output,
        format!("HTTP/1.1 200 OK\r\nx: y\r\ncontent-length: 2\r\ndate: {DATE}\r\n\r\nno")
    );
    let head = script("HEAD / HTTP/1.1\r\n\r\n", Answers::Whole);
    assert!(
        head.output
            .ends_with("content-length: 2\r\ndate: Thu, 01 Jan 1970 00:00:00 GMT\r\n\r\n")
    );
}

#[test]
fn the_last_request_is_answered_so() {
    for (text, statuses_of, done) in [
        (
            "GET / HTTP/1.1\r\nConnection: close\r\n\r\nGET /",
            ["200!"],
            true,
        ),
        ("GET / HTTP/1.0\r\n\r\nGET /", ["200!"], true),
        (
            "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
            ["200"],
            false,
        ),
    ] {
        let seen = script(text, Answers::Whole);
        assert_eq!(
            (statuses(&seen.output), seen.done),
            (statuses_of.map(str::to_owned).to_vec(), done)
        );
    }
    let old = script(
        "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
        Answers::Whole,
    );
    assert!(old.output.contains("connection: keep-alive\r\n"));
}

#[test]
fn what_is_no_request_is_answered_and_ends_the_connection() {
    for (text, status) in [
        ("GET / HTTP/1.1\nHost: it\n\n", "400!"),
        ("GET / HTTP/1.1\r\nHost : it\r\n\r\n", "400!"),
        ("GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n", "400!"),
        ("GET / HTTP/3.0\r\n\r\n", "505!"),
        ("\x16\x03\x01\x02\r\n\r\n", "400!"),
        (
            "POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "400!",
        ),
        (
            "POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
            "501!",
        ),
        (
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n",
            "400!",
        ),
        (
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
            "400!",
        ),
    ] {
        let seen = script(text, Answers::Whole);
        assert_eq!(statuses(&seen.output), [status], "{text}");
        assert!(seen.done && seen.requests.is_empty(), "{text}");
    }
}

#[test]
fn a_head_has_a_bound() {
    let head = |bytes: usize| {
        let text = "GET / HTTP/1.1\r\nA: \r\n\r\n";
        text.replace("A: ", &format!("A: {}", "x".repeat(bytes - text.len())))
    };
    assert_eq!(
        statuses(&script(&head(256), Answers::Whole).output),
        ["200"]
    );
    let long = script(&head(257), Answers::Whole);
    assert_eq!(statuses(&long.output), ["431!"]);
    assert!(long.output.contains("limits.header_bytes"));
    // A head that is known is no exception.
    let twice = format!(
        "{0}Content-Length: {1}\r\n{2}\r\n",
        POST,
        "0",
        "A: b\r\n".repeat(32)
    );
    assert_eq!(twice.len(), 247);
    let longer = twice.replace("Length: 0", "Length: 00000000000");
    let seen = script(&format!("{twice}{longer}"), Answers::Whole);
    assert_eq!(statuses(&seen.output), ["200", "431!"]);
}

#[test]
fn continue_is_told_once_and_only_where_the_body_is_wanted() {
    let text = format!("{POST}Expect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    let mut server = server();
    let waits = feed(&mut server, &[text.as_bytes()], Answers::Whole);
    assert_eq!(waits.output, "HTTP/1.1 100 Continue\r\n\r\n");
    let answered = feed(&mut server, &[b"ab"], Answers::Whole);
    assert_eq!(statuses(&answered.output), ["200"]);
    let refused = script(&format!("{text}ab"), Answers::AtTheHead);
    assert_eq!(
        statuses(&refused.output),
        ["409!"],
        "what comes next is not certain"
    );
    assert!(refused.done);
}

#[test]
fn the_rest_of_a_refused_body_is_skipped_where_it_is_short() {
    let next = format!("{POST}Content-Length: 0\r\n\r\n");
    for (body, goes_on) in [
        ("Content-Length: 16\r\n\r\n0123456789ABCDEF", true),
        ("Content-Length: 17\r\n\r\n0123456789ABCDEFG", false),
        ("Content-Length: 0\r\n\r\n", true),
        ("\r\n", true),
        (
            "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
            true,
        ),
    ] {
        let seen = script(&format!("{POST}{body}{next}"), Answers::AtTheHead);
        let expected: &[&str] = if goes_on { &["409", "409"] } else { &["409!"] };
        assert_eq!(statuses(&seen.output), expected, "{body}");
    }
    // A body whose length is not declared is skipped as far as that goes.
    for wrong in ["9\r\n012345678\r\n0\r\n\r\n", "1\r\nab"] {
        let text = format!("{POST}Transfer-Encoding: chunked\r\n\r\n{wrong}{next}");
        let seen = feed(&mut server(), &[text.as_bytes()], Answers::AtTheHead);
        assert_eq!(statuses(&seen.output), ["409"], "{wrong}");
        assert!(seen.done);
    }
}

#[test]
fn a_head_that_repeats_means_the_same_with_another_length() {
    let mut server = Server::new(LIMITS, |parts| {
        let length = parts.headers.get(http::header::CONTENT_LENGTH);
        length.map_or_else(|| "none".to_owned(), |value| format!("read at {value:?}"))
    });
    let text = ["7", "12", "3", "03", "0", "1"].map(|length| {
        let body = "x".repeat(length.parse().unwrap());
        format!("{POST}Content-Length: {length}\r\nA: b\r\n\r\n{body}")
    });
    let seen = feed(&mut server, &[text.concat().as_bytes()], Answers::Whole);
    let heads: Vec<_> = seen
        .requests
        .iter()
        .map(|it| it.split('x').next().unwrap())
        .collect();
    assert_eq!(
        heads,
        [
            "read at \"7\" Some(7) ",
            "read at \"7\" Some(12) ",
            "read at \"7\" Some(3) ",
            "read at \"7\" Some(3) ",
            "read at \"0\" Some(0) ",
            "read at \"7\" Some(1) ",
        ]
    );
}

#[test]
fn a_length_that_is_wrong_is_wrong_after_a_right_one_too() {
    for wrong in [
        "+5",
        "",
        "5 5",
        "18446744073709551616",
        "99999999999999999999",
        "5x",
    ] {
        let text = ["1\r\n\r\nx", wrong].map(|it| format!("{POST}Content-Length: {it}"));
        let seen = script(&(text.concat() + "\r\n\r\n"), Answers::Whole);
        assert_eq!(statuses(&seen.output), ["200", "400!"], "{wrong}");
    }
    let text = format!(
        "{POST}Content-Length: 1\r\n\r\nx{POST}Content-Length: 1\r\nContent-Length: 2\r\n\r\n"
    );
    assert_eq!(
        statuses(&script(&text, Answers::Whole).output),
        ["200", "400!"]
    );
}

#[test]
fn only_the_last_few_heads_are_remembered() {
    let mut server = server();
    for number in 0..20 {
        let text = format!("GET /{number} HTTP/1.1\r\n\r\n");
        let seen = feed(&mut server, &[text.as_bytes()], Answers::Whole);
        assert_eq!(seen.requests, [format!("GET /{number} None ")]);
    }
    assert_eq!(server.remembered.len(), 4);
}

#[test]
fn at_a_drain_the_request_that_is_open_is_the_last() {
    let head = format!("{POST}Content-Length: 2\r\n\r\n");
    let mut idle = server();
    idle.shut_down();
    assert!(idle.is_done() && idle.output().is_empty());
    for begun in 1..head.len() + 2 {
        let text = format!("{head}ab");
        let (first, second) = text.as_bytes().split_at(begun);
        let mut server = server();
        let before = feed(&mut server, &[first], Answers::Whole);
        assert!(before.output.is_empty());
        server.shut_down();
        assert!(!server.is_done());
        let after = feed(&mut server, &[second], Answers::Whole);
        assert_eq!(
            statuses(&after.output),
            ["200!"],
            "begun with {begun} bytes"
        );
        assert!(after.done);
    }
    let mut leaves = server();
    leaves.leave();
    let seen = feed(&mut leaves, &[head.as_bytes(), b"ab"], Answers::Whole);
    assert_eq!(statuses(&seen.output), ["200!"], "what has come is served");
    let mut skips = server();
    feed(&mut skips, &[head.as_bytes()], Answers::AtTheHead);
    assert!(skips.is_between());
    skips.shut_down();
    assert!(skips.is_done());
}

#[test]
fn what_no_call_waits_for_is_given_up() {
    let mut half = server();
    feed(&mut half, &[b"GET / HTT"], Answers::Whole);
    assert!(half.is_between());
    half.give_up(DATE);
    assert!(half.is_done());
    assert_eq!(statuses(&String::from_utf8_lossy(half.output())), ["408!"]);
    let mut skips = server();
    let text = format!("{POST}Content-Length: 2\r\n\r\n");
    feed(&mut skips, &[text.as_bytes()], Answers::AtTheHead);
    skips.give_up(DATE);
    assert!(
        skips.is_done() && skips.output().is_empty(),
        "it is answered"
    );
}

#[test]
fn a_sender_is_called_out_to_only_while_a_whole_request_of_http_1_1_waits() {
    for (version, expected) in [
        ("HTTP/1.1", "HTTP/1.1 100 Continue\r\n\r\n"),
        ("HTTP/1.0", ""),
    ] {
        let mut server = server();
        let called = |server: &mut Server<String>| {
            server.call_out();
            String::from_utf8(std::mem::take(server.output())).unwrap()
        };
        assert_eq!(called(&mut server), "", "between requests");
        let head = format!("POST /v1/logs {version}\r\nHost: it\r\nContent-Length: 2\r\n\r\n");
        for (piece, said) in [(head.as_str(), ""), ("ab", expected)] {
            let mut rest = piece.as_bytes();
            while let Ok(Some(_)) = server.next(&mut rest) {}
            assert_eq!(called(&mut server), said, "{version} after {piece}");
        }
        server.respond(&reply(StatusCode::OK), DATE, false);
        server.output().clear();
        assert_eq!(called(&mut server), "", "it is answered");
    }
}
