//! Reed-Solomon erasure coding for firmware and hosts: no allocation, no tables in firmware, SIMD
//! on hosts.
//!
//! A [`Code`] makes `m` parity fragments from `k` data fragments, in the caller's buffers. Any `k` of the
//! `k + m` fragments give back the rest. A [`Recovery`] is planned once for a pattern of losses and then run
//! on any number of stripes.
//!
//! ```
//! use reed_solomon_novelda::Code;
//!
//! let code = Code::new(4, 2)?;
//! let data: [&[u8]; 4] = [b"what", b"ever", b"gets", b"lost"];
//! let (mut p, mut q) = ([0; 4], [0; 4]);
//! code.encode(&data, &mut [&mut p, &mut q])?;
//!
//! // Fragments 1 and 3 are gone. Data is numbered from 0, parity follows it.
//! let recovery = code.recovery(&[0, 2, 4, 5], &[1, 3])?;
//! let (mut first, mut second) = ([0; 4], [0; 4]);
//! recovery.run(&[data[0], data[2], &p, &q], &mut [&mut first, &mut second])?;
//! assert_eq!((&first, &second), (b"ever", b"lost"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # The code
//!
//! Systematic, over GF(2^8) modulo x^8 + x^4 + x^3 + x^2 + 1 (`0x11d`). Byte `i` of parity fragment `r` is
//! the sum over all data fragments `j` of 2^(`r` * `j`) times their byte `i`. This is the matrix of ISA-L's
//! `gf_gen_rs_matrix`, so parity is interchangeable with it. Parity 0 is XOR, and together with parity 1 it
//! is RAID 6. For `k` <= [`DATA_MAX`] and `m` <= [`PARITY_MAX`] every square part of the matrix is regular.
//! So every loss of up to `m` fragments can be recovered; a test tries all of them. The bytes of a code never
//! change in later versions; golden vectors hold them.
//!
//! # How it is fast
//!
//! Row `r` is a polynomial in 2^`r`. By Horner's rule it takes one multiplication by 2, 4 or 8 and one
//! addition for each byte. This needs no tables: a few shifts and masks on whole words, or one instruction
//! with GFNI. All rows are computed in one pass over the data. Recovery has arbitrary coefficients, but only
//! as many unknowns as data fragments were lost.
//!
//! # Features
//!
//! - none by default: `no_std`, no allocation, no `unsafe` code, one portable [`Kernel`].
//! - `std`: asks the CPU at run time and uses GFNI with AVX-512, GFNI with AVX2, AVX2, or NEON.
//!   All kernels give the same bytes.

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
