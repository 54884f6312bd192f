//! How much contents fits on disks, in a scheme.

use super::session::Session;
use crate::output::failure::Failure;
use dynamicfs_core::placement::{Room, stripes};
use dynamicfs_core::redundancy;
use dynamicfs_core::types::Scheme;
use schemars::JsonSchema;
use serde::Serialize;

/// How much contents fits in a scheme.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Filled {
    /// The scheme.
    pub(crate) scheme: String,
    /// What it becomes where there are fewer disks than it asks for.
    stored_as: String,
    /// Disks that may fail without loss.
    pub(crate) tolerance: u8,
    /// Bytes of contents that fit.
    pub(crate) usable_bytes: u64,
    /// Bytes that are free, and of no use: a stripe takes no two fragments from one disk, and the other disks are full before.
    pub(crate) stranded_bytes: u64,
    /// Stripes of one block.
    #[serde(skip)]
    pub(crate) stripes: u64,
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

/// Fills disks with extents of this many bytes in blocks of so many.
pub(crate) fn fill(rooms: &[Room], asked: Scheme, extent_bytes: u32, block_bytes: u64) -> Filled {
    let shift = block_bytes.trailing_zeros() as u8;
    let scheme = redundancy::effective(asked, extent_bytes, shift, rooms.len());
    let stripes = scheme.map_or(0, |scheme| stripes(rooms, scheme.width(), None));
    let scheme = scheme.unwrap_or(asked);
    // An extent is cut into equal fragments of whole blocks: their ends may be empty.
    let padded = u64::from(scheme.data) * redundancy::fragment_bytes(scheme, extent_bytes, shift) as u64;
    let filled = u128::from(stripes) * u128::from(scheme.data) * u128::from(block_bytes);
    let usable = filled * u128::from(extent_bytes) / u128::from(padded.max(1));
    let free: u64 = rooms.iter().map(|room| room.blocks).sum();
    Filled {
        scheme: asked.to_string(),
        stored_as: scheme.to_string(),
        tolerance: scheme.parity,
        usable_bytes: usable as u64,
        stranded_bytes: free.saturating_sub(stripes.saturating_mul(scheme.width() as u64)) * block_bytes,
        stripes,
    }
}

/// How much more contents fits in the pool's scheme.
pub(crate) fn room(session: &mut Session<'_>) -> Result<Filled, Failure> {
    let health = session.pool.health();
    let left = session.pool.rooms()?;
    let left = left.iter().map(|room| Room { blocks: room.usable(), failure_domain: room.failure_domain });
    let extent = 1 << session.pool.store.committed().extent_shift();
    Ok(fill(&left.collect::<Vec<_>>(), health.scheme, extent, u64::from(health.block_bytes)))
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

    fn rooms(blocks: &[u64]) -> Vec<Room> {
        blocks.iter().map(|&blocks| Room { blocks, failure_domain: 0 }).collect()
    }

    #[test]
    fn contents_fill_disks_as_stripes_do() {
        let equal = rooms(&[1000; 6]);
        let four_two = fill(&equal, Scheme { data: 4, parity: 2 }, 1 << 20, 4096);
        assert_eq!((four_two.usable_bytes, four_two.stranded_bytes), (4000 * 4096, 0));
        let mirror = fill(&rooms(&[100, 100, 5000]), Scheme::mirror(2), 1 << 20, 4096);
        assert_eq!((mirror.usable_bytes, mirror.stranded_bytes), (200 * 4096, 4800 * 4096));
        // 1 MiB in three fragments of 86 blocks: two of 258 are padding.
        let three = fill(&rooms(&[1000; 5]), Scheme { data: 4, parity: 2 }, 1 << 20, 4096);
        assert_eq!((three.stored_as.as_str(), three.usable_bytes), ("3+2", 3000 * 4096 * 256 / 258));
        assert_eq!(fill(&[], Scheme::SINGLE, 1 << 20, 4096).usable_bytes, 0);
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
