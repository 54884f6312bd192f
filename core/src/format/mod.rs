//! Bytes on disk: the one place that knows offsets. Pure; no I/O, no state.
//!
//! Integers are little-endian; the keys of the tree alone are big-endian, so that comparing bytes compares keys.
//! A structure is a *view* over bytes (`layout!`, in [`field`]): its length is checked once, its fields are read where they
//! lie. `docs/FORMAT.md` holds the same tables, and a test compares the two.

pub mod checksum;
pub mod extent;
pub mod field;
pub mod inode;
pub mod job;
pub mod key;
pub mod label;
pub mod name;
pub mod node;
pub mod parameters;
pub mod places;
pub mod pointer;
pub mod record;
mod siphash;
pub mod superblock;
