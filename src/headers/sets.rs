//! The sets of headers that a shard has in use, each once.

use std::{
    cell::{Cell, RefCell},
    cmp::Ordering,
    collections::HashMap,
    fmt,
    rc::{Rc, Weak},
};

use bytes::Bytes;

use super::Forwarded;

/// The sets in use: what goes on with the requests of a shard, each set once, however many requests
/// have it.
///
/// - Shard: one per shard.
/// - Cost: a look at a table for each request that has such headers; a set is forgotten when the
///   last request that has it is.
#[derive(Clone)]
pub struct HeaderSets(Rc<Sets>);

struct Sets {
    max: usize,
    /// Sets that there have been.
    made: Cell<u64>,
    in_use: RefCell<HashMap<Bytes, Weak<Held>>>,
}

/// One of them, for as long as something holds it.
///
/// - Shard: stays on its own. Sets of different [`HeaderSets`] are not to be compared.
#[derive(Clone)]
pub struct HeaderSet(Rc<Held>);

struct Held {
    headers: Forwarded,
    number: u64,
    sets: Rc<Sets>,
}

/// As many sets are in use as may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full {
    /// How many that are.
    pub max: usize,
}

impl HeaderSets {
    /// None yet, and at most `max` at a time.
    #[must_use]
    pub fn new(max: usize) -> Self {
        Self(Rc::new(Sets {
            max,
            made: Cell::new(0),
            in_use: RefCell::default(),
        }))
    }

    /// The set of these headers; `None` where there are none.
    ///
    /// # Errors
    ///
    /// [`Full`] where the set is not in use and no more may be.
    pub fn get(&self, headers: &Forwarded) -> Result<Option<HeaderSet>, Full> {
        if headers.is_empty() {
            return Ok(None);
        }
        let Sets { max, made, in_use } = &*self.0;
        let mut in_use = in_use.borrow_mut();
        if let Some(held) = in_use.get(headers.lines()).and_then(Weak::upgrade) {
            return Ok(Some(HeaderSet(held)));
        }
        if in_use.len() >= *max {
            return Err(Full { max: *max });
        }
        made.set(made.get() + 1);
        // A copy of their own keeps no buffer alive that they were read into.
        let headers = headers.copied();
        let key = headers.lines().clone();
        let held = Rc::new(Held {
            headers,
            number: made.get(),
            sets: Rc::clone(&self.0),
        });
        in_use.insert(key, Rc::downgrade(&held));
        Ok(Some(HeaderSet(held)))
    }

    /// Sets in use.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.in_use.borrow().len()
    }
}

impl HeaderSet {
    /// The headers.
    #[must_use]
    pub fn headers(&self) -> &Forwarded {
        &self.0.headers
    }
}

impl PartialEq for HeaderSet {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for HeaderSet {}

impl PartialOrd for HeaderSet {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// By their age.
impl Ord for HeaderSet {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.number.cmp(&other.0.number)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.sets.in_use.borrow_mut().remove(self.headers.lines());
    }
}

impl fmt::Debug for HeaderSets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HeaderSets")
            .field("max", &self.0.max)
            .field("in_use", &self.count())
            .finish()
    }
}

impl fmt::Debug for HeaderSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.headers().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenant(name: &str) -> Forwarded {
        let lines = format!("x-tenant: {name}\r\n");
        Forwarded::parse(Bytes::from(lines)).unwrap()
    }

    #[test]
    fn the_same_headers_are_the_same_set_and_no_headers_are_none() {
        let sets = HeaderSets::new(2);
        let one = sets.get(&tenant("a")).unwrap().unwrap();
        let again = sets.get(&tenant("a")).unwrap().unwrap();
        let other = sets.get(&tenant("b")).unwrap().unwrap();
        assert_eq!(one, again);
        assert_ne!(one, other);
        assert_eq!(*other.headers(), tenant("b"));
        assert_eq!(sets.count(), 2);
        assert_eq!(sets.get(&Forwarded::default()).unwrap(), None);
    }

    #[test]
    fn no_more_sets_are_in_use_than_may_be_and_a_released_one_makes_room() {
        let sets = HeaderSets::new(2);
        let one = sets.get(&tenant("a")).unwrap();
        let held = one.clone();
        let other = sets.get(&tenant("b")).unwrap();
        assert_eq!(sets.get(&tenant("c")), Err(Full { max: 2 }));
        assert!(sets.get(&tenant("a")).is_ok(), "it is in use already");
        drop(one);
        assert_eq!(sets.get(&tenant("c")), Err(Full { max: 2 }));
        drop(held);
        let new = sets.get(&tenant("c")).unwrap();
        assert_ne!(new, other);
        drop((new, other));
        assert_eq!(sets.count(), 0);
    }
}
