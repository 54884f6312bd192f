//! Which implementation moves the bytes.

use crate::portable;
use crate::recovery::Coefficients;
use crate::shape::Stripe;
use crate::simd::InstructionSet;

/// An implementation of the inner loops that this CPU can run.
///
/// All kernels compute the same bytes, so a choice matters only to a test or a benchmark. Without
/// the feature `std` there is only [`Kernel::PORTABLE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Kernel(Option<InstructionSet>);

impl Kernel {
    /// Safe Rust for any CPU, as fast as the compiler makes it.
    pub const PORTABLE: Self = Self(None);

    /// The kernels that this CPU can run, the fastest first; the last is [`Kernel::PORTABLE`].
    pub fn available() -> impl Iterator<Item = Self> {
        InstructionSet::available().map(|set| Self(Some(set))).chain([Self::PORTABLE])
    }

    /// The fastest kernel that this CPU can run.
    #[must_use]
    pub fn best() -> Self {
        Self(InstructionSet::available().next())
    }

    /// A short name for reports: `gfni512`, `gfni256`, `avx2`, `neon` or `portable`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self.0 {
            Some(set) => set.name(),
            None => "portable",
        }
    }

    /// Computes output `r` as the sum over `j` of input `j` * 2^(r * j).
    pub(crate) fn encode(self, stripe: Stripe) {
        match self.0 {
            Some(set) => set.encode(stripe),
            None => {
                let (data, parity) = stripe.split();
                portable::encode(data, parity);
            }
        }
    }

    /// Computes output `r` as the sum over `j` of input `j` * `rows[r][j]`.
    pub(crate) fn combine(self, rows: &Coefficients, stripe: Stripe) {
        match self.0 {
            Some(set) => set.combine(rows, stripe),
            None => {
                let (inputs, outputs) = stripe.split();
                portable::combine(rows, inputs, outputs);
            }
        }
    }
}
