//! What header blocks were read to, remembered, because peers repeat them.

/// Blocks that are remembered on a connection: one a signal, or a head and trailers and one of
/// each to spare.
pub(super) const BLOCKS_MAX: usize = 4;

/// The longest block that is remembered, in bytes.
const BLOCK_BYTES_MAX: usize = 1024;

/// What the last blocks of a connection were read to.
///
/// While the dynamic table stays as it is the same bytes mean the same, so what they were read to
/// is used again. The generation of the table says whether it has changed.
#[derive(Debug)]
pub(super) struct Remembered<T> {
    generation: u64,
    blocks: Vec<(Box<[u8]>, T)>,
}

impl<T> Default for Remembered<T> {
    fn default() -> Self {
        Self {
            generation: 0,
            blocks: Vec::new(),
        }
    }
}

impl<T> Remembered<T> {
    /// What the same block was read to before, with the table as it is.
    pub(super) fn find(&self, block: &[u8], generation: u64) -> Option<&T> {
        if self.generation != generation {
            return None;
        }
        let found = self.blocks.iter().find(|(known, _)| **known == *block);
        found.map(|(_, read)| read)
    }

    /// Remembers what a block was read to. It must not have changed the table: such a block means
    /// something else the next time.
    pub(super) fn add(&mut self, block: &[u8], generation: u64, read: T) {
        if block.len() > BLOCK_BYTES_MAX {
            return;
        }
        if self.generation != generation {
            self.generation = generation;
            self.blocks.clear();
        }
        if self.blocks.len() >= BLOCKS_MAX {
            self.blocks.remove(0);
        }
        self.blocks.push((block.into(), read));
    }

    #[cfg(test)]
    pub(super) const fn len(&self) -> usize {
        self.blocks.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_found_until_the_table_changes_and_only_the_last_few() {
        let mut remembered = Remembered::default();
        for number in 0..=u8::try_from(BLOCKS_MAX).unwrap() {
            remembered.add(&[number], 7, number);
        }
        assert_eq!(remembered.find(&[0], 7), None);
        assert_eq!(remembered.find(&[1], 7), Some(&1));
        assert_eq!(remembered.find(&[1], 8), None);
        remembered.add(&[9; BLOCK_BYTES_MAX + 1], 7, 9);
        assert_eq!(remembered.find(&[9; BLOCK_BYTES_MAX + 1], 7), None);
        remembered.add(&[2], 8, 22);
        assert_eq!(remembered.find(&[2], 8), Some(&22));
        assert_eq!(remembered.find(&[1], 8), None);
    }
}
