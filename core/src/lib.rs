//! An embeddable, crash-safe, multi-disk object filesystem: `no_std`, no allocation.
//!
//! A [`Pool`] is made or mounted, read through [`ReadObjects`], changed in a [`Transaction`], and looked
//! after with [`Pool::upkeep`] and [`Pool::maintain`]. These are the five things that a program does.
//!
//! # Make
//!
//! Once in a pool's life. The options say what it is like for good, and how much memory that takes, at
//! compile time. The pool allocates nothing: it is lent what it may use.
//!
//! ```
//! use dynamicfs_core::error::FormatError;
//! use dynamicfs_core::types::{MemoryNeeds, Scheme};
//! use dynamicfs_core::{DiskState, FormatOptions, Memory, Pool, Services, CacheEntry, crc32c};
//! use dynamicfs_hal::{BlockDevice, Entropy, Geometry, NoClock, SerialArray};
//!
//! /// Everything twice, on two disks of up to 16 GiB.
//! const OPTIONS: FormatOptions = FormatOptions::portable(Scheme::mirror(2)).members_max(2);
//! const NEEDS: MemoryNeeds = OPTIONS.memory(2, &Geometry::new(512, 1 << 25));
//!
//! fn make<D: BlockDevice>(disks: [D; 2], entropy: &mut dyn Entropy) -> Result<(), FormatError> {
//!     let (mut bytes, mut entries) = ([0; NEEDS.bytes], [CacheEntry::NEW; NEEDS.entries]);
//!     let mut states = [DiskState::NEW; NEEDS.disks];
//!     let memory = Memory { bytes: &mut bytes, entries: &mut entries, disks: &mut states };
//!     let services = Services::new(crc32c, &NoClock);
//!     let array = SerialArray::new(disks);
//!     let pool = Pool::format(array, memory, services, entropy, &OPTIONS, &[])?;
//!     assert_eq!(pool.health().online, 2);
//!     Ok(())
//! }
//! # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/board/mod.rs"));
//! # fn main() { with_disks(|disks| make(disks, &mut Random(7))).unwrap() }
//! ```
//!
//! # Mount
//!
//! At each start. A mount recovers what the last one left, whenever the power went. It is refused where disks
//! are missing that could hold something newer, and says which; the array comes back with the error.
//!
//! ```
//! use dynamicfs_core::error::{FormatError, MountError};
//! use dynamicfs_core::types::Scheme;
//! use dynamicfs_core::{FormatOptions, Memory, MountOptions, Pool, Services};
//! use dynamicfs_hal::{DiskArray, Entropy};
//!
//! /// Makes a pool where there is none yet.
//! fn start<A: DiskArray>(
//!     array: A,
//!     memory: &mut Memory<'_>,
//!     services: Services<'_>,
//!     entropy: &mut dyn Entropy,
//! ) -> Result<u64, Box<dyn core::error::Error>> {
//!     let Memory { bytes, entries, disks } = memory;
//!     let failure = match Pool::mount(array, Memory { bytes, entries, disks }, services, &MountOptions::new()) {
//!         Ok(pool) => return Ok(pool.health().objects),
//!         Err(failure) => failure,
//!     };
//!     let (MountError::NoPool, array) = (failure.error, failure.array) else { return Err(failure.error.into()) };
//!     let options = FormatOptions::portable(Scheme::mirror(2));
//!     let made = Pool::format(array, Memory { bytes, entries, disks }, services, entropy, &options, &[]);
//!     Ok(made.map_err(FormatError::from)?.health().objects)
//! }
//! # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/board/mod.rs"));
//! # fn main() {
//! #     use dynamicfs_core::{DiskState, CacheEntry, crc32c};
//! #     use dynamicfs_hal::{NoClock, SerialArray};
//! #     with_disks(|disks| {
//! #         let (mut bytes, mut entries, mut states) = ([0; 40 << 10], [CacheEntry::NEW; 32], [DiskState::NEW; 2]);
//! #         let mut memory = Memory { bytes: &mut bytes, entries: &mut entries, disks: &mut states };
//! #         let mut array = SerialArray::new(disks);
//! #         for _ in 0..2 {
//! #             let services = Services::new(crc32c, &NoClock);
//! #             assert_eq!(start(&mut array, &mut memory, services, &mut Random(3)).unwrap(), 1, "the root");
//! #         }
//! #     });
//! # }
//! ```
//!
//! # Write
//!
//! Every change is a part of a transaction. It is durable as a whole when [`commit`](Transaction::commit)
//! returns, and undone when the transaction is dropped or the power goes before.
//!
//! ```
//! use dynamicfs_core::error::Error;
//! use dynamicfs_core::{OpenOptions, Pool};
//! use dynamicfs_hal::DiskArray;
//!
//! fn note<A: DiskArray>(pool: &mut Pool<'_, A>, reading: &[u8]) -> Result<(), Error> {
//!     let mut transaction = pool.begin()?;
//!     transaction.create_all(b"data")?;
//!     let mut log = OpenOptions::new().create(true).append(true).open(&mut transaction, b"data/log")?;
//!     log.write(&mut transaction, reading)?;
//!     transaction.write_file(b"data/latest", reading)?;
//!     transaction.commit()?;
//!     Ok(())
//! }
//! # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/board/mod.rs"));
//! # fn main() {
//! #     use dynamicfs_core::ReadObjects;
//! #     with_pool(|pool| {
//! #         note(pool, b"21.5 C\n").unwrap();
//! #         note(pool, b"21.6 C\n").unwrap();
//! #         let mut bytes = [0; 20];
//! #         assert_eq!(pool.read_file(b"data/log", &mut bytes), Ok(14));
//! #         assert_eq!(pool.read_file(b"data/latest", &mut bytes), Ok(7));
//! #     });
//! # }
//! ```
//!
//! # Read
//!
//! Through a pool, a transaction or a [`Reader`]. Every byte was compared with its checksum: a read brings
//! the right ones or an error, also while disks are missing or rot.
//!
//! ```
//! use dynamicfs_core::error::Error;
//! use dynamicfs_core::limits::NAME_BYTES_MAX;
//! use dynamicfs_core::{DirectoryCursor, Handle, ReadObjects};
//!
//! /// The bytes of all files in a directory.
//! fn total(pool: &mut impl ReadObjects, directory: &[u8]) -> Result<u64, Error> {
//!     let (mut total, mut name) = (0, [0; NAME_BYTES_MAX]);
//!     let mut cursor = DirectoryCursor::new(pool.resolve(directory)?);
//!     while let Some(entry) = cursor.next(pool, &mut name)? {
//!         let (mut file, mut piece) = (Handle::open(pool, entry.object)?, [0; 64]);
//!         while let bytes @ 1.. = file.read(pool, &mut piece)? {
//!             total += bytes as u64;
//!         }
//!     }
//!     Ok(total)
//! }
//! # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/board/mod.rs"));
//! # fn main() {
//! #     with_pool(|pool| {
//! #         let mut transaction = pool.begin().unwrap();
//! #         transaction.write_file(b"one", &[1; 100]).unwrap();
//! #         transaction.write_file(b"two", &[2; 200]).unwrap();
//! #         transaction.commit().unwrap();
//! #         assert_eq!(total(pool, b"/"), Ok(300));
//! #     });
//! # }
//! ```
//!
//! # Maintain
//!
//! Now and then, when there is time: what reads found damaged is written anew, and what was deleted is freed.
//! [`Pool::maintain`] does that too, and rebuilds what disks lost. Each call is one bounded step.
//!
//! ```
//! use dynamicfs_core::Pool;
//! use dynamicfs_core::error::Error;
//! use dynamicfs_core::maintenance::{JobKind, JobOptions, Work};
//! use dynamicfs_hal::DiskArray;
//!
//! /// Reads and proves everything, once a month; whether a disk should be replaced.
//! fn look_after<A: DiskArray>(pool: &mut Pool<'_, A>) -> Result<bool, Error> {
//!     pool.start_job(JobKind::Scrub, JobOptions::new())?;
//!     while pool.maintain(true)? != Work::Nothing {
//!         // Here the rest of the firmware has its turn.
//!     }
//!     let health = pool.health();
//!     Ok(health.online < health.members || !health.writable)
//! }
//! # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/board/mod.rs"));
//! # fn main() { with_pool(|pool| assert_eq!(look_after(pool), Ok(false))) }
//! ```
//!
//! # What is where
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
//! | `disks` | which member each disk is, which work, all I/O |
//! | `format` | bytes on disk; the one place that knows offsets; pure |
//! | `types`, `limits`, `error`, `metrics`, `build`, `options`, `observed`, `powers`, `logging` | words that all layers share |
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
//! | `log`, `defmt` | mounts, commits, failed requests, bad checksums and repairs are logged through these crates |
//! | `defmt` | also `defmt::Format` on errors and plain structs |
//!
//! Without `manage` a damaged fragment is repaired by storing its extent again, which takes a window of lent
//! memory as long as the extent.
//!
//! A firmware that only reads mounts a [`Reader`], which has no code that writes.
//!
//! The feature `internals` makes the layers public, for the simulator and the fuzz targets. They are not an
//! interface, and calls of them may break every promise.
//!
//! # As one program
//!
//! ```
#![doc = include_str!("../examples/ram_pool.rs")]
//! ```
#![no_std]
#![forbid(unsafe_code)]
// The layers below the facade are no interface: what their errors are is told where they are made.
#![cfg_attr(
    not(any(test, feature = "internals")),
    deny(clippy::missing_errors_doc, clippy::missing_panics_doc)
)]
// No bytes of a disk and no argument make the core panic: where something could, the code says why it cannot.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::unreachable,
        clippy::indexing_slicing,
        clippy::string_slice,
        clippy::cast_possible_truncation,
        clippy::cast_possible_wrap,
        clippy::cast_sign_loss
    )
)]
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
mod logging;
pub mod metrics;
mod observed;
mod options;
mod powers;
pub mod types;

pub use disks::DiskState;
pub use format::checksum::{crc32c, crc32c_small};
pub use format::parameters::PoolParameters;
pub use object::Pin;
pub use pool::{
    AddOptions, DirectoryCursor, DiskOptions, FormatOptions, Handle, MountOptions, OpenOptions, Pool,
    ReadObjects, Reader, Services, Stream, Transaction,
};
pub use transaction::{Memory, MountMode, Prefer};
pub use tree::cache::CacheEntry;

/// Objects, their names and their attributes.
pub mod files {
    pub use crate::format::inode::{Inode, ObjectKind};
    pub use crate::format::name::EntryTarget;
    pub use crate::object::{
        AttributeMode, Attributes, Change, Entry, MakeRequest, Moved, RenameMode, check_name, split_path,
    };
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
        CheckReport, ExtentCounts, FAILED_LISTED, Finding, Footing, FragmentCounts, Job, JobKind, JobOptions,
        JobState, Located, LossForecast, Lost, MemberRoom, OBJECTS_NAMED, Place, Proof, RebuildForecast,
        RebuildSpace, Rooms, Standing, Survivor, Trim, TrimOptions, Work, Worth, Worths,
    };
}

/// What fits on which disks: pure, for tools that tell it before anything is stored.
pub mod planning {
    pub use crate::format::extent::{Extent, Fragment};
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
    pub use crate::format::label::{
        DiskIdentity, LABEL_BYTES, LABELS, Label, LabelFault, decode as decode_label,
    };
    pub use crate::format::parameters::{COPY_PLACES, SECTOR_BYTES_MAX};
    pub use crate::format::places::candidates;
    pub use crate::format::superblock::{Ancestor, MemberRow, SUPERBLOCK_MAGIC, Superblock};
    pub use crate::transaction::histories::{
        Relation, StateName, Surveyed, end_of, is_newer_under, may_be_copied, name_of, relation, without_say,
    };
}
