//! Several histories of one pool: told apart, named, one preferred to the others.
//!
//! An override begins a history under a name of its own, the branch, and notes the one that it left. Where disks hold states
//! of which neither is in the other's history, the mount is refused until someone prefers one. With the first write the
//! others are given up: they are noted in the ancestry as such, so that their disks stay out without anyone being asked
//! again, as long as they hold nothing newer than what was known then.
//!
//! | a state, seen from the newest one | it is |
//! |---|---|
//! | of the same branch, older or the same | part of its history |
//! | of the same branch and number, with another root | another history of the same name: disks were copied |
//! | of an ancestor, not beyond the fork | part of its history |
//! | of a former name, older than the state that was renamed, or that one | part of its history |
//! | of a branch that was given up, not beyond what was known of it | given up |
//! | anything else | another history |
//! | part of it by these rules, but the rings know another root under its number | another history: disks were copied |

use super::create::FIRST;
use super::recover::read_labels;
use super::rings::{read_state, root_crc_before, survey as read_rings};
use super::{Memory, Store};
use crate::disks::{DiskState, DiskStatus, Disks};
use crate::error::MountError;
use crate::format::label::PoolParameters;
use crate::format::superblock::Superblock;
use crate::types::{Epoch, Generation, Uuid};
use dynamicfs_hal::{Clock, Crc32c, DiskArray};

/// Which history a mount goes on with, where the disks hold several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prefer {
    /// The one of this name.
    Branch(u64),
    /// The one of this disk. The only way where two have the same name: it then goes on under another.
    Disk {
        /// The disk's index in the array.
        disk: usize,
        /// The other name, random.
        branch: u64,
    },
}

/// What a state is to the history of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// Part of it: the same state, or one that it went on from.
    Part,
    /// That history was preferred to it.
    GivenUp,
    /// Another history.
    Other,
}

/// What makes a state the one that it is: order, branch, the root's checksum.
pub type StateName = ((Epoch, Generation), u64, u32);

/// The name of a superblock's state.
pub fn name_of(view: &Superblock<&[u8]>) -> StateName {
    (view.order(), view.branch(), view.root_crc())
}

/// What a state is to the history that ends with `newest`. Pure.
pub fn relation(newest: &Superblock<&[u8]>, (order, branch, root_crc): StateName) -> Relation {
    let leads_to =
        |last: (Epoch, Generation), last_root_crc| order < last || order == last && root_crc == last_root_crc;
    if branch == newest.branch() {
        return if leads_to(newest.order(), newest.root_crc()) { Relation::Part } else { Relation::Other };
    }
    // A disk that has not got the new name yet: the mount that gave it was cut short.
    let mut former = newest.ancestry().filter(|a| a.is_former_name && a.branch == branch);
    if former.any(|former| leads_to(former.fork, newest.former_root_crc())) {
        return Relation::Part;
    }
    let reaches = |given_up: bool| {
        let mut known = newest.ancestry();
        known.any(|a| a.branch == branch && a.given_up == given_up && order <= a.fork)
    };
    match (reaches(false), reaches(true)) {
        (true, _) => Relation::Part,
        (false, true) => Relation::GivenUp,
        (false, false) => Relation::Other,
    }
}

fn state_name(state: &DiskState) -> StateName {
    (state.order, state.branch, state.root_crc)
}

/// The branch that is preferred, if a disk is on it.
pub(super) fn preferred_branch<A: DiskArray>(
    disks: &Disks<'_, A>,
    prefer: Prefer,
) -> Result<u64, MountError> {
    let is_meant = |&disk: &usize| {
        let state = disks.state(disk);
        state.status == DiskStatus::Online
            && match prefer {
                Prefer::Branch(branch) => state.branch == branch,
                Prefer::Disk { disk: named, .. } => disk == named,
            }
    };
    let found = (0..disks.count()).find(is_meant);
    found.map(|disk| disks.state(disk).branch).ok_or(MountError::NoSuchHistory)
}

/// Leaves out disks of histories that were given up, or are now because this one is preferred; refuses to choose by itself.
pub(super) fn leave_out_others<A: DiskArray>(
    disks: &mut Disks<'_, A>,
    newest: usize,
    (image, stage): (&[u8], &mut [u8]),
    prefer: Option<Prefer>,
) -> Result<(), MountError> {
    let view = Superblock::new(image).ok_or(MountError::NoSuperblock)?;
    for disk in 0..disks.count() {
        if disks.state(disk).status != DiskStatus::Online {
            continue;
        }
        let mut relation = relation(&view, state_name(disks.state(disk)));
        if relation == Relation::Part {
            match is_passed_through(disks, disk, &view, stage) {
                Some(true) => {}
                Some(false) => relation = Relation::Other,
                None => disks.state_mut(disk).is_unconfirmed = true,
            }
        }
        let state = disks.state_mut(disk);
        match relation {
            Relation::Part => {}
            Relation::Other if !decides(prefer, newest, state.branch == view.branch()) => {
                return Err(MountError::Diverged { first: newest, second: disk });
            }
            Relation::GivenUp | Relation::Other => state.status = DiskStatus::Diverged,
        }
    }
    Ok(())
}

/// Whether the disks that have the newest state were in this disk's state before, by that and by their rings.
/// `Some(false)`: they were in another one of its number. `None`: their rings have none of that number, or
/// not any more.
fn is_passed_through<A: DiskArray>(
    disks: &mut Disks<'_, A>,
    disk: usize,
    newest: &Superblock<&[u8]>,
    stage: &mut [u8],
) -> Option<bool> {
    let (order, branch, root_crc) = state_name(disks.state(disk));
    if root_crc == newest.root_crc() || root_crc == newest.previous_root_crc() {
        return Some(true);
    }
    let newest = name_of(newest);
    let image = stage.get_mut(..disks.parameters.slot_bytes as usize)?;
    (0..disks.count())
        .find_map(|other| {
            let state = disks.state(other);
            let has_newest = state.status == DiskStatus::Online && state_name(state) == newest;
            has_newest.then(|| root_crc_before(disks, other, (order, branch), image)).flatten()
        })
        .map(|crc| crc == root_crc)
}

/// Whether what is preferred leaves the history that ends on the disk `newest`, and not another: two of the same name are
/// told apart by a disk alone.
fn decides(prefer: Option<Prefer>, newest: usize, has_same_name: bool) -> bool {
    match prefer {
        None => false,
        Some(Prefer::Branch(_)) => !has_same_name,
        Some(Prefer::Disk { disk, .. }) => !has_same_name || disk == newest,
    }
}

impl<A: DiskArray> Store<'_, A> {
    /// Notes in the superblock that is being made which histories this one is preferred to; whether there are any that the
    /// last commit does not know.
    pub(super) fn give_up_others(&mut self, prefer: Option<Prefer>) -> bool {
        let mut any = false;
        for disk in 0..self.tree.disks.count() {
            let state = self.tree.disks.state(disk);
            let (order, branch, _) = state_name(state);
            if state.status != DiskStatus::Diverged
                || relation(&self.committed(), state_name(state)) == Relation::GivenUp
            {
                continue;
            }
            any = true;
            let own = self.committed().branch();
            let superblock = &mut self.tree.space.superblock;
            match prefer {
                Some(Prefer::Disk { branch: name, .. }) if branch == own => {
                    if superblock.branch() == own {
                        superblock.rename(name);
                    }
                }
                _ => superblock.give_up(branch, order),
            }
        }
        any
    }
}

/// Reads the newest state of each disk, and calls `f` with those that have one.
pub(crate) fn survey<A: DiskArray>(
    array: A,
    memory: Memory<'_>,
    pool: Option<Uuid>,
    (crc32c, clock): (Crc32c, &dyn Clock),
    mut f: impl FnMut(usize, &Superblock<&[u8]>),
) -> Result<(), MountError> {
    let Memory { bytes, disks: states, .. } = memory;
    let count = array.disks();
    if states.len() < count {
        return Err(MountError::NeedsDiskStates { disks: count });
    }
    let mut disks = Disks::new(array, states, PoolParameters::UNKNOWN, crc32c, clock);
    let alignment = disks.buffer_alignment();
    read_labels(&mut disks, bytes, (pool, true), alignment)?;
    let parameters = disks.parameters;
    let parts =
        Memory::divide(bytes, &parameters, alignment).map_err(|bytes| MountError::NeedsMemory { bytes })?;
    let parts = parts.with_staging_for(&mut disks);
    read_rings(&mut disks, parts.stage)?;
    for disk in 0..count {
        if disks.state(disk).status == DiskStatus::Online
            && read_state(&mut disks, disk, parts.committed).is_some()
            && let Some(view) = Superblock::new(&*parts.committed)
        {
            f(disk, &view);
        }
    }
    Ok(())
}

/// Whether the pool of this name on the disks of the array was never finished being formatted: see
/// [`MountError::Unfinished`].
pub(crate) fn is_unfinished<A: DiskArray>(
    array: A,
    memory: Memory<'_>,
    pool: Uuid,
    (crc32c, clock): (Crc32c, &dyn Clock),
) -> bool {
    let (mut there, mut members, mut all_first) = (0, 0, true);
    let surveyed = survey(array, memory, Some(pool), (crc32c, clock), |_, view| {
        there += 1;
        members = view.lists().members.len();
        all_first &= view.order() == FIRST && view.claim() <= view.epoch();
    });
    surveyed.is_ok() && all_first && (1..members).contains(&there)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::BRANCHES_MAX;

    type Image = [u8; 1024];

    fn state(branch: u64, (epoch, generation): (u64, u64), root_crc: u32) -> Superblock<Image> {
        let mut state = Superblock::new([0; 1024]).expect("long enough");
        state.init(Uuid([7; 16]), 4);
        state.set_branch(branch);
        state.set_order(Epoch(epoch), Generation(generation));
        state.set_root_crc(root_crc);
        state
    }

    #[track_caller]
    fn expect(newest: &Superblock<Image>, other: &Superblock<Image>, relation_is: Relation) {
        let view = |state: &Superblock<Image>| name_of(&Superblock::new(state.bytes()).expect("long enough"));
        let newest = Superblock::new(newest.bytes()).expect("long enough");
        assert_eq!(relation(&newest, view(other)), relation_is);
    }

    #[test]
    fn a_state_is_part_of_a_history_or_given_up_or_another() {
        let mut newest = state(1, (3, 20), 5);
        expect(&newest, &state(1, (3, 20), 5), Relation::Part);
        expect(&newest, &state(1, (2, 19), 9), Relation::Part);
        // The same name and number with another root, and a newer one.
        expect(&newest, &state(1, (3, 20), 6), Relation::Other);
        expect(&newest, &state(1, (3, 21), 5), Relation::Other);
        newest.fork(2);
        newest.set_order(Epoch(4), Generation(21));
        expect(&newest, &state(1, (3, 20), 5), Relation::Part);
        expect(&newest, &state(1, (3, 21), 5), Relation::Other);
        expect(&state(1, (3, 20), 5), &newest, Relation::Other);
        // What was given up is known up to what was seen of it, and what the two have in common stays.
        newest.give_up(1, (Epoch(3), Generation(30)));
        newest.give_up(3, (Epoch(9), Generation(40)));
        newest.give_up(3, (Epoch(9), Generation(25)));
        expect(&newest, &state(1, (3, 20), 5), Relation::Part);
        expect(&newest, &state(1, (3, 30), 5), Relation::GivenUp);
        expect(&newest, &state(1, (3, 31), 5), Relation::Other);
        expect(&newest, &state(3, (9, 40), 5), Relation::GivenUp);
        expect(&newest, &state(3, (9, 41), 5), Relation::Other);
    }

    /// A mount that is cut short leaves one disk a generation ahead, in an epoch of its own. An override of that disk alone
    /// begins at a generation that the others reach only later, in another epoch.
    #[test]
    fn what_went_on_in_a_later_epoch_is_beyond_a_fork_of_a_higher_generation() {
        let mut newest = state(1, (3, 25), 5);
        newest.fork(2);
        newest.set_order(Epoch(9), Generation(40));
        expect(&newest, &state(1, (3, 20), 7), Relation::Part);
        expect(&newest, &state(1, (4, 22), 7), Relation::Other);
        newest.give_up(1, (Epoch(4), Generation(22)));
        expect(&newest, &state(1, (4, 22), 7), Relation::GivenUp);
        expect(&newest, &state(1, (5, 21), 7), Relation::Other);
        // What is known of a history that was given up never becomes less.
        newest.give_up(1, (Epoch(3), Generation(90)));
        expect(&newest, &state(1, (4, 22), 7), Relation::GivenUp);
    }

    #[test]
    fn what_was_renamed_is_part_of_the_history_until_all_disks_have_the_new_name() {
        let mut newest = state(1, (3, 20), 5);
        newest.rename(8);
        newest.set_order(Epoch(4), Generation(21));
        newest.set_root_crc(7);
        newest.give_up(2, (Epoch(3), Generation(9)));
        expect(&newest, &state(1, (3, 20), 5), Relation::Part);
        expect(&newest, &state(1, (2, 10), 6), Relation::Part);
        expect(&newest, &state(1, (3, 20), 6), Relation::GivenUp);
        expect(&newest, &state(1, (3, 21), 5), Relation::Other);
        // The other history of that name is given up further on than this one left it.
        newest.give_up(1, (Epoch(3), Generation(30)));
        expect(&newest, &state(1, (3, 20), 5), Relation::Part);
        expect(&newest, &state(1, (3, 25), 6), Relation::GivenUp);
        newest.settle_name();
        expect(&newest, &state(1, (3, 20), 5), Relation::GivenUp);
        expect(&newest, &state(1, (2, 10), 6), Relation::GivenUp);
        expect(&newest, &state(2, (3, 9), 6), Relation::GivenUp);
    }

    #[test]
    fn nothing_that_bears_the_old_name_is_taken_for_a_renamed_history() {
        let mut newest = state(1, (3, 20), 5);
        newest.rename(8);
        newest.settle_name();
        assert_eq!(newest.branch(), 8);
        expect(&newest, &state(1, (3, 20), 6), Relation::GivenUp);
        expect(&newest, &state(1, (2, 10), 6), Relation::GivenUp);
        expect(&newest, &state(1, (4, 21), 6), Relation::Other);
    }

    #[test]
    fn an_ancestor_that_was_forgotten_is_another_history() {
        let mut newest = state(0, (1, 10), 5);
        for branch in 1..=BRANCHES_MAX as u64 + 1 {
            newest.fork(branch);
        }
        assert_eq!(newest.ancestry().count(), BRANCHES_MAX);
        expect(&newest, &state(1, (1, 10), 5), Relation::Part);
        expect(&newest, &state(0, (1, 10), 5), Relation::Other);
    }
}
