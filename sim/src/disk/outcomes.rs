//! All that a power cut may leave of one disk's unflushed writes, one tear unit after the other.

use super::SimDisk;
use super::medium::Medium;
use std::collections::BTreeMap;

/// Unflushed writes to one tear unit that are distinguished: a bit each in an outcome.
const PIECES_MAX: usize = 64;

/// What one tear unit may hold after a power cut, each possible content once.
#[derive(Clone, Debug)]
pub struct UnitOutcomes {
    unit: u64,
    /// For each content, which of the unit's unflushed writes survive; the first is none of them.
    survivors: Vec<u64>,
}

impl UnitOutcomes {
    /// How many different contents there are, at least 1.
    pub const fn count(&self) -> usize {
        self.survivors.len()
    }
}

impl SimDisk {
    /// The outcomes of every tear unit with unflushed writes, in the order of addresses. `None` when one of
    /// them has more than `limit` contents.
    ///
    /// Any subset of a unit's writes may survive, applied in their order; subsets with the same content count once.
    pub fn unit_outcomes(&self, limit: usize) -> Option<Vec<UnitOutcomes>> {
        let unit_bytes = self.cut().unit_bytes;
        let mut pieces = BTreeMap::<u64, Vec<(u64, &[u8])>>::new();
        for (at, bytes) in self.cache.log().iter().flat_map(|write| write.pieces(unit_bytes)) {
            pieces.entry(at / unit_bytes).or_default().push((at, bytes));
        }
        pieces
            .into_iter()
            .map(|(unit, pieces)| {
                let survivors = self.contents(unit * unit_bytes, &pieces, limit)?;
                Some(UnitOutcomes { unit, survivors })
            })
            .collect()
    }

    /// Subsets of `pieces` that lead to different contents of the unit at address `start`.
    fn contents(&self, start: u64, pieces: &[(u64, &[u8])], limit: usize) -> Option<Vec<u64>> {
        if pieces.len() > PIECES_MAX {
            return None;
        }
        let mut durable = vec![0; self.cut().unit_bytes.min(self.geometry.bytes() - start) as usize];
        self.medium.pages.read(start, &mut durable);
        let mut contents = vec![(0_u64, durable)];
        for (index, (at, bytes)) in pieces.iter().enumerate() {
            for known in 0..contents.len() {
                let (survivors, mut content) = contents[known].clone();
                let within = (at - start) as usize;
                content[within..within + bytes.len()].copy_from_slice(bytes);
                if contents.iter().all(|(_, other)| *other != content) {
                    contents.push((survivors | 1 << index, content));
                }
            }
            if contents.len() > limit {
                return None;
            }
        }
        Some(contents.into_iter().map(|(survivors, _)| survivors).collect())
    }

    /// Cuts the power and restores it, leaving in each unit the content with the chosen index.
    ///
    /// # Panics
    /// When `units` is not what [`unit_outcomes`](Self::unit_outcomes) gave for this disk's present state, or
    /// `chosen` holds no index for one of them.
    pub fn power_cycle_to(&mut self, units: &[UnitOutcomes], chosen: &[usize]) {
        self.switches.reopen();
        let unit_bytes = self.cut().unit_bytes;
        let mut passed = vec![0_u32; units.len()];
        for write in self.cache.log() {
            for (at, bytes) in write.pieces(unit_bytes) {
                let index = units.binary_search_by_key(&(at / unit_bytes), |outcomes| outcomes.unit);
                let index = index.expect("every unit with unflushed writes has outcomes");
                settle_if(
                    units[index].survivors[chosen[index]] >> passed[index],
                    &mut self.medium,
                    at,
                    bytes,
                );
                passed[index] += 1;
            }
        }
        self.lose_cache();
    }
}

/// Settles a piece when the lowest bit of `survivors` says that it survives.
fn settle_if(survivors: u64, medium: &mut Medium, at: u64, bytes: &[u8]) {
    if survivors & 1 == 1 {
        medium.write(at, bytes);
    }
}
