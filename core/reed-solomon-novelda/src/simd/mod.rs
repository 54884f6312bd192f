//! The vector kernels of hosts, and the only `unsafe` code of the crate.
//!
//! The [loops] are written once, over the [`Vector`](vector::Vector) trait. Each instruction set supplies a
//! register type and entry points that are compiled for that set alone. Two rules make it sound:
//! - An entry point is called only through an `InstructionSet`. A value of that type exists only after the
//!   CPU was asked for every feature that the entry point enables.
//! - Fragments are dereferenced only in a block of the loops, which lies inside the one length of
//!   all fragments that [`Stripe`](crate::shape::Stripe) has established.

#![cfg_attr(feature = "std", allow(unsafe_code))]

#[cfg(all(feature = "std", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod loops;
#[cfg(all(feature = "std", target_arch = "aarch64"))]
mod neon;
#[cfg(all(feature = "std", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod nibbles;
#[cfg(not(all(feature = "std", any(target_arch = "x86_64", target_arch = "aarch64"))))]
mod none;
#[cfg(all(feature = "std", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod vector;
#[cfg(all(feature = "std", target_arch = "x86_64"))]
mod x86;

#[cfg(all(feature = "std", target_arch = "aarch64"))]
pub(crate) use neon::InstructionSet;
#[cfg(not(all(feature = "std", any(target_arch = "x86_64", target_arch = "aarch64"))))]
pub(crate) use none::InstructionSet;
#[cfg(all(feature = "std", target_arch = "x86_64"))]
pub(crate) use x86::InstructionSet;
