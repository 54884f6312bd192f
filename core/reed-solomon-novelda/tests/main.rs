//! All tests of the codec, as one program.

mod common;
mod errors;
mod exhaustive;
mod golden;
mod lengths;
mod properties;
