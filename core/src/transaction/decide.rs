//! Deciding which state to go on from: the newest that is found, if the members that are present may go on
//! from it. Nothing is written yet.

use super::create::FIRST;
use super::histories::{Prefer, leave_out_others, leave_out_unconfirmed, newest_after, preferred_branch};
use super::labels::{read_labels, unfit};
use super::memory::{Division, Parts};
use super::quorum;
use super::request::{MountMode, MountRequest};
use super::rings::{read_state, survey};
use crate::build::{MANAGE, MULTI, PLACEMENT};
use crate::disks::events::Happening;
use crate::disks::{Currency, DiskState, DiskStatus, Disks};
use crate::error::Code;
use crate::format::label::DiskIdentity;
use crate::format::superblock::Superblock;
use crate::limits::MEMBERS_MAX;
use crate::types::{DiskIndex, MemberLists, MemberNumber, MemoryNeeds, Row, Set};
use dynamicfs_hal::DiskArray;

/// Reads the newest state that a disk still gives, of the preferred history if there is one: which disk. One
/// that does not give again what the survey saw counts as absent, and its state as one that it could hold.
fn read_newest<A: DiskArray>(
    disks: &mut Disks<'_, A>,
    (image, stage): (&mut [u8], &mut [u8]),
    prefer: Option<Prefer>,
) -> Result<DiskIndex, Code> {
    if !MULTI {
        return read_state(disks, DiskIndex(0), image).map(|_| DiskIndex(0)).ok_or(Code::NoSuperblock);
    }
    loop {
        let branch = prefer.map(|prefer| preferred_branch(disks, prefer)).transpose()?;
        let newest = match prefer {
            Some(Prefer::Disk { disk, .. }) => newest_after(disks, disk, (image, stage)),
            _ => newest_disk(disks, branch).ok_or(Code::NoSuperblock)?,
        };
        if read_state(disks, newest, image).is_some() {
            return Ok(newest);
        }
        disks.fail(newest, dynamicfs_hal::IoError::Media);
    }
}

/// Whether nothing is written in a mount like this.
pub(super) const fn reads_only(mode: MountMode) -> bool {
    matches!(mode, MountMode::ReadOnly | MountMode::Salvage)
}

/// Finds the state to go on from, and puts its superblock into the part for it; the member lists of that
/// state.
// Not part of its caller: what it takes of the stack is not to lie under what puts the pool together.
#[inline(never)]
pub(super) fn find_state<'m, A: DiskArray>(
    disks: &mut Disks<'m, A>,
    bytes: &'m mut [u8],
    slots: usize,
    division: Division,
    request: &MountRequest<'m>,
) -> Result<(Parts<'m>, MemberLists), Code> {
    disks.flush_all();
    let alignment = disks.buffer_alignment();
    read_labels(disks, bytes, (request.pool, reads_only(request.mode)), alignment)?;
    let parameters = disks.parameters;
    let needs = (division.needs)(&parameters, disks.count(), alignment);
    if slots < needs.entries {
        return Err(disks.about.lends(needs));
    }
    let parts = (division.divide)(bytes, &parameters, alignment)
        .map_err(|bytes| disks.about.lends(MemoryNeeds { bytes, ..needs }))?;
    let parts = parts.with_staging_for(disks);
    survey(disks, parts.stage)?;
    let prefer = request.prefer.filter(|_| MANAGE);
    let images = (&mut *parts.committed, &mut *parts.stage);
    let newest = read_newest(disks, images, prefer).map_err(|error| unfit(disks, error))?;
    if let Some(feature) = lacking(disks, parts.committed, reads_only(request.mode)) {
        return Err(disks.about.lacks(feature));
    }
    if !MULTI {
        assign_rows(disks, parts.committed);
        let lists = lists_of_one(disks, parts.committed).map_err(|error| unfit(disks, error))?;
        return Ok((parts, lists));
    }
    leave_out_others(disks, newest, (parts.committed, parts.stage), prefer)?;
    refuse_namesakes(disks)?;
    assign_rows(disks, parts.committed);
    leave_out_unconfirmed(disks, newest, parts.committed, prefer)?;
    let lists = may_mount(disks, parts.committed, request.mode).map_err(|error| unfit(disks, error))?;
    tell_of_lost_slots(disks, lists);
    Ok((parts, lists))
}

/// The feature that this build lacks for the pool: to read it at all, or else to write to it as it asks.
fn lacking<A: DiskArray>(disks: &Disks<'_, A>, image: &[u8], only_reads: bool) -> Option<&'static str> {
    if MULTI && usize::from(disks.parameters.members_max) > MEMBERS_MAX {
        return Some("wide");
    }
    if only_reads {
        return None;
    }
    let is_placed = |identity: &DiskIdentity| {
        (identity.tier, identity.failure_domain, identity.weight) != (0, 0, DiskIdentity::WEIGHT)
    };
    let mut identities = disks.all().filter_map(|disk| disks.state(disk).identity.as_ref());
    if !PLACEMENT && identities.any(is_placed) {
        return Some("placement");
    }
    Superblock::new(image).and_then(|view| view.scheme().lacks())
}

/// The lists of a pool that has one member, all of whose states are its own.
fn lists_of_one<A: DiskArray>(disks: &mut Disks<'_, A>, image: &[u8]) -> Result<MemberLists, Code> {
    let view = Superblock::new(image).ok_or(Code::NoSuperblock)?;
    let (table, lists) = (view.table(), view.lists());
    let mut others = (1..usize::from(view.member_rows())).map(Row);
    let is_alone = table == Set::first(1) && others.all(|row| view.row(row).number() == MemberNumber::NONE.0);
    if !is_alone || lists != MemberLists::both(table) || !view.owed().is_empty() {
        return Err(disks.about.lacks("multi"));
    }
    if disks.online() == table { Ok(lists) } else { Err(Code::NoPool) }
}

/// The disk with the newest state, of a branch if one is named.
fn newest_disk<A: DiskArray>(disks: &Disks<'_, A>, branch: Option<u64>) -> Option<DiskIndex> {
    disks
        .all()
        .filter(|&disk| {
            let state = disks.state(disk);
            state.status == DiskStatus::Online && branch.is_none_or(|branch| state.branch == branch)
        })
        .max_by_key(|&disk| disks.state(disk).order)
}

/// Refuses two disks that are the same member: one is a copy of the other. In two histories a number may be
/// given twice.
fn refuse_namesakes<A: DiskArray>(disks: &mut Disks<'_, A>) -> Result<(), Code> {
    for second in disks.all() {
        let member = |disk: DiskIndex| {
            let state = disks.state(disk);
            state.identity.filter(|_| state.status == DiskStatus::Online).map(|identity| identity.member)
        };
        if let Some(number) = member(second)
            && let Some(first) = disks.all().find(|&first| member(first) == Some(number))
            && first < second
        {
            return Err(disks.about.two(first, second, Code::Cloned));
        }
    }
    Ok(())
}

/// Gives each member its row in the newest state's table; disks that are not in it were removed.
fn assign_rows<A: DiskArray>(disks: &mut Disks<'_, A>, image: &[u8]) {
    let Some(view) = Superblock::new(image) else { return };
    for disk in disks.all() {
        let state = disks.state_mut(disk);
        let (DiskStatus::Online, Some(identity)) = (state.status, state.identity) else { continue };
        match view.row_of(identity.member) {
            Some(row) if identity.witness == (view.row(row).witness() != 0) => {
                state.row = row.byte();
                state.currency = if MULTI { currency(state, &view, row) } else { Currency::Current };
            }
            // Removed, or not what the table says it is.
            _ => state.status = DiskStatus::Foreign,
        }
    }
}

/// How far a member is behind the newest state.
///
/// A mount claims its epoch on all members that are online in it before it writes a state. And each state is
/// on all of them before the next one of its epoch is begun. So of the newest epoch a member lacks the last
/// state at most. One that lacks more, or a claim, has lost what it had acknowledged. A later claim says so
/// on the disk, until a commit has said it.
fn currency(state: &DiskState, view: &Superblock<&[u8]>, row: Row) -> Currency {
    let ((epoch, generation), (last_epoch, last)) = (state.order, view.order());
    let first = view.epoch_began();
    let is_behind = match epoch < last_epoch {
        true if first > 0 => last.0 > first,
        // For a mount without that record: one state for each mount that was cut short.
        _ => last.0 > generation.0.saturating_add(last_epoch.0.saturating_sub(epoch.0)).saturating_add(1),
    };
    let lost_end = state.lost_end && !state.identity.is_some_and(|identity| identity.witness);
    // What a crash leaves a disk with the newest state's rings know, or that state itself.
    let is_marked = state.is_rolled_back || state.is_unconfirmed;
    let has_lost = is_behind || lost_end || state.claim < last_epoch || is_marked;
    match (view.online().contains(row), has_lost) {
        (true, false) => Currency::Current,
        (true, true) => Currency::RolledBack,
        (false, _) => Currency::Stale,
    }
}

/// The lists of the newest state, if the present members may go on from it.
fn may_mount<A: DiskArray>(
    disks: &mut Disks<'_, A>,
    image: &[u8],
    mode: MountMode,
) -> Result<MemberLists, Code> {
    let view = Superblock::new(image).ok_or(Code::NoSuperblock)?;
    let (lists, generation) = (view.lists(), view.generation());
    let present = disks.online();
    let overrides = MANAGE && matches!(mode, MountMode::AssumeMissingDead { .. } | MountMode::Salvage);
    if !overrides && is_unfinished(disks, &view) {
        return Err(disks.about.missing(present, lists.members, generation, Code::Unfinished));
    }
    if quorum::may_mount(present, lists) || overrides {
        return Ok(lists);
    }
    let list = if quorum::list_may_mount(present, lists.members) { lists.settled } else { lists.members };
    Err(disks.about.missing(present, list, generation, Code::Missing))
}

/// Whether the power went before the format was finished. The newest state is the one that formatting makes,
/// no mount has claimed an epoch since, and not all members are there. Nothing was ever stored in such a
/// pool, and it may be formatted again.
fn is_unfinished<A: DiskArray>(disks: &Disks<'_, A>, newest: &Superblock<&[u8]>) -> bool {
    let is_claimed = |disk: DiskIndex| {
        let state = disks.state(disk);
        state.status == DiskStatus::Online && state.claim > newest.epoch()
    };
    newest.order() == FIRST
        && !newest.lists().members.is_subset_of(disks.online())
        && !disks.all().any(is_claimed)
}

/// Tells of members on which a state may stand that cannot be read any more, in both rings. Not where a
/// majority of the others shows that it was never acknowledged.
fn tell_of_lost_slots<A: DiskArray>(disks: &mut Disks<'_, A>, lists: MemberLists) {
    let lost = disks.rows_with_lost_slots();
    let others = disks.online().minus(lost);
    if !quorum::list_may_mount(others, lists.members) {
        for disk in disks.all() {
            let state = disks.state(disk);
            if state.status == DiskStatus::Online && state.has_lost_slot {
                disks.tell_of(disk, |member| Happening::SlotsLost { member });
            }
        }
    }
}
