//! Parcels of a signal that wait for a collector, in the order of their seals.

use std::{collections::VecDeque, time::Instant};

use super::parcel::Parcel;

/// What was sealed first goes first, tried before or not: so the next is the one whose senders have
/// waited longest.
///
/// Those that calls wait for lie apart from the others: their time runs out also behind one that
/// nobody waits for.
///
/// - Cost: one comparison; a binary search, and a move of what is older, for what comes back.
#[derive(Debug, Default)]
pub(super) struct Queue {
    awaited: VecDeque<Parcel>,
    others: VecDeque<Parcel>,
}

impl Queue {
    fn of(&mut self, parcel: &Parcel) -> &mut VecDeque<Parcel> {
        match parcel.batch.is_awaited() {
            true => &mut self.awaited,
            false => &mut self.others,
        }
    }

    /// Takes one that was sealed after all that are there, or with them.
    pub(super) fn push(&mut self, parcel: Parcel) {
        self.of(&parcel).push_back(parcel);
    }

    /// Takes one back: before all that were not sealed before it.
    pub(super) fn put_back(&mut self, parcel: Parcel) {
        let sealed_at = parcel.batch.sealed_at();
        let queue = self.of(&parcel);
        let at = queue.partition_point(|other| other.batch.sealed_at() < sealed_at);
        queue.insert(at, parcel);
    }

    /// The next one.
    pub(super) fn pop(&mut self) -> Option<Parcel> {
        let sealed_at = |queue: &VecDeque<Parcel>| Some(queue.front()?.batch.sealed_at());
        match (self.awaited_since(), sealed_at(&self.others)) {
            (Some(awaited), Some(other)) if other < awaited => self.others.pop_front(),
            (None, _) => self.others.pop_front(),
            _ => self.awaited.pop_front(),
        }
    }

    /// The next one that calls wait for.
    pub(super) fn pop_awaited(&mut self) -> Option<Parcel> {
        self.awaited.pop_front()
    }

    /// When that one was sealed.
    pub(super) fn awaited_since(&self) -> Option<Instant> {
        Some(self.awaited.front()?.batch.sealed_at())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Parcel> {
        self.awaited.iter().chain(&self.others)
    }

    pub(super) fn into_parcels(self) -> impl Iterator<Item = Parcel> {
        self.awaited.into_iter().chain(self.others)
    }

    pub(super) fn len(&self) -> usize {
        self.awaited.len() + self.others.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.awaited.is_empty() && self.others.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        batch::{Ack, Batcher, Budget, ExportRequest, Permit},
        encoding::Encoding,
        metrics::Trigger,
        signal::Signal,
    };

    /// A parcel that was sealed then, told by its items.
    fn parcel(items: u64, sealed_at: Instant, is_awaited: bool) -> Parcel {
        let mut batcher = Batcher::new(1 << 20, 1 << 20, Duration::MAX);
        let request = ExportRequest {
            signal: Signal::Logs,
            items,
            encoding: Encoding::Identity,
            headers: None,
            body: Vec::new(),
            bytes: 0,
            deadline: None,
            place: None,
            permit: Permit::none(&Budget::new(1, |_| {})),
        };
        let waiter = is_awaited.then(|| Ack::pending().1);
        let key = request.key();
        drop(batcher.push(request, waiter, sealed_at));
        let batch = batcher.seal(&key, Trigger::Idle, sealed_at);
        Parcel::new(batch.unwrap(), false, false)
    }

    #[test]
    fn what_was_sealed_first_goes_first_and_what_comes_back_before_its_equals() {
        let start = crate::rt::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut queue = Queue::default();
        for (items, sealed, is_awaited) in [(1, 1, true), (2, 2, false), (3, 3, true), (4, 3, true)]
        {
            queue.push(parcel(items, at(sealed), is_awaited));
        }
        queue.put_back(parcel(5, at(2), true));
        queue.put_back(parcel(6, at(3), true));
        queue.put_back(parcel(7, at(1), false));
        assert_eq!((queue.len(), queue.iter().count()), (7, 7));
        assert_eq!(queue.awaited_since(), Some(at(1)));
        let order: Vec<_> = std::iter::from_fn(|| queue.pop())
            .map(|it| it.batch.items())
            .collect();
        assert_eq!(order, [1, 7, 5, 2, 6, 3, 4]);
        assert!(queue.is_empty());
    }

    #[test]
    fn who_waits_longest_is_found_behind_what_nobody_waits_for() {
        let start = crate::rt::now();
        let mut queue = Queue::default();
        queue.push(parcel(1, start, false));
        assert!(queue.pop_awaited().is_none());
        queue.push(parcel(2, start + Duration::from_secs(1), true));
        assert_eq!(queue.awaited_since(), Some(start + Duration::from_secs(1)));
        assert_eq!(queue.pop_awaited().map(|it| it.batch.items()), Some(2));
        assert_eq!(queue.pop().map(|it| it.batch.items()), Some(1));
    }
}
