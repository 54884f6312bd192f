//! DynamicFS from C: pools are made, mounted, read and changed by functions of a static library, over disks
//! that the caller has callbacks for, in memory that the caller lends.
//!
//! The interface is documented in `dynamicfs.h`, which is made from these sources. The README of the package
//! says how the library is built.
//!
//! | module | what it is |
//! |---|---|
//! | `abi` | the structs that both sides know |
//! | `code` | error codes, and their texts |
//! | `error` | errors of the core as codes |
//! | `disks` | the caller's disks, as an array of the core |
//! | `lent` | lent memory, divided; how much it takes |
//! | `session` | a pool in use: what is checked before each call |
//! | `mount` | pools made, mounted, given up |
//! | `transaction` | changes begun, committed, undone |
//! | `file` | open files |
//! | `names` | paths, and what they name |
//! | `directory` | open directories |
//! | `attribute` | extended attributes |
//! | `upkeep` | maintenance, health, the last error |
//!
//! # Unsafe code
//!
//! The core has none. Here it turns what C hands over into what Rust can check: pointers are compared with
//! null and with the alignment of what they point to before they are read, and what they point to is copied
//! or borrowed for the one call. What the core borrows for as long as a pool is mounted (disks, memory,
//! clock) is what the header asks the caller to leave in place until then.
#![no_std]
#![allow(non_camel_case_types, reason = "the names are those of the header")]
#![allow(
    clippy::missing_safety_doc,
    reason = "the header says once, for all functions, what a pointer must be"
)]

// A host has an allocator, threads and a way to unwind; nothing of it is used but the handler of panics.
#[cfg(not(target_os = "none"))]
extern crate std;

mod abi;
mod attribute;
mod code;
mod directory;
mod disks;
mod error;
mod file;
mod lent;
mod mount;
mod names;
mod session;
mod transaction;
mod upkeep;

pub use abi::*;
pub use attribute::*;
pub use code::*;
pub use directory::*;
pub use file::*;
pub use lent::{dfs_memory_to_format, dfs_memory_to_mount};
pub use mount::*;
pub use names::*;
pub use transaction::*;
pub use upkeep::*;

/// On bare metal a panic ends in a function of the firmware's: see the head of the header.
#[cfg(target_os = "none")]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    unsafe extern "C" {
        fn dfs_panic() -> !;
    }
    // SAFETY: the header asks for it, with this signature.
    unsafe { dfs_panic() }
}
