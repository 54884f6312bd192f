//! Copying, filling and comparing memory, small: the compiler's own take 2 to 3.6 KB of flash on a Cortex-M4,
//! these 150 bytes.
//!
//! They move words where both places are aligned, and bytes elsewhere. Their symbols come before the
//! compiler's, which are weak. A firmware that links a C library has small ones already.

#[cfg(target_arch = "riscv32")]
mod riscv;
#[cfg(target_arch = "arm")]
mod thumb;
