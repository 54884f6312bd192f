//! Groups whose state is in memory and not in their records. They are open, or closed and not in the tree
//! yet. A row has four of them at most.

#![expect(clippy::indexing_slicing, reason = "a class is 0 or 1; a bitmap has a header of 8 bytes")]

use super::{BITMAP_HEADER, Class, Space, node_free_of, ones};
use crate::format::record::group;
use crate::types::{MemberNumber, Row};

/// A group whose state is in memory.
#[derive(Clone, Copy, Debug)]
pub struct BusyGroup {
    /// Which.
    pub group: u32,
    /// Its free blocks.
    pub free: u32,
    /// Those that count as room for nodes.
    pub node_free: u64,
}

/// A group whose bitmap must be written into the tree.
#[derive(Clone, Copy, Debug)]
pub struct Unrecorded {
    /// The member's row.
    pub row: Row,
    /// The class it is or was open for.
    pub class: Class,
    /// Whether it is closed.
    pub closed: bool,
    /// The member.
    pub member: MemberNumber,
    /// The group.
    pub group: u32,
}

impl Space<'_> {
    /// The busy groups of a row.
    pub fn busy(&self, row: Row) -> heapless::Vec<u32, 4> {
        let mut busy = heapless::Vec::new();
        for class in Class::ALL {
            busy.extend(self.open_group(row, class).map(|(group, ..)| group));
            busy.extend(self.closed_group(row, class));
        }
        busy
    }

    /// Whether a group is one of them.
    pub fn is_busy(&self, row: Row, group: u32) -> bool {
        self.busy(row).contains(&group)
    }

    /// The class that a group is open for.
    pub fn open_class(&self, row: Row, group: u32) -> Option<Class> {
        Class::ALL
            .into_iter()
            .find(|&class| self.open_group(row, class).is_some_and(|(open, ..)| open == group))
    }

    /// The busy groups of a row, with their free blocks.
    pub fn busy_groups(&self, row: Row) -> heapless::Vec<BusyGroup, 4> {
        let mut busy = heapless::Vec::new();
        for class in Class::ALL {
            let free =
                |closed| self.group_blocks - ones(&self.busy_bitmap(row, class, closed)[BITMAP_HEADER..]);
            if let Some((group, ..)) = self.open_group(row, class) {
                let node_free = if class == Class::Node { self.room(row, class).into() } else { 0 };
                let _ = busy.push(BusyGroup { group, free: free(false), node_free });
            }
            if let Some(group) = self.closed_group(row, class) {
                let _ = busy.push(BusyGroup { group, free: free(true), node_free: node_free_of(free(true)) });
            }
        }
        busy
    }

    // --- waiting to be recorded ---------------------------------------------------------------------------------

    /// Whether the closed group of a class waits to be recorded.
    pub fn is_closed_waiting(&self, row: Row, class: Class) -> bool {
        self.closed[class as usize].contains(row)
    }

    /// The closed group of a class that waits to be recorded.
    pub fn closed_group(&self, row: Row, class: Class) -> Option<u32> {
        self.is_closed_waiting(row, class).then(|| self.group_in(row, class, true))
    }

    /// A group whose bitmap must be written into the tree: its member, number, class, and whether it is closed.
    pub fn next_unrecorded(&self, with_open: bool) -> Option<Unrecorded> {
        for class in Class::ALL {
            if let Some(row) = self.closed[class as usize].iter().next() {
                return Some(self.describe(row, class, true));
            }
        }
        for class in Class::ALL {
            if let Some(row) = self.unrecorded[class as usize].iter().next().filter(|_| with_open) {
                return Some(self.describe(row, class, false));
            }
        }
        None
    }

    fn describe(&self, row: Row, class: Class, closed: bool) -> Unrecorded {
        let group = self.group_in(row, class, closed);
        Unrecorded { row, class, closed, member: self.member(row), group }
    }

    /// The record of an unrecorded group, written into `out`: its length, or `None` if it needs none. From here on
    /// it counts as recorded.
    ///
    /// For an open group the base moves up to the cursor; what is taken while the record is being written is above
    /// the cursor.
    pub fn record(&mut self, which: &Unrecorded, out: &mut [u8]) -> Option<usize> {
        let class = which.class as usize;
        if which.closed {
            self.closed[class] = self.closed[class].without(which.row);
        } else {
            self.unrecorded[class] = self.unrecorded[class].without(which.row);
            if let Some((group, _, cursor)) = self.open_group(which.row, which.class) {
                self.set_open_group(which.row, which.class, group, cursor, cursor);
            }
        }
        group::store(&self.busy_bitmap(which.row, which.class, which.closed)[BITMAP_HEADER..], out)
    }
}
