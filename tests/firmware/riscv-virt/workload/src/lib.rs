//! Transactions that follow from their numbers alone, and what a pool holds after each: the firmware does
//! them, the host knows what must be there.
//!
//! | module | what it is |
//! |---|---|
//! | [`tree`] | all files and directories after transaction number n; the changes that transaction makes |
//! | [`contents`] | what is in a file |
//! | [`path`] | where files are |
//! | [`random`] | numbers that follow from a seed |
#![no_std]
#![forbid(unsafe_code)]

pub mod contents;
pub mod path;
pub mod random;
pub mod tree;

pub use contents::{Contents, Piece};
pub use path::{Directory, Path};
pub use random::Random;
pub use tree::{Change, Tree};
