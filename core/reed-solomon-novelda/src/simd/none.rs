//! No vector kernel: firmware, and hosts that have only the portable one.

use core::iter;

use crate::recovery::Coefficients;
use crate::shape::Stripe;

/// There is none, so that everything that depends on one is compiled to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum InstructionSet {}

impl InstructionSet {
    pub(crate) fn available() -> impl Iterator<Item = Self> {
        iter::empty()
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {}
    }

    pub(crate) fn encode(self, _stripe: Stripe) {
        match self {}
    }

    pub(crate) fn combine(self, _rows: &Coefficients, _stripe: Stripe) {
        match self {}
    }
}
