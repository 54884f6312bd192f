//! How much space there is, and whether a rebuild would find enough of it: computed from the tree; nothing is changed.

use super::standing::{Standing, read_standing};
use super::survey::RecordJoiner;
use super::usage::Swept;
use super::verdict::{Indices, NodeVerdict, Verdict, judge, judge_node};
use crate::error::Code;
use crate::format::extent::Extent;
use crate::format::key::{Key, Kind};
use crate::format::record::dead;
use crate::limits::{MEMBERS_MAX, U48_MAX};
use crate::object::Objects;
use crate::placement::{self, Candidate, Demand, Places};
use crate::redundancy;
use crate::tree::Walk;
use crate::types::{BlockAddress, MemberNumber, ObjectId, Row, Scheme, Set};
use core::ops::ControlFlow;
use dynamicfs_hal::DiskArray;

/// Groups that a member has open at a time: one for nodes, one for data.
const GROUPS_OPEN: u64 = 2;

/// The space of a member that is given data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct MemberRoom {
    /// Its number.
    pub member: MemberNumber,
    /// Its row in the member table.
    pub row: Row,
    /// Blocks that may be allocated, in all.
    pub blocks: u64,
    /// Blocks that are free.
    pub free: u64,
    /// Blocks that are free once a sweep has given them back.
    pub dead: u64,
    /// Free blocks that are kept back, so that deleting and recovery can always go on.
    pub kept_back: u64,
    /// More free blocks that may be left over when nothing more can be stored: about a group.
    pub left_over: u64,
    /// Members with the same value fail together; 0 is a domain of its own.
    pub failure_domain: u32,
}

impl MemberRoom {
    /// Blocks that contents are sure to find.
    pub const fn fillable(&self) -> u64 {
        self.usable().saturating_sub(self.left_over)
    }

    /// Blocks that may still be filled.
    pub const fn usable(&self) -> u64 {
        let free = self.free.saturating_add(self.dead);
        (if free < self.blocks { free } else { self.blocks }).saturating_sub(self.kept_back)
    }
}

/// The space of all members that are given data, by row.
pub type Rooms = heapless::Vec<MemberRoom, MEMBERS_MAX>;

/// What a rebuild would do after members were lost, or emptied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct RebuildForecast {
    /// Blocks that would be written: fragments moved, stripes stored again, replicas of nodes.
    pub blocks_written: u64,
    /// Extents and nodes for which some disk that is left has too little space.
    pub without_space: u64,
    /// Extents that would stay with less redundancy than they have: too few disks would be left.
    pub without_disks: u64,
    /// Tree nodes that would stay on fewer members than they should be on: too few disks would be left.
    pub nodes_without_disks: u64,
    /// Blocks that could still be filled afterwards.
    pub blocks_left: u64,
    /// Blocks of the groups that are open at a time on the disks that are left.
    pub blocks_open: u64,
    /// Extents and nodes with enough blocks only on disks that are nearly full. Such a disk would be left
    /// with fewer blocks than its open groups hold, and than their fragments may waste at the ends of groups.
    pub cramped: u64,
}

/// Whether a rebuild would find enough space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum RebuildSpace {
    /// It would.
    Enough,
    /// There are enough blocks. But fewer would be left than the open groups hold, in all or on a disk that
    /// takes something. So it depends on whether the free ones lie side by side.
    Tight,
    /// It would not.
    TooLittle,
}

impl RebuildForecast {
    /// Whether there is enough space.
    pub const fn space(&self) -> RebuildSpace {
        match () {
            () if self.without_space > 0 => RebuildSpace::TooLittle,
            () if self.cramped > 0 => RebuildSpace::Tight,
            () if self.blocks_written > 0 && self.blocks_left < self.blocks_open => RebuildSpace::Tight,
            () => RebuildSpace::Enough,
        }
    }
}

impl<A: DiskArray> Objects<'_, A> {
    /// Blocks of the groups that so many members have open at a time.
    pub(super) fn blocks_open(&self, members: usize) -> u64 {
        GROUPS_OPEN * u64::from(self.store.tree.space.group_blocks()) * members as u64
    }

    /// The space of every member that takes part and is given data. Reads the dead records.
    pub fn rooms(&mut self) -> Result<Rooms, Code> {
        let (tree, superblock) = (&self.store.tree, self.store.committed());
        let (kept_back, left_over) = (self.store.blocks_kept_back(), self.store.blocks_left_over());
        let mut rooms: Rooms = tree
            .data_rows()
            .iter()
            .map(|row| MemberRoom {
                member: tree.space.member(row),
                row,
                blocks: tree.area(row).map_or(0, |area| area.blocks),
                // A forged count may be anything.
                free: superblock.row(row).free().min(tree.area(row).map_or(0, |area| area.blocks)),
                dead: 0,
                kept_back,
                left_over,
                failure_domain: tree.disks.identity_in_row(row).map_or(0, |identity| identity.failure_domain),
            })
            .collect();
        let swept: heapless::Vec<Swept, MEMBERS_MAX> = rooms
            .iter()
            .map(|room| self.swept(room.row, self.store.tree.area(room.row).map_or(0, |area| area.start)))
            .collect();
        self.store.tree.scan(&Key::dead(0), &Key::dead(u64::MAX), |key, record| {
            for run in dead::runs(record) {
                let owner = rooms.iter_mut().zip(&swept).find(|(room, _)| room.member == run.start.member);
                if let Some((room, swept)) = owner {
                    let rest = swept.rest(key, run).map_or(0, |rest| u64::from(rest.blocks));
                    room.dead = room.dead.saturating_add(rest);
                }
            }
            ControlFlow::<()>::Continue(())
        })?;
        Ok(rooms)
    }

    /// What a rebuild would do if the members in these rows were lost for good. Every node and extent that
    /// could still be read is judged and placed as a pass would do it, in the present space. How that is cut
    /// up is not looked at: see [`RebuildSpace::Tight`].
    ///
    /// Reads every tree node once, and no data. Fails where a node cannot be read.
    pub fn forecast_rebuild(&mut self, lost: Set<Row>) -> Result<RebuildForecast, Code> {
        self.forecast_moves(lost, lost, 0)
    }

    /// As [`forecast_rebuild`](Self::forecast_rebuild), if the members were emptied: what they hold is read from them.
    pub fn forecast_drain(&mut self, draining: Set<Row>) -> Result<RebuildForecast, Code> {
        self.forecast_moves(draining, Set::EMPTY, 0)
    }

    /// As [`forecast_drain`](Self::forecast_drain), or where they are `lost` as
    /// [`forecast_rebuild`](Self::forecast_rebuild), if a new member with so many blocks came before. Where
    /// the table of members has no room for one the members go without it.
    pub fn forecast_replacement(
        &mut self,
        gone: Set<Row>,
        lost: bool,
        blocks: u64,
    ) -> Result<RebuildForecast, Code> {
        self.forecast_moves(gone, if lost { gone } else { Set::EMPTY }, blocks)
    }

    /// What is stored elsewhere when members go. These are `lost` before, and a new one has so many blocks.
    #[expect(clippy::indexing_slicing, reason = "rows are below `MEMBERS_MAX`, the arrays' length")]
    fn forecast_moves(
        &mut self,
        gone: Set<Row>,
        lost: Set<Row>,
        new_blocks: u64,
    ) -> Result<RebuildForecast, Code> {
        let now = read_standing(&mut self.store, true)?;
        let superblock = self.store.committed();
        let (table, member) = (superblock.table(), MemberNumber(superblock.next_member()));
        let new = (0..MEMBERS_MAX).map(Row).find(|&row| !table.contains(row)).filter(|_| new_blocks > 0);
        let opened = new.into_iter().collect::<Set<Row>>();
        let (standing, sources) = (now.without(gone).with_open(opened), now.without(lost));
        let wanted = self.store.tree.copies_wanted();
        let (open, group) = (self.blocks_open(1), self.store.tree.space.group_blocks().into());
        let mut rooms = self.rooms()?;
        let (kept_back, left_over) = (self.store.blocks_kept_back(), self.store.blocks_left_over());
        if let Some(row) = new {
            // No disk has more of them.
            let new_blocks = new_blocks.min(U48_MAX);
            let (blocks, free, dead, failure_domain) = (new_blocks, new_blocks, 0, 0);
            let room = MemberRoom { member, row, blocks, free, dead, kept_back, left_over, failure_domain };
            // There is a place for each row.
            let _ = rooms.push(room);
        }
        let mut plan =
            Plan::new(&rooms, &standing, self.store.tree.disks.parameters.block_shift, (open, group));
        let mut joiner = RecordJoiner::new();
        let mut walk = Walk::new();
        while let Some(met) = self.store.tree.walk(&mut walk)? {
            let (replicas, birth) = (met.pointer.replicas(), met.pointer.birth);
            match judge_node(replicas, birth, wanted, &standing) {
                NodeVerdict::Keep => {}
                NodeVerdict::Refresh => plan.refresh(replicas, wanted),
                NodeVerdict::Short => plan.forecast.nodes_without_disks += 1,
            }
            if met.level == 0 {
                let end = met.end.unwrap_or(Key::MAX);
                self.store.tree.scan(&met.from, &end, |key, record| {
                    if key.kind() == Kind::Extent as u8
                        && let Some((object, start, extent)) = joiner.take(key, record)
                        && sources.holds(&extent).there >= extent.scheme.data.into()
                    {
                        plan.rebuild(object, start, &extent);
                    }
                    ControlFlow::<()>::Continue(())
                })?;
                walk.go_on(met.end);
            }
        }
        plan.forecast.blocks_open = self.blocks_open(standing.open().len());
        plan.forecast.blocks_left = standing.open().iter().map(|row| plan.candidates[row.0].room).sum();
        Ok(plan.forecast)
    }
}

/// Space that is given away without anything being written.
struct Plan<'s> {
    standing: &'s Standing,
    block_shift: u8,
    /// By row; `room` is what is left.
    candidates: [Candidate; MEMBERS_MAX],
    /// Groups of each member, by row, and blocks of a group.
    groups: [u64; MEMBERS_MAX],
    group_blocks: u64,
    /// Blocks of the groups that a member has open at a time.
    open: u64,
    forecast: RebuildForecast,
}

impl<'s> Plan<'s> {
    #[expect(clippy::indexing_slicing, reason = "rows are below `MEMBERS_MAX`, the arrays' length")]
    fn new(rooms: &Rooms, standing: &'s Standing, block_shift: u8, (open, group_blocks): (u64, u64)) -> Self {
        let (mut candidates, mut groups) = ([NOBODY; MEMBERS_MAX], [0; MEMBERS_MAX]);
        for room in rooms {
            let MemberRoom { member, failure_domain, .. } = *room;
            candidates[room.row.0] = Candidate { member, room: room.usable(), failure_domain, tier: 0 };
            groups[room.row.0] = room.blocks / group_blocks.max(1);
        }
        let forecast = RebuildForecast::default();
        Self { standing, block_shift, candidates, groups, group_blocks, open, forecast }
    }

    /// Blocks of a member that fragments of this length may leave over at the ends of its groups.
    #[expect(clippy::indexing_slicing, reason = "rows are below `MEMBERS_MAX`, the arrays' length")]
    const fn left_in_groups(&self, row: Row, fragment: u64) -> u64 {
        if fragment == 0 || fragment > self.group_blocks {
            return 0;
        }
        self.groups[row.0] * (self.group_blocks % fragment)
    }

    /// A node is written anew: the replicas that do not count go to other members.
    fn refresh(&mut self, replicas: &[BlockAddress], wanted: usize) {
        let open = self.standing.open();
        let rows = replicas.iter().filter_map(|replica| self.standing.row(replica.member));
        let stay = rows.filter(|&row| open.contains(row)).collect::<Set<Row>>();
        let missing = wanted.min(open.len()).saturating_sub(stay.len());
        self.place(open.minus(stay), &[], (ObjectId::SYSTEM, 0), (missing, 1), 1);
        self.forecast.nodes_without_disks += u64::from(open.len() < wanted);
    }

    /// An extent is judged, and what is missing of it placed.
    fn rebuild(&mut self, object: ObjectId, start: u64, extent: &Extent) {
        let blocks = extent.fragment_blocks(self.block_shift);
        match judge(extent, self.standing, self.block_shift, &[]) {
            // Joining is a rebalance's affair.
            Verdict::Keep | Verdict::Short | Verdict::Join(_) => {}
            Verdict::Stuck => self.forecast.without_disks += 1,
            Verdict::Move(bad) => self.move_fragments((object, start), extent, &bad, blocks),
            Verdict::Encode(scheme) => self.encode((object, start), extent, scheme, blocks),
        }
    }

    fn move_fragments(&mut self, at: (ObjectId, u64), extent: &Extent, bad: &Indices, blocks: u32) {
        let stays = (0u8..).zip(extent.fragments()).filter(|(index, _)| !bad.contains(index));
        let mut taken = Places::new();
        taken.extend(stays.filter_map(|(_, f)| self.standing.row(f.address.member)).map(|row| row.byte()));
        let rows = taken.iter().fold(self.standing.open(), |rows, &row| rows.without(row.into()));
        self.place(rows, &taken, at, (bad.len(), extent.scheme.parity), blocks);
    }

    /// What is left of the old stripe is given back once the new one is there.
    #[expect(
        clippy::indexing_slicing,
        clippy::cast_possible_truncation,
        reason = "rows are below `MEMBERS_MAX`; a fragment is an extent of at most 4 MiB, filled up to blocks"
    )]
    fn encode(&mut self, at: (ObjectId, u64), extent: &Extent, scheme: Scheme, blocks: u32) {
        let new =
            (redundancy::fragment_bytes(scheme, extent.logical, self.block_shift) >> self.block_shift) as u32;
        if self.place(self.standing.open(), &[], at, (scheme.width(), scheme.parity), new) {
            let rows = extent.fragments().iter().filter_map(|f| self.standing.row(f.address.member));
            rows.for_each(|row| self.candidates[row.0].room += u64::from(blocks));
        }
    }

    /// Takes the space for so many fragments of this length, each on another of these rows; whether there was enough.
    #[expect(clippy::indexing_slicing, reason = "rows are below `MEMBERS_MAX`, the arrays' length")]
    fn place(
        &mut self,
        rows: Set<Row>,
        taken: &[u8],
        (object, offset): (ObjectId, u64),
        (width, parity): (usize, u8),
        blocks: u32,
    ) -> bool {
        let candidate = |row: Row| self.candidates[row.0];
        let wanted = u64::from(blocks);
        let fitting = rows.iter().filter(|&row| candidate(row).room >= wanted);
        let fitting = fitting.collect::<Set<Row>>();
        // What is taken may leave less than this over.
        let apart = |row: Row| self.open.saturating_add(self.left_in_groups(row, wanted));
        let ample = fitting.iter().filter(|&row| candidate(row).room - wanted >= apart(row)).count();
        let demand = Demand { width, parity: parity.into(), tier: 0, object, offset };
        let places = placement::choose(fitting, taken, &demand, candidate);
        places.iter().for_each(|&row| self.candidates[usize::from(row)].room -= u64::from(blocks));
        self.forecast.blocks_written += places.len() as u64 * u64::from(blocks);
        self.forecast.without_space += u64::from(places.len() < width);
        // However much there is on the others: it is no use to a stripe that they have a part of.
        self.forecast.cramped += u64::from(ample < width);
        places.len() == width
    }
}

/// The member in a row that is given nothing.
const NOBODY: Candidate = Candidate { member: MemberNumber::NONE, room: 0, failure_domain: 0, tier: 0 };
