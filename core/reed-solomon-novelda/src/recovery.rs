//! Recovery of lost fragments: a small linear system, solved once for each pattern of losses.
//!
//! Of `k` survivors some are parity, exactly as many (`e`, at most [`PARITY_MAX`]) as data
//! fragments are missing. So the unknowns are `e`, not `k`: the missing data x with
//! `A x = parity - (what the surviving data contributes to it)`. `A` is the part of the code's
//! matrix in the rows of the surviving parity and the columns of the missing data.

use core::fmt;

use crate::code::{Code, DATA_MAX, FRAGMENTS_MAX, PARITY_MAX};
use crate::field::{invert, multiply, weight};
use crate::kernel::Kernel;
use crate::shape::{ShapeError, Stripe};

/// The coefficients of up to [`PARITY_MAX`] outputs in up to [`DATA_MAX`] inputs.
pub(crate) type Coefficients = [[u8; DATA_MAX]; PARITY_MAX];

/// How to compute certain fragments from certain others, for any stripe of one code.
///
/// Made by [`Code::recovery`]; about 70 bytes, no allocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recovery {
    rows: Coefficients,
    inputs: u8,
    outputs: u8,
    /// The rows are those of the first parity fragments: encoding is faster than any recovery.
    encodes: bool,
}

impl Recovery {
    pub(crate) fn plan(code: Code, survivors: &[u8], wanted: &[u8]) -> Result<Self, RecoverError> {
        check_numbers(code, survivors, wanted)?;
        let system = System::new(code, survivors);
        let mut rows = Coefficients::default();
        for (row, &fragment) in rows.iter_mut().zip(wanted) {
            system.express(fragment, survivors, row);
        }
        let encodes = (0..).zip(rows.iter().take(wanted.len())).all(|(parity, row)| {
            (0..).zip(row.iter().take(survivors.len())).all(|(column, &c)| c == weight(parity, column))
        });
        Ok(Self { rows, inputs: survivors.len() as u8, outputs: wanted.len() as u8, encodes })
    }

    /// Computes the wanted fragments into `outputs` from the survivors in `inputs`, each in the
    /// order in which its numbers were given to [`Code::recovery`].
    ///
    /// All fragments have one length, which may be anything. What `outputs` held before does not
    /// matter.
    ///
    /// # Errors
    /// [`ShapeError`] when the counts are not those of the plan or the lengths differ; `outputs`
    /// is then untouched.
    pub fn run(&self, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) -> Result<(), ShapeError> {
        self.run_with(Kernel::best(), inputs, outputs)
    }

    /// [`run`](Self::run) by a kernel of the caller's choice; all give the same bytes.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub fn run_with(
        &self,
        kernel: Kernel,
        inputs: &[&[u8]],
        outputs: &mut [&mut [u8]],
    ) -> Result<(), ShapeError> {
        let stripe = Stripe::new((inputs, usize::from(self.inputs)), (outputs, usize::from(self.outputs)))?;
        if self.encodes {
            kernel.encode(stripe);
        } else {
            kernel.combine(&self.rows, stripe);
        }
        Ok(())
    }
}

/// Checks that `survivors` are `k`, and that together with `wanted` no number is out of range or
/// comes twice. So at most `m` are wanted.
fn check_numbers(code: Code, survivors: &[u8], wanted: &[u8]) -> Result<(), RecoverError> {
    if survivors.len() != code.data() {
        return Err(RecoverError::SurvivorCount { expected: code.data(), actual: survivors.len() });
    }
    let mut seen = [false; FRAGMENTS_MAX];
    for &fragment in survivors.iter().chain(wanted) {
        let in_code =
            seen.get_mut(usize::from(fragment)).filter(|_| usize::from(fragment) < code.fragments());
        match in_code {
            None => return Err(RecoverError::NoSuchFragment(fragment)),
            Some(true) => return Err(RecoverError::Repeated(fragment)),
            Some(unseen) => *unseen = true,
        }
    }
    Ok(())
}

/// The equations of the missing data, solved.
struct System {
    code: Code,
    /// The number of unknowns.
    unknowns: usize,
    /// The missing data fragments, ascending.
    missing: [u8; PARITY_MAX],
    /// The rows of the surviving parity fragments, ascending.
    parity: [u8; PARITY_MAX],
    /// The inverse of `A`: the weight of equation `i` in the missing fragment `u` is `[u][i]`.
    inverse: [[u8; PARITY_MAX]; PARITY_MAX],
}

impl System {
    fn new(code: Code, survivors: &[u8]) -> Self {
        let mut system = Self { code, unknowns: 0, missing: [0; 4], parity: [0; 4], inverse: [[0; 4]; 4] };
        let k = code.data() as u8;
        let survives = |fragment: &u8| survivors.contains(fragment);
        let parity = (k..code.fragments() as u8).filter(survives);
        for (entry, fragment) in system.parity.iter_mut().zip(parity) {
            *entry = fragment - k;
            system.unknowns += 1;
        }
        let missing = (0..k).filter(|fragment| !survives(fragment));
        for (entry, fragment) in system.missing.iter_mut().zip(missing) {
            *entry = fragment;
        }
        system.invert();
        system
    }

    /// Gauss-Jordan elimination on `A`, beside the identity.
    ///
    /// It never looks for a pivot. Every square part of this code's matrix is regular; that is what "any `k`
    /// fragments suffice" means. So every leading minor of `A` is nonzero, and each pivot is the quotient of
    /// two of them.
    fn invert(&mut self) {
        let unknowns = self.unknowns.min(PARITY_MAX);
        let mut a = [[0; 2 * PARITY_MAX]; PARITY_MAX];
        for ((i, row), &parity) in a.iter_mut().enumerate().zip(&self.parity).take(unknowns) {
            for (entry, &column) in row.iter_mut().zip(&self.missing).take(unknowns) {
                *entry = weight(parity, column);
            }
            row[PARITY_MAX + i] = 1;
        }
        for pivot in 0..unknowns {
            let scale = invert(a[pivot][pivot]);
            let pivot_row = a[pivot].map(|entry| multiply(entry, scale));
            for row in &mut a {
                let factor = row[pivot];
                for (entry, subtract) in row.iter_mut().zip(pivot_row) {
                    *entry ^= multiply(factor, subtract);
                }
            }
            // It was subtracted from itself as well.
            a[pivot] = pivot_row;
        }
        for (inverse, row) in self.inverse.iter_mut().zip(a) {
            inverse.copy_from_slice(&row[PARITY_MAX..]);
        }
    }

    /// Writes the coefficients of `fragment` in `survivors` into `row`.
    fn express(&self, fragment: u8, survivors: &[u8], row: &mut [u8; DATA_MAX]) {
        let k = self.code.data() as u8;
        // A data fragment is itself, parity is its weighted sum of the data.
        let in_data = |column| match fragment.checked_sub(k) {
            None => u8::from(fragment == column),
            Some(parity) => weight(parity, column),
        };
        let mut in_equations = [0; PARITY_MAX];
        for (inverse, &column) in self.inverse.iter().zip(&self.missing).take(self.unknowns) {
            for (total, entry) in in_equations.iter_mut().zip(inverse) {
                *total ^= multiply(in_data(column), *entry);
            }
        }
        let equations = || self.parity.iter().zip(in_equations).take(self.unknowns);
        for (coefficient, &survivor) in row.iter_mut().zip(survivors) {
            *coefficient = if survivor < k {
                equations().fold(in_data(survivor), |sum, (&parity, equation)| {
                    sum ^ multiply(equation, weight(parity, survivor))
                })
            } else {
                equations().find(|&(&parity, _)| parity == survivor - k).map_or(0, |(_, equation)| equation)
            };
        }
    }
}

/// Fragments cannot be computed from those that were named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecoverError {
    /// The number of survivors is not `k`.
    SurvivorCount {
        /// `k`.
        expected: usize,
        /// How many were named.
        actual: usize,
    },
    /// This fragment number is not below `k + m`.
    NoSuchFragment(u8),
    /// This fragment was named twice, among the survivors, the wanted or both.
    Repeated(u8),
}

impl fmt::Display for RecoverError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SurvivorCount { expected, actual } => {
                write!(f, "{expected} surviving fragments are needed, {actual} were named")
            }
            Self::NoSuchFragment(fragment) => write!(f, "the code has no fragment {fragment}"),
            Self::Repeated(fragment) => write!(f, "fragment {fragment} was named twice"),
        }
    }
}

impl core::error::Error for RecoverError {}
