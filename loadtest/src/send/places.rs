//! Hands due requests to free places in flight; what finds none waits in line.

use std::{
    cell::RefCell,
    collections::VecDeque,
    future::poll_fn,
    task::{Poll, Waker},
    time::Instant,
};

/// A request's turn on the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) at: Instant,
    /// Whether it belongs to the measurement.
    pub(super) measured: bool,
}

/// A turn that got a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Given {
    pub(super) due: Due,
    /// Whether the place was free when the request was due: then any delay is the sender's own.
    pub(super) prompt: bool,
}

/// The line is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Overflow;

/// The places in flight of all connections, and the line before them.
pub(super) struct Places(RefCell<State>);

struct State {
    waiting: VecDeque<Due>,
    limit: usize,
    /// Free places, the longest free first, so that connections share the load evenly.
    free: VecDeque<usize>,
    places: Vec<Place>,
    closed: bool,
}

struct Place {
    given: Option<Given>,
    waker: Option<Waker>,
    free: bool,
}

impl Place {
    /// A place is free from the start, also before its task first asks for a turn.
    const fn new() -> Self {
        Self {
            given: None,
            waker: None,
            free: true,
        }
    }
}

impl Places {
    pub(super) fn new(places: usize, limit: usize) -> Self {
        Self(RefCell::new(State {
            waiting: VecDeque::new(),
            limit,
            free: (0..places).collect(),
            places: (0..places).map(|_| Place::new()).collect(),
            closed: false,
        }))
    }

    /// Gives the turn to a free place or puts it in line.
    pub(super) fn offer(&self, due: Due) -> Result<(), Overflow> {
        let state = &mut *self.0.borrow_mut();
        if let Some(free) = state.free.pop_front() {
            let place = &mut state.places[free];
            place.free = false;
            place.given = Some(Given { due, prompt: true });
            if let Some(waker) = place.waker.take() {
                waker.wake();
            }
        } else if state.waiting.len() < state.limit {
            state.waiting.push_back(due);
        } else {
            return Err(Overflow);
        }
        Ok(())
    }

    /// Waits for a turn at the place; `None` when no more will come.
    pub(super) async fn take(&self, place: usize) -> Option<Given> {
        poll_fn(|cx| {
            let state = &mut *self.0.borrow_mut();
            if let Some(given) = state.places[place].given.take() {
                return Poll::Ready(Some(given));
            }
            if let Some(due) = state.waiting.pop_front() {
                return Poll::Ready(Some(Given { due, prompt: false }));
            }
            if state.closed {
                return Poll::Ready(None);
            }
            let seat = &mut state.places[place];
            seat.waker = Some(cx.waker().clone());
            if !seat.free {
                seat.free = true;
                state.free.push_back(place);
            }
            Poll::Pending
        })
        .await
    }

    /// No more turns will come; what waits is still given out.
    pub(super) fn close(&self) {
        let state = &mut *self.0.borrow_mut();
        state.closed = true;
        for place in &mut state.places {
            if let Some(waker) = place.waker.take() {
                waker.wake();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn due() -> Due {
        Due {
            at: Instant::now(),
            measured: true,
        }
    }

    #[test]
    fn the_place_that_is_free_longest_is_next() {
        let places = Places::new(2, 10);
        let turns = [due(), due(), due()];
        for (turn, place) in [(turns[0], 0), (turns[1], 1)] {
            places.offer(turn).unwrap();
            let given = Given {
                due: turn,
                prompt: true,
            };
            assert_eq!(places.take(place).now_or_never(), Some(Some(given)));
        }
        assert_eq!(places.take(1).now_or_never(), None);
        assert_eq!(places.take(0).now_or_never(), None);
        places.offer(turns[2]).unwrap();
        assert_eq!(places.take(0).now_or_never(), None);
        assert!(places.take(1).now_or_never().is_some());
    }

    #[test]
    fn what_finds_no_place_waits_in_line_up_to_the_bound() {
        let places = Places::new(1, 2);
        let turns = [due(), due(), due()];
        for turn in turns {
            places.offer(turn).unwrap();
        }
        assert_eq!(places.offer(due()), Err(Overflow));
        for (turn, prompt) in turns.into_iter().zip([true, false, false]) {
            let given = Given { due: turn, prompt };
            assert_eq!(places.take(0).now_or_never(), Some(Some(given)));
        }
        assert_eq!(places.take(0).now_or_never(), None);
    }

    #[test]
    fn the_end_lets_the_line_out_first() {
        let places = Places::new(1, 2);
        places.offer(due()).unwrap();
        places.offer(due()).unwrap();
        places.close();
        for _ in 0..2 {
            assert!(places.take(0).now_or_never().unwrap().is_some());
        }
        assert_eq!(places.take(0).now_or_never(), Some(None));
    }
}
