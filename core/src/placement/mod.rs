//! Which members a stripe is put on. Pure: it sees numbers, never a disk.
//!
//! Members of the wanted tier come first, then those with the most room, in steps of a sixteenth, so that
//! nearly equal members take turns. Rendezvous hashing (Thaler and Ravishankar, 1998) of the object's run
//! decides the turns. At most as many fragments as a stripe can lose go to one failure domain, where there
//! are enough domains.

mod capacity;

pub use capacity::{Room, stranded, stripes};

use crate::build::PLACEMENT;
use crate::disks::mix;
use crate::limits::FRAGMENTS_MAX;
use crate::types::{MemberNumber, ObjectId, Row, Set};

/// Bytes of an object whose extents share their members and lie one after the other.
pub const RUN_BYTES: u64 = 4 << 20;

/// What placement knows of a member.
#[derive(Clone, Copy, Debug)]
pub struct Candidate {
    /// Its number.
    pub member: MemberNumber,
    /// Blocks that are free, weighted.
    pub room: u64,
    /// Disks with the same value fail together; 0 is a domain of its own.
    pub failure_domain: u32,
    /// 0 the fastest.
    pub tier: u8,
}

/// What is to be placed.
#[derive(Clone, Copy, Debug)]
pub struct Demand {
    /// Fragments.
    pub width: usize,
    /// Fragments that may be lost: so many may share a failure domain.
    pub parity: usize,
    /// The tier that the object should be on.
    pub tier: u8,
    /// The object.
    pub object: ObjectId,
    /// The first byte.
    pub offset: u64,
}

/// Rows in the order in which fragments go to them.
pub type Places = heapless::Vec<u8, FRAGMENTS_MAX>;

/// How many sixteenths of `most` some room is, rounded down; it is no more than all of them.
#[expect(clippy::cast_possible_truncation, reason = "16 at most, as `room` is at most `most`")]
fn sixteenths(room: u64, most: u64) -> u8 {
    // Below 2^60. A small machine counts: it has no division of such numbers.
    if cfg!(feature = "wide") {
        return (room * 16 / most) as u8;
    }
    (1..=16).take_while(|&part| room * 16 >= most * part).count() as u8
}

/// Chooses rows for a stripe with some fragments in the rows `taken` already. It takes `demand.width` of
/// `rows` if there are as many, else all.
pub fn choose(rows: Set<Row>, taken: &[u8], demand: &Demand, candidate: impl Fn(Row) -> Candidate) -> Places {
    let most = rows.iter().map(|row| candidate(row).room).max().unwrap_or(0).max(1);
    let seed = mix(demand.object.0 ^ mix(demand.offset / RUN_BYTES));
    let rank = |row: Row| {
        let c = candidate(row);
        let is_tier = !PLACEMENT || c.tier == demand.tier;
        (is_tier, sixteenths(c.room, most), mix(seed ^ u64::from(c.member.0)))
    };
    let mut places = Places::new();
    let mut left = rows;
    while places.len() < demand.width && !left.is_empty() {
        let crowded = |row: Row| {
            if !PLACEMENT {
                return false;
            }
            let domain = candidate(row).failure_domain;
            let all = taken.iter().chain(&places);
            let there = all.filter(|&&p| candidate(p.into()).failure_domain == domain).count();
            domain != 0 && there >= demand.parity.max(1)
        };
        // False sorts first: an uncrowded row wins over any crowded one.
        let Some(best) = left.iter().max_by_key(|&row| (!crowded(row), rank(row))) else { break };
        left = left.without(best);
        if places.push(best.byte()).is_err() {
            break;
        }
    }
    places
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    fn demand(width: usize, parity: usize, object: u64) -> Demand {
        Demand { width, parity, tier: 0, object: ObjectId(object), offset: 0 }
    }

    /// Places stripes until one does not fit; the blocks that each member is left with.
    fn fill(rooms: &[u64], domains: &[u32], width: usize, parity: usize) -> (u64, Vec<u64>) {
        let mut rooms = rooms.to_vec();
        let mut stripes = 0;
        for object in 0.. {
            let rows = (0..rooms.len()).map(Row).filter(|&row| rooms[row.0] > 0).collect::<Set<Row>>();
            let places = choose(rows, &[], &demand(width, parity, object), |row| Candidate {
                member: MemberNumber(row.0 as u16),
                room: rooms[row.0],
                failure_domain: domains[row.0],
                tier: 0,
            });
            if places.len() < width {
                break;
            }
            let there = |domain: u32| places.iter().filter(|&&p| domains[usize::from(p)] == domain).count();
            assert!(domains.iter().all(|&d| d == 0 || there(d) <= parity), "{places:?}");
            places.iter().for_each(|&p| rooms[usize::from(p)] -= 1);
            stripes += 1;
        }
        (stripes, rooms)
    }

    #[test]
    fn equal_disks_fill_evenly() {
        let (stripes, left) = fill(&[1000; 6], &[0; 6], 6, 2);
        assert_eq!((stripes, left), (1000, std::vec![0; 6]));
        let (stripes, left) = fill(&[1000; 3], &[0; 3], 2, 1);
        assert!(stripes >= 1498, "{stripes} {left:?}");
    }

    #[test]
    fn unequal_disks_strand_only_what_no_placement_could_use() {
        let (stripes, left) = fill(&[1000, 1000, 2000], &[0; 3], 2, 1);
        assert!(stripes >= 1990, "{stripes} {left:?}");
        let (stripes, _) = fill(&[100, 100, 5000], &[0; 3], 2, 1);
        assert_eq!(stripes, 200);
    }

    #[test]
    fn a_failure_domain_holds_no_more_than_may_be_lost() {
        let (stripes, _) = fill(&[1000; 6], &[1, 1, 2, 2, 3, 3], 2, 1);
        assert!(stripes >= 2990, "{stripes}");
        let (stripes, _) = fill(&[1000; 6], &[1, 1, 2, 2, 3, 3], 6, 2);
        assert_eq!(stripes, 1000);
    }

    #[test]
    fn the_extents_of_a_run_share_their_members() {
        let candidate = |row: Row| Candidate {
            member: MemberNumber(row.0 as u16),
            room: 100,
            failure_domain: 0,
            tier: 0,
        };
        let at = |offset| choose(Set::first(6), &[], &Demand { offset, ..demand(3, 1, 5) }, candidate);
        assert_eq!(at(0), at(RUN_BYTES - 1));
        assert!((1..20).any(|run| at(run * RUN_BYTES) != at(0)));
    }
}
