//! A set of item numbers that stays small while nearly all of them are in it.

/// Words of 64 numbers in a chunk.
const CHUNK_WORDS: usize = 1024;

/// Numbers in a chunk.
const CHUNK_IDS: u64 = 64 * 1024;

/// Numbers from 0, each marked or not.
///
/// - Cost: 8 KiB for each 65,536 numbers of which some are missing, 24 bytes where none is.
#[derive(Debug, Default)]
pub(super) struct Ids {
    chunks: Vec<Chunk>,
    repeated: u64,
}

#[derive(Clone, Debug)]
enum Chunk {
    Empty,
    Some {
        words: Box<[u64; CHUNK_WORDS]>,
        count: u64,
    },
    Full,
}

impl Ids {
    /// Marks of numbers that were marked before.
    pub(super) const fn repeated(&self) -> u64 {
        self.repeated
    }

    /// Marks a number.
    pub(super) fn mark(&mut self, id: u64) {
        if !self.set(id) {
            self.repeated += 1;
        }
    }

    /// Whether the number was not marked before.
    fn set(&mut self, id: u64) -> bool {
        let (chunk, word, bit) = place(id);
        if chunk >= self.chunks.len() {
            self.chunks.resize(chunk + 1, Chunk::Empty);
        }
        let chunk = &mut self.chunks[chunk];
        match chunk {
            Chunk::Full => false,
            Chunk::Empty => {
                let mut words = Box::new([0; CHUNK_WORDS]);
                words[word] = bit;
                *chunk = Chunk::Some { words, count: 1 };
                true
            }
            Chunk::Some { words, count } => {
                let is_new = words[word] & bit == 0;
                words[word] |= bit;
                *count += u64::from(is_new);
                if *count == CHUNK_IDS {
                    *chunk = Chunk::Full;
                }
                is_new
            }
        }
    }

    /// Adds what another set has; what both have counts as repeated.
    pub(super) fn merge(&mut self, other: Self) {
        self.repeated += other.repeated;
        for (place, chunk) in (0..).zip(&other.chunks) {
            for word in 0..CHUNK_WORDS {
                let mut bits = chunk.word(word);
                while bits != 0 {
                    let bit = u64::from(bits.trailing_zeros());
                    let word = u64::try_from(word).unwrap_or(0);
                    self.mark(place * CHUNK_IDS + word * 64 + bit);
                    bits &= bits - 1;
                }
            }
        }
    }

    /// How many of these numbers the other set lacks.
    pub(super) fn missing_in(&self, other: &Self) -> u64 {
        let missing = |(place, chunk): (usize, &Chunk)| {
            let theirs = other.chunks.get(place).unwrap_or(&Chunk::Empty);
            (0..CHUNK_WORDS)
                .map(|word| u64::from((chunk.word(word) & !theirs.word(word)).count_ones()))
                .sum::<u64>()
        };
        self.chunks.iter().enumerate().map(missing).sum()
    }
}

impl Chunk {
    fn word(&self, word: usize) -> u64 {
        match self {
            Self::Empty => 0,
            Self::Some { words, .. } => words[word],
            Self::Full => u64::MAX,
        }
    }
}

/// The chunk, the word in it and the bit in that.
fn place(id: u64) -> (usize, usize, u64) {
    let index = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    (
        index(id / CHUNK_IDS),
        index(id % CHUNK_IDS / 64),
        1 << (id % 64),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(ids: &Ids) -> u64 {
        ids.missing_in(&Ids::default())
    }

    #[test]
    fn a_number_counts_once_and_then_as_repeated() {
        let mut ids = Ids::default();
        for id in (0..CHUNK_IDS + 10).chain([5, CHUNK_IDS + 3]) {
            ids.mark(id);
        }
        assert_eq!((count(&ids), ids.repeated()), (CHUNK_IDS + 10, 2));
        assert!(matches!(ids.chunks[0], Chunk::Full));
    }

    #[test]
    fn what_the_other_set_lacks_is_missing() {
        let (mut sent, mut seen) = (Ids::default(), Ids::default());
        for id in 0..CHUNK_IDS * 2 {
            sent.mark(id);
            if id % 1000 != 7 && id < CHUNK_IDS + 100 {
                seen.mark(id);
            }
        }
        seen.mark(CHUNK_IDS * 9);
        assert_eq!(sent.missing_in(&seen), count(&sent) - (count(&seen) - 1));
        assert_eq!(seen.missing_in(&sent), 1);
        assert_eq!(sent.missing_in(&sent), 0);
    }

    #[test]
    fn what_two_sets_share_is_repeated_when_they_are_merged() {
        let (mut one, mut two) = (Ids::default(), Ids::default());
        (0..100).for_each(|id| one.mark(id));
        (90..70_000).for_each(|id| two.mark(id));
        two.mark(95);
        one.merge(two);
        assert_eq!((count(&one), one.repeated()), (70_000, 11));
    }
}
