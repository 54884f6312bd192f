//! The one source of randomness: a small generator that a seed determines completely.
//!
//! xoshiro256** by David Blackman and Sebastiano Vigna ("Scrambled linear pseudorandom number generators", ACM
//! TOMS 47, 2021; <https://prng.di.unimi.it/xoshiro256starstar.c>), its state filled by SplitMix64 as they advise.
//! Numbers below a bound are drawn without bias by Daniel Lemire's method (<https://arxiv.org/abs/1805.10941>).
//! The sequences are part of what a replay line means: a change here invalidates every recorded seed.

/// A deterministic generator.
///
/// ```
/// use dynamicfs_sim::rng::Rng;
///
/// let root = Rng::new(7);
/// let (mut faults, mut workload) = (root.fork("faults"), root.fork("workload"));
/// assert_ne!(faults.next_u64(), workload.next_u64());
/// assert!(faults.below(6) < 6);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rng {
    state: [u64; 4],
    seed: u64,
}

impl Rng {
    /// The generator of this seed. Any seed is a good one.
    pub const fn new(seed: u64) -> Self {
        let mut mixed = seed;
        let mut state = [0; 4];
        let mut word = 0;
        while word < state.len() {
            state[word] = splitmix64(mixed);
            mixed = mixed.wrapping_add(GOLDEN_RATIO);
            word += 1;
        }
        Self { state, seed }
    }

    /// An independent stream with a name.
    ///
    /// It depends on this generator's seed and the label alone, and not on earlier draws. So one more draw in
    /// one part of the world leaves all other parts as they were.
    pub fn fork(&self, label: &str) -> Self {
        self.fork_at(label, 0)
    }

    /// An independent stream with a name and a number, such as one per disk.
    pub fn fork_at(&self, label: &str, index: u64) -> Self {
        let mut seed = splitmix64(self.seed ^ index.wrapping_mul(GOLDEN_RATIO));
        for &byte in label.as_bytes() {
            seed = splitmix64(seed ^ u64::from(byte));
        }
        Self::new(seed)
    }

    /// The next 64 random bits.
    pub const fn next_u64(&mut self) -> u64 {
        let result = self.state[1].wrapping_mul(5).rotate_left(7).wrapping_mul(9);
        let shifted = self.state[1] << 17;
        self.state[2] ^= self.state[0];
        self.state[3] ^= self.state[1];
        self.state[1] ^= self.state[2];
        self.state[0] ^= self.state[3];
        self.state[2] ^= shifted;
        self.state[3] = self.state[3].rotate_left(45);
        result
    }

    /// A number from `0..bound`, all equally likely.
    ///
    /// # Panics
    /// When `bound` is 0.
    pub const fn below(&mut self, bound: u64) -> u64 {
        assert!(bound > 0, "no number is below zero");
        let mut wide = self.next_u64() as u128 * bound as u128;
        if (wide as u64) < bound {
            let biased = bound.wrapping_neg() % bound;
            while (wide as u64) < biased {
                wide = self.next_u64() as u128 * bound as u128;
            }
        }
        (wide >> 64) as u64
    }

    /// An index into something of this length.
    ///
    /// # Panics
    /// When `length` is 0.
    pub const fn index(&mut self, length: usize) -> usize {
        self.below(length as u64) as usize
    }

    /// A number from `range`, all equally likely.
    ///
    /// # Panics
    /// When the range is empty.
    pub const fn within(&mut self, range: core::ops::Range<u64>) -> u64 {
        range.start + self.below(range.end - range.start)
    }

    /// True in `numerator` of `denominator` cases.
    ///
    /// # Panics
    /// When `denominator` is 0.
    pub const fn chance(&mut self, numerator: u64, denominator: u64) -> bool {
        self.below(denominator) < numerator
    }

    /// True in half of the cases.
    pub const fn coin(&mut self) -> bool {
        self.next_u64() >> 63 == 1
    }

    /// Fills `bytes` with random ones.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        for word in bytes.chunks_mut(8) {
            word.copy_from_slice(&self.next_u64().to_le_bytes()[..word.len()]);
        }
    }

    /// One of `items`, all equally likely.
    ///
    /// # Panics
    /// When there are none.
    pub const fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.index(items.len())]
    }

    /// Brings `items` into an arbitrary order, all equally likely (Fisher and Yates).
    pub const fn shuffle<T>(&mut self, items: &mut [T]) {
        let mut unplaced = items.len();
        while unplaced > 1 {
            let chosen = self.index(unplaced);
            unplaced -= 1;
            items.swap(unplaced, chosen);
        }
    }
}

/// The increment of SplitMix64: 2^64 divided by the golden ratio, made odd.
pub(crate) const GOLDEN_RATIO: u64 = 0x9E37_79B9_7F4A_7C15;

/// One output of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014) for a state: a bijection that mixes well.
pub(crate) const fn splitmix64(state: u64) -> u64 {
    let mut z = state.wrapping_add(GOLDEN_RATIO);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first outputs of SplitMix64 for the seed 1234567, as published with Vigna's reference code.
    #[test]
    fn splitmix64_is_the_published_one() {
        let mut state = 1_234_567_u64;
        let outputs: Vec<u64> = (0..3)
            .map(|_| {
                let output = splitmix64(state);
                state = state.wrapping_add(GOLDEN_RATIO);
                output
            })
            .collect();
        assert_eq!(
            outputs,
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]
        );
    }

    /// The first outputs of xoshiro256** from the state 1, 2, 3, 4, as in the reference tests of `rand_xoshiro`.
    #[test]
    fn xoshiro_is_the_published_one() {
        let mut rng = Rng { state: [1, 2, 3, 4], seed: 0 };
        let outputs: Vec<u64> = (0..5).map(|_| rng.next_u64()).collect();
        assert_eq!(outputs, [11520, 0, 1_509_978_240, 1_215_971_899_390_074_240, 1_216_172_134_540_287_360]);
    }

    #[test]
    fn a_fork_depends_on_seed_and_label_alone() {
        let mut drawn = Rng::new(3);
        drawn.next_u64();
        assert_eq!(drawn.fork("a"), Rng::new(3).fork("a"));
        assert_ne!(Rng::new(3).fork("a"), Rng::new(3).fork("b"));
        assert_ne!(Rng::new(3).fork_at("a", 0), Rng::new(3).fork_at("a", 1));
        assert_ne!(Rng::new(3).fork("a"), Rng::new(4).fork("a"));
    }

    #[test]
    fn numbers_below_a_bound_are_even() {
        let mut rng = Rng::new(1);
        let mut drawn = [0_u32; 6];
        for _ in 0..60_000 {
            drawn[rng.index(6)] += 1;
        }
        assert!(drawn.iter().all(|&times| (9_500..10_500).contains(&times)), "{drawn:?}");
        let heads = (0..60_000).filter(|_| rng.chance(1, 3)).count();
        assert!((19_500..20_500).contains(&heads), "{heads}");
    }

    #[test]
    fn a_shuffle_keeps_every_item_and_reaches_every_order() {
        let mut rng = Rng::new(2);
        let mut orders = std::collections::BTreeSet::new();
        for _ in 0..500 {
            let mut items = [0, 1, 2, 3];
            rng.shuffle(&mut items);
            orders.insert(items);
            items.sort_unstable();
            assert_eq!(items, [0, 1, 2, 3]);
        }
        assert_eq!(orders.len(), 24);
    }

    #[test]
    fn fill_reaches_the_last_byte() {
        let mut rng = Rng::new(5);
        let mut seen = [0_u8; 13];
        for _ in 0..20 {
            let mut bytes = [0_u8; 13];
            rng.fill(&mut bytes);
            seen.iter_mut().zip(bytes).for_each(|(seen, byte)| *seen |= byte);
        }
        assert!(seen.iter().all(|&byte| byte > 0x7F));
    }
}
