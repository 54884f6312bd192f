//! Whether a disk that takes part can be relied on: from its errors and its latency to a condition, with the reason. Pure;
//! no I/O, no clock of its own.
//!
//! ```text
//!             errors in the window, or several times slower than the others
//!   healthy ───────────────────────────────────────────────────────────────▶ degraded: read as the last choice
//!      ▲                                                                    │
//!      └──── the window has passed, latency is half of what was too much ───┤
//!                                                                           │ more errors in the window
//!                                                                           ▼
//!                                              failed: upkeep takes it out of use, if nothing is lost by that
//! ```
//!
//! Failed writes and flushes are not counted here: one of them is enough to take a disk out of use.

use crate::observed::AtRest;
use crate::options::options;
use dynamicfs_hal::IoError;

/// Bad places of a disk that are remembered, so that one of them that is met again and again counts once.
const PLACES: usize = 4;

/// Reads with a known latency before it is compared with others.
pub const SAMPLES_MIN: u8 = 32;

options! {
    /// From how many errors, and from which latency on, a disk is no longer relied on.
    ///
    /// The defaults follow what is done in the field. ZFS's fault management calls a disk degraded after 10
    /// checksum errors, and faulted after 10 I/O errors, each within 600 seconds (`vdevprops(7)`:
    /// `checksum_n`, `io_n`). Hao et al., "The tail at store" (FAST 2016), call a disk slow from twice the
    /// median of its group on. 0.2 % of all disk hours reach that.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    #[cfg_attr(feature = "defmt", derive(defmt::Format))]
    pub struct Thresholds {
        /// Seconds in which errors are counted together, at least 1; up to twice as long ago counts. 600, as
        /// in ZFS.
        pub window_seconds: u32,
        /// The same in requests to the disk, at least 1, for machines without a clock. 100,000: about what a
        /// hard disk does in ten minutes.
        pub window_requests: u32,
        /// Places that could not be read from which on a disk is degraded; 0 never. 5: one bad sector is
        /// ordinary, and repaired by being written elsewhere; half of what fails a disk is not.
        pub degraded_read_errors: u16,
        /// Places with wrong contents (each what one read was to give, up to a whole fragment) from which on
        /// a disk is degraded; 0 never. 10, as in ZFS.
        pub degraded_checksum_errors: u16,
        /// Places that could not be read from which on a disk has failed; 0 never. 10, as in ZFS.
        pub failed_read_errors: u16,
        /// Places with wrong contents from which on a disk has failed; 0 never. 100: ZFS never fails a disk
        /// for it, because cable and memory may be the cause as well. A disk with ten times the errors that
        /// degrade it is not worth keeping, whatever the cause.
        pub failed_checksum_errors: u16,
        /// How many times the median latency of the others degrades a disk; 0 never. 8: four times what calls
        /// a disk slow, so that a busy moment is no alarm.
        pub slow_factor: u16,
        /// The latency, in microseconds, below which no disk is degraded for being slow. 100,000: no sound
        /// disk takes a tenth of a second for a read on average, and a hard disk beside solid-state ones is
        /// no fault.
        pub slow_micros: u32,
        /// Whether upkeep empties a disk that has failed by these thresholds, and then takes it out of use.
        /// The pool must stay readable and writable without it, and must have the disks and the space for its
        /// data. True.
        pub fail: bool,
    }
}

impl AtRest for Thresholds {
    const AT_REST: &'static Self = &Self::DEFAULT;
}

impl Thresholds {
    /// The defaults.
    pub const DEFAULT: Self = Self {
        window_seconds: 600,
        window_requests: 100_000,
        degraded_read_errors: 5,
        degraded_checksum_errors: 10,
        failed_read_errors: 10,
        failed_checksum_errors: 100,
        slow_factor: 8,
        slow_micros: 100_000,
        fail: true,
    };

    /// The same.
    pub const fn new() -> Self {
        Self::DEFAULT
    }
}

impl Default for Thresholds {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// How far a disk that takes part can be relied on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Condition {
    /// As far as any.
    #[default]
    Healthy,
    /// It is written to, and read from as the last choice.
    Degraded(Cause),
    /// It is out of use, or should be.
    Failed(Cause),
}

impl Condition {
    /// Why it is not healthy.
    pub const fn cause(self) -> Option<Cause> {
        match self {
            Self::Healthy => None,
            Self::Degraded(cause) | Self::Failed(cause) => Some(cause),
        }
    }

    /// 0 for a healthy disk, and the more the worse it is.
    pub const fn level(self) -> u8 {
        match self {
            Self::Healthy => 0,
            Self::Degraded(_) => 1,
            Self::Failed(_) => 2,
        }
    }
}

/// Why a disk is not healthy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Cause {
    /// So many places could not be read.
    ReadErrors(u32),
    /// So many places did not hold what had been written there.
    ChecksumErrors(u32),
    /// It takes longer than the others.
    Slow {
        /// Microseconds that a read takes, on average.
        latency: u32,
        /// The median of the others.
        others: u32,
    },
    /// It answered a request with this error, after which nothing is trusted to it any more.
    Error(IoError),
}

impl core::fmt::Display for Cause {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match *self {
            Self::ReadErrors(1) => f.write_str("1 place could not be read"),
            Self::ReadErrors(places) => write!(f, "{places} places could not be read"),
            Self::ChecksumErrors(1) => f.write_str("1 place had wrong contents"),
            Self::ChecksumErrors(places) => write!(f, "{places} places had wrong contents"),
            Self::Slow { latency, others } => {
                write!(f, "a read takes {latency} us, {others} us on the others")
            }
            Self::Error(error) => error.fmt(f),
        }
    }
}

/// What is known of a disk that takes part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// Places that could not be read.
    pub read_errors: u32,
    /// Places that did not hold what had been written there.
    pub checksum_errors: u32,
    /// Microseconds that a read takes, on average; 0 if that is not known.
    pub latency: u32,
    /// The median of the others; 0 if that is not known.
    pub others: u32,
}

/// The condition of a disk, and why; `before` is what it was. A disk that was degraded for being slow
/// recovers when its latency is half of what degrades one. So it does not alternate.
pub fn assess(evidence: &Evidence, thresholds: &Thresholds, before: Condition) -> Condition {
    let reached = |errors: u32, threshold: u16| threshold > 0 && errors >= threshold.into();
    let (reads, checksums) = (evidence.read_errors, evidence.checksum_errors);
    let was_slow = matches!(before.cause(), Some(Cause::Slow { .. }));
    let (latency, others) = (u64::from(evidence.latency) << u8::from(was_slow), u64::from(evidence.others));
    let is_slow = others > 0
        && thresholds.slow_factor > 0
        && latency >= u64::from(thresholds.slow_micros)
        && latency >= others * u64::from(thresholds.slow_factor);
    match () {
        () if reached(reads, thresholds.failed_read_errors) => Condition::Failed(Cause::ReadErrors(reads)),
        () if reached(checksums, thresholds.failed_checksum_errors) => {
            Condition::Failed(Cause::ChecksumErrors(checksums))
        }
        () if reached(reads, thresholds.degraded_read_errors) => {
            Condition::Degraded(Cause::ReadErrors(reads))
        }
        () if reached(checksums, thresholds.degraded_checksum_errors) => {
            Condition::Degraded(Cause::ChecksumErrors(checksums))
        }
        () if is_slow => {
            Condition::Degraded(Cause::Slow { latency: evidence.latency, others: evidence.others })
        }
        () => Condition::Healthy,
    }
}

// --- the window -----------------------------------------------------------------------------------------------

/// What is wrong with a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It could not be read.
    Read,
    /// It did not hold what had been written there.
    Checksum,
}

/// Errors of one disk, the old ones forgotten: those of this window and of the one before.
#[derive(Clone, Copy, Debug, Default)]
pub struct Window {
    began: u64,
    requests: u32,
    now: [u16; 2],
    before: [u16; 2],
    /// The last bad places, and where the next one goes.
    places: [u32; PLACES],
    next: u8,
}

impl Window {
    /// Without errors.
    pub const NEW: Self =
        Self { began: 0, requests: 0, now: [0; 2], before: [0; 2], places: [0; PLACES], next: 0 };

    /// A request was made.
    pub const fn count(&mut self) {
        self.requests = self.requests.saturating_add(1);
    }

    /// Notes a fault at a place, which is any number that tells it from others. One of the last places counts once.
    #[expect(
        clippy::indexing_slicing,
        clippy::cast_possible_truncation,
        reason = "`next` is below `PLACES`, 4; a fault is 0 or 1; a place is told apart by 32 bits"
    )]
    pub fn note(&mut self, fault: Fault, place: u64) {
        // 0 stands for none.
        let place = (super::mix(place) as u32) | 1;
        if self.places.contains(&place) {
            return;
        }
        self.places[usize::from(self.next) % PLACES] = place;
        self.next = (self.next + 1) % PLACES as u8;
        let count = &mut self.now[fault as usize];
        *count = count.saturating_add(1);
    }

    /// Begins another window if this one is over at `now`, in microseconds from any moment. Without a clock
    /// `now` is 0, and the number of requests decides.
    pub fn pass(&mut self, now: u64, thresholds: &Thresholds) {
        let length = u64::from(thresholds.window_seconds.max(1)) * 1_000_000;
        let windows = match now {
            0 => u64::from(self.requests / thresholds.window_requests.max(1)),
            _ => now.saturating_sub(self.began) / length,
        };
        if windows > 0 {
            self.before = if windows == 1 { self.now } else { [0; 2] };
            let (began, places) = (now.max(self.began), [0; PLACES]);
            *self = Self { began, requests: 0, now: [0; 2], places, ..*self };
        }
    }

    /// Errors of this kind in this window and the one before.
    #[expect(clippy::indexing_slicing, reason = "a fault is 0 or 1, and each has its place")]
    pub const fn errors(&self, fault: Fault) -> u32 {
        self.now[fault as usize] as u32 + self.before[fault as usize] as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const THRESHOLDS: Thresholds = Thresholds::DEFAULT;

    fn check(evidence: Evidence, expected: Condition) {
        assert_eq!(assess(&evidence, &THRESHOLDS, Condition::Healthy), expected, "{evidence:?}");
    }

    #[test]
    fn each_threshold_has_its_condition() {
        use Cause::{ChecksumErrors, ReadErrors, Slow};
        use Condition::{Degraded, Failed, Healthy};
        let with = |read_errors, checksum_errors, latency, others| Evidence {
            read_errors,
            checksum_errors,
            latency,
            others,
        };
        check(Evidence::default(), Healthy);
        check(with(4, 9, 99_999, 1), Healthy);
        check(with(5, 0, 0, 0), Degraded(ReadErrors(5)));
        check(with(0, 10, 0, 0), Degraded(ChecksumErrors(10)));
        check(with(10, 10, 0, 0), Failed(ReadErrors(10)));
        check(with(5, 100, 0, 0), Failed(ChecksumErrors(100)));
        check(with(0, 0, 100_000, 12_500), Degraded(Slow { latency: 100_000, others: 12_500 }));
        // It is slow, and the others are no faster; or there is no other disk to compare it with.
        check(with(0, 0, 100_000, 12_501), Healthy);
        check(with(0, 0, u32::MAX, 0), Healthy);
        check(with(u32::MAX, u32::MAX, u32::MAX, u32::MAX), Failed(ReadErrors(u32::MAX)));
    }

    #[test]
    fn nothing_is_judged_by_a_threshold_that_is_off() {
        let off = THRESHOLDS
            .degraded_read_errors(0)
            .degraded_checksum_errors(0)
            .failed_read_errors(0)
            .failed_checksum_errors(0)
            .slow_factor(0);
        let worst =
            Evidence { read_errors: u32::MAX, checksum_errors: u32::MAX, latency: u32::MAX, others: 1 };
        assert_eq!(assess(&worst, &off, Condition::Healthy), Condition::Healthy);
    }

    #[test]
    fn a_slow_disk_recovers_at_half_of_what_is_slow() {
        let slow = Condition::Degraded(Cause::Slow { latency: 200_000, others: 10_000 });
        let at =
            |latency| assess(&Evidence { latency, others: 10_000, ..Evidence::default() }, &THRESHOLDS, slow);
        assert_eq!(at(50_000).level(), 1);
        assert_eq!(at(49_999), Condition::Healthy);
    }

    #[test]
    fn more_errors_never_make_a_disk_better() {
        proptest::proptest!(|(reads in 0_u32..200, checksums in 0_u32..200, more in 0_u32..100)| {
            let level = |read_errors, checksum_errors| {
                let evidence = Evidence { read_errors, checksum_errors, ..Evidence::default() };
                assess(&evidence, &THRESHOLDS, Condition::Healthy).level()
            };
            assert!(level(reads + more, checksums) >= level(reads, checksums));
            assert!(level(reads, checksums + more) >= level(reads, checksums));
        });
    }

    #[test]
    fn one_bad_place_counts_once() {
        let mut window = Window::NEW;
        for _ in 0..50 {
            window.note(Fault::Read, 7);
            window.note(Fault::Read, 8);
        }
        assert_eq!(window.errors(Fault::Read), 2);
        (0..10).for_each(|place| window.note(Fault::Checksum, 100 + place));
        assert_eq!((window.errors(Fault::Read), window.errors(Fault::Checksum)), (2, 10));
    }

    #[test]
    fn errors_are_forgotten_after_two_windows() {
        let minute = 60_000_000;
        let mut window = Window::NEW;
        window.pass(minute, &THRESHOLDS);
        window.note(Fault::Read, 1);
        for (at, expected) in [(10, 1), (11, 1), (19, 1), (20, 0)] {
            window.pass(at * minute, &THRESHOLDS);
            assert_eq!(window.errors(Fault::Read), expected, "at minute {at}");
        }
        window.note(Fault::Read, 2);
        window.pass(200 * minute, &THRESHOLDS);
        assert_eq!(window.errors(Fault::Read), 0, "nothing was asked for long");
    }

    #[test]
    fn without_a_clock_requests_are_counted() {
        let thresholds = THRESHOLDS.window_requests(100);
        let mut window = Window::NEW;
        window.note(Fault::Checksum, 1);
        for (requests, expected) in [(99, 1), (1, 1), (99, 1), (1, 0)] {
            (0..requests).for_each(|_| window.count());
            window.pass(0, &thresholds);
            assert_eq!(window.errors(Fault::Checksum), expected);
        }
    }
}
