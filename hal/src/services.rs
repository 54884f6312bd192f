//! Time, randomness and checksums: the core has none of its own.

/// A point in time: seconds and nanoseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct UnixTime {
    /// Whole seconds, negative before 1970.
    pub seconds: i64,
    /// Nanoseconds within the second, below 1,000,000,000.
    pub nanoseconds: u32,
}

/// The integrator's clock. A device without one uses [`NoClock`]: the core then records no times and measures
/// no latencies, and everything else works.
pub trait Clock {
    /// The time of day, for the times that objects carry.
    fn now(&self) -> UnixTime;

    /// Microseconds from any fixed moment, never running backwards: for latencies.
    fn monotonic_micros(&self) -> u64;
}

impl<T: Clock + ?Sized> Clock for &T {
    fn now(&self) -> UnixTime {
        (**self).now()
    }
    fn monotonic_micros(&self) -> u64 {
        (**self).monotonic_micros()
    }
}

/// The clock of a device without one: always zero. Objects then carry no times and the core measures no
/// latencies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct NoClock;

impl Clock for NoClock {
    fn now(&self) -> UnixTime {
        UnixTime::default()
    }
    fn monotonic_micros(&self) -> u64 {
        0
    }
}

/// The integrator's source of randomness failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct EntropyError;

impl core::fmt::Display for EntropyError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("the source of randomness failed")
    }
}

impl core::error::Error for EntropyError {}

/// The integrator's source of randomness. It names pools, disks and branches and seeds the directory hash.
/// Two pools must never be given the same bytes, and for the hash they should be unpredictable.
pub trait Entropy {
    /// Fills `buf` with random bytes.
    fn fill(&mut self, buf: &mut [u8]) -> Result<(), EntropyError>;
}

impl<T: Entropy + ?Sized> Entropy for &mut T {
    fn fill(&mut self, buf: &mut [u8]) -> Result<(), EntropyError> {
        (**self).fill(buf)
    }
}

/// CRC-32C (Castagnoli: reflected 0x1EDC6F41, initial and final value all ones) of `bytes`. `crc` is the
/// checksum of the bytes before them, 0 for none: `f(f(0, a), b) == f(0, ab)`.
pub type Crc32c = fn(crc: u32, bytes: &[u8]) -> u32;
