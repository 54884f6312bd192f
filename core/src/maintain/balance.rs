//! What a rebalance decides about an extent that is as redundant as it should be.

use super::standing::Standing;
use super::verdict::{Indices, Verdict};
use super::visit::Budget;
use crate::error::Code;
use crate::format::extent::Extent;
use crate::format::job::JobOptions;
use crate::limits::FRAGMENTS_MAX;
use crate::object::{Found, Objects};
use crate::placement::Candidate;
use crate::types::{ObjectId, Row, Set};
use dynamicfs_hal::DiskArray;

/// Placement takes members whose room differs by less than this part of the most for equal.
const LEVELS: u64 = 16;

/// Fragments that are better on other members: on one of the wanted tier, or, with `space`, on one with much
/// more room. Pure.
///
/// A move is worth it where the receiver has more room afterwards than the giver, by a level that placement
/// distinguishes. So each move makes rooms more equal, and the moves end.
#[expect(
    clippy::indexing_slicing,
    reason = "`at` is an index of `stay`, which only shrinks after it was used"
)]
pub(super) fn misplaced(
    extent: &Extent,
    standing: &Standing,
    (tier, space): (u8, bool),
    blocks: u64,
    candidate: impl Fn(Row) -> Candidate,
) -> Indices {
    let mut moved = Indices::new();
    let mut stay = heapless::Vec::<(u8, Row), FRAGMENTS_MAX>::new();
    for (index, fragment) in (0u8..).zip(extent.fragments()) {
        let Some(row) = standing.row(fragment.address.member) else { return moved };
        let _ = stay.push((index, row));
    }
    let mut held: Set<Row> = stay.iter().map(|&(_, row)| row).collect();
    let most = standing.open().iter().map(|row| candidate(row).room).max().unwrap_or(0);
    let level = most / LEVELS;
    let mut targets = standing.open().minus(held);
    let rank = |row: Row| (candidate(row).tier == tier, candidate(row).room);
    while let Some(to) = targets.iter().max_by_key(|&row| rank(row)) {
        let worst = (0..stay.len()).min_by_key(|&at| rank(stay[at].1));
        let Some((at, (index, from))) = worst.map(|at| (at, stay[at])) else { break };
        let (there, here) = (candidate(to), candidate(from));
        let (fits_there, fits_here) = (there.tier == tier, here.tier == tier);
        let to_its_tier = fits_there && !fits_here && there.room > blocks + level;
        let evens = space && fits_there == fits_here && there.room > here.room + level + level.max(blocks);
        if !to_its_tier && !evens {
            break;
        }
        targets = targets.without(to);
        let others = held.without(from);
        let domain = there.failure_domain;
        let crowd = others.iter().filter(|&row| candidate(row).failure_domain == domain).count();
        if domain == 0 || crowd < usize::from(extent.scheme.parity).max(1) {
            held = others.with(to);
            stay.swap_remove(at);
            let _ = moved.push(index);
        }
    }
    moved
}

impl<A: DiskArray> Objects<'_, A> {
    /// What a rebalance does with an extent of an object that nothing is missing of.
    #[expect(clippy::indexing_slicing, reason = "a row is below `MEMBERS_MAX`, the array's length")]
    pub(super) fn judge_order(
        &mut self,
        options: JobOptions,
        object: ObjectId,
        found: &Found,
        standing: &Standing,
        budget: &mut Budget,
    ) -> Result<Verdict, Code> {
        let inode = match budget.inode {
            Some((known, inode)) if known == object => inode,
            _ => match self.inode(object) {
                // It is being deleted.
                Err(Code::NotFound) => return Ok(Verdict::Keep),
                inode => inode?,
            },
        };
        budget.inode = Some((object, inode));
        if options.policy && found.extent.asked != inode.scheme {
            return Ok(Verdict::Encode(inode.scheme));
        }
        if options.extents
            && let Some(bytes) = self.joinable(object, &inode, found)?
        {
            return Ok(Verdict::Join(bytes));
        }
        if !options.space && !options.policy {
            return Ok(Verdict::Keep);
        }
        let blocks = found.extent.fragment_blocks(self.store.tree.disks.parameters.block_shift).into();
        let tier = |row: Row| self.candidate(row).tier;
        // Where tiers are none of its business every member is of the right one.
        let wanted = |row: Row| if options.policy { tier(row) } else { inode.tier };
        let moved = misplaced(&found.extent, standing, (inode.tier, options.space), blocks, |row| {
            let room = self.candidate(row).room + u64::from(budget.freed[row.0]);
            Candidate { room, tier: wanted(row), ..self.candidate(row) }
        });
        Ok(if moved.is_empty() { Verdict::Keep } else { Verdict::Move(moved) })
    }
}
