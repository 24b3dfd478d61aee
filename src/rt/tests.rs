//! What everything above takes for granted of the runtime: whatever it waits for wakes it.
//!
//! A wake-up that is lost is a test that hangs.

use std::{
    cell::{Cell, RefCell},
    future::Future,
    io::Write,
    net::{self, Ipv4Addr},
    rc::Rc,
    sync::mpsc,
    task::Poll,
    thread,
    time::Duration,
};

use bytes::BytesMut;
use futures_util::future::{Either, join, join_all, poll_fn, select};

use super::*;

const MS: fn(u64) -> Duration = Duration::from_millis;

/// Runs a future on an executor of its own.
fn run<F: Future<Output = ()> + 'static>(main: impl FnOnce() -> F + Send + 'static) {
    let options = ThreadOptions {
        name: "tried".to_owned(),
        core: None,
        blocking_threads: 1,
    };
    start(options, main).unwrap().join().unwrap();
}

/// Lets what else is ready run, without leaving the turn as [`yield_now`] does.
async fn again() {
    let mut was_here = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut was_here, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

#[test]
fn no_wake_up_of_another_thread_is_lost() {
    // More executors than most hosts have cores: some fall asleep just when they are woken.
    let executors = [(); 4].map(|()| {
        thread::spawn(|| {
            run(|| async {
                let worker = Worker::start("wakes").unwrap();
                for job in 0..5_000 {
                    assert_eq!(worker.run(move || job).await.unwrap(), job);
                }
            });
        })
    });
    for executor in executors {
        executor.join().unwrap();
    }
}

#[test]
fn each_byte_of_a_peer_wakes_who_sleeps() {
    run(|| async {
        let listener = net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let listener = TcpListener::from_std(listener);
        let (next, wanted) = mpsc::channel();
        let peer = thread::spawn(move || {
            let mut stream = net::TcpStream::connect(address).unwrap();
            stream.set_nodelay(true).unwrap();
            for () in wanted {
                stream.write_all(b"x").unwrap();
            }
        });
        let mut stream = listener.accept().await.unwrap();
        for _ in 0..2_000 {
            next.send(()).unwrap();
            let mut byte = [0];
            let read = poll_fn(|cx| stream.poll_read(cx, &mut byte)).await;
            assert_eq!((read.unwrap(), byte), (1, *b"x"));
        }
        drop(next);
        peer.join().unwrap();
    });
}

#[test]
fn what_does_not_fit_to_the_first_place_is_read_to_the_second() {
    run(|| async {
        let listener = net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let mut peer = net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let mut stream = TcpListener::from_std(listener).accept().await.unwrap();
        let (mut first, mut second) = (BytesMut::from("<"), BytesMut::new());
        first.reserve(10);
        peer.write_all(b"abcdefg").unwrap();
        peer.shutdown(net::Shutdown::Write).unwrap();
        let mut reads = Vec::new();
        while reads.last() != Some(&0) {
            let before = first.len() + second.len();
            let read = poll_fn(|cx| {
                // There is room for three bytes, and for five more each time.
                let (bytes, memory) = (4 - first.len(), &mut first);
                let left = Room { memory, bytes };
                let (bytes, memory) = (5, &mut second);
                stream.poll_read_apart(cx, left, Room { memory, bytes })
            });
            reads.push(read.await.unwrap());
            let after = first.len() + second.len();
            assert_eq!(reads.last(), Some(&(after - before)));
        }
        assert_eq!(reads, [7, 0]);
        assert_eq!((&*first, &*second), (&b"<abc"[..], &b"defg"[..]));
        assert!(
            second.as_ptr().addr().is_multiple_of(512),
            "fresh memory is aligned"
        );
    });
}

#[test]
fn sleeps_end_in_their_order_and_not_before_their_time() {
    run(|| async {
        let ended = Rc::new(RefCell::new(Vec::new()));
        // Each later one is due before all that were asked for, and then the other way round.
        let due = (0..40).rev().chain(0..40).map(|n| MS(n * 2));
        join_all(due.map(|due| {
            let ended = Rc::clone(&ended);
            async move {
                let begin = now();
                sleep(due).await;
                assert!(now() - begin >= due);
                ended.borrow_mut().push(due);
            }
        }))
        .await;
        assert!(ended.borrow().is_sorted(), "{ended:?}");
    });
}

#[test]
fn a_short_sleep_does_not_wait_for_a_long_one() {
    run(|| async {
        let long = sleep(Duration::from_secs(3600));
        let short = async {
            for _ in 0..20 {
                sleep(MS(1)).await;
            }
        };
        let first = select(Box::pin(long), Box::pin(short)).await;
        assert!(matches!(first, Either::Right(_)));
    });
}

#[test]
fn tasks_that_are_always_ready_keep_neither_a_timer_nor_another_thread_out() {
    run(|| async {
        let is_over = Cell::new(false);
        let busy = async {
            while !is_over.get() {
                again().await;
            }
        };
        let waits = async {
            let worker = Worker::start("wakes").unwrap();
            for _ in 0..3 {
                sleep(MS(1)).await;
                worker.run(|| ()).await.unwrap();
            }
            is_over.set(true);
        };
        join(busy, waits).await;
    });
}
