//! What the fuzz targets share: valid images to start from, lies that are well-formed, and what is done to a pool.
//!
//! ```text
//! array.rs     disks in memory that count what is asked of them
//! base.rs      pools made once in the process, deterministic, that hold every kind of record
//! edit.rs      changes of an image, and sealing it anew so that every checksum is right
//! exercise.rs  mounts an image, reads all of it, changes it, mounts it again
//! ```
#![forbid(unsafe_code)]

pub mod array;
pub mod base;
pub mod edit;
pub mod exercise;
