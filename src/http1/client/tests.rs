//! Laws of one connection: what is sent, what an answer ends, and what may be sent again.

use bytes::Bytes;
use proptest::prelude::*;

use super::*;

const LIMITS: Limits = Limits {
    head_bytes_max: 1000,
    body_bytes_max: 1000,
};

/// Bytes of a request of which the last ones are missing.
const PART: usize = 40;

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

fn fresh() -> Client<Bytes> {
    Client::new(LIMITS)
}

/// A client on whose connection a request was answered.
fn proven() -> Client<Bytes> {
    let mut client = fresh();
    post(&mut client, b"first");
    send(&mut client, usize::MAX);
    client.receive(OK);
    assert_eq!(client.take().unwrap().unwrap().status, 200);
    client
}

fn post(client: &mut Client<Bytes>, body: &'static [u8]) {
    client.request(b"POST / HTTP/1.1\r\n", Bytes::from_static(body), true);
}

/// Sends up to so many bytes, and says which.
fn send(client: &mut Client<Bytes>, most: usize) -> Vec<u8> {
    let mut seen = Vec::new();
    loop {
        let mut slices = [IoSlice::new(&[]); 2];
        let count = client.pieces(&mut slices);
        let mut bytes: Vec<u8> = slices[..count].iter().flat_map(|it| it.to_vec()).collect();
        bytes.truncate(most - seen.len());
        if bytes.is_empty() {
            return seen;
        }
        client.sent(bytes.len());
        seen.extend(bytes);
    }
}

fn failure(client: &mut Client<Bytes>) -> Failure {
    client.take().expect("it has ended").unwrap_err()
}

proptest! {
    #[test]
    fn a_request_goes_out_whole_in_whatever_steps(steps in proptest::collection::vec(1_usize..9, 60)) {
        let mut client = fresh();
        post(&mut client, b"hello");
        let mut seen = Vec::new();
        for step in steps {
            seen.extend(send(&mut client, step));
        }
        let expected = b"POST / HTTP/1.1\r\ncontent-length: 5\r\n\r\nhello";
        prop_assert_eq!(&seen[..], &expected[..]);
    }
}

#[test]
fn a_method_without_a_body_declares_none() {
    let mut client = fresh();
    client.request(b"GET / HTTP/1.1\r\n", Bytes::new(), false);
    assert_eq!(send(&mut client, 99), b"GET / HTTP/1.1\r\n\r\n");
}

#[test]
fn one_request_follows_the_other() {
    let mut client = proven();
    assert!(client.is_open());
    post(&mut client, b"second");
    assert!(client.take().is_none());
    assert!(send(&mut client, usize::MAX).ends_with(b"second"));
    client.receive(&OK[..10]);
    assert!(client.take().is_none());
    client.receive(&OK[10..]);
    assert_eq!(client.take().unwrap().unwrap().status, 200);
    assert!(client.is_open());
}

#[test]
fn a_connection_that_was_closed_while_idle_has_processed_nothing() {
    let mut client = proven();
    client.closed();
    assert!(!client.is_open());
    post(&mut client, b"second");
    assert!(matches!(failure(&mut client), Failure::NotProcessed(_)));

    let mut client = proven();
    post(&mut client, b"second");
    client.closed();
    assert!(matches!(failure(&mut client), Failure::NotProcessed(_)));
}

#[test]
fn only_what_cannot_be_whole_at_the_peer_may_be_sent_again() {
    // A connection that worked, of which the rest of the request could not be sent.
    let mut client = proven();
    post(&mut client, b"second");
    send(&mut client, PART);
    client.deafened("broken pipe");
    assert_eq!(send(&mut client, 1), b"");
    client.closed();
    let failure_of_part = failure(&mut client);
    assert_eq!(
        failure_of_part,
        Failure::NotProcessed("broken pipe".to_owned())
    );

    // The peer may have worked on a whole one.
    let mut client = proven();
    post(&mut client, b"second");
    send(&mut client, usize::MAX);
    client.closed();
    assert!(matches!(failure(&mut client), Failure::Ended(_)));

    // It has begun to answer.
    let mut client = proven();
    post(&mut client, b"second");
    send(&mut client, PART);
    client.receive(b"HTTP/1.1");
    client.closed();
    assert!(matches!(failure(&mut client), Failure::Ended(_)));

    // A fresh connection that takes a part says that something is wrong with it.
    let mut client = fresh();
    post(&mut client, b"first");
    send(&mut client, PART);
    client.closed();
    assert!(matches!(failure(&mut client), Failure::Ended(_)));
}

#[test]
fn an_answer_that_comes_early_is_read_and_ends_the_connection() {
    let early = b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno";
    for is_deaf in [false, true] {
        let mut client = proven();
        post(&mut client, b"second");
        send(&mut client, PART);
        if is_deaf {
            client.deafened("connection reset");
        }
        client.receive(early);
        let answer = client.take().unwrap().unwrap();
        assert_eq!((answer.status, &*answer.body), (413, &b"no"[..]));
        assert!(!client.is_open());
    }
}

#[test]
fn an_answer_that_ends_with_the_connection_is_whole_only_at_its_end() {
    let mut client = fresh();
    post(&mut client, b"first");
    send(&mut client, usize::MAX);
    client.receive(b"HTTP/1.1 200 OK\r\n\r\nbody");
    assert!(client.take().is_none());
    client.closed();
    assert_eq!(client.take().unwrap().unwrap().body, &b"body"[..]);

    let mut client = fresh();
    post(&mut client, b"first");
    send(&mut client, usize::MAX);
    client.receive(b"HTTP/1.1 200 OK\r\n\r\nbody");
    client.end("connection reset");
    assert!(matches!(failure(&mut client), Failure::Ended(_)));
}

#[test]
fn bytes_that_nobody_asked_for_end_the_connection() {
    let timeout = b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n";
    let mut client = proven();
    client.receive(timeout);
    assert!(!client.is_open());

    let mut client = proven();
    post(&mut client, b"second");
    client.receive(timeout);
    assert!(matches!(failure(&mut client), Failure::NotProcessed(_)));

    let mut client = fresh();
    post(&mut client, b"first");
    send(&mut client, usize::MAX);
    client.receive(&[OK, timeout].concat());
    assert_eq!(client.take().unwrap().unwrap().status, 200);
    assert!(!client.is_open());
}

#[test]
fn what_is_no_answer_fails_the_request_and_the_connection() {
    let mut client = fresh();
    post(&mut client, b"first");
    send(&mut client, usize::MAX);
    client.receive(b"\0\0\0\x04");
    assert!(matches!(failure(&mut client), Failure::Fault(_)));
    assert!(!client.is_open());
}

#[test]
fn a_request_that_is_given_up_ends_the_connection_once_it_has_begun() {
    let mut client = proven();
    post(&mut client, b"second");
    client.cancel();
    assert!(client.is_open());
    post(&mut client, b"third");
    assert!(send(&mut client, 1).starts_with(b"P"));
    client.cancel();
    assert!(!client.is_open());
    assert_eq!(send(&mut client, 1), b"");
}
