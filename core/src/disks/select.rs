//! Which of several disks to read from. Pure: it sees numbers, never a disk.
//!
//! - A disk twice as slow is asked half as often. A replica is picked by latency-weighted rendezvous hashing
//!   of the address. Each disk's cost is its latency times an exponentially distributed number, and the least
//!   wins. The same address goes to the same disk as long as latencies stay as they are, which is what caches
//!   like.
//! - Load shows as latency: there is one batch at a time, and what waits in a disk's queue is in the time that it takes.
//! - A degraded disk is asked last.
//! - One choice in [`SAMPLE_EVERY`] is drawn evenly, so that a slow disk is measured and can recover its standing.
//! - A read that takes many times longer than others would is abandoned for them: a hedged request (Dean and
//!   Barroso, "The Tail at Scale", 2013). This helps in the rare long wait of a disk that is quick on
//!   average.

use super::mix;

/// One choice in so many is drawn without regard to latency.
pub const SAMPLE_EVERY: u64 = 64;

/// Microseconds that a request takes beside the disk's own time: so much is every disk alike.
const OVERHEAD: u64 = 1;

/// From how many times the median of the others on it is quicker to compute what a disk holds from them. Twice is what disks
/// differ by in ordinary use (see [`Thresholds`](super::condition::Thresholds)); computing takes as many reads again, and time.
const COMPUTE_FACTOR: u64 = 4;

/// The latency in microseconds below which nothing is computed instead: such a wait is too short to matter.
const COMPUTE_MICROS_MIN: u64 = 2_000;

/// Bytes that any disk that is well reads in a microsecond: an old memory card.
const BYTES_PER_MICRO: usize = 8;

/// The attempt from which on no read is abandoned any more.
pub const PATIENT: u32 = 8;

/// What is known of a disk that could be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Microseconds that a read takes, on average, times 16; 0 if that is not known.
    pub latency: u32,
    /// It makes errors, or is at a read that was given up.
    pub is_unreliable: bool,
    /// It is degraded for being slow.
    pub is_slow: bool,
    /// Where the bytes are: any number that tells places from each other, on this disk and others.
    pub place: u64,
}

/// Whether the choice with this number is drawn evenly.
pub const fn is_sample(number: u64) -> bool {
    mix(number).is_multiple_of(SAMPLE_EVERY)
}

/// What it costs to ask this disk; the least is to be asked. `is_sample` says that latency does not count.
#[expect(clippy::cast_possible_truncation, reason = "any 16 of 64 mixed bits are drawn evenly")]
pub fn cost(candidate: &Candidate, is_sample: bool) -> u64 {
    let drawn = exponential(mix(candidate.place) as u16);
    let last = |is: bool, bit: u32| u64::from(is) << bit;
    if is_sample {
        return drawn | last(candidate.is_unreliable, 63);
    }
    let weighted = (u64::from(candidate.latency) + (OVERHEAD << 4)) * drawn;
    weighted | last(candidate.is_slow, 62) | last(candidate.is_unreliable, 63)
}

/// Whether to compute what a disk holds from others, instead of waiting for it: it takes many times longer than they do.
/// `reads` is how many reads computing takes one after the other, at least 1. Latencies in microseconds, 0 if not known.
pub const fn is_worth_computing(latency: u32, others: u32, reads: usize) -> bool {
    others > 0
        && latency as u64 >= COMPUTE_MICROS_MIN
        && latency as u64 >= COMPUTE_FACTOR * others as u64 * reads as u64
}

/// After how many microseconds to give up on a read of so many bytes, which others can answer; 0 for never. It is the moment at
/// which [`is_worth_computing`] finds the disk's time too long, and what moving the bytes may take.
///
/// When all replicas time out, all are read again. `attempt` counts from 0 to [`PATIENT`], and each waits
/// eight times as long as the one before. So a disk that is only busy can answer while another is stuck for
/// good. This takes no more than about twice as long as if it alone had been asked.
#[expect(clippy::cast_possible_truncation, reason = "it was compared with the largest number of 32 bits")]
pub const fn patience(others: u32, reads: usize, bytes: usize, attempt: u32) -> u32 {
    if others == 0 || attempt >= PATIENT {
        return 0;
    }
    let many = COMPUTE_FACTOR * others as u64 * reads as u64;
    let micros = if many > COMPUTE_MICROS_MIN { many } else { COMPUTE_MICROS_MIN };
    let micros = micros.saturating_add((bytes / BYTES_PER_MICRO) as u64).saturating_mul(1 << (3 * attempt));
    if micros > u32::MAX as u64 { 0 } else { micros as u32 }
}

/// A number that is exponentially distributed if `uniform` is uniform: -log2((uniform + 1) / 65536) in units of 1/4096, at
/// least 1. The logarithm between powers of two is taken for a straight line, which is off by less than 0.09.
fn exponential(uniform: u16) -> u64 {
    let x = u64::from(uniform) + 1;
    let whole = u64::from(x.ilog2());
    let fraction = (x << 12 >> whole) - (1 << 12);
    ((16 << 12) - (whole << 12) - fraction).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NEW: Candidate = Candidate { latency: 16 * 100, is_unreliable: false, is_slow: false, place: 0 };

    /// Of so many choices between these, how many go to each.
    fn shares<const N: usize>(candidates: [Candidate; N], choices: u64) -> [u64; N] {
        let mut shares = [0; N];
        for number in 0..choices {
            let place = |i: usize| number << 8 | i as u64;
            let chosen = (0..N)
                .min_by_key(|&i| cost(&Candidate { place: place(i), ..candidates[i] }, is_sample(number)));
            shares[chosen.unwrap_or(0)] += 1;
        }
        shares
    }

    fn with(micros: u32) -> Candidate {
        Candidate { latency: micros * 16, ..NEW }
    }

    #[test]
    fn a_disk_twice_as_slow_is_asked_half_as_often() {
        let [fast, slow] = shares([with(100), with(200)], 60_000);
        assert!((48..=54).contains(&(slow * 100 / fast)), "{fast} {slow}");
        let [a, b, c] = shares([with(1000), with(2000), with(4000)], 70_000);
        assert!((38_000..=41_500).contains(&a) && (19_000..=21_500).contains(&b), "{a} {b} {c}");
    }

    #[test]
    fn equal_disks_share_equally() {
        let shares = shares([with(50); 4], 40_000);
        assert!(shares.iter().all(|share| (9_500..=10_500).contains(share)), "{shares:?}");
    }

    #[test]
    fn a_disk_that_makes_errors_is_asked_last_and_never_for_a_sample() {
        let unreliable = Candidate { is_unreliable: true, ..with(1) };
        assert_eq!(shares([unreliable, with(10_000)], 10_000), [0, 10_000]);
    }

    #[test]
    fn a_slow_disk_is_sampled_and_regains_its_share() {
        let slow = Candidate { is_slow: true, ..with(1_000_000) };
        let [few, _] = shares([slow, with(100)], 64_000);
        assert!((300..=700).contains(&few), "about half of one in 64: {few}");
        let [half, _] = shares([with(100), with(100)], 64_000);
        assert!((30_000..=34_000).contains(&half), "{half}");
    }

    #[test]
    fn computing_pays_where_a_disk_is_many_times_slower() {
        assert!(is_worth_computing(40_000, 10_000, 1));
        assert!(!is_worth_computing(39_999, 10_000, 1));
        assert!(!is_worth_computing(40_000, 10_000, 4), "four reads, one after the other");
        assert!(!is_worth_computing(1_999, 10, 1), "nobody waits for that");
        assert!(!is_worth_computing(u32::MAX, 0, 1), "nothing is known of the others");
        assert!(!is_worth_computing(u32::MAX, u32::MAX, usize::MAX >> 40));
    }

    #[test]
    fn patience_ends_where_computing_pays() {
        for (others, reads) in [(10, 1), (10_000, 1), (10_000, 4), (499, 1), (501, 1)] {
            let patience = patience(others, reads, 0, 0);
            assert!(is_worth_computing(patience, others, reads), "{others} {reads}");
            assert!(!is_worth_computing(patience - 1, others, reads), "{others} {reads}");
        }
        assert_eq!(
            patience(100, 1, 4 << 20, 0),
            2_000 + (4 << 20) / 8,
            "half a second for an extent of 4 MiB"
        );
        assert_eq!(patience(0, 1, 4096, 0), 0, "nothing is known of the others");
        assert_eq!(patience(u32::MAX, 16, 4096, 0), 0, "longer than any patience");
        assert_eq!([1, 2, 7].map(|attempt| patience(100, 1, 0, attempt)), [16_000, 128_000, 4_194_304_000]);
        assert_eq!([8, 9, u32::MAX].map(|attempt| patience(1, 1, 0, attempt)), [0; 3], "as long as it takes");
    }

    proptest! {
        #[test]
        fn the_cost_grows_with_the_latency(latency in 0..u32::MAX - 1000, more in 1..1000_u32, place: u64) {
            let at = |latency| cost(&Candidate { latency, place, ..NEW }, false);
            prop_assert!(at(latency + more) > at(latency));
            prop_assert_eq!(at(latency), at(latency));
        }

        #[test]
        fn what_is_degraded_costs_more_than_what_is_not(fast: u32, slow: u32, a: u64, b: u64, sample: bool) {
            let healthy = Candidate { latency: slow, place: a, ..NEW };
            let degraded = Candidate { latency: fast, place: b, is_unreliable: true, ..NEW };
            prop_assert!(cost(&degraded, sample) > cost(&healthy, sample));
        }
    }
}
