//! Everything is read and proved, and every block is accounted for.

use super::records::{Oddity, Records, Shape};
use super::survey::RecordJoiner;
use super::usage::Window;
use crate::error::Code;
use crate::format::extent::Fragment;
use crate::format::key::{Key, Kind};
use crate::format::node::value_bytes_max;
use crate::format::record::OrphanRecord;
use crate::limits::MEMBERS_MAX;
use crate::object::{Found, Objects};
use crate::tree::{Met, Walk};
use crate::types::{BlockAddress, FragmentIndex, MemberNumber, ObjectId};
use core::ops::ControlFlow;
use dynamicfs_hal::DiskArray;

/// Something that is not as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Finding {
    /// A replica of a tree node is unreadable or wrong; others are right.
    NodeReplica {
        /// Where it is.
        address: BlockAddress,
    },
    /// No replica of a tree node is right: what it held is lost.
    NodeLost {
        /// Where its first replica is.
        address: BlockAddress,
    },
    /// A record is not what its key says.
    RecordInvalid {
        /// The key.
        key: Key,
    },
    /// A record that nothing refers to: a piece of no value, of no object, of no member, or a dead record
    /// that no sweep reaches.
    Stray {
        /// The key.
        key: Key,
    },
    /// An extent behind its object's end, and nothing that says that it is being deleted.
    BeyondEnd {
        /// The object.
        object: ObjectId,
        /// The first byte of the extent.
        start: u64,
    },
    /// Two fragments of an extent are on one member: they are lost together.
    SharedMember {
        /// The object.
        object: ObjectId,
        /// The first byte of the extent.
        start: u64,
        /// Where the second fragment is.
        address: BlockAddress,
    },
    /// The replicas of a tree node are on fewer members than there could be.
    NodeDeficit {
        /// Where its first replica is.
        address: BlockAddress,
    },
    /// A fragment is unreadable or wrong; the extent can be read.
    Fragment {
        /// The object.
        object: ObjectId,
        /// The first byte of the extent.
        start: u64,
        /// Where the fragment is.
        address: BlockAddress,
    },
    /// An extent has fewer fragments than were asked for.
    Deficit {
        /// The object.
        object: ObjectId,
        /// The first byte of the extent.
        start: u64,
    },
    /// An extent cannot be read.
    ExtentLost {
        /// The object.
        object: ObjectId,
        /// The first byte of the extent.
        start: u64,
    },
    /// A block is allocated and nothing refers to it.
    Leak {
        /// The block.
        address: BlockAddress,
    },
    /// A block is referred to and not allocated: it could be given away.
    Unallocated {
        /// The block.
        address: BlockAddress,
    },
    /// Two things refer to one block.
    DoubleUse {
        /// The block.
        address: BlockAddress,
    },
    /// The count of free blocks in the superblock is wrong.
    FreeCount {
        /// The member.
        member: MemberNumber,
        /// What the superblock says.
        counted: u64,
        /// What the bitmaps say.
        found: u64,
    },
}

/// What was looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CheckReport {
    /// Tree nodes.
    pub nodes: u64,
    /// Replicas of tree nodes.
    pub replicas: u64,
    /// Extents.
    pub extents: u64,
    /// Fragments that were read and proved.
    pub fragments: u64,
    /// Bytes of fragments that were read and proved.
    pub bytes: u64,
    /// Blocks that are allocated.
    pub allocated: u64,
    /// Findings.
    pub findings: u64,
}

impl<A: DiskArray> Objects<'_, A> {
    /// Reads and proves all replicas and fragments of the last commit, and calls `f` with what is wrong.
    ///
    /// `f` is called with `None` from time to time, to show that work goes on.
    pub fn check_contents(
        &mut self,
        report: &mut CheckReport,
        mut f: impl FnMut(Option<&Finding>),
    ) -> Result<(), Code> {
        self.store.check_alone()?;
        self.check_nodes(report, &mut f)?;
        self.check_records(report, &mut f)?;
        self.check_dead(report, &mut f)?;
        let mut from = Key::object_start(ObjectId(1));
        let mut joiner = RecordJoiner::new();
        loop {
            let next = self.store.tree.scan(&from, &Key::MAX, |key, piece| match joiner.take(key, piece) {
                Some((object, start, extent)) => ControlFlow::Break((object, Found { start, extent }, *key)),
                None => ControlFlow::Continue(()),
            });
            let Some((object, found, key)) = next? else { break };
            from = key.successor();
            report.extents += 1;
            match self.check_extent(object, &found, report, &mut f) {
                Err(Code::RecordInvalid | Code::RecordUnsupported) => {
                    tell(report, &mut f, &Finding::RecordInvalid { key });
                }
                checked => checked?,
            }
            f(None);
        }
        Ok(())
    }

    fn check_nodes(
        &mut self,
        report: &mut CheckReport,
        f: &mut impl FnMut(Option<&Finding>),
    ) -> Result<(), Code> {
        let mut walk = Walk::new();
        loop {
            match self.store.tree.walk(&mut walk) {
                Ok(None) => return Ok(()),
                Ok(Some(Met { pointer, level, .. })) => {
                    report.nodes += 1;
                    if self.is_on_too_few(pointer.replicas()) {
                        tell(report, f, &Finding::NodeDeficit { address: pointer.first() });
                    }
                    for (i, &address) in pointer.replicas().iter().enumerate() {
                        report.replicas += 1;
                        let online = self.store.tree.disks.disk_of(address.member).is_some();
                        if online && !self.store.tree.is_replica_right(&pointer, level, i)? {
                            tell(report, f, &Finding::NodeReplica { address });
                        }
                    }
                }
                Err(Code::NodeUnreadable) => {
                    let address = self.store.tree.disks.about.address;
                    tell(report, f, &Finding::NodeLost { address })
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Whether replicas of a node are on fewer members than it should be on, and than there are. One that has
    /// left is none.
    #[expect(clippy::indexing_slicing, reason = "`i` is an index of these replicas")]
    fn is_on_too_few(&self, replicas: &[BlockAddress]) -> bool {
        let superblock = self.store.committed();
        let counts = |&(i, replica): &(usize, &BlockAddress)| {
            superblock.row_of(replica.member).is_some()
                && replicas[..i].iter().all(|other| other.member != replica.member)
        };
        let members = replicas.iter().enumerate().filter(counts).count();
        members > 0 && members < self.store.tree.copies_wanted().min(self.store.tree.data_rows().len())
    }

    /// Whether all records belong to something.
    fn check_records(
        &mut self,
        report: &mut CheckReport,
        f: &mut impl FnMut(Option<&Finding>),
    ) -> Result<(), Code> {
        let parameters = &self.store.tree.disks.parameters;
        let mut records = Records::new(Shape {
            piece_bytes: value_bytes_max(parameters.node_bytes()),
            block_shift: parameters.block_shift,
            chunk_shift: parameters.chunk_shift,
        });
        let mut members = heapless::Vec::<MemberNumber, MEMBERS_MAX>::new();
        members.extend(self.store.committed().table().iter().map(|row| self.store.tree.space.member(row)));
        let mut from = Key::MIN;
        loop {
            let next = self.store.tree.scan(&from, &Key::MAX, |key, record| {
                let odd = records.take(key, record, |member| members.contains(&member));
                match odd {
                    [None, None] => ControlFlow::Continue(()),
                    odd => ControlFlow::Break((odd, *key)),
                }
            })?;
            let (odd, key) = next.map_or(([records.end(), None], None), |(odd, key)| (odd, Some(key)));
            for oddity in odd.into_iter().flatten() {
                if let Some(finding) = self.name_oddity(oddity)? {
                    tell(report, f, &finding);
                }
            }
            let Some(key) = key else { return Ok(()) };
            from = key.successor();
        }
    }

    /// What to call a record that does not fit the others; `None` if it is being deleted, which is done leaf by leaf.
    fn name_oddity(&mut self, oddity: Oddity) -> Result<Option<Finding>, Code> {
        let (key, finding) = match oddity {
            Oddity::Stray(key) | Oddity::Unowned(key) => (key, Finding::Stray { key }),
            Oddity::Broken(key) => (key, Finding::RecordInvalid { key }),
            Oddity::Beyond(key) => (key, Finding::BeyondEnd { object: key.object(), start: key.offset() }),
        };
        let orphan = self.store.tree.with(&Key::orphan(key.object()), |record| {
            OrphanRecord::new(record?).map(|orphan| (orphan.offset(), orphan.whole() != 0))
        })?;
        let is_contents = key.is(key.object(), Kind::Extent);
        let is_going = orphan.is_some_and(|(offset, whole)| whole || is_contents && offset <= key.offset());
        Ok((!is_going).then_some(finding))
    }

    /// Dead records from the number on that the next one is given: a sweep begins and ends below it.
    fn check_dead(
        &mut self,
        report: &mut CheckReport,
        f: &mut impl FnMut(Option<&Finding>),
    ) -> Result<(), Code> {
        let (from, end) = (Key::dead(self.store.committed().dead_next()), Key::orphan(ObjectId(0)));
        self.store.tree.scan(&from, &end, |key, _| {
            tell(report, f, &Finding::Stray { key: *key });
            ControlFlow::<()>::Continue(())
        })?;
        Ok(())
    }

    #[expect(clippy::indexing_slicing, reason = "`i` is an index of these fragments")]
    fn check_extent(
        &mut self,
        object: ObjectId,
        found: &Found,
        report: &mut CheckReport,
        f: &mut impl FnMut(Option<&Finding>),
    ) -> Result<(), Code> {
        let start = found.start;
        let (mut right, mut wrong) = (0, 0);
        let bytes = found.extent.fragment_bytes(self.store.tree.disks.parameters.block_shift) as u64;
        let bad = self.prove_stripe(object, found)?;
        let places = found.extent.fragments();
        for (i, Fragment { address, .. }) in places.iter().enumerate() {
            if *address != BlockAddress::NONE
                && places[..i].iter().any(|f| f.address.member == address.member)
            {
                tell(report, f, &Finding::SharedMember { object, start, address: *address });
            }
        }
        for (i, fragment) in found.extent.fragments().iter().enumerate() {
            if self.store.tree.disks.disk_of(fragment.address.member).is_none() {
                wrong += 1;
            } else if bad.contains(FragmentIndex(i)) {
                wrong += 1;
                tell(report, f, &Finding::Fragment { object, start, address: fragment.address });
            } else {
                right += 1;
                report.fragments += 1;
                report.bytes += bytes;
            }
        }
        if right < usize::from(found.extent.scheme.data) {
            tell(report, f, &Finding::ExtentLost { object, start });
        } else if wrong > 0 || found.extent.scheme.parity < found.extent.asked.parity {
            tell(report, f, &Finding::Deficit { object, start });
        }
        Ok(())
    }

    /// Compares what is allocated with what is referred to, on every member, and calls `f` with what differs.
    ///
    /// `scratch` holds at least a bit for each block of a group. With a bit for each block of the largest
    /// member the tree is walked once for each member, with less more often. No transaction may be open.
    pub fn check_space(
        &mut self,
        scratch: &mut [u8],
        report: &mut CheckReport,
        mut f: impl FnMut(Option<&Finding>),
    ) -> Result<(), Code> {
        self.store.check_alone()?;
        let group_blocks = self.store.tree.space.group_blocks();
        let group_bytes = group_blocks as usize / 8;
        let groups_at_once = scratch.len() / (2 * group_bytes);
        let count = u32::try_from(groups_at_once).unwrap_or(u32::MAX);
        if groups_at_once == 0 {
            return Err(self.store.tree.disks.about.needs(2 * group_bytes));
        }
        self.store.read_again()?;
        if !self.store.is_writable() {
            // A mount for reading has not looked at the open groups.
            self.store.reload_groups()?;
        }
        for row in self.store.tree.holding_rows().iter() {
            let Some(area) = self.store.tree.area(row) else { continue };
            let member = self.store.tree.space.member(row);
            let (groups, mut free) = (self.store.tree.space.groups(area), 0);
            for first in (0..groups).step_by(groups_at_once) {
                let window = Window::of(member, row, area, group_blocks, first, count);
                let (referenced, allocated) = scratch.split_at_mut(groups_at_once * group_bytes);
                self.mark_referenced(&window, referenced, |address| {
                    tell(report, &mut f, &Finding::DoubleUse { address });
                })?;
                self.load_allocated(&window, group_bytes, allocated)?;
                free += compare(&window, referenced, allocated, report, &mut f);
            }
            let counted = self.store.committed().row(row).free();
            if counted != free {
                tell(report, &mut f, &Finding::FreeCount { member, counted, found: free });
            }
        }
        Ok(())
    }
}

fn tell(report: &mut CheckReport, f: &mut impl FnMut(Option<&Finding>), finding: &Finding) {
    report.findings += 1;
    f(Some(finding));
}

/// Reports blocks in which the two bitmaps differ; returns the free ones.
#[expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "the bitmaps have a bit for each block of the window, and so no more blocks than memory has bits"
)]
fn compare(
    window: &Window,
    referenced: &[u8],
    allocated: &[u8],
    report: &mut CheckReport,
    f: &mut impl FnMut(Option<&Finding>),
) -> u64 {
    let mut free = 0u64;
    for (at, start) in (0..window.blocks as usize).step_by(8).enumerate() {
        let bits = (window.blocks as usize - start).min(8);
        let (allocated, referenced) = (allocated[at], referenced[at]);
        let is = |byte: u8, bit: usize| byte >> bit & 1 == 1;
        let count = |byte: u8| u64::from((byte & (0xFF >> (8 - bits))).count_ones());
        report.allocated += count(allocated);
        free += count(!(allocated | referenced));
        // Mostly they are equal, and no bit of them needs a look.
        for bit in (0..bits).filter(|&bit| is(allocated ^ referenced, bit)) {
            let address = BlockAddress { member: window.member, block: window.start + (start + bit) as u64 };
            match is(allocated, bit) {
                true => tell(report, f, &Finding::Leak { address }),
                false => tell(report, f, &Finding::Unallocated { address }),
            }
        }
    }
    free
}
