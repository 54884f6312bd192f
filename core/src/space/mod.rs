//! Free space: the open groups, what was freed, and how much is left.
//!
//! The free map itself is in the tree, one record per group of blocks. This layer holds what must be known
//! without reading the tree. For each member and class (nodes, data) it has one *open group* with its bitmap,
//! and takes blocks from it in ascending order. So allocating never changes the tree while the tree is being
//! changed.
//!
//! ```text
//! open group:  | as its record shows | all allocated | as its record shows |
//!              0                   base           cursor             group_blocks
//! ```
//! `base`, `cursor` and the group's number stand in the superblock, so a crash forgets nothing and leaks
//! nothing. A group that is closed, or whose blocks below the cursor are not all allocated, is *unrecorded*
//! until its bitmap is in the tree. The commit writes it at the latest.
//!
//! Freed blocks are not free at once. They go to the pending runs, from there into dead records, and a sweep
//! gives them back once the commit that freed them is durable.

#![expect(
    clippy::indexing_slicing,
    reason = "a row has its bitmaps: a header of 8 bytes, a bit for each block; a class is 0 or 1"
)]

mod bitmap;
mod busy;

pub use bitmap::{next_clear_run, next_free};
#[cfg(feature = "internals")]
pub use busy::BusyGroup;
pub use busy::Unrecorded;

use crate::format::field::Stored;
use crate::format::record::{dead, group};
use crate::format::superblock::{GROUP_NONE, Superblock};
use crate::limits::{NODE_GROUP_FREE_MIN, U48_MAX};
use crate::powers::units;
use crate::types::{BlockAddress, BlockRun, MemberNumber, Row, Set};
use bitmap::{clear, clear_from, next_clear, ones, set};

/// What blocks are used for. Nodes and data are kept apart so that data lies in long runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Tree nodes: single blocks.
    Node,
    /// Fragments: runs of blocks.
    Data,
}

/// Where a member's blocks begin and end; groups are counted from there.
#[derive(Clone, Copy, Debug)]
pub struct Area {
    /// First block of group 0.
    pub start: u64,
    /// Blocks.
    pub blocks: u64,
}

/// Bytes before each bitmap: the group, and its free blocks that can still be taken.
const BITMAP_HEADER: usize = 8;
/// Bitmaps of a row: open for nodes, open for data, closed nodes, closed data.
const BITMAPS: usize = 4;

/// The part of the free map that is in memory.
pub struct Space<'m> {
    /// The superblock of the generation that is being made.
    pub superblock: Superblock<&'m mut [u8]>,
    bitmaps: &'m mut [u8],
    pending: &'m mut [u8],
    pending_bytes: usize,
    group_blocks: u32,
    /// Rows whose closed group of this class is not in the tree yet.
    closed: [Set<Row>; 2],
    /// Rows whose open group of this class differs from what record and cursor say.
    unrecorded: [Set<Row>; 2],
}

impl Class {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Node, Self::Data];
}

impl<'m> Space<'m> {
    /// Bytes of bitmaps for a member table of this many rows.
    pub const fn bitmap_bytes(rows: usize, group_blocks: u32) -> usize {
        rows * BITMAPS * (BITMAP_HEADER + group_blocks as usize / 8)
    }

    /// Takes memory for the working superblock, the bitmaps and the pending runs.
    pub fn new(
        superblock: &'m mut [u8],
        bitmaps: &'m mut [u8],
        pending: &'m mut [u8],
        group_blocks: u32,
    ) -> Option<Self> {
        let superblock = Superblock::new(superblock)?;
        debug_assert!(
            bitmaps.len() >= Self::bitmap_bytes(superblock.rows(), group_blocks) || superblock.rows() > 0
        );
        Some(Self {
            superblock,
            bitmaps,
            pending,
            pending_bytes: 0,
            group_blocks,
            closed: [Set::EMPTY; 2],
            unrecorded: [Set::EMPTY; 2],
        })
    }

    /// Blocks of a group.
    pub const fn group_blocks(&self) -> u32 {
        self.group_blocks
    }

    /// Rows that have bitmaps.
    pub fn rows(&self) -> usize {
        self.superblock.rows().min(self.bitmaps.len() / Self::bitmap_bytes(1, self.group_blocks))
    }

    /// Groups of a member.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "no area has more groups than numbers of 32 bits: labels, records and `set_blocks` see to it"
    )]
    pub const fn groups(&self, area: Area) -> u32 {
        units(area.blocks, self.group_blocks as u64) as u32
    }

    fn busy_bitmap_mut(&mut self, row: Row, class: Class, closed: bool) -> &mut [u8] {
        let bytes = BITMAP_HEADER + self.group_blocks as usize / 8;
        let index = row.0 * BITMAPS + class as usize + if closed { 2 } else { 0 };
        &mut self.bitmaps[index * bytes..(index + 1) * bytes]
    }

    /// The group whose bitmap is in a busy.
    fn group_in(&self, row: Row, class: Class, closed: bool) -> u32 {
        u32::load(self.busy_bitmap(row, class, closed))
    }

    fn busy_bitmap(&self, row: Row, class: Class, closed: bool) -> &[u8] {
        let bytes = BITMAP_HEADER + self.group_blocks as usize / 8;
        let index = row.0 * BITMAPS + class as usize + if closed { 2 } else { 0 };
        &self.bitmaps[index * bytes..(index + 1) * bytes]
    }

    /// The open group of a class, with its base and cursor.
    pub fn open_group(&self, row: Row, class: Class) -> Option<(u32, u16, u16)> {
        let row = self.superblock.row(row);
        let (group, base, cursor) = match class {
            Class::Node => (row.node_group(), row.node_base(), row.node_cursor()),
            Class::Data => (row.data_group(), row.data_base(), row.data_cursor()),
        };
        (group != GROUP_NONE).then_some((group, base, cursor))
    }

    fn set_open_group(&mut self, row: Row, class: Class, group: u32, base: u16, cursor: u16) {
        let mut row = self.superblock.row_mut(row);
        match class {
            Class::Node => {
                row.set_node_group(group);
                row.set_node_base(base);
                row.set_node_cursor(cursor);
            }
            Class::Data => {
                row.set_data_group(group);
                row.set_data_base(base);
                row.set_data_cursor(cursor);
            }
        }
    }

    /// The bitmap of the open group of a class: a bit for each block, set if it is allocated.
    pub fn open_bitmap(&self, row: Row, class: Class) -> &[u8] {
        &self.busy_bitmap(row, class, false)[BITMAP_HEADER..]
    }

    // --- opening and closing ----------------------------------------------------------------------------------

    /// Reads a group's record into the class's open bitmap, marks blocks beyond the member's end as allocated, and
    /// counts what is free. `None` if the record is not one.
    fn load_bitmap(
        &mut self,
        row: Row,
        class: Class,
        group: u32,
        record: Option<&[u8]>,
        area: Area,
    ) -> Option<u32> {
        let blocks = self.group_blocks;
        let busy = self.busy_bitmap_mut(row, class, false);
        let bitmap = &mut busy[BITMAP_HEADER..];
        group::load(record, bitmap)?;
        mark_beyond(bitmap, group, blocks, area);
        let free = blocks - ones(bitmap);
        u32::store(busy, group);
        u32::store(&mut busy[4..], free);
        Some(free)
    }

    /// Opens a closed group, whose record this is, for a class that has none open. Returns its free blocks, or
    /// `None` if the record is not one.
    pub fn open(
        &mut self,
        row: Row,
        class: Class,
        group: u32,
        record: Option<&[u8]>,
        area: Area,
    ) -> Option<u32> {
        let free = self.load_bitmap(row, class, group, record, area)?;
        if class == Class::Data {
            // It can no longer become a group for nodes.
            self.count_node_free(row, free, 0);
        }
        self.set_open_group(row, class, group, 0, 0);
        Some(free)
    }

    /// Brings the open group of a class back to what the superblock says of it, after a mount or an abort.
    pub fn reload(&mut self, row: Row, class: Class, record: Option<&[u8]>, area: Area) -> Option<()> {
        let Some((group, base, cursor)) = self.open_group(row, class) else { return Some(()) };
        let blocks = self.group_blocks;
        if group >= self.groups(area) || base > cursor || u32::from(cursor) > blocks {
            return None;
        }
        self.load_bitmap(row, class, group, record, area)?;
        let busy = self.busy_bitmap_mut(row, class, false);
        let bitmap = &mut busy[BITMAP_HEADER..];
        for block in u32::from(base)..u32::from(cursor) {
            set(bitmap, block);
        }
        let room = room_of(class, bitmap, cursor, blocks);
        u32::store(&mut busy[4..], room);
        Some(())
    }

    /// Closes the open group of a class; its bitmap waits to be recorded. The closed one before it must be recorded.
    pub fn close(&mut self, row: Row, class: Class) {
        if self.open_group(row, class).is_none() {
            return;
        }
        debug_assert!(!self.closed[class as usize].contains(row));
        let room = self.room(row, class);
        let free = self.group_blocks - ones(&self.busy_bitmap(row, class, false)[BITMAP_HEADER..]);
        let bytes = BITMAP_HEADER + self.group_blocks as usize / 8;
        let from = (row.0 * BITMAPS + class as usize) * bytes;
        self.bitmaps.copy_within(from..from + bytes, from + 2 * bytes);
        self.closed[class as usize] = self.closed[class as usize].with(row);
        self.unrecorded[class as usize] = self.unrecorded[class as usize].without(row);
        self.set_open_group(row, class, GROUP_NONE, 0, 0);
        if class == Class::Node {
            // Counted block by block while it was open, it counts as a whole or not at all from here on.
            self.change_node_free(row, -i64::from(room));
        }
        self.count_node_free(row, 0, free);
    }

    // --- taking -----------------------------------------------------------------------------------------------

    /// The number of the member in a row.
    pub fn member(&self, row: Row) -> MemberNumber {
        MemberNumber(self.superblock.row(row).number())
    }

    /// Free blocks of the open group that may still be taken, 0 if none is open.
    pub fn room(&self, row: Row, class: Class) -> u32 {
        match self.open_group(row, class) {
            Some(_) => u32::load(&self.busy_bitmap(row, class, false)[4..]),
            None => 0,
        }
    }

    /// Takes one block for a node; `None` when the open group has none.
    #[expect(clippy::cast_possible_truncation, reason = "a group has at most 16 Ki blocks")]
    pub fn take_node(&mut self, row: Row, area: Area) -> Option<BlockAddress> {
        let (group, base, cursor) = self.open_group(row, Class::Node)?;
        let bitmap = &self.busy_bitmap(row, Class::Node, false)[BITMAP_HEADER..];
        let block = next_clear(bitmap, u32::from(cursor), self.group_blocks)?;
        self.take(row, Class::Node, block, 1);
        self.set_open_group(row, Class::Node, group, base, block as u16 + 1);
        self.change_node_free(row, -1);
        Some(self.address(row, group, block, area))
    }

    /// Takes a run of blocks for data; `None` when the open group has none of this length.
    ///
    /// Free blocks that are too few are passed over; they stay free, and the group is unrecorded until its record
    /// says so.
    #[expect(clippy::cast_possible_truncation, reason = "a group has at most 16 Ki blocks")]
    pub fn take_run(&mut self, row: Row, blocks: u32, area: Area) -> Option<BlockAddress> {
        let (group, base, cursor) = self.open_group(row, Class::Data)?;
        let bitmap = &self.busy_bitmap(row, Class::Data, false)[BITMAP_HEADER..];
        let at = next_clear_run(bitmap, u32::from(cursor), blocks, self.group_blocks)?;
        let skipped = next_clear(bitmap, u32::from(cursor), self.group_blocks).is_some_and(|free| free < at);
        if skipped {
            self.unrecorded[Class::Data as usize] = self.unrecorded[Class::Data as usize].with(row);
        }
        self.take(row, Class::Data, at, blocks);
        self.set_open_group(row, Class::Data, group, base, (at + blocks) as u16);
        Some(self.address(row, group, at, area))
    }

    /// Whether [`take_run`](Self::take_run) would give a run of this length.
    pub fn has_run(&self, row: Row, blocks: u32) -> bool {
        self.open_group(row, Class::Data).is_some_and(|(_, _, cursor)| {
            let bitmap = &self.busy_bitmap(row, Class::Data, false)[BITMAP_HEADER..];
            next_clear_run(bitmap, u32::from(cursor), blocks, self.group_blocks).is_some()
        })
    }

    /// Undoes the newest [`take_run`](Self::take_run) of a row, if its group is still the open one.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "a group has at most 16 Ki blocks")]
    pub fn untake_run(&mut self, row: Row, run: BlockRun, area: Area) -> bool {
        let Some((group, base, cursor)) = self.open_group(row, Class::Data) else { return false };
        let Some(first) = u32::from(cursor).checked_sub(run.blocks) else { return false };
        if self.address(row, group, first, area) != run.start || first < u32::from(base) {
            return false;
        }
        let busy = self.busy_bitmap_mut(row, Class::Data, false);
        let room = u32::load(&busy[4..]);
        u32::store(&mut busy[4..], room + run.blocks);
        for block in first..first + run.blocks {
            clear(&mut busy[BITMAP_HEADER..], block);
        }
        self.set_open_group(row, Class::Data, group, base, first as u16);
        self.give_back(row, run.blocks);
        true
    }

    /// Begins the open group of a class again at its first block, if it has as many free blocks as that. So
    /// blocks that became free behind the cursor can be taken.
    pub fn rewind(&mut self, row: Row, class: Class, needed: u32) -> bool {
        let Some((group, ..)) = self.open_group(row, class) else { return false };
        let blocks = self.group_blocks;
        let room = self.room(row, class);
        let busy = self.busy_bitmap_mut(row, class, false);
        let free = blocks - ones(&busy[BITMAP_HEADER..]);
        if free < needed {
            return false;
        }
        u32::store(&mut busy[4..], free);
        self.set_open_group(row, class, group, 0, 0);
        self.unrecorded[class as usize] = self.unrecorded[class as usize].with(row);
        if class == Class::Node {
            self.change_node_free(row, i64::from(free) - i64::from(room));
        }
        true
    }

    fn take(&mut self, row: Row, class: Class, first: u32, blocks: u32) {
        let busy = self.busy_bitmap_mut(row, class, false);
        let room = u32::load(&busy[4..]);
        u32::store(&mut busy[4..], room - blocks);
        for block in first..first + blocks {
            set(&mut busy[BITMAP_HEADER..], block);
        }
        let mut row = self.superblock.row_mut(row);
        let free = row.free();
        row.set_free(free.saturating_sub(u64::from(blocks)));
    }

    fn address(&self, row: Row, group: u32, block: u32, area: Area) -> BlockAddress {
        let block = area.start + u64::from(group) * u64::from(self.group_blocks) + u64::from(block);
        BlockAddress { member: self.member(row), block }
    }

    // --- giving back ------------------------------------------------------------------------------------------

    /// Runs that may still be freed before the pending ones are written into the tree.
    pub fn pending_room(&self) -> usize {
        (self.pending.len() - self.pending_bytes) / dead::RUN_BYTES
    }

    /// Runs that may wait at a time.
    pub fn pending_max(&self) -> usize {
        self.pending.len() / dead::RUN_BYTES
    }

    /// Whether nothing waits to be written into the tree as freed.
    pub const fn pending_is_empty(&self) -> bool {
        self.pending_bytes == 0
    }

    /// Marks a run as freed by this transaction. Returns false when there is no room for it; the caller made room.
    #[must_use]
    pub fn free(&mut self, run: BlockRun) -> bool {
        if !run.start.is_some() {
            return true;
        }
        if let Some(last) = self.pending_bytes.checked_sub(dead::RUN_BYTES) {
            let bytes = &mut self.pending[last..];
            let previous = BlockRun { start: BlockAddress::load(bytes), blocks: u32::load(&bytes[8..]) };
            let follows = previous.start.member == run.start.member
                && previous.start.block + u64::from(previous.blocks) == run.start.block;
            if let Some(blocks) = previous.blocks.checked_add(run.blocks).filter(|_| follows) {
                u32::store(&mut bytes[8..], blocks);
                return true;
            }
        }
        if self.pending_room() == 0 {
            return false;
        }
        self.pending_bytes += dead::store(&mut self.pending[self.pending_bytes..], &run);
        true
    }

    /// Moves pending runs into `out`, which is the value of a dead record: the bytes written.
    pub fn drain_pending(&mut self, out: &mut [u8]) -> usize {
        let bytes = (out.len() / dead::RUN_BYTES * dead::RUN_BYTES).min(self.pending_bytes);
        let from = self.pending_bytes - bytes;
        out[..bytes].copy_from_slice(&self.pending[from..self.pending_bytes]);
        self.pending_bytes = from;
        let blocks: u64 = dead::runs(&out[..bytes]).map(|run| u64::from(run.blocks)).sum();
        let dead_blocks = self.superblock.dead_blocks();
        self.superblock.set_dead_blocks(dead_blocks + blocks);
        bytes
    }

    /// Gives the blocks of an open group back whose bits are set in `dead`: how many were allocated. The group is
    /// unrecorded until its record says so.
    pub fn clear_open(&mut self, row: Row, class: Class, dead: &[u8]) -> u32 {
        let Some((_, _, cursor)) = self.open_group(row, class) else { return 0 };
        let blocks = self.group_blocks;
        let busy = self.busy_bitmap_mut(row, class, false);
        let before = room_of(class, &busy[BITMAP_HEADER..], cursor, blocks);
        let mut cleared = 0;
        for (byte, dead) in busy[BITMAP_HEADER..].iter_mut().zip(dead) {
            cleared += (*byte & dead).count_ones();
            *byte &= !dead;
        }
        // Data behind the cursor waits for the group's next opening, but counts as room.
        let gained = room_of(class, &busy[BITMAP_HEADER..], cursor, blocks) - before;
        let room = u32::load(&busy[4..]);
        u32::store(&mut busy[4..], room + gained);
        if class == Class::Node {
            self.change_node_free(row, gained.into());
        }
        self.unrecorded[class as usize] = self.unrecorded[class as usize].with(row);
        self.give_back(row, cleared);
        cleared
    }

    fn give_back(&mut self, row: Row, blocks: u32) {
        self.change_free(row, blocks.into());
    }

    /// Counts a group's change from `old` to `new` free blocks that is not open.
    pub fn count_closed(&mut self, row: Row, old: u32, new: u32) {
        self.count_node_free(row, old, new);
        self.change_free(row, i64::from(new) - i64::from(old));
    }

    #[expect(clippy::cast_possible_wrap, reason = "a group has at most 16 Ki blocks")]
    fn count_node_free(&mut self, row: Row, old: u32, new: u32) {
        self.change_node_free(row, node_free_of(new) as i64 - node_free_of(old) as i64);
    }

    fn change_free(&mut self, row: Row, delta: i64) {
        let mut row = self.superblock.row_mut(row);
        let free = row.free();
        row.set_free(free.saturating_add_signed(delta).min(U48_MAX));
    }

    fn change_node_free(&mut self, row: Row, delta: i64) {
        let mut row = self.superblock.row_mut(row);
        let free = row.node_free();
        row.set_node_free(free.saturating_add_signed(delta).min(U48_MAX));
    }

    // --- recounting -------------------------------------------------------------------------------------------

    /// Marks the blocks of a group beyond the member's end as allocated.
    pub fn mark_beyond(&self, bitmap: &mut [u8], group: u32, area: Area) {
        mark_beyond(bitmap, group, self.group_blocks, area);
    }

    /// Replaces the bitmap of an open group; false if it is not open. It is unrecorded until its record says so.
    pub fn replace_open(&mut self, row: Row, group: u32, bitmap: &[u8]) -> bool {
        let Some(class) = self.open_class(row, group) else { return false };
        let Some((.., cursor)) = self.open_group(row, class) else { return false };
        let (blocks, room_before) = (self.group_blocks, self.room(row, class));
        let busy = self.busy_bitmap_mut(row, class, false);
        let free_before = blocks - ones(&busy[BITMAP_HEADER..]);
        busy[BITMAP_HEADER..].copy_from_slice(bitmap);
        let (free, room) = (blocks - ones(bitmap), room_of(class, bitmap, cursor, blocks));
        u32::store(&mut busy[4..], room);
        self.unrecorded[class as usize] = self.unrecorded[class as usize].with(row);
        if class == Class::Node {
            self.change_node_free(row, i64::from(room) - i64::from(room_before));
        }
        self.change_free(row, i64::from(free) - i64::from(free_before));
        true
    }

    /// Forgets what the transaction did to the space: the caller has set the superblock back.
    pub fn reset(&mut self) {
        self.pending_bytes = 0;
        self.closed = [Set::EMPTY; 2];
        self.unrecorded = [Set::EMPTY; 2];
    }
}

/// Blocks of a group with so many free ones that count as room for nodes, while it is not open.
pub const fn node_free_of(free: u32) -> u64 {
    if free >= NODE_GROUP_FREE_MIN { free as u64 } else { 0 }
}

/// Blocks of an open group that may still be taken; data comes back for what is free behind the cursor.
fn room_of(class: Class, bitmap: &[u8], cursor: u16, blocks: u32) -> u32 {
    match class {
        Class::Node => clear_from(bitmap, u32::from(cursor), blocks),
        Class::Data => blocks - ones(bitmap),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "at most the blocks of a group")]
fn mark_beyond(bitmap: &mut [u8], group: u32, blocks: u32, area: Area) {
    let end = area.blocks.saturating_sub(u64::from(group) * u64::from(blocks));
    for block in end.min(u64::from(blocks)) as u32..blocks {
        set(bitmap, block);
    }
}
