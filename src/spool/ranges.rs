//! Sets of ordinals that are mostly runs.

/// A set of ordinals, kept as the runs that it consists of.
///
/// - Cost: a binary search; memory for 8 bytes a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ranges {
    /// Half-open, ascending, with a gap between one and the next.
    runs: Vec<(u32, u32)>,
}

impl Ranges {
    /// Whether it is in the set.
    #[must_use]
    pub fn contains(&self, ordinal: u32) -> bool {
        let after = self.runs.partition_point(|(from, _)| *from <= ordinal);
        after
            .checked_sub(1)
            .and_then(|at| self.runs.get(at))
            .is_some_and(|(_, to)| ordinal < *to)
    }

    /// Adds one; false where it was in the set.
    pub fn insert(&mut self, ordinal: u32) -> bool {
        if self.contains(ordinal) || ordinal == u32::MAX {
            return false;
        }
        let at = self.runs.partition_point(|(from, _)| *from <= ordinal);
        let joins_next = self.runs.get(at).is_some_and(|run| run.0 == ordinal + 1);
        let before = at.checked_sub(1).and_then(|it| self.runs.get_mut(it));
        match before.filter(|run| run.1 == ordinal) {
            Some(run) if !joins_next => run.1 = ordinal + 1,
            Some(_) => {
                let (_, to) = self.runs.remove(at);
                if let Some(run) = self.runs.get_mut(at - 1) {
                    run.1 = to;
                }
            }
            None => match self.runs.get_mut(at).filter(|_| joins_next) {
                Some(run) => run.0 = ordinal,
                None => self.runs.insert(at, (ordinal, ordinal + 1)),
            },
        }
        true
    }

    /// Adds a run behind the last; false, and nothing added, where it is empty or not behind it.
    pub fn push(&mut self, from: u32, to: u32) -> bool {
        let is_behind = self.runs.last().is_none_or(|last| last.1 < from);
        if from >= to || !is_behind {
            return false;
        }
        self.runs.push((from, to));
        true
    }

    /// How many are in it.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.runs.iter().map(|(from, to)| to - from).sum()
    }

    /// Whether nothing is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Its runs, half-open and ascending.
    pub fn iter(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        self.runs.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_set(ordinals in prop::collection::vec(0_u32..40, 0..60)) {
            let mut ranges = Ranges::default();
            let mut set = BTreeSet::new();
            for ordinal in ordinals {
                prop_assert_eq!(ranges.insert(ordinal), set.insert(ordinal));
            }
            for ordinal in 0..40 {
                prop_assert_eq!(ranges.contains(ordinal), set.contains(&ordinal));
            }
            prop_assert_eq!(ranges.count() as usize, set.len());
            let runs: Vec<_> = ranges.iter().collect();
            prop_assert!(runs.windows(2).all(|pair| pair[0].1 < pair[1].0));
        }
    }
}
