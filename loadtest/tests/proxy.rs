//! The raw proxy, with real sockets.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    thread,
};

fn proxy(to: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || loadtest::proxy::run(&listener, &to.to_string()));
    address
}

/// Bytes whose period no buffer has.
fn pattern(repetitions: usize) -> Vec<u8> {
    let bytes: Vec<u8> = (0..=250).collect();
    bytes.repeat(repetitions)
}

#[test]
fn bytes_go_both_ways_unchanged_and_the_end_too() {
    let target = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut near = TcpStream::connect(proxy(target.local_addr().unwrap())).unwrap();
    let (mut far, _) = target.accept().unwrap();
    // More than the sockets hold, so that the proxy has to wait for room.
    let there = pattern(130_000);
    let sent = there.clone();
    let mut writer = near.try_clone().unwrap();
    let writing = thread::spawn(move || {
        writer.write_all(&sent).unwrap();
        writer.shutdown(Shutdown::Write).unwrap();
    });
    let mut arrived = Vec::new();
    far.read_to_end(&mut arrived).unwrap();
    writing.join().unwrap();
    assert!(arrived == there, "{} bytes arrived", arrived.len());
    // One way is closed; the other still works.
    far.write_all(b"answer").unwrap();
    drop(far);
    let mut answer = String::new();
    near.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "answer");
}

#[test]
fn connections_do_not_mix_and_their_places_are_taken_again() {
    let target = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = proxy(target.local_addr().unwrap());
    for _ in 0..3 {
        let pairs: Vec<_> = (0..20_u8)
            .map(|id| {
                let mut near = TcpStream::connect(address).unwrap();
                near.write_all(&[id]).unwrap();
                let (far, _) = target.accept().unwrap();
                (id, near, far)
            })
            .collect();
        for (id, mut near, mut far) in pairs {
            let mut first = [0];
            far.read_exact(&mut first).unwrap();
            far.write_all(&[first[0] + 100]).unwrap();
            drop(far);
            let mut answer = Vec::new();
            near.read_to_end(&mut answer).unwrap();
            assert_eq!((first[0], answer), (id, vec![id + 100]));
        }
    }
}

#[test]
fn a_target_that_is_gone_ends_the_connection_only() {
    let target = TcpListener::bind("127.0.0.1:0").unwrap();
    let gone = target.local_addr().unwrap();
    drop(target);
    let address = proxy(gone);
    for _ in 0..2 {
        let mut near = TcpStream::connect(address).unwrap();
        let mut nothing = Vec::new();
        // The end, or a reset: either is an end.
        let _ = near.read_to_end(&mut nothing);
        assert!(nothing.is_empty());
    }
}
