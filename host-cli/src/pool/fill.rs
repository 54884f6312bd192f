//! How much contents fits on disks, in a scheme.

use super::records::Nodes;
use dynamicfs_core::PoolParameters;
use dynamicfs_core::planning::{Extent, Room, effective_scheme, fragment_bytes, stranded, stripes};
use dynamicfs_core::types::{Generation, Scheme};
use schemars::JsonSchema;
use serde::Serialize;

/// The share of contents that the other records take, at most: those of the free map, of names and of what is
/// dead.
const OTHER_RECORDS_SHARE: u128 = 200;

/// The share of what small files take that they leave over, at most: they do not fill all disks and groups of
/// blocks evenly.
const UNEVEN_SHARE: u64 = 16;

/// Blocks of the smallest group that is not small: disks of tens of MiB have smaller ones.
const SMALL_GROUP: u64 = 256;

/// The share of contents that records of small nodes may take beyond what they are reckoned with, at most.
const SMALL_NODES_SHARE: u64 = 18;

/// Blocks smaller than this are small: a record is no longer small beside what it is about.
const SMALL_BLOCK: u64 = 4096;

/// The share of contents that records may take in small blocks beyond their estimate, and the same for small
/// files. Nodes are split, and seldom full. Measured: a fiftieth to a thirtieth, and a fifth.
const SMALL_BLOCKS_SHARE: u64 = 24;
const SMALL_BLOCKS_FILE_SHARE: u64 = 3;

/// How much contents fits in a scheme.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Filled {
    /// The scheme.
    pub(crate) scheme: String,
    /// What it becomes where there are fewer disks than it asks for.
    stored_as: String,
    /// Disks that may fail without loss of contents.
    pub(crate) tolerance: u8,
    /// Bytes of contents that fit.
    pub(crate) usable_bytes: u64,
    /// Bytes that are free, and of no use: a stripe takes no two fragments from one disk, and the other disks
    /// are full before.
    pub(crate) stranded_bytes: u64,
    /// The same for each disk, in blocks.
    #[serde(skip)]
    pub(crate) stranded: Vec<u64>,
}

impl Filled {
    /// What it becomes, where that is something else.
    pub(crate) fn stored(&self) -> String {
        match self.stored_as == self.scheme {
            true => String::new(),
            false => format!(", stored as {} on so few disks", self.stored_as),
        }
    }
}

/// How a pool cuts contents up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cut {
    /// Bytes of an extent of a large file.
    pub(crate) extent_bytes: u32,
    block_shift: u8,
    chunk_shift: u8,
    group_blocks: u64,
    nodes: Nodes,
}

impl Cut {
    /// As a pool with these parameters cuts it, which bears the loss of so many disks.
    pub(crate) const fn new(parameters: &PoolParameters, extent_shift: u8, tolerance: u8) -> Self {
        let (node_bytes, block_bytes) = (parameters.node_bytes(), 1 << parameters.block_shift);
        Self {
            extent_bytes: 1 << extent_shift,
            block_shift: parameters.block_shift,
            chunk_shift: parameters.chunk_shift,
            group_blocks: parameters.group_blocks as u64,
            nodes: Nodes { node_bytes, block_bytes, tolerance },
        }
    }

    /// Blocks of a disk that may stay empty where fragments do not fill groups. What is left at the ends of
    /// these is filled by shorter extents, with more records, and not to the last. Measured: less than a
    /// group, and more of small ones, above all where two fragments do not find room in one.
    pub(super) fn left_in_groups(&self, asked: Scheme, disks: usize) -> u64 {
        let scheme = effective_scheme(asked, self.extent_bytes, self.block_shift, disks);
        let fragment = scheme.map_or(0, |scheme| {
            (fragment_bytes(scheme, self.extent_bytes, self.block_shift) >> self.block_shift) as u64
        });
        let group = self.group_blocks;
        let quarters = match fragment {
            0 => 0,
            // It takes groups that lie side by side.
            fragment if fragment > group || group.is_multiple_of(fragment) => 0,
            fragment if fragment * 2 > group => 13,
            _ if group < SMALL_GROUP => 9,
            _ => 3,
        };
        group * quarters / 4
    }

    pub(crate) const fn block_bytes(&self) -> u64 {
        1 << self.block_shift
    }

    /// Whether nodes are smaller than the blocks that they take, so that they take a good part of the pool.
    pub(crate) const fn has_small_nodes(&self) -> bool {
        (self.nodes.node_bytes as u64) < self.block_bytes()
    }

    /// Whether blocks are small, and nodes with them.
    const fn has_small_blocks(&self) -> bool {
        self.block_bytes() < SMALL_BLOCK
    }

    /// The values of an extent's record in the tree, by their lengths.
    fn record(&self, scheme: Scheme, asked: Scheme, bytes: u32) -> impl Iterator<Item = usize> {
        let extent = Extent::new(scheme, asked, bytes, Generation(1));
        self.nodes.pieces(extent.record_bytes(self.block_shift, self.chunk_shift))
    }

    /// Bytes that an extent's record takes on so many disks, in all replicas, where others come before and
    /// behind it.
    fn record_bytes(&self, scheme: Scheme, asked: Scheme, bytes: u32, disks: usize) -> u64 {
        let values: Vec<usize> = self.record(scheme, asked, bytes).collect();
        self.nodes.in_order(&values, disks)
    }

    /// Bytes that a file of so many takes on all disks, with its records; `None` where it cannot be stored.
    pub(crate) fn cost(&self, asked: Scheme, bytes: u32, disks: usize) -> Option<u64> {
        let (mut values, mut stored) = (vec![Nodes::attributes()], 0);
        if bytes as usize <= self.nodes.value_bytes_max() {
            values.push(bytes as usize);
        } else {
            for at in (0..bytes).step_by(self.extent_bytes as usize) {
                let extent = self.extent_bytes.min(bytes - at);
                let scheme = effective_scheme(asked, extent, self.block_shift, disks)?;
                let fragment = fragment_bytes(scheme, extent, self.block_shift);
                stored += (fragment * scheme.width()) as u64;
                values.extend(self.record(scheme, asked, extent));
            }
        }
        let cost = stored + self.nodes.in_order(&values, disks) + self.nodes.name(disks);
        Some(cost + cost / if self.has_small_blocks() { SMALL_BLOCKS_FILE_SHARE } else { UNEVEN_SHARE })
    }
}

/// Fills disks with large files. Where no stripe of the scheme finds enough disks with room any more, shorter
/// extents follow, in fewer fragments, as in a pool.
pub(crate) fn fill(rooms: &[Room], asked: Scheme, cut: &Cut) -> Filled {
    let shift = cut.block_shift;
    let widest = effective_scheme(asked, cut.extent_bytes, shift, rooms.len());
    let (mut left, mut usable, mut width) = (rooms.to_vec(), 0, usize::MAX);
    let mut extent = cut.extent_bytes;
    while let Some(scheme) = effective_scheme(asked, extent, shift, rooms.len()) {
        if scheme.width() < width {
            width = scheme.width();
            let stripes = placed(stripes(&left, width, None), width < rooms.len());
            left.iter_mut().for_each(|room| room.blocks = stranded(room, stripes));
            usable +=
                contents(stripes, scheme, asked, shortest(asked, extent, cut, rooms.len()), cut, rooms.len());
        }
        if u64::from(extent / 2) < cut.block_bytes() || extent / 2 < SHORTEST_EXTENT {
            break;
        }
        extent /= 2;
    }
    let scheme = widest.unwrap_or(asked);
    Filled {
        scheme: asked.to_string(),
        stored_as: scheme.to_string(),
        tolerance: scheme.parity,
        usable_bytes: usable - small_nodes(usable, rooms, asked, cut),
        stranded_bytes: left.iter().map(|room| room.blocks).sum::<u64>() << shift,
        stranded: left.iter().map(|room| room.blocks).collect(),
    }
}

/// Bytes, of so many, that records may take beyond their estimate, where nodes are smaller than blocks. They
/// are most where disks are not filled evenly, and some where extents are long. Where blocks are small, too.
fn small_nodes(usable: u64, rooms: &[Room], scheme: Scheme, cut: &Cut) -> u64 {
    let first = rooms.first().map(|room| room.blocks);
    let is_uneven = scheme.width() < rooms.len() || rooms.iter().any(|room| Some(room.blocks) != first);
    if cut.has_small_blocks() {
        return usable / SMALL_BLOCKS_SHARE;
    }
    match cut.has_small_nodes() && rooms.len() > 1 {
        true if is_uneven => usable / SMALL_NODES_SHARE,
        true if u64::from(cut.extent_bytes) > cut.block_bytes() => usable / (2 * SMALL_NODES_SHARE),
        _ => 0,
    }
}

/// Bytes of the shortest extent that contents are cut into for want of room.
const SHORTEST_EXTENT: u32 = dynamicfs_core::limits::EXTENT_BYTES_MIN as u32;

/// The extent whose stripes fill disks. It is a long one of a large file, or, for want of room, the shortest
/// of this width, whose records take the most.
fn shortest(asked: Scheme, extent: u32, cut: &Cut, disks: usize) -> u32 {
    let width = |bytes| effective_scheme(asked, bytes, cut.block_shift, disks).map(Scheme::width);
    let mut shortest = extent;
    while extent < cut.extent_bytes
        && shortest / 2 >= SHORTEST_EXTENT
        && u64::from(shortest / 2) >= cut.block_bytes()
        && width(shortest / 2) == width(extent)
    {
        shortest /= 2;
    }
    shortest
}

/// Stripes that placement is sure to find room for, of so many that fit. Where it has a choice of disks it
/// compares their rooms by sixteenths, which costs it up to two in a hundred.
const fn placed(stripes: u64, has_choice: bool) -> u64 {
    if has_choice { stripes - stripes / 50 } else { stripes }
}

/// Bytes of contents in so many stripes one block deep, less what the extents' records take.
fn contents(stripes: u64, scheme: Scheme, asked: Scheme, extent: u32, cut: &Cut, disks: usize) -> u64 {
    let fragment = fragment_bytes(scheme, extent, cut.block_shift) as u64;
    let stored = fragment * scheme.width() as u64;
    let with_record = stored + cut.record_bytes(scheme, asked, extent, disks);
    let raw = u128::from(stripes) * scheme.width() as u128 * u128::from(cut.block_bytes());
    // An extent is cut into equal fragments of whole blocks: their ends may be empty.
    let bytes = raw * u128::from(extent) / u128::from(with_record.max(1));
    u64::try_from(bytes - bytes / OTHER_RECORDS_SHARE).unwrap_or(u64::MAX)
}

/// Schemes worth a look on so many disks, in a pool that bears the loss of so many.
pub(crate) fn schemes(disks: usize, tolerance: u8) -> impl Iterator<Item = Scheme> {
    let mirrors = (1..=tolerance + 1).map(Scheme::mirror);
    let stripes = (1..=tolerance).flat_map(move |parity| {
        // A disk to spare, so that a rebuild finds one, and none.
        let widths = [disks.saturating_sub(1), disks];
        widths.into_iter().filter_map(move |width| {
            let data = u8::try_from(width.checked_sub(parity.into())?).ok()?;
            Some(Scheme { data, parity }).filter(|scheme| data > 1 && scheme.is_valid())
        })
    });
    mirrors.chain(stripes).filter(move |scheme| scheme.width() <= disks)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOUR_TWO: Scheme = Scheme { data: 4, parity: 2 };

    fn rooms(blocks: &[u64]) -> Vec<Room> {
        blocks.iter().map(|&blocks| Room { blocks, failure_domain: 0 }).collect()
    }

    fn cut(tolerance: u8) -> Cut {
        Cut {
            extent_bytes: 1 << 20,
            block_shift: 12,
            chunk_shift: 14,
            group_blocks: 1024,
            nodes: Nodes { node_bytes: 4096, block_bytes: 4096, tolerance },
        }
    }

    /// What fits in so many blocks, to three hundredths: records take less than that, and placement.
    #[track_caller]
    fn expect(filled: &Filled, blocks: u64) {
        let bytes = blocks * 4096;
        let fits = filled.usable_bytes <= bytes && filled.usable_bytes + bytes / 33 >= bytes;
        assert!(fits, "{filled:?}: {bytes}");
    }

    #[test]
    fn contents_fill_disks_as_stripes_do() {
        let four_two = fill(&rooms(&[1000; 6]), FOUR_TWO, &cut(2));
        expect(&four_two, 4000);
        assert_eq!(four_two.stranded_bytes, 0);
        let mirror = fill(&rooms(&[100, 100, 5000]), Scheme::mirror(2), &cut(1));
        expect(&mirror, 200);
        assert_eq!(mirror.stranded_bytes / 4096, 4804);
        // 1 MiB in three fragments of 86 blocks: two of 258 are padding.
        let three = fill(&rooms(&[1000; 5]), FOUR_TWO, &cut(2));
        assert_eq!(three.stored_as, "3+2");
        expect(&three, 3000 * 256 / 258);
        assert_eq!(fill(&[], Scheme::SINGLE, &cut(0)).usable_bytes, 0);
    }

    /// Stripes of six go as far as the smallest disk; shorter extents in four fragments continue.
    #[test]
    fn narrower_stripes_fill_what_is_left_on_larger_disks() {
        let filled = fill(&rooms(&[1000, 2000, 3000, 4000, 5000, 6000]), FOUR_TWO, &cut(2));
        let bytes = (4 * 1000 + 2 * 3000) * 4096;
        assert!(filled.usable_bytes < bytes && filled.usable_bytes > bytes * 93 / 100, "{filled:?}");
        assert!(filled.stranded[..4].iter().all(|&blocks| blocks < 100), "{filled:?}");
        assert!(filled.stranded[5] > 1900, "{filled:?}");
    }

    #[test]
    fn a_small_file_takes_whole_blocks_in_all_its_copies() {
        let cut = cut(2);
        assert!((12 << 10..14 << 10).contains(&cut.cost(FOUR_TWO, 1500, 6).unwrap()));
        assert!((1000..3000).contains(&cut.cost(FOUR_TWO, 100, 6).unwrap()));
        assert_eq!(cut.cost(FOUR_TWO, 1500, 0), None);
    }

    #[test]
    fn schemes_are_those_that_the_disks_allow() {
        let shown = |disks, tolerance| -> Vec<String> {
            schemes(disks, tolerance).map(|scheme| scheme.to_string()).collect()
        };
        assert_eq!(shown(1, 0), ["single"]);
        assert_eq!(shown(3, 1), ["single", "mirror:2", "2+1"]);
        assert_eq!(shown(6, 2), ["single", "mirror:2", "mirror:3", "4+1", "5+1", "3+2", "4+2"]);
        assert_eq!(shown(0, 2), [""; 0]);
    }
}
