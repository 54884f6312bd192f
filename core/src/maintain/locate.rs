//! Where an object's contents are, and whether they are right there: one extent at a time.

use super::standing::{Standing, Worth};
use super::verdict::Indices;
use crate::error::Code;
use crate::limits::FRAGMENTS_MAX;
use crate::object::{Found, Objects, Repair};
use crate::powers::at_most;
use crate::types::{BlockAddress, FragmentIndex, ObjectId, Scheme};
use dynamicfs_hal::DiskArray;

/// Where a fragment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Place {
    /// Its first block; [`BlockAddress::NONE`] if there was no disk for it.
    pub address: BlockAddress,
    /// What the place is worth, as far as is known without reading it.
    pub worth: Worth,
}

/// An extent, and where its fragments are.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Located {
    /// The first byte of the object that it holds.
    pub start: u64,
    /// Bytes of the object that it holds.
    pub bytes: u32,
    /// The scheme it is stored in.
    pub scheme: Scheme,
    /// The scheme that was asked for.
    pub asked: Scheme,
    /// Bytes of each fragment: whole blocks.
    pub fragment_bytes: u32,
    /// The places of its fragments, data first.
    pub places: heapless::Vec<Place, FRAGMENTS_MAX>,
}

impl Located {
    /// The first byte of the object after it.
    pub const fn end(&self) -> u64 {
        self.start + self.bytes as u64
    }

    /// Fragments that are there and count: of several on one member one does.
    pub fn there(&self) -> usize {
        self.places.iter().filter(|place| matches!(place.worth, Worth::Right | Worth::Leaving)).count()
    }

    /// How many more disks may fail, whichever, before it cannot be read; `None` if it cannot be read now.
    pub fn spare(&self) -> Option<usize> {
        let shared = self.places.iter().filter(|place| place.worth == Worth::Shared).count();
        let (there, data) = (self.there(), usize::from(self.scheme.data));
        (there + shared >= data).then(|| there.saturating_sub(data))
    }

    /// Whether every fragment is there, in the scheme that was asked for.
    pub fn is_complete(&self) -> bool {
        self.there() == self.scheme.width() && self.scheme.parity >= self.asked.parity
    }
}

/// What came of reading all fragments of an extent.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Proof {
    /// Fragments that were read and are right.
    pub right: usize,
    /// Those that a disk gave wrongly or not at all, by their index. Not among them are those whose disk takes no part.
    pub wrong: Indices,
    /// Whether the extent's bytes can be read all the same.
    pub is_readable: bool,
}

impl<A: DiskArray> Objects<'_, A> {
    /// The first extent of an object that begins at byte `from` or later, and where its fragments are; `None` if there is
    /// none. Reads the tree, and no data. Contents that are inline have no extents.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a fragment is an extent of at most 4 MiB, filled up to blocks"
    )]
    pub fn locate(
        &mut self,
        object: ObjectId,
        from: u64,
        standing: &Standing,
    ) -> Result<Option<Located>, Code> {
        self.check_there(object)?;
        let Some(start) = self.extent_between(object, from, u64::MAX)? else { return Ok(None) };
        let Found { extent, .. } = self.extent_at(object, start)?;
        let worths = standing.worths(&extent, &[]);
        let places = extent.fragments().iter().zip(worths);
        Ok(Some(Located {
            start,
            bytes: extent.logical,
            scheme: extent.scheme,
            asked: extent.asked,
            fragment_bytes: extent.fragment_bytes(self.store.tree.disks.parameters.block_shift) as u32,
            places: places.map(|(fragment, worth)| Place { address: fragment.address, worth }).collect(),
        }))
    }

    /// Reads and proves all fragments of the extent that begins at this byte, and changes nothing. Uses the window buffer;
    /// no transaction may be open.
    ///
    /// With too few right fragments it is read as usual: right chunks may lie on different ones.
    pub fn prove(&mut self, object: ObjectId, start: u64) -> Result<Proof, Code> {
        self.store.check_alone()?;
        self.check_there(object)?;
        let found = self.extent_at(object, start)?;
        let bad = self.prove_stripe(object, &found)?;
        let disks = &self.store.tree.disks;
        let fragments = found.extent.fragments().iter().enumerate();
        let online = fragments.filter(|(_, fragment)| disks.disk_of(fragment.address.member).is_some());
        let right = online.filter(|&(index, _)| !bad.contains(FragmentIndex(index))).count();
        let is_readable =
            right >= usize::from(found.extent.scheme.data) || self.is_readable(object, &found)?;
        Ok(Proof { right, wrong: bad.iter().map(|index| index.byte()).collect(), is_readable })
    }

    /// Refuses an object that was deleted or never made. One whose inode is lost may still have contents.
    fn check_there(&mut self, object: ObjectId) -> Result<(), Code> {
        match self.inode(object) {
            Err(code) if code.is_loss() => Ok(()),
            inode => inode.map(drop),
        }
    }

    #[expect(clippy::indexing_slicing, reason = "no more than the window's bytes are asked for")]
    fn is_readable(&mut self, object: ObjectId, found: &Found) -> Result<bool, Code> {
        // The caller that proved the fragments reports the bad ones.
        let repairs = self.repairs.clone();
        let window = core::mem::take(&mut self.store.window);
        let (mut at, mut read) = (found.start, Ok(1));
        while at < found.end() && matches!(read, Ok(1..)) {
            let bytes = at_most(found.end() - at, window.len());
            read = self.read(object, at, &mut window[..bytes]);
            at += bytes as u64;
        }
        self.store.window = window;
        self.repairs = repairs;
        match read {
            Err(Code::Unreadable) => Ok(false),
            read => read.map(|_| true),
        }
    }

    /// Has fragments of an extent rewritten by the next [`upkeep`](Self::upkeep), as if a read had found them bad: how many
    /// of them. [`REPAIRS_MAX`](crate::limits::REPAIRS_MAX) wait at most.
    pub fn order_repairs(&mut self, object: ObjectId, located: &Located, wrong: &[u8]) -> usize {
        let places = wrong.iter().filter_map(|&index| located.places.get(usize::from(index)));
        places
            .map(|place| Repair { object, start: located.start, address: place.address })
            .filter(|repair| self.repairs.contains(repair) || self.repairs.push(*repair).is_ok())
            .count()
    }
}
