//! What would be the case if further members were lost: computed from the tree, exactly; nothing is changed.
//!
//! Every node and every record of contents is met once. They can be read now, because the members are here.
//! So everything below a node that would be lost is counted too. What a member holds is believed to be right:
//! rot is a scrub's affair.

use super::standing::{FragmentCounts, Standing, Worth, read_standing};
use super::survey::{ExtentCounts, RecordJoiner};
use crate::error::Code;
use crate::format::extent::{Extent, Fragment};
use crate::format::inode::{Inode, ObjectKind};
use crate::format::key::{Key, Kind};
use crate::limits::{EXTENT_BYTES_MIN, MEMBERS_MAX};
use crate::object::Objects;
use crate::transaction::quorum;
use crate::tree::{Met, Walk};
use crate::types::{MemberLists, MemberNumber, ObjectId, Row, Set};
use core::ops::ControlFlow;
use dynamicfs_hal::DiskArray;

/// Objects that are named, of those that would lose something.
pub const OBJECTS_NAMED: usize = 64;

/// How a pool would be without some members that take part now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LossForecast {
    /// Extents, counted as they would be.
    pub extents: ExtentCounts,
    /// Extents that cannot be read now either.
    pub unreadable_now: u64,
    /// Bytes of contents that can be read now and could not be then. If a stripe cannot be computed any more,
    /// the contents of its remaining fragments can still be read, and are not among them.
    pub lost_bytes: u64,
    /// Objects that would lose contents, attributes or names of what is in them.
    pub objects_lost: u64,
    /// The first of them, by their number.
    pub objects: heapless::Vec<ObjectId, OBJECTS_NAMED>,
    /// Names in directories that would be lost. What they mean is there if it is not counted as lost itself.
    pub names_lost: u64,
    /// Tree nodes without a remaining replica. All below them is lost.
    pub nodes_lost: u64,
    /// Tree nodes that cannot be read now: of what is below them nothing is known, and it is in no other count.
    pub nodes_unreadable: u64,
    /// More members that could then fail, whichever, before anything else became unreadable.
    pub read_tolerance: usize,
    /// The same, if all that can be read then had the redundancy that was asked for.
    pub asked_tolerance: usize,
    /// Something that can be read then bears the loss of no more members, and was to bear one at least.
    pub is_exposed: bool,
    /// The first object of those whose contents are asked to bear the least, if that is less than the pool's
    /// tolerance.
    pub weakest: Option<ObjectId>,
    /// What the pool would do.
    pub footing: Footing,
}

/// Whether, and how far, a pool would go on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Footing {
    /// It could be mounted, if these members were simply gone: those that are left may go on from the last commit.
    pub mountable: bool,
    /// It would also take writes.
    pub writable: bool,
    /// It would take writes if the members were taken out of use before they go, one by one
    /// ([`shut_member`](crate::Pool::shut_member)).
    pub writable_when_shut: bool,
    /// More disks that might fail then, one after the other, before it took no writes; 0 if it takes none.
    pub write_tolerance: usize,
    /// More disks that might simply be gone then, whichever they are, before it could not be mounted.
    pub mount_tolerance: usize,
    /// The same, if the members were taken out of use before they go.
    pub mount_tolerance_when_shut: usize,
}

impl<A: DiskArray> Objects<'_, A> {
    /// How the pool would be without the members in these rows. Those that do not take part are lost already.
    ///
    /// Reads every tree node once, and no data. Data in an untrusted span of a member counts as missing, as
    /// it does for a rebuild. A read may still find it whole.
    ///
    /// Fails where the members' records cannot be read; nodes that cannot be are counted and passed over.
    pub fn forecast_loss(&mut self, lost: Set<Row>) -> Result<LossForecast, Code> {
        let now = read_standing(&mut self.store, true)?;
        let then = now.without(lost);
        let tolerance = self.store.committed().tolerance().into();
        let mut tally = Tally::new(now, then, self.store.tree.disks.parameters.block_shift, tolerance);
        let mut walk = Walk::new();
        loop {
            let met = match self.store.tree.walk(&mut walk) {
                Ok(Some(met)) => met,
                Ok(None) => break,
                Err(Code::NodeUnreadable) => {
                    tally.forecast.nodes_unreadable += 1;
                    continue;
                }
                Err(error) => return Err(error),
            };
            let left = self.replicas_left(&met, &tally.then)?;
            tally.meet(&met, left);
            if met.level == 0 {
                let end = met.end.unwrap_or(Key::MAX);
                self.store.tree.scan(&met.from, &end, |key, record| {
                    tally.take(key, record);
                    ControlFlow::<()>::Continue(())
                })?;
                walk.go_on(met.end);
            }
        }
        let members_lost = tally.members_lost;
        let mut forecast = tally.end();
        forecast.footing = self.footing(lost, members_lost, forecast.nodes_lost > 0);
        Ok(forecast)
    }

    /// On how many members a node would be left.
    fn replicas_left(&mut self, met: &Met, then: &Standing) -> Result<usize, Code> {
        let (replicas, birth) = (met.pointer.replicas(), met.pointer.birth);
        let (right, _, _) = then.count(replicas, birth);
        let leaving = replicas.iter().filter(|replica| then.of(**replica, birth) == Worth::Leaving).count();
        if right.len() + leaving > 0 {
            return Ok(right.len() + leaving);
        }
        // One that is not trusted may be right all the same.
        for (i, replica) in replicas.iter().enumerate() {
            if then.is_here(replica.member) && self.store.tree.is_replica_right(&met.pointer, met.level, i)? {
                return Ok(1);
            }
        }
        Ok(0)
    }

    /// What the pool would do without the members in these rows. `members_lost`: the members' own records
    /// would be lost too. `nodes_lost`: a part of the tree would be.
    fn footing(&self, lost: Set<Row>, members_lost: bool, nodes_lost: bool) -> Footing {
        let disks = &self.store.tree.disks;
        let superblock = self.store.committed();
        let (lists, rest) = (superblock.lists(), disks.sound().minus(lost));
        let cut = disks.online().minus(disks.sound());
        // All present members count, also those that are out of use.
        let present = disks.present().minus(lost).minus(cut);
        let is_newest = present.iter().any(|row| disks.is_row_at(row, superblock.order()));
        let mountable = quorum::may_mount(present, lists) && is_newest && !members_lost;
        let sound = !nodes_lost
            && !disks.must_not_write(present)
            && self.store.bears_without(lost)
            && !self.store.tree.data_rows().minus(lost).is_empty();
        let whole = disks.sound();
        Footing {
            mountable,
            writable: mountable && sound && may_settle(lists, rest),
            writable_when_shut: sound
                && quorum::may_mount(disks.present().minus(cut), lists)
                && may_settle(lists, whole)
                && quorum::may_continue(whole, MemberLists::both(whole), MemberLists::both(rest)),
            write_tolerance: match sound {
                true => self.tolerances(lost, rest).1,
                false => 0,
            },
            mount_tolerance: match mountable {
                true => self.mount_tolerance(lost),
                false => 0,
            },
            mount_tolerance_when_shut: quorum::spare(rest, MemberLists::both(rest)),
        }
    }

    /// More disks that may be absent, beside those in the rows `lost`, before the rest may not be mounted.
    /// More than half of the members must be left, and one with the newest state.
    pub(crate) fn mount_tolerance(&self, lost: Set<Row>) -> usize {
        let (disks, superblock) = (&self.store.tree.disks, self.store.committed());
        let cut = disks.online().minus(disks.sound());
        let present = disks.present().minus(lost).minus(cut);
        let newest = present.iter().filter(|&row| disks.is_row_at(row, superblock.order())).count();
        quorum::spare(present, superblock.lists()).min(newest.saturating_sub(1))
    }

    /// More disks that may fail, beside those in the rows `lost`. The first number is before something
    /// becomes unreadable, at least, whatever is stored. The second is before the pool takes no writes: at
    /// least half of `list` must stay.
    pub(crate) fn tolerances(&self, lost: Set<Row>, list: Set<Row>) -> (usize, usize) {
        let superblock = self.store.committed();
        let rows = self.store.tree.data_rows().minus(lost).len();
        // Something is short, and there would be disks for it; or so many members left with what they held.
        // How much is not known yet.
        let short = usize::from(superblock.is_short() && rows > usize::from(superblock.tolerance()))
            .max(superblock.members_short().into());
        // What went back is written down by the next commit; until then it is no less missing.
        let went_back = self.store.tree.disks.rolled_back(superblock.order()).minus(lost);
        let spare = usize::from(superblock.tolerance())
            .saturating_sub(self.store.unhealed_without(lost).or(went_back).len() + short)
            .min(rows.saturating_sub(1));
        let online = self.store.tree.disks.sound().minus(lost).len();
        let weakest = spare.saturating_sub(superblock.parity_deficit().into());
        (weakest, spare.min(online - list.len().div_ceil(2).min(online)))
    }
}

/// Whether members that may mount a pool with these lists may bring the lists to themselves, as the first commit does.
fn may_settle(mut lists: MemberLists, online: Set<Row>) -> bool {
    let mut first = true;
    while let Some(next) = quorum::next_step(lists, online, first) {
        if !quorum::may_continue(online, lists, next) {
            return false;
        }
        (lists, first) = (next, false);
    }
    true
}

/// An extent whose record is being met.
struct Begun {
    start: u64,
    extent: Option<Extent>,
    /// Some of its record would be lost.
    lost: bool,
}

/// What was counted so far.
struct Tally {
    forecast: LossForecast,
    now: Standing,
    then: Standing,
    block_shift: u8,
    /// Disks whose loss the tree is to bear.
    tolerance: usize,
    /// Records before this key would be lost, of those that are yet to be met.
    lost_until: Key,
    /// The records of members would be.
    members_lost: bool,
    joiner: RecordJoiner,
    /// The object that is being met.
    object: ObjectId,
    /// Bytes of its contents; 0 for a directory, and for one that is being deleted.
    bytes: u64,
    /// Its attributes would be lost, and all of it with them.
    inode_lost: bool,
    /// It has been counted.
    named: bool,
    begun: Option<Begun>,
}

impl Tally {
    fn new(now: Standing, then: Standing, block_shift: u8, tolerance: usize) -> Self {
        let borne = LossForecast { read_tolerance: MEMBERS_MAX, ..LossForecast::default() };
        Self {
            forecast: LossForecast { asked_tolerance: tolerance, ..borne },
            now,
            then,
            block_shift,
            tolerance,
            lost_until: Key::MIN,
            members_lost: false,
            joiner: RecordJoiner::new(),
            object: ObjectId::SYSTEM,
            bytes: 0,
            inode_lost: false,
            named: false,
            begun: None,
        }
    }

    /// Takes a node that would be left on so many members.
    fn meet(&mut self, met: &Met, left: usize) {
        if left > 0 {
            if met.from >= self.lost_until {
                self.bear(left - 1, self.tolerance);
            }
            return;
        }
        self.forecast.nodes_lost += 1;
        self.lost_until = self.lost_until.max(met.end.unwrap_or(Key::MAX));
        // They are the first in the tree.
        self.members_lost |= met.from < Key::group(MemberNumber(0), 0);
        // What is looked for behind an extent's first byte is looked for here.
        if let Some(begun) = &mut self.begun {
            let bytes = begun.extent.as_ref().map_or(0, |extent| extent.logical.into());
            let end = begun.start.saturating_add(EXTENT_BYTES_MIN.max(bytes));
            begun.lost |= met.from < Key::extent(self.object, end);
        }
    }

    /// Takes a record. They come in the order of their keys.
    fn take(&mut self, key: &Key, record: &[u8]) {
        let is_extent = key.kind() == Kind::Extent as u8;
        let (is_lost, begins) = (*key < self.lost_until, key.offset().is_multiple_of(EXTENT_BYTES_MIN));
        if key.object() != self.object || !is_extent || begins {
            self.end_extent();
        }
        if key.object() != self.object {
            (self.object, self.bytes) = (key.object(), 0);
            (self.inode_lost, self.named) = (false, false);
        }
        match key.kind() {
            _ if self.object == ObjectId::SYSTEM => {}
            kind if kind == Kind::Inode as u8 => {
                let inode = Inode::decode(record);
                let holds = |inode: &Inode| matches!(inode.kind, ObjectKind::File | ObjectKind::Symlink);
                let held = inode.filter(holds);
                self.bytes = held.map_or(0, |inode| inode.size);
                self.inode_lost = is_lost;
                let inline = held.is_some_and(|inode| inode.inline);
                self.lose(is_lost, if inline { self.bytes } else { 0 });
            }
            kind if kind == Kind::Inline as u8 => {
                self.lose(is_lost && !self.inode_lost, self.bytes.min(record.len() as u64));
            }
            _ if is_extent => {
                if begins {
                    self.begun = Some(Begun { start: key.offset(), extent: None, lost: self.inode_lost });
                }
                let joined = self.joiner.take(key, record);
                if let Some(begun) = &mut self.begun {
                    begun.lost |= is_lost;
                    begun.extent = begun.extent.take().or(joined.map(|(_, _, extent)| extent));
                }
            }
            kind => {
                self.forecast.names_lost += u64::from(is_lost && kind == Kind::Entry as u8);
                self.lose(is_lost, 0);
            }
        }
    }

    /// All of an extent's record was met.
    fn end_extent(&mut self) {
        let Some(Begun { start, extent: Some(extent), lost }) = self.begun.take() else { return };
        let data = usize::from(extent.scheme.data);
        let left = if lost { FragmentCounts::default() } else { self.then.holds(&extent) };
        self.forecast.extents.add(&extent, left);
        if self.now.holds(&extent).there < data {
            self.forecast.unreadable_now += 1;
        } else if left.there >= data {
            let asked = usize::from(extent.asked.parity).min(self.tolerance);
            if asked < self.forecast.asked_tolerance {
                self.forecast.weakest = Some(self.object);
            }
            self.bear(left.apart.saturating_sub(data), asked);
        } else {
            let bytes = self.bytes_lost(start, &extent, lost);
            self.lose(bytes > 0, bytes);
        }
    }

    /// Bytes of an extent that could not be read: those in the fragments that would be there still can.
    fn bytes_lost(&self, start: u64, extent: &Extent, record_lost: bool) -> u64 {
        let (fragment_bytes, held) =
            (extent.fragment_bytes(self.block_shift) as u64, self.bytes.saturating_sub(start));
        let end = held.min(extent.logical.into());
        let data = extent.fragments().iter().take(extent.scheme.data.into()).enumerate();
        let is_lost = |f: &Fragment| record_lost || !self.then.is_here(f.address.member);
        data.filter(|(_, fragment)| is_lost(fragment))
            .map(|(i, _)| {
                let first = i as u64 * fragment_bytes;
                end.min(first + fragment_bytes).saturating_sub(first)
            })
            .sum()
    }

    /// Counts what the object would lose.
    fn lose(&mut self, loses: bool, bytes: u64) {
        if !loses {
            return;
        }
        // Forged sizes may add up to anything.
        self.forecast.lost_bytes = self.forecast.lost_bytes.saturating_add(bytes);
        if !core::mem::replace(&mut self.named, true) {
            self.forecast.objects_lost += 1;
            // Those that find no place are counted.
            let _ = self.forecast.objects.push(self.object);
        }
    }

    /// Something bears the loss of so many more members, and was to bear `asked`.
    fn bear(&mut self, members: usize, asked: usize) {
        let forecast = &mut self.forecast;
        forecast.read_tolerance = forecast.read_tolerance.min(members);
        forecast.asked_tolerance = forecast.asked_tolerance.min(asked);
        forecast.is_exposed |= members == 0 && asked > 0;
    }

    fn end(mut self) -> LossForecast {
        self.end_extent();
        self.forecast
    }
}
