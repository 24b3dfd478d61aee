use std::{cell::RefCell, rc::Rc, task::Context};

use futures_util::{FutureExt, task::noop_waker};
use proptest::prelude::*;

use super::*;
use crate::{
    batch::{Ack, Budget},
    headers::{Forwarded, HeaderSets},
    outcome::{Reason, Refusal},
};

const AGE: Duration = Duration::from_millis(100);

fn start() -> Instant {
    crate::rt::now()
}

fn request(budget: &Rc<Budget>, signal: Signal, items: u64, body: &[u8]) -> ExportRequest {
    let mut permit = Permit::none(budget);
    permit.cover(body.len()).unwrap();
    ExportRequest {
        signal,
        encoding: Encoding::Identity,
        headers: None,
        items,
        body: body.chunks(3).map(Bytes::copy_from_slice).collect(),
        bytes: body.len(),
        deadline: None,
        place: None,
        permit,
    }
}

fn push(batcher: &mut Batcher, request: ExportRequest, now: Instant) -> (Ack, Option<Batch>) {
    let (ack, waiter) = Ack::pending();
    let sealed = batcher.push(request, Some(waiter), now);
    (ack, sealed)
}

fn budget() -> Rc<Budget> {
    Budget::new(1 << 30, |_| {})
}

fn answer(ack: &mut Ack) -> Option<Outcome> {
    let waker = noop_waker();
    match ack.poll_unpin(&mut Context::from_waker(&waker)) {
        std::task::Poll::Ready(outcome) => Some(outcome),
        std::task::Poll::Pending => None,
    }
}

#[test]
fn a_batch_is_its_requests_one_after_the_other() {
    let (budget, now) = (budget(), start());
    let mut batcher = Batcher::new(100, 1000, AGE);
    let (mut one, sealed) = push(
        &mut batcher,
        request(&budget, Signal::Traces, 2, b"first"),
        now,
    );
    assert!(sealed.is_none());
    let (mut two, sealed) = push(
        &mut batcher,
        request(&budget, Signal::Traces, 3, b"second"),
        now,
    );
    assert!(sealed.is_none());
    let batch = batcher
        .seal(
            &BatchKey::plain(Signal::Traces, Encoding::Identity),
            Trigger::Idle,
            now,
        )
        .unwrap();
    assert_eq!((batch.requests(), batch.items(), batch.bytes()), (2, 5, 11));
    assert_eq!(batch.slices().concat(), b"firstsecond");
    assert!(answer(&mut one).is_none());
    batch.resolve(|_| Outcome::Accepted);
    assert!(matches!(answer(&mut one), Some(Outcome::Accepted)));
    assert!(matches!(answer(&mut two), Some(Outcome::Accepted)));
    assert_eq!(budget.used(), 0);
}

#[test]
fn a_full_batch_is_sealed_by_what_filled_it() {
    let (budget, now) = (budget(), start());
    let mut batcher = Batcher::new(4, 10, AGE);
    assert!(
        push(&mut batcher, request(&budget, Signal::Logs, 3, b"abc"), now)
            .1
            .is_none()
    );
    let by_items = push(&mut batcher, request(&budget, Signal::Logs, 1, b"d"), now)
        .1
        .unwrap();
    assert_eq!(
        (by_items.trigger(), by_items.requests()),
        (Trigger::Size, 2)
    );
    assert!(
        push(
            &mut batcher,
            request(&budget, Signal::Logs, 1, b"abcdef"),
            now
        )
        .1
        .is_none()
    );
    let by_bytes = push(
        &mut batcher,
        request(&budget, Signal::Logs, 1, b"ghijk"),
        now,
    )
    .1
    .unwrap();
    assert_eq!(
        (by_bytes.trigger(), by_bytes.requests()),
        (Trigger::Bytes, 1)
    );
    assert!(batcher.is_open(&BatchKey::plain(Signal::Logs, Encoding::Identity)));
    by_items.resolve(|_| Outcome::Accepted);
    by_bytes.resolve(|_| Outcome::Accepted);
}

#[test]
fn a_request_too_large_to_share_goes_alone_and_leaves_the_others() {
    let (budget, now) = (budget(), start());
    let mut batcher = Batcher::new(100, 10, AGE);
    assert!(
        push(
            &mut batcher,
            request(&budget, Signal::Metrics, 1, b"abc"),
            now
        )
        .1
        .is_none()
    );
    let alone = push(
        &mut batcher,
        request(&budget, Signal::Metrics, 1, &[7; 50]),
        now,
    )
    .1
    .unwrap();
    assert_eq!(
        (alone.trigger(), alone.requests(), alone.bytes()),
        (Trigger::Alone, 1, 50)
    );
    assert!(batcher.is_open(&BatchKey::plain(Signal::Metrics, Encoding::Identity)));
    alone.resolve(|_| Outcome::Accepted);
}

#[test]
fn profiles_never_share_a_batch() {
    let (budget, now) = (budget(), start());
    let mut batcher = Batcher::new(100, 1000, AGE);
    for _ in 0..2 {
        let alone = push(
            &mut batcher,
            request(&budget, Signal::Profiles, 1, b"p"),
            now,
        )
        .1
        .unwrap();
        assert_eq!(alone.requests(), 1);
        alone.resolve(|_| Outcome::Accepted);
    }
}

#[test]
fn the_age_of_a_batch_is_that_of_its_oldest_request() {
    let (budget, now) = (budget(), start());
    let mut batcher = Batcher::new(100, 1000, AGE);
    assert_eq!(batcher.next_due(), None);
    drop(push(
        &mut batcher,
        request(&budget, Signal::Traces, 1, b"a"),
        now,
    ));
    drop(push(
        &mut batcher,
        request(&budget, Signal::Traces, 1, b"b"),
        now + AGE / 2,
    ));
    assert_eq!(batcher.next_due(), Some(now + AGE));
    assert!(!batcher.is_due(
        &BatchKey::plain(Signal::Traces, Encoding::Identity),
        now + AGE / 2
    ));
    assert!(batcher.is_due(
        &BatchKey::plain(Signal::Traces, Encoding::Identity),
        now + AGE
    ));
}

#[test]
fn what_nobody_waits_for_keeps_its_memory_until_its_outcome() {
    let (budget, now) = (budget(), start());
    let mut batcher = Batcher::new(100, 1000, AGE);
    let sealed = batcher.push(request(&budget, Signal::Traces, 1, b"a"), None, now);
    assert!(sealed.is_none() && budget.used() > 0);
    let batch = batcher
        .seal(
            &BatchKey::plain(Signal::Traces, Encoding::Identity),
            Trigger::Interval,
            now,
        )
        .unwrap();
    assert!(!batch.is_awaited());
    batch.resolve(|_| Outcome::Accepted);
    assert_eq!(budget.used(), 0);
}

#[test]
fn requests_whose_senders_have_gone_are_parted_from_the_others() {
    let (budget, now) = (budget(), start());
    let mut batcher = Batcher::new(100, 1000, AGE);
    let (stays, _) = push(
        &mut batcher,
        request(&budget, Signal::Traces, 1, b"stays"),
        now,
    );
    let (leaves, _) = push(
        &mut batcher,
        request(&budget, Signal::Traces, 2, b"leaves"),
        now,
    );
    let hurried = ExportRequest {
        deadline: Some(now + AGE),
        ..request(&budget, Signal::Traces, 4, b"hurries")
    };
    let (hurries, _) = push(&mut batcher, hurried, now);
    let queued = request(&budget, Signal::Traces, 8, b"queued");
    assert!(batcher.push(queued, None, now).is_none());
    let batch = batcher
        .seal(
            &BatchKey::plain(Signal::Traces, Encoding::Identity),
            Trigger::Idle,
            now,
        )
        .unwrap();
    assert!(!batch.has_abandoned(now));
    drop(leaves);
    assert!(batch.has_abandoned(now));
    let (kept, gone) = batch.part_abandoned(now + AGE);
    let (kept, gone) = (kept.unwrap(), gone.unwrap());
    assert_eq!(kept.slices().concat(), b"staysqueued");
    assert_eq!(gone.slices().concat(), b"leaveshurries");
    assert_eq!((kept.items(), gone.items()), (9, 6));
    kept.resolve(|_| Outcome::Accepted);
    gone.resolve(|_| Outcome::Accepted);
    drop((stays, hurries));
    assert_eq!(budget.used(), 0);
}

#[test]
fn a_batch_is_taken_apart_into_what_it_was_made_of() {
    let (budget, now) = (budget(), start());
    let mut batcher = Batcher::new(100, 1000, AGE);
    let (_ack, _) = push(
        &mut batcher,
        request(&budget, Signal::Logs, 3, b"first"),
        now,
    );
    assert!(
        batcher
            .push(request(&budget, Signal::Logs, 1, b"second"), None, now)
            .is_none()
    );
    let batch = batcher
        .seal(
            &BatchKey::plain(Signal::Logs, Encoding::Identity),
            Trigger::Idle,
            now,
        )
        .unwrap();
    let parts = batch.take_apart();
    let seen: Vec<_> = parts
        .iter()
        .map(|(request, waiter)| (request.items, request.body.concat(), waiter.is_some()))
        .collect();
    assert_eq!(
        seen,
        [(3, b"first".to_vec(), true), (1, b"second".to_vec(), false)]
    );
}

fn tenants(sets: &HeaderSets, names: &[&str]) -> Vec<Option<HeaderSet>> {
    let set = |name: &&str| {
        let lines = match *name {
            "" => String::new(),
            name => format!("x-tenant: {name}\r\n"),
        };
        let headers = Forwarded::parse(Bytes::from(lines)).unwrap();
        sets.get(&headers).unwrap()
    };
    names.iter().map(set).collect()
}

#[test]
fn requests_with_different_headers_never_share_a_batch() {
    let (budget, now) = (budget(), start());
    let sets = HeaderSets::new(9);
    let mut batcher = Batcher::new(100, 1000, AGE);
    let sent = ["a", "", "b", "a", "b", "", "a"];
    for (headers, body) in tenants(&sets, &sent).into_iter().zip(1_u8..) {
        let request = ExportRequest {
            headers,
            ..request(&budget, Signal::Logs, 1, &[body])
        };
        assert!(batcher.push(request, None, now).is_none());
    }
    assert_eq!(sets.count(), 2, "each set once, however many requests");
    assert!(batcher.is_open(&BatchKey::plain(Signal::Logs, Encoding::Identity)));
    assert_eq!(batcher.next_due(), Some(now + AGE));
    let plain = batcher.seal(
        &BatchKey::plain(Signal::Logs, Encoding::Identity),
        Trigger::Idle,
        now,
    );
    let plain = plain.unwrap();
    assert_eq!(plain.slices().concat(), [2, 6]);
    assert!(plain.headers().is_none());
    let keys = batcher.open_keys();
    assert_eq!(keys.len(), 2);
    assert_eq!(batcher.next_due(), Some(now + AGE));
    let mut sealed = Vec::new();
    for key in &keys {
        assert!(batcher.is_open(key) && batcher.is_due(key, now + AGE));
        sealed.push(batcher.seal(key, Trigger::Idle, now).unwrap());
        assert!(!batcher.is_open(key));
        assert!(batcher.seal(key, Trigger::Idle, now).is_none());
    }
    assert_eq!(sealed[0].slices().concat(), [1, 4, 7]);
    assert_eq!(sealed[1].slices().concat(), [3, 5]);
    assert_eq!(batcher.next_due(), None);
    drop(keys);

    // Whatever a batch is cut into keeps what goes on with it.
    let (one, two) = sealed.remove(0).split().unwrap();
    let mut parts = two.into_requests();
    parts.push(one);
    for part in parts {
        let set = part.headers().unwrap();
        assert_eq!(set.headers().lines(), "x-tenant: a\r\n");
        for (request, _) in part.take_apart() {
            assert_eq!(request.key().headers, request.headers);
            assert!(request.headers.is_some());
        }
    }
    assert_eq!(sets.count(), 1, "nothing holds the first set any more");
    drop((plain, sealed));
    assert_eq!(sets.count(), 0);
}

#[test]
fn a_full_batch_of_one_set_leaves_those_of_others_open() {
    let (budget, now) = (budget(), start());
    let sets = HeaderSets::new(9);
    let mut batcher = Batcher::new(2, 1000, AGE);
    let mut sealed = Vec::new();
    for headers in tenants(&sets, &["a", "b", "a", "a"]) {
        let request = ExportRequest {
            headers,
            ..request(&budget, Signal::Logs, 1, b"x")
        };
        sealed.extend(batcher.push(request, None, now));
    }
    assert_eq!(sealed.len(), 1);
    assert_eq!(
        (sealed[0].requests(), sealed[0].trigger()),
        (2, Trigger::Size)
    );
    assert_eq!(batcher.open_keys().len(), 2);
}

#[test]
fn requests_of_different_encodings_never_share_a_batch() {
    let (budget, now) = (budget(), start());
    let mut batcher = Batcher::new(100, 1000, AGE);
    let mut acks = Vec::new();
    for (encoding, body) in [
        (Encoding::Gzip, b"gzip one"),
        (Encoding::Identity, b"plainone"),
        (Encoding::Zstd, b"zstd one"),
        (Encoding::Gzip, b"gzip two"),
    ] {
        let request = ExportRequest {
            encoding,
            ..request(&budget, Signal::Traces, 1, body)
        };
        let (ack, sealed) = push(&mut batcher, request, now);
        assert!(sealed.is_none());
        acks.push(ack);
    }
    for (encoding, body) in [
        (Encoding::Identity, &b"plainone"[..]),
        (Encoding::Gzip, b"gzip onegzip two"),
        (Encoding::Zstd, b"zstd one"),
    ] {
        assert!(batcher.is_open(&BatchKey::plain(Signal::Traces, encoding)));
        let batch = batcher
            .seal(
                &BatchKey::plain(Signal::Traces, encoding),
                Trigger::Idle,
                now,
            )
            .unwrap();
        assert_eq!(batch.encoding(), encoding);
        assert_eq!(batch.slices().concat(), body);
        batch.resolve(|_| Outcome::Accepted);
        assert!(!batcher.is_open(&BatchKey::plain(Signal::Traces, encoding)));
    }
    assert_eq!(batcher.next_due(), None);
    for mut ack in acks {
        assert!(matches!(answer(&mut ack), Some(Outcome::Accepted)));
    }
}

#[test]
fn a_batch_cut_into_its_requests_answers_each_with_its_own_outcome() {
    let (budget, now) = (budget(), start());
    let mut batcher = Batcher::new(100, 1000, AGE);
    let bodies: [&[u8]; 3] = [b"first", b"", b"third one"];
    let mut acks = Vec::new();
    for (body, items) in bodies.iter().zip(1..) {
        let request = request(&budget, Signal::Logs, items, body);
        acks.push(push(&mut batcher, request, now).0);
    }
    let batch = batcher
        .seal(
            &BatchKey::plain(Signal::Logs, Encoding::Identity),
            Trigger::Idle,
            now,
        )
        .unwrap();
    for ((request, body), items) in batch.into_requests().into_iter().zip(bodies).zip(1..) {
        assert_eq!((request.requests(), request.items()), (1, items));
        assert_eq!(
            (request.slices().concat(), request.bytes()),
            (body.to_vec(), body.len())
        );
        request.resolve(|entry| Outcome::Partial {
            rejected: entry.items,
            message: "".into(),
        });
    }
    for (mut ack, items) in acks.into_iter().zip(1..) {
        let told = answer(&mut ack);
        assert!(matches!(told, Some(Outcome::Partial { rejected, .. }) if rejected == items));
    }
    assert_eq!(budget.used(), 0);
}

#[test]
fn an_open_batch_is_due_when_the_first_sender_that_waits_gives_up() {
    let (budget, now) = (budget(), start());
    let mut batcher = Batcher::new(100, 1000, AGE * 100);
    let hurried = |after: u32| ExportRequest {
        deadline: Some(now + AGE * after),
        ..request(&budget, Signal::Logs, 1, b"hurry")
    };
    assert!(batcher.push(hurried(1), None, now).is_none());
    assert_eq!(batcher.deadline(), None, "nobody waits for it");
    let (_later, _) = push(&mut batcher, hurried(3), now);
    let (_sooner, _) = push(&mut batcher, hurried(2), now);
    assert_eq!(batcher.deadline(), Some(now + AGE * 2));
    let logs = BatchKey::plain(Signal::Logs, Encoding::Identity);
    let is_due = |at| batcher.is_due(&logs, at);
    assert!(!is_due(now + AGE) && is_due(now + AGE * 2));
}

#[test]
fn who_gives_up_under_way_is_told_at_once_and_the_others_hear_the_outcome() {
    let (budget, now) = (budget(), start());
    let mut batcher = Batcher::new(100, 1000, AGE);
    let mut acks = [1, 2].map(|after| {
        let hurried = ExportRequest {
            deadline: Some(now + AGE * after),
            ..request(&budget, Signal::Logs, 1, b"hurry")
        };
        push(&mut batcher, hurried, now).0
    });
    let logs = BatchKey::plain(Signal::Logs, Encoding::Identity);
    let sealed = batcher.seal(&logs, Trigger::Idle, now);
    let mut batch = sealed.unwrap();
    assert_eq!(batch.deadline(), Some(now + AGE));
    let late = Outcome::Refused(Refusal::retryable(Reason::Deadline, AGE, "late"));
    batch.tell_late(now + AGE, &late);
    assert_eq!(
        batch.deadline(),
        Some(now + AGE * 2),
        "one is still to come"
    );
    assert!(matches!(answer(&mut acks[0]), Some(Outcome::Refused(it)) if it.code().number() == 4));
    assert!(answer(&mut acks[1]).is_none());
    assert_eq!(batch.items(), 2, "the data of both goes on");
    assert!(batch.has_abandoned(now + AGE), "but not a second time");
    batch.resolve(|_| Outcome::Accepted);
    assert!(matches!(answer(&mut acks[1]), Some(Outcome::Accepted)));
}

proptest! {
    /// Whatever is pushed and however it is cut, each request's bytes stay together and in order,
    /// each waiter is answered once, and the budget returns to zero.
    #[test]
    fn nothing_is_lost_between_push_and_answer(
        sizes in proptest::collection::vec((0_usize..40, 0_u64..9), 1..60),
        cuts in proptest::collection::vec(any::<bool>(), 60),
    ) {
        let (budget, now) = (budget(), start());
        let mut batcher = Batcher::new(20, 100, AGE);
        let mut waiting = Vec::new();
        let mut sealed = Vec::new();
        for (number, (size, items)) in sizes.iter().enumerate() {
            let body = vec![u8::try_from(number).unwrap(); *size];
            let (ack, batch) = push(&mut batcher, request(&budget, Signal::Traces, *items, &body), now);
            waiting.push(ack);
            sealed.extend(batch);
        }
        sealed.extend(batcher.seal(&BatchKey::plain(Signal::Traces, Encoding::Identity), Trigger::Drain, now));
        let mut cuts = cuts.into_iter();
        let seen = RefCell::new((0, 0));
        let mut bytes_seen = Vec::new();
        while let Some(batch) = sealed.pop() {
            if cuts.next() == Some(true) {
                match batch.split() {
                    Ok((one, two)) => sealed.extend([one, two]),
                    Err(one) => sealed.insert(0, one),
                }
                continue;
            }
            prop_assert_eq!(batch.bytes(), batch.slices().iter().map(Bytes::len).sum::<usize>());
            bytes_seen.extend(batch.slices().concat());
            batch.resolve(|entry| {
                let mut seen = seen.borrow_mut();
                *seen = (seen.0 + 1, seen.1 + entry.items);
                Outcome::Refused(Refusal::permanent(Reason::Malformed, "test"))
            });
        }
        prop_assert_eq!(seen.into_inner(), (sizes.len(), sizes.iter().map(|(_, items)| items).sum()));
        bytes_seen.sort_unstable();
        let expected: Vec<u8> = sizes
            .iter()
            .enumerate()
            .flat_map(|(number, (size, _))| vec![u8::try_from(number).unwrap(); *size])
            .collect();
        prop_assert_eq!(bytes_seen, expected);
        for mut ack in waiting {
            prop_assert!(matches!(answer(&mut ack), Some(Outcome::Refused(_))));
        }
        prop_assert_eq!(budget.used(), 0);
    }
}
