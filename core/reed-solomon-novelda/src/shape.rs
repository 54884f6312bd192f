//! What can be wrong with the slices that a caller hands over, checked before any byte moves.

use core::fmt;

/// The fragments passed in do not fit the code, or each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ShapeError {
    /// The number of input fragments is not the one that is needed.
    InputCount {
        /// How many are needed.
        expected: usize,
        /// How many were passed.
        actual: usize,
    },
    /// The number of output fragments is not the one that is needed.
    OutputCount {
        /// How many are needed.
        expected: usize,
        /// How many were passed.
        actual: usize,
    },
    /// A fragment's length in bytes differs from that of the first input.
    Length {
        /// The length of the first input, in bytes.
        expected: usize,
        /// The length of the first fragment that differs, in bytes.
        actual: usize,
    },
}

impl fmt::Display for ShapeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InputCount { expected, actual } => {
                write!(f, "{expected} input fragments are needed, {actual} were passed")
            }
            Self::OutputCount { expected, actual } => {
                write!(f, "{expected} output fragments are needed, {actual} were passed")
            }
            Self::Length { expected, actual } => {
                write!(f, "fragments must all have {expected} bytes, one has {actual}")
            }
        }
    }
}

impl core::error::Error for ShapeError {}

/// Fragments that were checked: the inputs and outputs of one computation, all of one length.
///
/// The vector kernels rely on it when they leave bounds checks out.
pub(crate) struct Stripe<'a, 'o> {
    inputs: &'a [&'a [u8]],
    outputs: &'a mut [&'o mut [u8]],
}

impl<'a, 'o> Stripe<'a, 'o> {
    /// Checks that there are `input_count` inputs and `output_count` outputs, all of one length.
    pub(crate) fn new(
        (inputs, input_count): (&'a [&'a [u8]], usize),
        (outputs, output_count): (&'a mut [&'o mut [u8]], usize),
    ) -> Result<Self, ShapeError> {
        if inputs.len() != input_count {
            return Err(ShapeError::InputCount { expected: input_count, actual: inputs.len() });
        }
        if outputs.len() != output_count {
            return Err(ShapeError::OutputCount { expected: output_count, actual: outputs.len() });
        }
        let length = inputs.first().map_or(0, |first| first.len());
        let mut lengths = inputs.iter().map(|f| f.len()).chain(outputs.iter().map(|f| f.len()));
        match lengths.find(|&other| other != length) {
            Some(other) => Err(ShapeError::Length { expected: length, actual: other }),
            None => Ok(Self { inputs, outputs }),
        }
    }

    /// The inputs and the outputs.
    pub(crate) fn split(self) -> (&'a [&'a [u8]], &'a mut [&'o mut [u8]]) {
        (self.inputs, self.outputs)
    }
}
