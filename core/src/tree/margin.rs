//! How many disks may fail in a transaction before something is lost that it wrote. Pure.

use crate::build::MULTI;
use crate::types::{Row, Set};

/// What a transaction wrote, as far as failures of its disks are concerned.
#[derive(Clone, Copy, Debug)]
pub struct Margin {
    /// Rows that took part when it began, and could be given something.
    began_with: Set<Row>,
    /// Those of them that are owed something: they count as lost already.
    owed: Set<Row>,
    /// Failures that all of it bears, whichever they are.
    any: usize,
    /// Failures that all of it bears beside those of all that are owed something; `None` where it needs one
    /// of these.
    others: Option<usize>,
}

impl Margin {
    /// Nothing was written yet, with these rows online; some of them are owed data.
    pub const fn new(online: Set<Row>, owed: Set<Row>) -> Self {
        Self { began_with: online, owed, any: usize::MAX, others: Some(usize::MAX) }
    }

    /// Rows that failed since it began.
    pub const fn failed(&self, online: Set<Row>) -> Set<Row> {
        self.began_with.minus(online)
    }

    /// Notes that something was placed in these rows, and that so many of them must stay. What failed before
    /// is not among its places, so that does not count against it.
    pub fn note(&mut self, places: Set<Row>, needed: usize, online: Set<Row>) {
        if !MULTI {
            return;
        }
        let failed = self.failed(online);
        let spare = places.len().saturating_sub(needed).saturating_add(failed.len());
        self.any = self.any.min(spare);
        let sure = places.minus(self.owed).len().checked_sub(needed);
        let sure = sure.map(|spare| spare.saturating_add(failed.minus(self.owed).len()));
        self.others = self.others.min(sure);
    }

    /// Whether all that was written can be read with these rows alone.
    pub fn bears(&self, online: Set<Row>) -> bool {
        if !MULTI {
            return !online.is_empty();
        }
        let failed = self.failed(online);
        failed.len() <= self.any || self.others.is_some_and(|others| failed.minus(self.owed).len() <= others)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(rows: &[usize]) -> Set<Row> {
        rows.iter().fold(Set::EMPTY, |set, &row| set.with(Row(row)))
    }

    /// Two of five disks were being rebuilt when both failed once more. A fragment that had moved to one of
    /// them had one sure copy left; by its count alone it bore one failure.
    #[test]
    fn what_counts_as_lost_already_takes_nothing_away() {
        let mut margin = Margin::new(rows(&[0, 1, 2, 3, 4]), rows(&[0, 4]));
        margin.note(rows(&[0, 2]), 1, rows(&[0, 1, 2, 3, 4]));
        assert!(margin.bears(rows(&[1, 2, 3])));
        assert!(margin.bears(rows(&[0, 1, 3, 4])), "any one may fail");
        assert!(!margin.bears(rows(&[0, 1, 3])), "its sure copy and one that is not");
        margin.note(rows(&[0, 4]), 1, rows(&[0, 1, 2, 3, 4]));
        assert!(!margin.bears(rows(&[1, 2, 3])), "something lies on these two alone");
    }

    #[test]
    fn what_failed_before_does_not_count_against_what_is_placed_after_it() {
        let all = rows(&[0, 1, 2]);
        let mut margin = Margin::new(all, Set::EMPTY);
        margin.note(rows(&[1, 2]), 1, rows(&[1, 2]));
        assert!(margin.bears(rows(&[1, 2])) && margin.bears(rows(&[2])) && !margin.bears(Set::EMPTY));
        margin.note(rows(&[1, 2]), 2, rows(&[1, 2]));
        assert!(margin.bears(rows(&[1, 2])) && !margin.bears(rows(&[2])));
    }
}
