//! A code and its parameters; encoding.

use core::fmt;

use crate::kernel::Kernel;
use crate::recovery::{RecoverError, Recovery};
use crate::shape::{ShapeError, Stripe};

/// The most data fragments that a code can have.
pub const DATA_MAX: usize = 16;

/// The most parity fragments that a code can have, and so the most that can be lost.
pub const PARITY_MAX: usize = 4;

/// The most fragments that a stripe can have.
pub const FRAGMENTS_MAX: usize = DATA_MAX + PARITY_MAX;

/// A systematic Reed-Solomon code: `k` data fragments and `m` parity fragments.
///
/// Fragments are numbered: data from 0 to `k - 1`, parity from `k` to `k + m - 1`. A code is two
/// bytes; copy it freely.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Code {
    data: u8,
    parity: u8,
}

impl Code {
    /// The code with `k` data and `m` parity fragments.
    ///
    /// With `k` = 1 every parity fragment is a copy of the data; with `m` = 1 the parity is XOR;
    /// with `m` = 0 there is none.
    ///
    /// # Errors
    /// [`ParameterError`] unless `k` is in 1..=[`DATA_MAX`] and `m` in 0..=[`PARITY_MAX`].
    pub const fn new(k: u8, m: u8) -> Result<Self, ParameterError> {
        if k == 0 || k as usize > DATA_MAX {
            return Err(ParameterError::Data(k));
        }
        if m as usize > PARITY_MAX {
            return Err(ParameterError::Parity(m));
        }
        Ok(Self { data: k, parity: m })
    }

    /// `k`, the number of data fragments: 1..=[`DATA_MAX`].
    #[must_use]
    pub const fn data(self) -> usize {
        self.data as usize
    }

    /// `m`, the number of parity fragments: 0..=[`PARITY_MAX`].
    #[must_use]
    pub const fn parity(self) -> usize {
        self.parity as usize
    }

    /// `k + m`, the number of fragments of a stripe: 1..=[`FRAGMENTS_MAX`].
    #[must_use]
    pub const fn fragments(self) -> usize {
        self.data() + self.parity()
    }

    /// Computes all parity fragments from all data fragments, in one pass over the data.
    ///
    /// `data` is fragments 0 to `k - 1`, `parity` receives fragments `k` to `k + m - 1`. All have the same
    /// length, which may be 0. No alignment is needed. What `parity` held before does not matter.
    ///
    /// # Errors
    /// [`ShapeError`] when the counts are not `k` and `m` or the lengths differ; `parity` is then
    /// untouched.
    pub fn encode(self, data: &[&[u8]], parity: &mut [&mut [u8]]) -> Result<(), ShapeError> {
        self.encode_with(Kernel::best(), data, parity)
    }

    /// [`encode`](Self::encode) by a kernel of the caller's choice; all give the same bytes.
    ///
    /// # Errors
    /// As [`encode`](Self::encode).
    pub fn encode_with(
        self,
        kernel: Kernel,
        data: &[&[u8]],
        parity: &mut [&mut [u8]],
    ) -> Result<(), ShapeError> {
        kernel.encode(Stripe::new((data, self.data()), (parity, self.parity()))?);
        Ok(())
    }

    /// Prepares to compute the fragments numbered `wanted` from the `k` fragments numbered
    /// `survivors`.
    ///
    /// Either list may be in any order and mix data and parity. The plan serves every stripe
    /// that lost the same fragments.
    ///
    /// # Errors
    /// [`RecoverError`] when `survivors` are not `k`, a number is not below `k + m`, or a number
    /// occurs twice in the two lists together. There is no other case: any `k` fragments suffice.
    pub fn recovery(self, survivors: &[u8], wanted: &[u8]) -> Result<Recovery, RecoverError> {
        Recovery::plan(self, survivors, wanted)
    }
}

/// A code was asked for that this crate does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ParameterError {
    /// The number of data fragments is not in 1..=[`DATA_MAX`].
    Data(u8),
    /// The number of parity fragments is more than [`PARITY_MAX`].
    Parity(u8),
}

impl fmt::Display for ParameterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Data(k) => write!(f, "{k} data fragments, possible are 1 to {DATA_MAX}"),
            Self::Parity(m) => write!(f, "{m} parity fragments, possible are 0 to {PARITY_MAX}"),
        }
    }
}

impl core::error::Error for ParameterError {}
