//! Reed-Solomon erasure coding without allocation: no_std, table-free, SIMD on hosts.
#![no_std]
#![cfg_attr(not(feature = "std"), forbid(unsafe_code))]
#![deny(unsafe_code)]

#[cfg(feature = "std")]
extern crate std;

mod code;
mod field;
mod kernel;
mod portable;
mod recovery;
mod shape;
mod simd;

pub use code::{Code, DATA_MAX, FRAGMENTS_MAX, PARITY_MAX, ParameterError};
pub use kernel::Kernel;
pub use recovery::{RecoverError, Recovery};
pub use shape::ShapeError;
