//! All tests of the crate over real files and devices, as one program.
//!
//! Under `--cfg loom` it holds the model check of the hand-off alone: the locks of that build work only in a
//! model.

#[cfg(not(loom))]
mod block_device;
#[cfg(not(loom))]
mod conformance;
#[cfg(not(loom))]
mod file_disk;
#[cfg(not(loom))]
mod lock;
#[cfg(loom)]
mod loom_handoff;
