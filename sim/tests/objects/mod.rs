//! Objects and transactions: what a failed operation leaves, and what a deleted object still answers. Also
//! calls in an allowed but unusual order, and buffers anywhere in memory.

mod aligned;
mod colliding;
mod deleted;
mod failing_reads;
mod half_done;
mod holes;
mod kinds;
mod little_memory;
mod many_disks;
mod moved;
mod pieces;
mod pinned;
mod reader;
mod scheme;
mod transactions;

use crate::common::{MEMORY, Mounted, World, contents, expect, put, rest};
use dynamicfs_core::error::{Error, StorageError};
use dynamicfs_core::maintain::{JobKind, JobOptions, Work};
use dynamicfs_core::object::{AttributeMode, Attributes, Change, MakeRequest, Objects, RenameMode};
use dynamicfs_core::types::{MemberNumber, ObjectId, Scheme};
use dynamicfs_core::{FormatOptions, Pool};
use dynamicfs_hal::{Geometry, IoError};
use dynamicfs_sim::world::{Lent, SERVICES, account, put_file};
use dynamicfs_sim::{IoKind, Mishap, Rng, SimArray};

const PLAIN: Attributes = Attributes::new().mode(0o644);

/// A new pool of these options on disks of these geometries.
fn formatted(geometries: Vec<Geometry>, options: &FormatOptions, memory: usize) -> World {
    World::on(SimArray::new(1, geometries), *options).memory(memory).make()
}

fn create(objects: &mut Objects<'_, &mut SimArray>, name: &str) -> ObjectId {
    objects.create(ObjectId::ROOT, name.as_bytes(), &MakeRequest::File, &PLAIN).expect("made")
}

/// Every block is accounted for.
fn account_blocks(pool: &mut Mounted<'_>, what: &str) {
    let checked = pool.check_space(&mut [0; 1 << 14], &mut Default::default(), |finding| {
        assert_eq!(finding, None, "{what}");
    });
    checked.unwrap_or_else(|error| panic!("{what}: {error}"));
}
