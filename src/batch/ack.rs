//! One answer from a batch to one waiting call.

use std::{
    cell::RefCell,
    future::Future,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
};

use crate::outcome::Outcome;

/// What a call waits on.
///
/// - Shard: stays on its own.
#[derive(Debug)]
pub struct Ack {
    state: AckState,
}

#[derive(Debug)]
enum AckState {
    Ready(Option<Outcome>),
    Waiting(Rc<Slot>),
}

#[derive(Debug, Default)]
struct Slot {
    outcome: RefCell<Option<Outcome>>,
    waker: RefCell<Option<Waker>>,
}

/// Who answers an [`Ack`]: consumed by its answer, so that nobody is answered twice; or tells it
/// that nobody need wait any longer.
#[derive(Debug)]
#[must_use = "a call waits for this"]
pub struct Waiter {
    slot: Rc<Slot>,
}

impl Ack {
    /// An answer that is known already.
    #[must_use]
    pub const fn ready(outcome: Outcome) -> Self {
        Self {
            state: AckState::Ready(Some(outcome)),
        }
    }

    /// An answer to come, and who gives it.
    pub fn pending() -> (Self, Waiter) {
        let slot = Rc::new(Slot::default());
        (
            Self {
                state: AckState::Waiting(Rc::clone(&slot)),
            },
            Waiter { slot },
        )
    }
}

impl Ack {
    /// The answer, where it is known.
    ///
    /// # Errors
    ///
    /// Itself, where it is to come.
    pub fn known(mut self) -> Result<Outcome, Self> {
        let outcome = match &mut self.state {
            AckState::Ready(outcome) => outcome.take(),
            AckState::Waiting(slot) => slot.outcome.borrow_mut().take(),
        };
        outcome.ok_or(self)
    }
}

impl Waiter {
    /// Whether the call waits no more: its sender has gone.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        Rc::strong_count(&self.slot) == 1
    }

    /// Answers.
    pub fn answer(self, outcome: Outcome) {
        self.tell(outcome);
    }

    /// Answers a call whose request goes on without it: like one whose sender has gone.
    pub fn tell(&self, outcome: Outcome) {
        *self.slot.outcome.borrow_mut() = Some(outcome);
        let waker = self.slot.waker.borrow_mut().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Future for Ack {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcome> {
        let outcome = match &mut self.state {
            AckState::Ready(outcome) => outcome.take(),
            AckState::Waiting(slot) => {
                let outcome = slot.outcome.borrow_mut().take();
                if outcome.is_none() {
                    let mut waker = slot.waker.borrow_mut();
                    match waker.as_ref() {
                        Some(known) if known.will_wake(cx.waker()) => {}
                        _ => *waker = Some(cx.waker().clone()),
                    }
                }
                outcome
            }
        };
        outcome.map_or(Poll::Pending, Poll::Ready)
    }
}
