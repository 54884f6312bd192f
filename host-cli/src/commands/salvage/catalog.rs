//! Everything in the pool that can still be read, by object: names, attributes, where contents are, and what is lost.

use crate::host::interrupt;
use crate::output::failure::Failure;
use crate::pool::session::Disks;
use dynamicfs_core::Pool;
use dynamicfs_core::files::{Inode, ObjectKind};
use dynamicfs_core::inspect::{Key, Kind};
use dynamicfs_core::limits::EXTENT_BYTES_MAX;
use dynamicfs_core::limits::EXTENT_BYTES_MIN;
use dynamicfs_core::maintenance::Survivor;
use dynamicfs_core::types::ObjectId;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// A directory's entry.
#[derive(Clone, Debug)]
pub(super) struct Name {
    pub(super) name: Vec<u8>,
    pub(super) object: ObjectId,
    pub(super) kind: ObjectKind,
}

/// Where some of an object's contents are.
#[derive(Clone, Debug)]
pub(super) struct Stretch {
    pub(super) bytes: Range<u64>,
    pub(super) inline: bool,
}

/// What there is.
#[derive(Debug, Default)]
pub(super) struct Catalog {
    inodes: BTreeMap<ObjectId, Inode>,
    names: BTreeMap<ObjectId, Vec<Name>>,
    contents: BTreeMap<ObjectId, Vec<Stretch>>,
    orphans: BTreeSet<ObjectId>,
    /// Between these keys records are lost.
    lost: Vec<Range<Key>>,
}

impl Catalog {
    /// Reads the tree from end to end.
    pub(super) fn of(contents: &mut Pool<'_, Disks>) -> Result<Self, Failure> {
        let mut catalog = Self::default();
        contents.survivors(|survivor| catalog.note(survivor))?;
        interrupt::check()?;
        for names in catalog.names.values_mut() {
            names.sort_by(|a, b| a.name.cmp(&b.name));
        }
        Ok(catalog)
    }

    fn note(&mut self, survivor: Survivor<'_>) {
        match survivor {
            Survivor::Inode { object, inode } => _ = self.inodes.insert(object, *inode),
            Survivor::Entry { directory, name, object, kind } => {
                self.names.entry(directory).or_default().push(Name { name: name.to_vec(), object, kind });
            }
            Survivor::Contents { object, start, end, inline } => {
                self.contents.entry(object).or_default().push(Stretch { bytes: start..end, inline });
            }
            Survivor::Orphan { object } => _ = self.orphans.insert(object),
            Survivor::Lost { from, end } => self.lost.push(from..end.unwrap_or(Key::MAX)),
            _ => {}
        }
    }

    pub(super) fn inode(&self, object: ObjectId) -> Option<&Inode> {
        self.inodes.get(&object)
    }

    /// A directory's entries, by name.
    pub(super) fn names(&self, directory: ObjectId) -> &[Name] {
        self.names.get(&directory).map_or(&[], Vec::as_slice)
    }

    /// Where an object's contents are, from the first byte on.
    pub(super) fn contents(&self, object: ObjectId) -> &[Stretch] {
        self.contents.get(&object).map_or(&[], Vec::as_slice)
    }

    /// Bytes of all files that are known.
    pub(super) fn content_bytes(&self) -> u64 {
        self.contents.values().flatten().map(|stretch| stretch.bytes.end - stretch.bytes.start).sum()
    }

    /// Whether records of ordinary objects are lost, whichever they were.
    pub(super) fn lacks_objects(&self) -> bool {
        self.lost.iter().any(|lost| lost.end > Key::object_start(ObjectId::ROOT))
    }

    /// Whether records of this kind may be lost for an object.
    pub(super) fn may_lack(&self, object: ObjectId, kind: Kind) -> bool {
        let (from, end) = (Key::new(object, kind, 0), Key::new(object, kind, u64::MAX));
        self.lost.iter().any(|lost| lost.start <= end && lost.end > from)
    }

    /// The parts of an object's contents, where no surviving extent is, in which one may have been: its record is lost.
    ///
    /// An extent begins at a multiple of its size, which is `extent_bytes` at most.
    pub(super) fn lost_in(&self, object: ObjectId, gap: &Range<u64>, extent_bytes: u64) -> Vec<Range<u64>> {
        let (first, last) = (Key::extent(object, gap.start), Key::extent(object, gap.end));
        let mut parts = Vec::new();
        for lost in self.lost.iter().filter(|lost| lost.start < last && lost.end > first) {
            // A key between two multiples continues with the record of an extent that began before.
            let start = if lost.start > first {
                lost.start.offset() / EXTENT_BYTES_MIN * EXTENT_BYTES_MIN
            } else {
                gap.start
            };
            let end = if lost.end < last {
                lost.end.offset().div_ceil(extent_bytes) * extent_bytes
            } else {
                gap.end
            };
            parts.push(start.max(gap.start)..end.min(gap.end));
        }
        parts
    }

    /// As many bytes as an object's extents may have.
    pub(super) fn extent_bytes(&self, object: ObjectId) -> u64 {
        self.inode(object).map_or(EXTENT_BYTES_MAX, Inode::extent_bytes)
    }

    /// Objects that were not reached and have something left: those that no other of them names, then the
    /// rest.
    pub(super) fn unreached(&self, reached: &BTreeSet<ObjectId>) -> Vec<ObjectId> {
        let known = self.inodes.keys().chain(self.contents.keys()).chain(self.names.keys());
        let left: BTreeSet<ObjectId> = known
            .filter(|object| !reached.contains(object) && !self.orphans.contains(object))
            .copied()
            .collect();
        let is_named: BTreeSet<ObjectId> =
            left.iter().flat_map(|&object| self.names(object)).map(|name| name.object).collect();
        let (named, tops): (Vec<_>, Vec<_>) = left.into_iter().partition(|object| is_named.contains(object));
        tops.into_iter().chain(named).collect()
    }
}
