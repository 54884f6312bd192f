//! Where a fragment or replica counts, and where not: computed from the member table and the member records, never
//! believed from a list. Pure, once it was read.

use crate::error::Code;
use crate::format::extent::Extent;
use crate::format::key::Key;
use crate::format::record::{MemberRecord, SPANS_MAX};
use crate::limits::{FRAGMENTS_MAX, MEMBERS_MAX, NODE_COPIES_MAX};
use crate::transaction::Store;
use crate::types::{BlockAddress, Generation, MemberNumber, Row, Set};
use core::ops::Range;
use dynamicfs_hal::DiskArray;

/// Spans that are looked at one by one. No more members than the tree bears to lose are owed something at a time while the
/// pool takes writes.
const DOUBTS_MAX: usize = SPANS_MAX * NODE_COPIES_MAX;

/// What a place is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Worth {
    /// It holds what it should, as far as is known.
    Right,
    /// It does, and is to be emptied.
    Leaving,
    /// Its member is away and may come back.
    Away,
    /// It does, on a member that has another fragment of the same extent: both are lost together, so one of them counts.
    Shared,
    /// It holds nothing that counts. No place was found for it, its member failed or left, or writes of that
    /// time are not trusted.
    Missing,
}

/// What the fragments of an extent are worth, by their index.
pub type Worths = heapless::Vec<Worth, FRAGMENTS_MAX>;

/// Fragments of an extent that are there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FragmentCounts {
    /// All of them.
    pub there: usize,
    /// Those on members of their own.
    pub apart: usize,
}

/// The members as they are now.
#[derive(Clone)]
pub struct Standing {
    numbers: [MemberNumber; MEMBERS_MAX],
    online: Set<Row>,
    draining: Set<Row>,
    failing: Set<Row>,
    /// Members that are away and waited for.
    awaited: Set<Row>,
    spans: heapless::Vec<(u8, Range<Generation>), DOUBTS_MAX>,
    /// Members with more spans than fit: all that they hold is doubted.
    distrusted: Set<Row>,
    /// Rows that may be given something.
    open: Set<Row>,
}

/// Reads how the members stand. With `absent`, absent members are not waited for.
///
/// # Errors
/// What disks and tree answered where a member's record was read. A record that is none is no error: all
/// that its member holds is doubted.
#[expect(clippy::indexing_slicing, reason = "rows are below `MEMBERS_MAX`, the array's length")]
pub fn read_standing<A: DiskArray>(store: &mut Store<'_, A>, absent: bool) -> Result<Standing, Code> {
    let (online, roster) = (store.tree.disks.sound(), *store.roster());
    let superblock = &store.tree.space.superblock;
    let (table, owed) = (superblock.table(), superblock.owed());
    let away = table.minus(online).minus(roster.failed);
    let mut standing = Standing {
        numbers: [MemberNumber::NONE; MEMBERS_MAX],
        online,
        draining: roster.draining,
        failing: roster.failing,
        awaited: if absent { Set::EMPTY } else { away },
        spans: heapless::Vec::new(),
        distrusted: Set::EMPTY,
        open: store.tree.data_rows(),
    };
    for row in table.iter() {
        standing.numbers[row.0] = store.tree.space.member(row);
    }
    let lost = store.tree.disks.rolled_back(store.committed().order());
    for row in owed.or(roster.distrusted).or(lost).and(online).iter() {
        let went = store.tree.with(&Key::member(standing.numbers[row.0]), |record| {
            let Some(record) = record.and_then(MemberRecord::new) else {
                standing.distrusted = standing.distrusted.with(row);
                return (0, [0; 2]);
            };
            record.untrusted().for_each(|span| standing.distrust(row, span));
            (record.offline_since(), record.away_roots())
        })?;
        // What no record says yet: a mount for reading writes nothing down.
        if let Some(missed) = store.missed_by(row, went) {
            standing.distrust(row, missed..Generation(u64::MAX));
        }
    }
    Ok(standing)
}

impl Standing {
    fn distrust(&mut self, row: Row, span: Range<Generation>) {
        if self.spans.push((row.byte(), span)).is_err() {
            self.distrusted = self.distrusted.with(row);
        }
    }

    /// The members as they would be if those in these rows were lost, for good.
    #[must_use]
    pub fn without(&self, lost: Set<Row>) -> Self {
        let (online, open) = (self.online.minus(lost), self.open.minus(lost));
        Self { online, open, awaited: self.awaited.minus(lost), ..self.clone() }
    }

    /// Whether a member takes part.
    pub fn is_here(&self, member: MemberNumber) -> bool {
        self.row(member).is_some_and(|row| self.online.contains(row))
    }

    /// Whether a member is emptied because it makes too many errors.
    pub fn is_failing(&self, member: MemberNumber) -> bool {
        self.row(member).is_some_and(|row| self.failing.contains(row))
    }

    /// How many of these places are on members that take part.
    pub fn count_here(&self, places: impl Iterator<Item = BlockAddress>) -> u64 {
        places.filter(|place| self.is_here(place.member)).count() as u64
    }

    /// What the fragments of an extent are worth, those of `wrong` having been found to be wrong. All that judge an extent's
    /// redundancy ask this: of several fragments on one member one counts.
    pub fn worths(&self, extent: &Extent, wrong: &[u8]) -> Worths {
        let (mut worths, mut held) = (Worths::new(), Set::EMPTY);
        for (index, fragment) in (0u8..).zip(extent.fragments()) {
            let worth = match self.of(fragment.address, fragment.birth) {
                Worth::Right | Worth::Leaving if wrong.contains(&index) => Worth::Missing,
                Worth::Missing => Worth::Missing,
                worth => match self.row(fragment.address.member) {
                    Some(row) if held.contains(row) => Worth::Shared,
                    Some(row) => {
                        held = held.with(row);
                        worth
                    }
                    None => Worth::Missing,
                },
            };
            let pushed = worths.push(worth);
            debug_assert!(pushed.is_ok(), "an extent has no more fragments");
        }
        worths
    }

    /// How many fragments of an extent are there, and how many of them are on members of their own. The
    /// extent can be read with the former, and is as redundant as the latter.
    pub fn holds(&self, extent: &Extent) -> FragmentCounts {
        let worths = self.worths(extent, &[]);
        let missing = worths.iter().filter(|&&worth| worth == Worth::Missing).count();
        let shared = worths.iter().filter(|&&worth| worth == Worth::Shared).count();
        FragmentCounts { there: worths.len() - missing, apart: worths.len() - missing - shared }
    }

    /// What a place is worth that was written in this generation.
    pub fn of(&self, address: BlockAddress, birth: Generation) -> Worth {
        let Some(row) = self.row(address.member) else { return Worth::Missing };
        let distrusted = || {
            let mut spans = self.spans.iter().filter(|(distrusted, _)| usize::from(*distrusted) == row.0);
            self.distrusted.contains(row) || spans.any(|(_, span)| span.contains(&birth))
        };
        match () {
            () if self.awaited.contains(row) => Worth::Away,
            () if !self.online.contains(row) || distrusted() => Worth::Missing,
            () if self.draining.contains(row) => Worth::Leaving,
            () => Worth::Right,
        }
    }

    /// The row of a member; `None` if it is no member any more.
    pub fn row(&self, member: MemberNumber) -> Option<Row> {
        let is_it = |&number: &MemberNumber| number == member && number != MemberNumber::NONE;
        self.numbers.iter().position(is_it).map(Row)
    }

    /// The same if these rows, in which there is nothing, may be given something.
    pub fn with_open(mut self, rows: Set<Row>) -> Self {
        self.open = self.open.or(rows);
        self
    }

    /// Rows that may be given something.
    pub const fn open(&self) -> Set<Row> {
        self.open
    }

    /// Rows where these places count, and rows where they are waited for. Also whether there are others,
    /// which do not count or are to be emptied.
    pub fn count(&self, places: &[BlockAddress], birth: Generation) -> (Set<Row>, Set<Row>, bool) {
        let (mut right, mut away, mut others) = (Set::EMPTY, Set::EMPTY, false);
        for &place in places {
            match (self.of(place, birth), self.row(place.member)) {
                (Worth::Right, Some(row)) => right = right.with(row),
                (Worth::Away, Some(row)) => away = away.with(row),
                _ => others = true,
            }
        }
        (right, away, others)
    }
}
