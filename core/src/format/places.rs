//! Where things lie on a disk: labels, rings, data. Pure.
//!
//! ```text
//! 0          copy_at                                                                    end_at
//! | label |  | label | ring A |  | group 0 | group 1 | ... | group n-1 |  | ring B |  | label |
//! ```
//! On a small disk, where the copy lies at 4 KiB, ring A lies before it if it fits there.

use super::label::DiskIdentity;
use super::parameters::{COPY_PLACES, PoolParameters, SECTOR_BYTES_MAX};
use crate::limits;
use crate::powers::{floor, over, units};
use dynamicfs_hal::Geometry;

/// The share of a disk that may lie before the copy.
const COPY_SHARE: u64 = 64;

/// Places at which a label may lie, for a reader that knows nothing of the disk but its size.
pub const PLACES_MAX: usize = COPY_PLACES.len() + UNITS.len() + 1;

/// Where the parts of one disk lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Places {
    /// Byte at which ring A begins.
    pub ring_a: u64,
    /// Byte at which ring B begins.
    pub ring_b: u64,
    /// Byte of the label's copy.
    pub copy_at: u64,
    /// Byte of the label at the end.
    pub end_at: u64,
    /// First block of group 0.
    pub data_start: u64,
    /// Blocks from there to ring B.
    pub data_blocks: u64,
}

/// Bytes that one label takes, and at whose multiples labels and rings begin: a write that is cut short damages nothing else.
fn unit(geometry: &Geometry, p: &PoolParameters) -> u64 {
    u64::from(geometry.sector_bytes.max(geometry.tear_unit).max(p.sector_bytes_max()))
}

/// Lays out a disk; `None` if it is too small for labels and rings.
pub fn lay_out(geometry: &Geometry, p: &PoolParameters) -> Option<Places> {
    let (unit, bytes, ring) = (unit(geometry, p), geometry.bytes(), p.ring_bytes());
    let mut fitting = COPY_PLACES.iter().copied().filter(|&at| over(at, unit) == 0);
    let first = fitting.next()?;
    let copy_at = fitting.take_while(|&at| at <= bytes / COPY_SHARE).last().unwrap_or(first);
    let is_before = copy_at == COPY_PLACES[0] && unit + ring <= copy_at;
    let ring_a = if is_before { unit } else { copy_at + unit };
    let data_at = (ring_a + ring).max(copy_at + unit);
    let data_start = units(data_at, p.block_bytes() as u64);
    let (end_at, ring_b) = end(geometry, p)?;
    if ring_b < data_at {
        return None;
    }
    let data_blocks = (ring_b >> p.block_shift).saturating_sub(data_start);
    Some(Places { ring_a, ring_b, copy_at, end_at, data_start, data_blocks })
}

/// Where the last label and ring B lie on a disk of this size.
fn end(geometry: &Geometry, p: &PoolParameters) -> Option<(u64, u64)> {
    let unit = unit(geometry, p);
    let end_at = floor(geometry.bytes(), unit).checked_sub(unit)?;
    let ring_b = floor(end_at.checked_sub(p.ring_bytes())?, unit);
    Some((end_at, ring_b))
}

/// What the label of a member says once a disk that has grown is used to its end; `None` if that gives nothing. What is moved
/// lies behind everything that there was.
pub fn grown(identity: &DiskIdentity, geometry: &Geometry, p: &PoolParameters) -> Option<DiskIdentity> {
    let (end_at, ring_b) = end(geometry, p)?;
    let data_blocks = (ring_b >> p.block_shift).checked_sub(identity.data_start)?;
    let groups = units(data_blocks, u64::from(p.group_blocks));
    let is_more = !identity.witness
        && data_blocks > identity.data_blocks
        && ring_b >= identity.bytes_needed(p)
        && groups <= limits::GROUPS_MAX;
    is_more.then(|| DiskIdentity {
        ring_b,
        end_at,
        data_blocks,
        serial: identity.serial.wrapping_add(1),
        ..*identity
    })
}

/// Units in which a disk may have been laid out, its own tear unit aside.
const UNITS: [u32; 4] = [512, 1024, 2048, SECTOR_BYTES_MAX];

/// Bytes at which a label may lie on a disk whose size and sectors alone are known, without the first one.
/// They are the places of copies, and the last place of a disk in units of each size. None where the geometry
/// is none that a disk may have.
pub fn candidates(geometry: &Geometry) -> heapless::Vec<u64, PLACES_MAX> {
    let (bytes, sector) = (geometry.bytes(), u64::from(geometry.sector_bytes));
    let mut places = heapless::Vec::new();
    if geometry.check().is_err() {
        return places;
    }
    let mut add = |at: u64| {
        let fits = at > 0 && at.saturating_add(sector) <= bytes && over(at, sector) == 0;
        if fits && places.last() != Some(&at) {
            let _ = places.push(at);
        }
    };
    COPY_PLACES.into_iter().for_each(&mut add);
    for unit in UNITS.into_iter().chain([geometry.tear_unit.max(SECTOR_BYTES_MAX)]).map(u64::from) {
        add(floor(bytes, unit).saturating_sub(unit));
    }
    places
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use crate::format::superblock;
    use std::vec::Vec;

    fn parameters(bytes: usize, members_max: u8, ring_length: u8, tear: u32) -> PoolParameters {
        let shift = bytes.trailing_zeros() as u8;
        let p = PoolParameters {
            block_shift: shift,
            node_shift: shift,
            chunk_shift: shift,
            ring_length,
            members_max,
            ..PoolParameters::UNKNOWN
        };
        let slot = superblock::bytes(members_max.into()) as u32;
        PoolParameters { slot_bytes: slot.next_multiple_of(p.sector_bytes_max().max(tear)), ..p }
    }

    /// What lies where, in the order of the disk.
    fn parts(places: &Places, p: &PoolParameters, unit: u64) -> Vec<(u64, u64)> {
        let ring = p.ring_bytes();
        let (data, end) =
            (places.data_start << p.block_shift, (places.data_start + places.data_blocks) << p.block_shift);
        let mut parts = std::vec![
            (0, unit),
            (places.ring_a, places.ring_a + ring),
            (places.copy_at, places.copy_at + unit),
            (data, end),
            (places.ring_b, places.ring_b + ring),
            (places.end_at, places.end_at + unit),
        ];
        parts.sort_unstable();
        parts
    }

    #[test]
    fn nothing_overlaps_on_disks_of_any_size() {
        for (bytes, members, ring) in [(512, 4, 4), (512, 8, 4), (4096, 64, 8), (1024, 16, 64), (16384, 2, 4)]
        {
            for tear in [512, 4096, 16384, 65536] {
                let p = parameters(bytes, members, ring, tear);
                for sectors in (300..6000).chain([8192, 131_072, 131_073, 262_147, 1 << 30]) {
                    let geometry = Geometry { tear_unit: tear, ..Geometry::new(512, sectors) };
                    let Some(places) = lay_out(&geometry, &p) else { continue };
                    let unit = unit(&geometry, &p);
                    let parts = parts(&places, &p, unit);
                    assert!(parts.windows(2).all(|two| two[0].1 <= two[1].0), "{geometry:?} {places:?}");
                    assert!(parts.last().is_some_and(|last| last.1 <= geometry.bytes()), "{places:?}");
                    for at in [places.ring_a, places.ring_b, places.copy_at, places.end_at] {
                        assert!(at.is_multiple_of(unit), "{at} of {unit}");
                    }
                    assert!(COPY_PLACES.contains(&places.copy_at));
                    let found: Vec<u64> = candidates(&geometry).into_iter().collect();
                    assert!(found.contains(&places.copy_at) && found.contains(&places.end_at), "{found:?}");
                    assert!(found.len() <= PLACES_MAX);
                }
            }
        }
    }

    #[test]
    fn a_small_disk_loses_next_to_nothing() {
        let p = parameters(512, 4, 4, 512);
        let smallest = |blocks: u64| {
            (1..).find(|&sectors| {
                lay_out(&Geometry::new(512, sectors), &p).is_some_and(|places| places.data_blocks >= blocks)
            })
        };
        // Two labels and two rings of four sectors take ten; the copy and the room between ring A and it four more.
        assert_eq!(smallest(384), Some(384 + 14));
    }

    #[test]
    fn disks_of_512_and_4096_bytes_a_sector_are_laid_out_alike() {
        let p = parameters(4096, 64, 8, 512);
        let (small, large) = (Geometry::new(512, 1 << 17), Geometry::new(4096, 1 << 14));
        assert_eq!(lay_out(&small, &p), lay_out(&large, &p));
        assert_eq!(lay_out(&small, &p).map(|places| places.copy_at), Some(1 << 20));
    }
}
