//! A small generator of random numbers that gives the same sequence on every machine.

/// `SplitMix64`.
#[derive(Clone, Debug)]
pub(crate) struct Rng(u64);

impl Rng {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// From `low` to `high`, both included.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.next() % (high - low + 1)
    }

    /// Like [`Rng::between`], for an index or a length.
    pub fn size(&mut self, low: usize, high: usize) -> usize {
        low + (self.next() % (high - low + 1) as u64) as usize
    }

    /// Like [`Rng::between`], for a value of an attribute.
    pub fn int(&mut self, low: u32, high: u32) -> i64 {
        i64::from(low) + (self.next() % u64::from(high - low + 1)) as i64
    }

    /// True so many times of a hundred.
    pub fn percent(&mut self, percent: u64) -> bool {
        self.next() % 100 < percent
    }

    /// One of `all`, which is not empty.
    pub fn pick<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.size(0, all.len() - 1)]
    }

    /// A number of thousandths, so that its decimal form is short and exact to read back.
    pub fn thousandths(&mut self, low: u32, high: u32) -> f64 {
        f64::from(low + (self.next() % u64::from(high - low + 1)) as u32) / 1000.0
    }

    /// So many bytes.
    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        let words = (0..length.div_ceil(8)).flat_map(|_| self.next().to_be_bytes());
        words.take(length).collect()
    }

    /// So many hexadecimal digits.
    pub fn hex(&mut self, digits: usize) -> String {
        (0..digits)
            .map(|_| char::from(b"0123456789abcdef"[self.size(0, 15)]))
            .collect()
    }

    /// A UUID of version 4.
    pub fn uuid(&mut self) -> String {
        let [a, b, c, d] = [8, 4, 3, 3].map(|digits| self.hex(digits));
        format!("{a}-{b}-4{c}-a{d}-{}", self.hex(12))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_is_that_of_the_published_algorithm() {
        let mut rng = Rng::new(1_234_567);
        assert_eq!(rng.next(), 6_457_827_717_110_365_317);
        assert_eq!(rng.next(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn draws_stay_within_their_bounds_and_reach_them() {
        let mut rng = Rng::new(1);
        let drawn: Vec<_> = (0..200).map(|_| rng.between(3, 5)).collect();
        assert_eq!(
            (drawn.iter().min(), drawn.iter().max()),
            (Some(&3), Some(&5))
        );
        assert_eq!(rng.hex(16).len(), 16);
        assert_eq!(rng.bytes(13).len(), 13);
        assert_eq!(rng.uuid().len(), 36);
    }
}
