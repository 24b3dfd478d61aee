//! The bytes that a shard may hold: a soft mark that stops reading, a hard mark that refuses.

use std::{cell::Cell, fmt, rc::Rc};

/// Bytes charged for a request besides its body: bookkeeping, headers, the waiting call.
///
/// - Source: chosen: what a call of one span was measured to hold, rounded up.
const REQUEST_OVERHEAD_BYTES: usize = 1024;

/// A shard's byte budget.
///
/// A request is charged for half more than its length, because the slices of its body keep the
/// whole read buffers alive that they lie in (measured: 1.3 to 1.7 times the length).
///
/// - Shard: one per shard, no lock.
pub struct Budget {
    used: Cell<usize>,
    soft: usize,
    hard: usize,
    on_soft: Box<dyn Fn(bool)>,
}

/// The budget is spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spent;

/// A part of the budget; given back when dropped.
#[derive(Debug)]
pub struct Permit {
    budget: Rc<Budget>,
    charged: usize,
}

impl Budget {
    /// A budget of `hard` bytes; `on_soft` hears when three quarters of it are crossed, and when
    /// they are free again.
    #[must_use]
    pub fn new(hard: usize, on_soft: impl Fn(bool) + 'static) -> Rc<Self> {
        Rc::new(Self {
            used: Cell::new(0),
            soft: hard / 4 * 3,
            hard,
            on_soft: Box::new(on_soft),
        })
    }

    /// Bytes charged now.
    #[must_use]
    pub fn used(&self) -> usize {
        self.used.get()
    }

    /// The hard mark.
    #[must_use]
    pub const fn limit(&self) -> usize {
        self.hard
    }

    /// The largest body that an empty budget admits.
    #[must_use]
    pub const fn body_bytes_max(&self) -> usize {
        self.hard.saturating_sub(REQUEST_OVERHEAD_BYTES) / 3 * 2
    }

    /// What a body of this length is charged.
    const fn charge(body_bytes: usize) -> usize {
        body_bytes
            .saturating_add(body_bytes / 2)
            .saturating_add(REQUEST_OVERHEAD_BYTES)
    }

    fn set_used(&self, used: usize) {
        let before = self.used.replace(used);
        if (before >= self.soft) != (used >= self.soft) {
            (self.on_soft)(used >= self.soft);
        }
    }
}

impl fmt::Debug for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Budget")
            .field("used", &self.used)
            .field("soft", &self.soft)
            .field("hard", &self.hard)
            .finish_non_exhaustive()
    }
}

impl Permit {
    /// A permit for nothing yet.
    #[must_use]
    pub fn none(budget: &Rc<Budget>) -> Self {
        Self {
            budget: Rc::clone(budget),
            charged: 0,
        }
    }

    /// Makes the permit cover a body of `body_bytes` in all.
    ///
    /// # Errors
    ///
    /// [`Spent`] when that would cross the hard mark; the permit stays as it was.
    pub fn cover(&mut self, body_bytes: usize) -> Result<(), Spent> {
        let wanted = Budget::charge(body_bytes);
        let more = wanted.saturating_sub(self.charged);
        let used = self.budget.used.get().saturating_add(more);
        if used > self.budget.hard {
            return Err(Spent);
        }
        self.charged += more;
        self.budget.set_used(used);
        Ok(())
    }

    /// The longest body that the permit could be made to cover now.
    #[must_use]
    pub fn room(&self) -> usize {
        let free = self.budget.hard.saturating_sub(self.budget.used.get());
        let most = free.saturating_add(self.charged);
        most.saturating_sub(REQUEST_OVERHEAD_BYTES) / 3 * 2
    }

    /// Whether the permit covers anything.
    #[must_use]
    pub const fn is_none(&self) -> bool {
        self.charged == 0
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let used = self.budget.used.get();
        debug_assert!(
            used >= self.charged,
            "a budget never gets back more than it gave"
        );
        self.budget.set_used(used.saturating_sub(self.charged));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_covered_is_charged_once_and_comes_back() {
        let budget = Budget::new(100_000, |_| {});
        let mut permit = Permit::none(&budget);
        permit.cover(1_000).unwrap();
        permit.cover(8_000).unwrap();
        permit.cover(4_000).unwrap();
        assert_eq!(budget.used(), Budget::charge(8_000));
        drop(permit);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn the_room_of_a_permit_is_what_it_can_be_made_to_cover() {
        let budget = Budget::new(100_000, |_| {});
        let mut held = Permit::none(&budget);
        held.cover(20_000).unwrap();
        let mut permit = Permit::none(&budget);
        permit.cover(5_000).unwrap();
        let room = permit.room();
        assert_eq!(permit.cover(room + 3), Err(Spent));
        permit.cover(room).unwrap();
    }

    #[test]
    fn the_hard_mark_is_never_crossed() {
        let budget = Budget::new(100_000, |_| {});
        let mut first = Permit::none(&budget);
        first.cover(budget.body_bytes_max()).unwrap();
        let mut second = Permit::none(&budget);
        assert_eq!(second.cover(1), Err(Spent));
        assert!(second.is_none());
        drop(first);
        second.cover(1).unwrap();
    }

    #[test]
    fn the_soft_mark_is_told_both_ways_and_once_each() {
        let told = Rc::new(Cell::new((0, 0)));
        let hears = Rc::clone(&told);
        let budget = Budget::new(100_000, move |closed| {
            let (up, down) = hears.get();
            hears.set(if closed {
                (up + 1, down)
            } else {
                (up, down + 1)
            });
        });
        let mut permits: Vec<Permit> = (0..7).map(|_| Permit::none(&budget)).collect();
        for permit in &mut permits {
            permit.cover(8_000).unwrap();
        }
        assert_eq!(told.get(), (1, 0));
        drop(permits);
        assert_eq!(told.get(), (1, 1));
    }
}
