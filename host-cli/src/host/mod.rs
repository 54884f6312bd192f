//! The machine outside the pool: files and their attributes, interrupts, the person at the terminal.

mod acl;
pub(crate) mod activity;
pub(crate) mod attributes;
pub(crate) mod confirm;
pub(crate) mod descent;
pub(crate) mod devices;
pub(crate) mod folder;
pub(crate) mod interrupt;
pub(crate) mod look;
pub(crate) mod machine;
pub(crate) mod random;
pub(crate) mod signature;
pub(crate) mod source;
pub(crate) mod stand_in;
pub(crate) mod storage;
pub(crate) mod target;
pub(crate) mod times;
pub(crate) mod walk;
pub(crate) mod whole_file;
