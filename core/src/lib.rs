//! An embeddable, crash-safe, multi-disk object filesystem: `no_std`, no allocation.
//!
//! What a program uses: a [`Pool`] is made or mounted, read through [`ReadObjects`], changed in a
//! [`Transaction`], and looked after with [`Pool::upkeep`] and [`Pool::maintain`].
//!
//! | module | what is in it |
//! |---|---|
//! | [`files`] | objects, names, attributes |
//! | [`health`] | how the pool and its disks are, what has happened to them |
//! | [`maintenance`] | jobs, checks, what would be if a disk were lost |
//! | [`planning`] | what fits: stripes over disks, records in nodes |
//! | [`inspect`] | labels and superblocks of disks, without a pool |
//! | [`error`], [`limits`], [`metrics`], [`types`] | words that all of them share |
//!
//! The layers inside, from the facade down; each uses those below it and none above:
//!
//! | layer | what it does |
//! |---|---|
//! | `pool` | the facade: makes and mounts pools, transactions, handles |
//! | `maintain` | counts what is owed, checks everything, gives space back |
//! | `object` | put, get, truncate, directories, attributes |
//! | `placement` | where fragments go; pure |
//! | `redundancy` | split and encode; pure |
//! | `transaction` | commit, recover, quorum, space kept back, the sweep |
//! | `tree`, `space` | the B+tree and its cache; open groups |
//! | `disks` | who is who, who works, all I/O |
//! | `format` | bytes on disk; the one place that knows offsets; pure |
//! | `types`, `limits`, `error`, `metrics`, `build`, `observed`, `powers` | words that all layers share |
//!
//! # Features
//!
//! A program takes what it needs; none is on by default, and one that is off takes no space. Hosts take
//! `full`. A pool that needs what a build lacks is refused by name ([`error::MountError::NeedsFeature`]).
//!
//! | feature | what it adds |
//! |---|---|
//! | `multi` | pools of more than one disk, up to 8 |
//! | `wide` | up to 64 disks, stripes of up to 16+4 fragments |
//! | `xor` | one parity fragment |
//! | `reed-solomon` | up to four parity fragments |
//! | `repair` | what reads find bad is rewritten by upkeep |
//! | `observe` | conditions of disks, latencies, events, counters |
//! | `maintain` | the jobs rebuild and scrub; deleted objects are freed where space is scarce |
//! | `manage` | rebalance, recount, members that come and go; single fragments moved; choices after a refused mount; what cannot be read is passed over |
//! | `tight` | contents in pieces where free space is fragmented; without it such a write finds no space |
//! | `fast-read` | several fragments at once, the best replica first; code made for speed |
//! | `placement` | failure domains, tiers, weights |
//! | `staging` | disks that ask for aligned buffers |
//! | `pins` | objects that stay without a name as long as they are held |
//! | `full` | all of these |
//! | `defmt` | `defmt::Format` on errors and plain structs |
//!
//! Without `manage` a damaged fragment is repaired by storing its extent again, which takes a window of lent
//! memory as long as the extent.
//!
//! A firmware that only reads mounts a [`Reader`], which has no code that writes.
//!
//! The feature `internals` makes the layers public, for the simulator and the fuzz targets: they are no
//! interface, and what is done with them may break every promise.
//!
//! ```
#![doc = include_str!("../examples/ram_pool.rs")]
//! ```
#![no_std]
#![forbid(unsafe_code)]
// What the layers show to `internals` is public in them.
#![cfg_attr(not(feature = "internals"), allow(unreachable_pub))]

#[cfg(not(feature = "internals"))]
mod disks;
#[cfg(not(feature = "internals"))]
mod format;
#[cfg(not(feature = "internals"))]
mod maintain;
#[cfg(not(feature = "internals"))]
mod object;
#[cfg(not(feature = "internals"))]
mod placement;
#[cfg(not(feature = "internals"))]
mod pool;
#[cfg(not(feature = "internals"))]
mod redundancy;
#[cfg(not(feature = "internals"))]
mod space;
#[cfg(not(feature = "internals"))]
mod transaction;
#[cfg(not(feature = "internals"))]
mod tree;

#[cfg(feature = "internals")]
pub mod disks;
#[cfg(feature = "internals")]
pub mod format;
#[cfg(feature = "internals")]
pub mod maintain;
#[cfg(feature = "internals")]
pub mod object;
#[cfg(feature = "internals")]
pub mod placement;
#[cfg(feature = "internals")]
pub mod pool;
#[cfg(feature = "internals")]
pub mod redundancy;
#[cfg(feature = "internals")]
pub mod space;
#[cfg(feature = "internals")]
pub mod transaction;
#[cfg(feature = "internals")]
pub mod tree;

mod build;
pub mod error;
pub mod limits;
pub mod metrics;
mod observed;
mod powers;
pub mod types;

pub use disks::DiskState;
pub use format::checksum::{crc32c, crc32c_small};
pub use format::label::PoolParameters;
pub use object::Pin;
pub use pool::{
    AddOptions, DiskOptions, FormatOptions, Handle, MountOptions, Pool, ReadObjects, Reader, Services,
    Stream, Transaction,
};
pub use transaction::{Memory, MountMode, Prefer};
pub use tree::cache::Slot;

/// Objects, their names and their attributes.
pub mod files {
    pub use crate::format::inode::{Inode, ObjectKind};
    pub use crate::format::name::EntryTarget;
    pub use crate::object::{Attributes, Change, Entry, MakeRequest, Moved, check_name, split_path};
}

/// How the pool and its disks are, and what has happened to them.
pub mod health {
    pub use crate::disks::condition::{Cause, Condition, Thresholds};
    pub use crate::disks::events::{Event, Happening};
    pub use crate::disks::{Currency, DiskStatus};
    pub use crate::format::record::MemberState;
    pub use crate::pool::{Health, Member, MemberHealth, Members};
    pub use crate::transaction::Roster;
}

/// Jobs and checks, where contents lie, and what would be the case if disks were lost or added.
pub mod maintenance {
    pub use crate::format::record::POOL_COUNTERS;
    pub use crate::maintain::{
        CheckReport, ExtentCounts, FAILED_LISTED, Finding, Footing, Held, Job, JobKind, JobOptions, JobState,
        Located, LossForecast, Lost, MemberRoom, OBJECTS_NAMED, Place, Proof, RebuildForecast, RebuildSpace,
        Rooms, Standing, Survivor, Trim, TrimOptions, Work, Worth, Worths,
    };
}

/// What fits on which disks: pure, for tools that tell it before anything is stored.
pub mod planning {
    pub use crate::format::extent::Extent;
    pub use crate::format::inode::INODE_BYTES;
    pub use crate::format::name::ENTRY_HEADER;
    pub use crate::format::node::{record_bytes, records_bytes_max, value_bytes_max};
    pub use crate::format::pointer::NodePointer;
    pub use crate::placement::{Room, stranded, stripes};
    pub use crate::redundancy::{effective as effective_scheme, fragment_bytes};
    pub use crate::transaction::quorum::wanting as members_wanting;
}

/// Labels and superblocks of disks, without a pool: for tools that look at what is on a disk.
pub mod inspect {
    pub use crate::format::key::{Key, Kind};
    pub use crate::format::label::{DiskIdentity, LABEL_BYTES, Label, LabelFault, decode as decode_label};
    pub use crate::format::places::{COPY_PLACES, SECTOR_BYTES_MAX, candidates};
    pub use crate::format::superblock::{Ancestor, SUPERBLOCK_MAGIC, Superblock};
    pub use crate::transaction::histories::{
        Relation, StateName, Surveyed, end_of, is_newer_under, may_be_copied, name_of, relation, without_say,
    };
}
