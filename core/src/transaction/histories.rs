//! Several histories of one pool: told apart, named, one preferred to the others.
//!
//! An override begins a history under a name of its own, the branch, and notes the one that it left. Where
//! disks hold two states and neither is in the other's history, the mount is refused until the operator
//! prefers one. The first write gives the others up: the ancestry records them as given up. So their disks
//! stay out without a second question, as long as they hold nothing newer than what was known then.
//!
//! | a state, seen from the newest one | it is |
//! |---|---|
//! | of the same branch, older or the same | part of its history |
//! | of the same branch and number, with another root | another history of the same name: disks were copied |
//! | of an ancestor, not beyond the fork | part of its history |
//! | of a former name, older than the state that was renamed, or that one | part of its history |
//! | of a branch that was given up, not beyond what was known of it | given up |
//! | anything else | another history |
//!
//! Copies use the same names and numbers. So a state that is part by these rules must also be known. The
//! newest state knows some before it, and the rings know some. See [`relation`]. Another root under its
//! number is another history. What is not known is unconfirmed: its disk may have gone back, or be a copy's.
//! See [`without_say`].

use super::create::FIRST;
use super::labels::read_labels;
use super::memory::divide;
use super::rings::{each_before, read_state, root_crc_before, survey as read_rings};
use super::{Memory, Store, quorum};
use crate::build::MANAGE;
use crate::disks::{DiskState, DiskStatus, Disks, lacking_for};
use crate::error::{Code, MountError};
use crate::format::parameters::PoolParameters;
use crate::format::superblock::Superblock;
use crate::types::{DiskIndex, Epoch, Generation, MemoryNeeds, Row, Set, Uuid};
use core::ops::ControlFlow;
use dynamicfs_hal::{Clock, Crc32c, DiskArray};

/// Which history a mount goes on with, where the disks hold several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prefer {
    /// The one of this name.
    Branch(u64),
    /// The one of this disk. The only way where two have the same name: it then goes on under another.
    Disk {
        /// The disk's index in the array.
        disk: DiskIndex,
        /// The other name, random.
        branch: u64,
    },
}

/// Where a survey found a superblock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Surveyed {
    /// The disk's index in the array.
    pub disk: DiskIndex,
    /// It is the disk's newest. That comes first, then those before it that are left, perhaps twice.
    pub is_newest: bool,
    /// A place for superblocks on the disk cannot be read, or holds none. What it held may have been newer.
    pub has_damaged_slot: bool,
}

/// What a state is to the history of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// Part of it: the same state, or one that it went on from.
    Part,
    /// By its name and number it could be part of it. Nothing that is left of what came between shows that.
    Unconfirmed,
    /// That history was preferred to it.
    GivenUp,
    /// Another history.
    Other,
}

/// What makes a state the one that it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateName {
    /// Its epoch and its generation.
    pub order: (Epoch, Generation),
    /// The history that it belongs to.
    pub branch: u64,
    /// The root's checksum.
    pub root_crc: u32,
    /// The checksum of the first root of its epoch, 0 if there was none yet.
    pub first_root_crc: u32,
}

/// The name of a superblock's state.
pub fn name_of(view: &Superblock<&[u8]>) -> StateName {
    StateName {
        order: view.order(),
        branch: view.branch(),
        root_crc: view.root_crc(),
        first_root_crc: view.first_root_crc(),
    }
}

/// What a state is to the history that ends with `newest`. `root_of_number` asks the rings of the disks with
/// the newest state for the checksum of the root under that order and branch. It is `None` if they had none,
/// or do not have it any more. Pure.
pub fn relation(
    newest: &Superblock<&[u8]>,
    state: StateName,
    root_of_number: impl FnOnce() -> Option<u32>,
) -> Relation {
    let StateName { order, branch, root_crc, first_root_crc } = state;
    let leads_to =
        |last: (Epoch, Generation), last_root_crc| order < last || order == last && root_crc == last_root_crc;
    let reaches = |given_up: bool| {
        let mut known = newest.ancestry();
        known.any(|a| a.branch == branch && a.given_up == given_up && order <= a.fork)
    };
    let is_own = branch == newest.branch();
    // A disk that has not got the new name yet: the mount that gave it was cut short.
    let mut former = newest.ancestry().filter(|a| a.is_former_name && a.branch == branch);
    let has_former_name = former.any(|former| leads_to(former.fork, newest.former_root_crc()));
    let could_be_part = match is_own {
        true => leads_to(newest.order(), newest.root_crc()),
        false => has_former_name || reaches(false),
    };
    // A mount makes one state after the other: what began as it did, in its epoch, is of it.
    let firsts = [first_root_crc, newest.first_root_crc()];
    let is_part = could_be_part.then(|| match () {
        () if knows_root(newest, root_crc) => Some(true),
        () if order.0 == newest.epoch() && !firsts.contains(&0) => Some(firsts[0] == firsts[1]),
        () => root_of_number().map(|known| known == root_crc),
    });
    match is_part {
        Some(Some(true)) => Relation::Part,
        // What bears a former name is given up, unless it is known to be this history's own.
        Some(None) if is_own || !has_former_name => Relation::Unconfirmed,
        _ if !is_own && reaches(true) => Relation::GivenUp,
        _ => Relation::Other,
    }
}

/// Whether a state knows by itself that its history went through one with this root.
fn knows_root(newest: &Superblock<&[u8]>, root_crc: u32) -> bool {
    let known = [newest.root_crc(), newest.previous_root_crc(), newest.found_root_crc()];
    root_crc != 0 && known.contains(&root_crc)
}

/// Whether a disk whose state is [`Unconfirmed`](Relation::Unconfirmed) may be of a copy of the pool. Not one
/// on which a mount of this history reserved its epoch: `claim_root_crc` is the root that this one went on
/// from. Nor one with damage in its rings, which may have held something newer.
pub fn may_be_copied(newest: &Superblock<&[u8]>, claim_root_crc: u32, has_damaged_slot: bool) -> bool {
    !has_damaged_slot && !knows_root(newest, claim_root_crc)
}

/// Which of the members that [may be copied](may_be_copied) cannot be taken for members that went back, by
/// their rows. `present` are all that are here.
///
/// Where the others may not go on alone, the newest state may itself be the stranger: that of a copy of the
/// pool. Members that are away by the newest state are what one expects them to be.
pub fn without_say(newest: &Superblock<&[u8]>, present: Set<Row>, perhaps_copied: Set<Row>) -> Set<Row> {
    let named = perhaps_copied.and(newest.online());
    if quorum::may_mount(present.minus(named), newest.lists()) { Set::EMPTY } else { named }
}

fn state_name(state: &DiskState) -> StateName {
    StateName {
        order: state.order,
        branch: state.branch,
        root_crc: state.root_crc,
        first_root_crc: state.first_root_crc,
    }
}

/// The branch that is preferred, if a disk is on it.
pub(super) fn preferred_branch<A: DiskArray>(disks: &Disks<'_, A>, prefer: Prefer) -> Result<u64, Code> {
    let is_meant = |&disk: &DiskIndex| {
        let state = disks.state(disk);
        state.status == DiskStatus::Online
            && match prefer {
                Prefer::Branch(branch) => state.branch == branch,
                Prefer::Disk { disk: named, .. } => disk == named,
            }
    };
    let found = disks.all().find(is_meant);
    found.map(|disk| disks.state(disk).branch).ok_or(Code::NoSuchHistory)
}

/// The end of the history of a state, among `count` of them. It goes from each state to the next that
/// continues it, as `goes_on` says of two. Each of those must be newer than the one before.
pub fn end_of(named: usize, count: usize, mut goes_on: impl FnMut(usize, usize) -> bool) -> usize {
    let mut end = named;
    while let Some(next) = (0..count).find(|&next| goes_on(end, next)) {
        end = next;
    }
    end
}

/// The disk with the newest state that went on from the one of this disk, by its own word and its ring's.
pub(super) fn newest_after<A: DiskArray>(
    disks: &mut Disks<'_, A>,
    named: DiskIndex,
    (image, stage): (&mut [u8], &mut [u8]),
) -> DiskIndex {
    let end = end_of(named.0, disks.count(), |from, disk| {
        let (from, disk) = (DiskIndex(from), DiskIndex(disk));
        let (name, state) = (state_name(disks.state(from)), disks.state(disk));
        state.status == DiskStatus::Online
            && is_newer_under(state_name(state), name)
            && read_state(disks, disk, image).is_some()
            && Superblock::new(&*image).is_some_and(|view| {
                relation(&view, name, || root_of_number(disks, name, name_of(&view), stage)) == Relation::Part
            })
    });
    DiskIndex(end)
}

/// Whether a state is newer than another of the same branch.
pub fn is_newer_under(state: StateName, than: StateName) -> bool {
    state.order > than.order && state.branch == than.branch
}

/// Leaves out disks of histories that were given up, or are now because this one is preferred; refuses to choose by itself.
// Not part of its caller: what it takes of the stack is not to lie under the other steps of a mount.
#[inline(never)]
pub(super) fn leave_out_others<A: DiskArray>(
    disks: &mut Disks<'_, A>,
    newest: DiskIndex,
    (image, stage): (&[u8], &mut [u8]),
    prefer: Option<Prefer>,
) -> Result<(), Code> {
    let view = Superblock::new(image).ok_or(Code::NoSuperblock)?;
    for disk in disks.all() {
        if disks.state(disk).status != DiskStatus::Online {
            continue;
        }
        let name = state_name(disks.state(disk));
        // A build without the feature `manage` does not ask the rings: what it does not know is unconfirmed.
        let relation = relation(&view, name, || match MANAGE {
            true => root_of_number(disks, name, name_of(&view), stage),
            false => None,
        });
        let state = disks.state_mut(disk);
        match relation {
            Relation::Part => {}
            Relation::Unconfirmed => {
                state.is_unconfirmed = true;
                state.may_be_copied = may_be_copied(&view, state.claim_root_crc, state.has_damaged_slot);
            }
            Relation::GivenUp => state.status = DiskStatus::Diverged,
            Relation::Other => leave_out(disks, (newest, disk), prefer, name.branch == view.branch())?,
        }
    }
    Ok(())
}

/// Leaves out members that may be of another history, where too few others know the newest state. Once the
/// disks have their rows.
// Not part of its caller: what it takes of the stack is not to lie under the other steps of a mount.
#[inline(never)]
pub(super) fn leave_out_unconfirmed<A: DiskArray>(
    disks: &mut Disks<'_, A>,
    newest: DiskIndex,
    image: &[u8],
    prefer: Option<Prefer>,
) -> Result<(), Code> {
    let view = Superblock::new(image).ok_or(Code::NoSuperblock)?;
    let others = without_say(&view, disks.online(), disks.perhaps_copied());
    for row in others.iter() {
        if let Some(disk) = disks.disk_in_row(row) {
            let has_same_name = disks.state(disk).branch == view.branch();
            leave_out(disks, (newest, disk), prefer, has_same_name)?;
        }
    }
    Ok(())
}

/// Leaves out a disk of another history than that of the disk `newest`, if this one is preferred to it.
fn leave_out<A: DiskArray>(
    disks: &mut Disks<'_, A>,
    (newest, disk): (DiskIndex, DiskIndex),
    prefer: Option<Prefer>,
    has_same_name: bool,
) -> Result<(), Code> {
    let decides = match prefer {
        None => false,
        // Two of the same name are told apart by a disk alone.
        Some(Prefer::Branch(_)) => !has_same_name,
        Some(Prefer::Disk { .. }) => true,
    };
    if !decides {
        return Err(disks.about.two(newest, disk, Code::Diverged));
    }
    let state = disks.state_mut(disk);
    (state.status, state.is_left_out) = (DiskStatus::Diverged, true);
    Ok(())
}

/// The checksum of the root that the disks with the newest state had under this order and branch, by their
/// rings.
fn root_of_number<A: DiskArray>(
    disks: &mut Disks<'_, A>,
    state: StateName,
    newest: StateName,
    stage: &mut [u8],
) -> Option<u32> {
    let image = stage.get_mut(..disks.parameters.superblock_bytes())?;
    disks.all().find_map(|disk| {
        let other = disks.state(disk);
        let has_newest = other.status == DiskStatus::Online && state_name(other) == newest;
        has_newest.then(|| root_crc_before(disks, disk, (state.order, state.branch), image)).flatten()
    })
}

impl<A: DiskArray> Store<'_, A> {
    /// Notes in the superblock that is being made which histories this one is preferred to. Returns whether
    /// there are any that the last commit does not know.
    pub(super) fn give_up_others(&mut self, prefer: Option<Prefer>) -> bool {
        let mut any = false;
        for disk in self.tree.disks.all() {
            let state = self.tree.disks.state(disk);
            if !state.is_left_out {
                continue;
            }
            any = true;
            let StateName { order, branch, .. } = state_name(state);
            let (own, last) = (self.committed().branch(), self.committed().order());
            let superblock = &mut self.tree.space.superblock;
            if let Some(Prefer::Disk { branch: name, .. }) = prefer
                && branch == own
            {
                if superblock.branch() == own {
                    superblock.rename(name);
                }
                // The name is given up with all that is not newer.
                if order <= last {
                    continue;
                }
            }
            superblock.give_up(branch, order);
        }
        any
    }
}

/// Reads the superblocks of each disk, and calls `f` with each of them.
pub(crate) fn survey<A: DiskArray>(
    array: A,
    memory: Memory<'_>,
    pool: Option<Uuid>,
    (crc32c, clock): (Crc32c, &dyn Clock),
    f: impl FnMut(&Surveyed, &Superblock<&[u8]>),
) -> Result<(), MountError> {
    let count = array.disks();
    if count == 0 {
        return Err(MountError::NoPool);
    }
    if let Some(feature) = lacking_for(&array, count) {
        return Err(MountError::NeedsFeature(feature));
    }
    if memory.disks.len() < count {
        return Err(MountError::NeedsMemory(Memory::needs_bytes(memory.bytes.len(), count)));
    }
    let Memory { bytes, disks: states, .. } = memory;
    let mut disks = Disks::new(array, states, PoolParameters::UNKNOWN, crc32c, clock);
    survey_disks(&mut disks, bytes, pool, f).map_err(|error| disks.about.explain_mount(error))
}

fn survey_disks<'m, A: DiskArray>(
    disks: &mut Disks<'m, A>,
    bytes: &'m mut [u8],
    pool: Option<Uuid>,
    mut f: impl FnMut(&Surveyed, &Superblock<&[u8]>),
) -> Result<(), Code> {
    let (count, alignment) = (disks.count(), disks.buffer_alignment());
    read_labels(disks, bytes, (pool, true), alignment)?;
    let parameters = disks.parameters;
    let needs = Memory::needs(&parameters, count, alignment);
    let parts = divide(bytes, &parameters, alignment)
        .map_err(|bytes| disks.about.lends(MemoryNeeds { bytes, ..needs }))?;
    let parts = parts.with_staging_for(disks);
    read_rings(disks, parts.stage)?;
    for disk in disks.all() {
        if disks.state(disk).status == DiskStatus::Online
            && read_state(disks, disk, parts.committed).is_some()
            && let Some(view) = Superblock::new(&*parts.committed)
        {
            let has_damaged_slot = disks.state(disk).has_damaged_slot;
            f(&Surveyed { disk, is_newest: true, has_damaged_slot }, &view);
            each_before(disks, disk, parts.committed, |view| {
                f(&Surveyed { disk, is_newest: false, has_damaged_slot }, view);
                ControlFlow::<()>::Continue(())
            });
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
    let surveyed = survey(array, memory, Some(pool), (crc32c, clock), |found, view| {
        if !found.is_newest {
            return;
        }
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
        // The rings know what is asked about.
        assert_eq!(relation(&newest, view(other), || Some(other.root_crc())), relation_is);
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
    fn a_former_name_stays_where_many_histories_are_given_up_with_it() {
        let mut newest = state(1, (3, 20), 5);
        newest.rename(8);
        (10..10 + BRANCHES_MAX as u64).for_each(|branch| newest.give_up(branch, (Epoch(3), Generation(9))));
        assert_eq!(newest.ancestry().count(), BRANCHES_MAX);
        expect(&newest, &state(1, (3, 20), 5), Relation::Part);
        expect(&newest, &state(13, (3, 9), 6), Relation::GivenUp);
        expect(&newest, &state(11, (3, 9), 6), Relation::GivenUp);
        expect(&newest, &state(10, (3, 9), 6), Relation::Other);
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
