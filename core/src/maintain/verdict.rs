//! What a maintenance pass decides about a node or an extent. Pure.

use super::standing::{Standing, Worth};
use crate::format::extent::Extent;
use crate::limits::FRAGMENTS_MAX;
use crate::redundancy;
use crate::types::{BlockAddress, Generation, Scheme};

/// Fragments of an extent, by their index, data first.
pub type Indices = heapless::Vec<u8, FRAGMENTS_MAX>;

/// What is to be done with an extent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is as it should be, as far as its record tells.
    Keep,
    /// These fragments are to be put elsewhere, or there anew.
    Move(Indices),
    /// It is to be stored again, in this scheme.
    Encode(Scheme),
    /// It and those that follow it, so many bytes in all, are to be stored as one.
    Join(usize),
    /// It is short of the parity that was asked for, and there are too few disks for more.
    Short,
    /// Some of its fragments do not count, and there are too few disks to put them elsewhere.
    Stuck,
}

/// What is to be done with a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeVerdict {
    /// It is as it should be.
    Keep,
    /// It, and all above it, is to be written anew.
    Refresh,
    /// It is on fewer members than it should be, and there are too few for more.
    Short,
}

/// What is to be done with a node that has these replicas, was born then, and should be on `wanted` members.
pub fn judge_node(
    replicas: &[BlockAddress],
    birth: Generation,
    wanted: usize,
    standing: &Standing,
) -> NodeVerdict {
    let (right, away, others) = standing.count(replicas, birth);
    let enough = right.len() + away.len() >= wanted;
    match others || !enough && right.len() < wanted.min(standing.open().len()) {
        true => NodeVerdict::Refresh,
        false if enough => NodeVerdict::Keep,
        false => NodeVerdict::Short,
    }
}

/// What is to be done with an extent, as far as its record tells; `wrong` names fragments that were found to be wrong.
///
/// Fragments move where there are members for them. Where there are too few the extent is stored again with fewer data
/// fragments, if it bears the loss of more disks then.
pub fn judge(extent: &Extent, standing: &Standing, block_shift: u8, wrong: &[u8]) -> Verdict {
    let (mut bad, mut right, mut leaving, mut away) = (Indices::new(), 0, 0, 0);
    for (index, worth) in (0u8..).zip(standing.worths(extent, wrong)) {
        match worth {
            Worth::Right => {
                right += 1;
                continue;
            }
            Worth::Away => {
                away += 1;
                continue;
            }
            Worth::Leaving => leaving += 1,
            Worth::Shared | Worth::Missing => {}
        }
        let _ = bad.push(index);
    }
    let open = standing.open().len();
    let short = extent.scheme.parity < extent.asked.parity;
    let room = right + bad.len() <= open;
    // What is stored short already does not wait for members that are away, where there is room without them.
    let there = right + leaving + if short { 0 } else { away };
    let spare = there.saturating_sub(extent.scheme.data.into());
    let best = redundancy::effective(extent.asked, extent.logical, block_shift, open);
    match best {
        Some(best) if (short || !room) && usize::from(best.parity) > spare => Verdict::Encode(best),
        Some(best) if !room && leaving > 0 && best.parity >= extent.scheme.parity => Verdict::Encode(best),
        _ if room && !bad.is_empty() => Verdict::Move(bad),
        _ if !bad.is_empty() => Verdict::Stuck,
        _ if short => Verdict::Short,
        _ => Verdict::Keep,
    }
}
