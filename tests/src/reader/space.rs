//! Free space: what is allocated is what is referenced, block by block.

use super::{Address, Reader, key};
use crate::document::{View, number};
use std::collections::BTreeMap;

const GROUP: u8 = 2;
const DEAD: u8 = 3;
const GROUP_NONE: u64 = 4_294_967_295;
const NODE_GROUP_FREE_MIN: u64 = 33;

/// The blocks of one member that may be allocated.
struct Area {
    row: usize,
    member: u64,
    start: u64,
    blocks: u64,
}

impl Reader<'_> {
    /// Proves for each member that every block is allocated or free, as what refers to it says.
    pub fn check_space(&self) {
        let referenced = self.referenced();
        for area in self.areas() {
            let allocated = self.allocated(&area);
            let expected: Vec<bool> = (area.start..area.start + area.blocks)
                .map(|block| referenced.contains_key(&Address { member: area.member, block }))
                .collect();
            let wrong = allocated.iter().zip(&expected).position(|(a, b)| a != b);
            assert_eq!(
                wrong, None,
                "member {}: a block, counted from group 0, is wrongly allocated or free",
                area.member
            );
            let free = allocated.iter().filter(|&&allocated| !allocated).count() as u64;
            let row = self.row(area.row);
            assert_eq!(row.number("free"), free, "member {}", area.member);
            assert_eq!(
                row.number("node_free"),
                self.node_free(&row, &allocated),
                "for nodes, member {}",
                area.member
            );
        }
    }

    fn areas(&self) -> impl Iterator<Item = Area> {
        (0..self.rows()).filter_map(|row| {
            let member = self.row(row).number("number");
            let record = self.records.get(&key(0, 1, member, 0)).filter(|_| member != 65535)?;
            let record = self.structures["MemberRecord"].view(record);
            Some(Area { row, member, start: record.number("start"), blocks: record.number("blocks") })
        })
    }

    /// What records, bases and cursors say of the blocks of a member.
    fn allocated(&self, area: &Area) -> Vec<bool> {
        let group_blocks = self.label.number("group_blocks");
        let open = self.open_groups(&self.row(area.row));
        let is_allocated = |block: u64| {
            let (group, at) = (block / group_blocks, block % group_blocks);
            let taken =
                open.iter().any(|&(open, base, cursor)| open == group && (base..cursor).contains(&at));
            taken || self.is_recorded(area.member, group, at)
        };
        (0..area.blocks).map(is_allocated).collect()
    }

    /// Free blocks for nodes: of closed groups with enough of them, and from the cursor on.
    fn node_free(&self, row: &View<'_>, allocated: &[bool]) -> u64 {
        let (node, data) = (row.number("node_group"), row.number("data_group"));
        let free = |blocks: &[bool]| blocks.iter().filter(|&&allocated| !allocated).count() as u64;
        let groups = (0..).zip(allocated.chunks(self.label.number("group_blocks") as usize));
        let counted = groups.map(|(group, blocks): (u64, &[bool])| match free(blocks) {
            _ if group == node => free(&blocks[row.number("node_cursor") as usize..]),
            free if group == data || free < NODE_GROUP_FREE_MIN => 0,
            free => free,
        });
        counted.sum()
    }

    fn open_groups(&self, row: &View<'_>) -> Vec<(u64, u64, u64)> {
        let open = |class: &str| {
            let field = |part: &str| row.number(&format!("{class}_{part}"));
            (field("group") != GROUP_NONE).then(|| (field("group"), field("base"), field("cursor")))
        };
        [open("node"), open("data")].into_iter().flatten().collect()
    }

    fn is_recorded(&self, member: u64, group: u64, at: u64) -> bool {
        match self.records.get(&key(0, GROUP, member << 32 | group, 0)).map(Vec::as_slice) {
            None => false,
            Some([1]) => true,
            Some([0, bitmap @ ..]) => bitmap[at as usize / 8] >> (at % 8) & 1 == 1,
            Some(record) => panic!("a group's record is {record:?}"),
        }
    }

    /// Every block that something refers to; nothing is referred to twice.
    fn referenced(&self) -> BTreeMap<Address, &'static str> {
        let mut referenced = BTreeMap::new();
        let mut refer = |start: Address, blocks: u64, what: &'static str| {
            for block in start.block..start.block + blocks {
                let before = referenced.insert(Address { block, ..start }, what);
                assert_eq!(before, None, "block {block} of member {} is a {what} too", start.member);
            }
        };
        self.nodes.iter().flat_map(|node| &node.replicas).for_each(|&at| refer(at, 1, "node"));
        for object in self.objects() {
            for extent in self.extents(object) {
                let (addresses, blocks) = self.fragments(&extent);
                addresses
                    .into_iter()
                    .filter(|at| at.is_some())
                    .for_each(|at| refer(at, blocks as u64, "fragment"));
            }
        }
        self.dead_blocks().into_iter().for_each(|at| refer(at, 1, "dead block"));
        referenced
    }

    /// Numbers of the objects that have records.
    fn objects(&self) -> Vec<u64> {
        let mut objects: Vec<u64> = self
            .records
            .keys()
            .map(|key| key[..8].iter().fold(0, |n, &byte| n << 8 | u64::from(byte)))
            .collect();
        objects.dedup();
        objects.into_iter().filter(|&object| object != 0).collect()
    }

    /// Blocks of dead records that no sweep has given back.
    fn dead_blocks(&self) -> Vec<Address> {
        let mut dead = Vec::new();
        for (sequence, record) in self.of_kind(0, DEAD) {
            for run in record.chunks_exact(12) {
                let start = Address::load(run);
                let blocks = (0..number(&run[8..])).map(|i| Address { block: start.block + i, ..start });
                dead.extend(blocks.filter(|&at| !self.is_given_back(sequence, at)));
            }
        }
        dead
    }

    fn is_given_back(&self, sequence: u64, at: Address) -> bool {
        let area = self.areas().find(|area| area.member == at.member).expect("a member");
        let group = (at.block - area.start) / self.label.number("group_blocks");
        let sweep = (self.superblock.number("sweep_row"), self.superblock.number("sweep_group"));
        sequence < self.superblock.number("sweep_limit") && (area.row as u64, group) < sweep
    }
}
