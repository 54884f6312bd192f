//! What a replay line says: a seed, and what was taken away from it to make the failure smaller.
//!
//! ```text
//! 48879                                   the whole seed, within the bound
//! 48879:beyond                            without the bound
//! 48879:steps=0-3,7:off=rot,stall:disks=3:operations=2
//! 48879:only=power-cut                    every other kind of fault off
//! ```

use super::fault::{FaultKind, FaultSet};
use super::setup::DISKS_MAX;
use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// A simulation by name: equal names are equal runs, bit for bit, in the same version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplayId {
    /// The seed.
    pub seed: u64,
    /// Damage may exceed what redundancy bears.
    pub beyond: bool,
    /// Nested crashes go three deep, runs are longer.
    pub long: bool,
    /// The steps that are done, ascending; all of them when it is `None`.
    pub steps: Option<Vec<RangeInclusive<u32>>>,
    /// Kinds of faults that are switched off.
    pub off: FaultSet,
    /// The pool has so many disks.
    pub disks: Option<usize>,
    /// A transaction has at most so many operations.
    pub operations: Option<u64>,
}

impl ReplayId {
    /// A whole seed, within the bound.
    pub fn of(seed: u64) -> Self {
        Self { seed, ..Self::default() }
    }

    /// Whether a step is done.
    pub fn does(&self, step: u32) -> bool {
        self.steps.as_ref().is_none_or(|ranges| ranges.iter().any(|range| range.contains(&step)))
    }

    /// Does these steps alone.
    pub fn keep(&mut self, steps: impl IntoIterator<Item = u32>) {
        let mut ranges: Vec<RangeInclusive<u32>> = Vec::new();
        for step in steps {
            match ranges.last_mut() {
                Some(range) if *range.end() + 1 == step => *range = *range.start()..=step,
                _ => ranges.push(step..=step),
            }
        }
        self.steps = Some(ranges);
    }
}

impl fmt::Display for ReplayId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.seed)?;
        if self.beyond {
            f.write_str(":beyond")?;
        }
        if self.long {
            f.write_str(":long")?;
        }
        if let Some(ranges) = &self.steps {
            let ranges = ranges.iter().map(|range| match (range.start(), range.end()) {
                (first, last) if first == last => first.to_string(),
                (first, last) => format!("{first}-{last}"),
            });
            write!(f, ":steps={}", ranges.collect::<Vec<_>>().join(","))?;
        }
        let (off, on) = (self.off.iter().count(), self.off.complement().iter().count());
        if off > on {
            write!(f, ":only={}", names(self.off.complement()))?;
        } else if off > 0 {
            write!(f, ":off={}", names(self.off))?;
        }
        if let Some(disks) = self.disks {
            write!(f, ":disks={disks}")?;
        }
        if let Some(operations) = self.operations {
            write!(f, ":operations={operations}")?;
        }
        Ok(())
    }
}

/// A replay line that says nothing; the text is the part that is not understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadReplayId(pub String);

impl fmt::Display for BadReplayId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not part of a replay line: {:?}", self.0)
    }
}

impl std::error::Error for BadReplayId {}

impl FromStr for ReplayId {
    type Err = BadReplayId;

    fn from_str(text: &str) -> Result<Self, BadReplayId> {
        let mut parts = text.split(':');
        let seed = parts.next().unwrap_or_default();
        let mut id = Self::of(seed.parse().map_err(|_| BadReplayId(seed.into()))?);
        for part in parts {
            let bad = || BadReplayId(part.into());
            match part.split_once('=') {
                None if part == "beyond" => id.beyond = true,
                None if part == "long" => id.long = true,
                Some(("steps", ranges)) => id.steps = Some(parse_ranges(ranges).ok_or_else(bad)?),
                Some(("off", names)) => id.off = parse_names(names).ok_or_else(bad)?,
                Some(("only", names)) => id.off = parse_names(names).ok_or_else(bad)?.complement(),
                Some(("disks", disks)) => {
                    let disks = disks.parse().map_err(|_| bad())?;
                    id.disks = Some(disks).filter(|disks| (1..=DISKS_MAX).contains(disks));
                    id.disks.ok_or_else(bad)?;
                }
                Some(("operations", operations)) => {
                    id.operations = Some(operations.parse().map_err(|_| bad())?);
                }
                _ => return Err(bad()),
            }
        }
        Ok(id)
    }
}

fn names(kinds: FaultSet) -> String {
    kinds.iter().map(FaultKind::name).collect::<Vec<_>>().join(",")
}

fn parse_names(text: &str) -> Option<FaultSet> {
    text.split(',').filter(|name| !name.is_empty()).map(FaultKind::from_name).collect()
}

fn parse_ranges(text: &str) -> Option<Vec<RangeInclusive<u32>>> {
    if text.is_empty() {
        return Some(Vec::new());
    }
    text.split(',')
        .map(|range| match range.split_once('-') {
            None => range.parse().ok().map(|step: u32| step..=step),
            Some((first, last)) => {
                let (first, last) = (first.parse::<u32>().ok()?, last.parse::<u32>().ok()?);
                (first <= last).then_some(first..=last)
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replay_line_is_read_as_it_was_written() {
        let mut id = ReplayId::of(48879);
        assert_eq!(id.to_string(), "48879");
        id.keep([0, 1, 2, 3, 7]);
        id.off = [FaultKind::Rot, FaultKind::Stall].into_iter().collect();
        (id.disks, id.operations, id.beyond) = (Some(3), Some(2), true);
        assert_eq!(id.to_string(), "48879:beyond:steps=0-3,7:off=rot,stall:disks=3:operations=2");
        assert_eq!(id.to_string().parse(), Ok(id.clone()));
        assert!(id.does(2) && id.does(7) && !id.does(4));
        id.off = FaultSet::ALL.without(FaultKind::PowerCut);
        assert!(id.to_string().contains(":only=power-cut:"));
        id.keep([]);
        assert_eq!(id.to_string().parse(), Ok(id));
    }

    #[test]
    fn what_is_no_replay_line_is_named() {
        for bad in ["", "x", "1:steps=3-1", "1:off=nothing", "1:disks=9", "1:else"] {
            assert!(bad.parse::<ReplayId>().is_err(), "{bad}");
        }
    }
}
