//! A place in flight: one request after another, each until it has ended.

use std::{
    cell::Cell,
    rc::Rc,
    time::{Duration, Instant},
};

use tokio::time::{sleep_until, timeout_at};

use super::{
    Load, Sender,
    answer::{Answer, Verdict},
    connect::Dialer,
    link::Link,
    places::{Due, Given},
    source::Request,
};

/// The first wait before a repetition that no delay was named for; it doubles up to the last.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LAST_WAIT: Duration = Duration::from_secs(5);

/// Works at the place until no more turns come.
pub(super) async fn work(sender: Rc<Sender>, link: Rc<Link>, place: usize) {
    while let Some(given) = turn(&sender, place).await {
        if sender.stopped.get() || Instant::now() >= sender.window.deadline {
            sender.tally.borrow_mut().leave(given.due);
            continue;
        }
        let request = sender.source.borrow_mut().next();
        sender.tally.borrow_mut().in_flight += 1;
        let reached = deliver(&sender, &link, given, &request).await;
        sender.tally.borrow_mut().in_flight -= 1;
        if !reached && matches!(sender.load, Load::Closed) {
            // Without a schedule nothing else keeps it from turning idly.
            tokio::time::sleep(Dialer::backoff()).await;
        }
    }
}

/// The next turn: by the schedule, or at once in a closed loop.
async fn turn(sender: &Sender, place: usize) -> Option<Given> {
    match sender.load {
        Load::Open(_) => sender.places.take(place).await,
        Load::Closed => {
            let at = Instant::now();
            if at < sender.window.warm_up {
                sleep_until(sender.window.warm_up.into()).await;
            }
            let at = at.max(sender.window.warm_up);
            if at >= sender.window.end || sender.stopped.get() {
                return None;
            }
            let due = Due {
                at,
                measured: at >= sender.window.start,
            };
            sender.tally.borrow_mut().due(due);
            Some(Given { due, prompt: false })
        }
    }
}

/// Waits for a time; false when a signal asked for the end before.
async fn pause(sender: &Sender, until: Instant) -> bool {
    if sender.stopped.get() {
        return false;
    }
    tokio::select! {
        () = sleep_until(until.into()) => !sender.stopped.get(),
        () = sender.stop.notified() => false,
    }
}

/// Sends the request until it has ended; whether it was ever handed to a connection.
async fn deliver(sender: &Sender, link: &Link, given: Given, request: &Request) -> bool {
    let first = Cell::new(true);
    let mut wait = FIRST_WAIT;
    loop {
        let handed = Cell::new(None);
        let until = (Instant::now() + sender.timeout).min(sender.window.deadline);
        let hand_over = |at| {
            handed.set(Some(at));
            if first.replace(false) {
                sender.tally.borrow_mut().hand_over(given, at);
            }
        };
        let answer = timeout_at(until.into(), link.exchange(request, hand_over))
            .await
            .unwrap_or_else(|_| Answer::unanswered("timeout"));
        let now = Instant::now();
        sender.tally.borrow_mut().attempt(given.due, &answer);
        let delay = match answer.verdict {
            Verdict::Refused(delay) => Some(delay.unwrap_or(wait)),
            // The answer may be lost while the request was not: an SDK repeats it all the same.
            Verdict::Unanswered => Some(wait),
            _ => None,
        };
        let again = delay.map(|delay| now + delay);
        match again {
            Some(again)
                if sender.retry && again < sender.window.deadline && pause(sender, again).await =>
            {
                wait = (wait * 2).min(LAST_WAIT);
            }
            _ => {
                let (due, verdict) = (given.due, &answer.verdict);
                let mut tally = sender.tally.borrow_mut();
                tally.finish(due, request, verdict, handed.get(), now);
                return !first.get();
            }
        }
    }
}
