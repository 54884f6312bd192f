//! How much contents a pool has room for: one calculation for all that tell it.
//!
//! What is told is sure to fit, in large files. More may: a group of blocks on each disk may be left over
//! when nothing more can be stored, or be filled, as contents fall.

use super::fill::{Cut, Filled, fill};
use super::place::Place;
use super::reasons::ADD_DISK;
use super::session::{Disks, Session};
use crate::output::failure::Failure;
use dynamicfs_core::Pool;
use dynamicfs_core::health::Health;
use dynamicfs_core::maintenance::{MemberRoom, Rooms};
use dynamicfs_core::planning::Room;
use dynamicfs_core::types::{DiskIndex, Row, Scheme, Set};

/// Percent of what a pool can hold that are left when it is nearly full.
const NEARLY_FULL_PERCENT: u128 = 15;

/// The same for a full one, beside that nothing is sure to fit any more.
const FULL_PERCENT: u128 = 10;

/// Tree updates for which there must be room where something is to be stored: those of a file of one extent.
const UPDATES: u32 = 6;

/// How full a pool is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fullness {
    Roomy,
    NearlyFull,
    Full,
}

/// The room of a pool.
pub(crate) struct PoolRoom {
    /// The disks that are given something.
    pub(crate) rooms: Rooms,
    pub(crate) cut: Cut,
    pub(crate) scheme: Scheme,
    /// What is sure to fit in the pool's scheme.
    pub(crate) filled: Filled,
    pub(crate) fullness: Fullness,
    /// What is free lies where the scheme cannot use it, and could if it were spread anew.
    is_lopsided: bool,
}

/// What is asked of the disks' rooms, as the arithmetic takes it.
fn of_each(rooms: &Rooms, blocks: impl Fn(&MemberRoom) -> u64) -> Vec<Room> {
    rooms.iter().map(|room| Room { blocks: blocks(room), failure_domain: room.failure_domain }).collect()
}

/// The blocks of each disk that contents in this scheme are sure to find. Where there is a choice of disks,
/// or they differ, they are not filled evenly to the end. Half as much more may be left over. So it may be
/// where one disk takes all nodes, twice, and these are many: their last group is not filled either.
fn sure<'r>(rooms: impl Iterator<Item = &'r MemberRoom> + Clone, scheme: Scheme, cut: &Cut) -> Vec<Room> {
    let count = rooms.clone().count();
    let first = rooms.clone().next().map(|room| room.blocks);
    let is_uneven = scheme.width() < count || rooms.clone().any(|room| Some(room.blocks) != first);
    let is_uneven = is_uneven || count == 1 && cut.has_small_nodes();
    let left_over = |room: &MemberRoom| if is_uneven { room.left_over / 2 + UNEVEN_BLOCKS } else { 0 };
    let in_groups = cut.left_in_groups(scheme, count);
    let blocks = |room: &MemberRoom| room.fillable().saturating_sub(left_over(room) + in_groups);
    rooms.map(|room| Room { blocks: blocks(room), failure_domain: room.failure_domain }).collect()
}

/// Blocks that are in use.
fn used(room: &MemberRoom) -> u64 {
    room.blocks.saturating_sub(room.free.saturating_add(room.dead))
}

/// Blocks that would be filled if nothing were on the disk.
fn fillable_if_empty(room: &MemberRoom) -> u64 {
    room.blocks.saturating_sub(room.kept_back + room.left_over)
}

/// More blocks that the last extents may leave on one disk and not on another.
const UNEVEN_BLOCKS: u64 = 32;

/// Bytes of a disk that hold labels and superblocks: as on the disks that are here.
pub(crate) fn overhead(session: &Session<'_>, block: u64) -> u64 {
    let places = session.places.iter().enumerate();
    let of = |(number, place): (usize, &Place)| {
        let blocks = session.pool.member_health(DiskIndex(number)).blocks;
        (blocks > 0).then_some(place.labels?.bytes.saturating_sub(blocks * block))
    };
    places.filter_map(of).max().unwrap_or(0)
}

impl PoolRoom {
    pub(crate) fn of(pool: &mut Pool<'_, Disks>) -> Result<Self, Failure> {
        let rooms = pool.rooms()?;
        let Health { scheme, tolerance, extent_shift, dead_blocks, .. } = pool.health();
        let cut = Cut::new(pool.parameters(), extent_shift, tolerance);
        let filled = fill(&sure(rooms.iter(), scheme, &cut), scheme, &cut);
        let at_best = fill(&of_each(&rooms, MemberRoom::usable), scheme, &cut).usable_bytes;
        let in_all = fill(&of_each(&rooms, |room| room.blocks), scheme, &cut).usable_bytes;
        let is_below = |percent| u128::from(at_best) * 100 < u128::from(in_all) * percent;
        // What a sweep would give back is taken for room.
        let is_out_of_nodes = dead_blocks == 0 && !pool.has_room_for(UPDATES);
        let fullness = match () {
            () if rooms.is_empty() => Fullness::Roomy,
            () if is_out_of_nodes || filled.usable_bytes == 0 && is_below(FULL_PERCENT) => Fullness::Full,
            () if is_below(NEARLY_FULL_PERCENT) => Fullness::NearlyFull,
            () => Fullness::Roomy,
        };
        let at_most = fill(&of_each(&rooms, fillable_if_empty), scheme, &cut).usable_bytes;
        let used: u64 = rooms.iter().map(used).sum();
        let held = used * cut.block_bytes() / scheme.width() as u64 * u64::from(scheme.data);
        let is_lopsided =
            u128::from(at_most.saturating_sub(held)) * 100 >= u128::from(in_all) * NEARLY_FULL_PERCENT;
        Ok(Self { rooms, cut, scheme, filled, fullness, is_lopsided })
    }

    /// The next command where it is full, or nearly so.
    pub(crate) const fn next(&self) -> &'static str {
        if self.is_lopsided { "dynamicfs rebalance start" } else { ADD_DISK }
    }

    /// The blocks of each disk that are sure to be filled.
    pub(crate) fn fillable(&self) -> Vec<Room> {
        sure(self.rooms.iter(), self.scheme, &self.cut)
    }

    /// The same, with empty disks of so many blocks more.
    pub(crate) fn fillable_with(&self, blocks: impl Iterator<Item = u64>) -> Vec<Room> {
        let like = self.rooms.first();
        let empty = |blocks| {
            like.map(|like| MemberRoom { blocks, free: blocks, dead: 0, failure_domain: 0, ..*like })
        };
        let more: Vec<MemberRoom> = blocks.filter_map(empty).collect();
        sure(self.rooms.iter().chain(&more), self.scheme, &self.cut)
    }

    /// The row of the disk whose loss is most likely to find no room for its data, and whether that is in
    /// doubt. It is not where each of the others has room for twice as much.
    pub(crate) fn fullest(&self) -> Option<(Set<Row>, bool)> {
        let fullest = self.rooms.iter().max_by_key(|&room| used(room))?;
        let others = self.rooms.iter().filter(|room| room.row != fullest.row);
        let is_in_doubt = others.map(MemberRoom::usable).any(|room| room / 2 < used(fullest));
        Some((Set::only(fullest.row), is_in_doubt))
    }
}
