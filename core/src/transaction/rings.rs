//! The rings of superblocks on each disk: written one slot after the other, read all at a mount.

use super::{Mode, Store};
use crate::build::{MANAGE, MULTI};
use crate::disks::{DiskState, DiskStatus, Disks};
use crate::error::Code;
use crate::format::label::{ALGORITHM_CRC32C, FORMAT_VERSION};
use crate::format::superblock::{self, SlotContents, Superblock};
use crate::types::{DiskIndex, Epoch, Generation, Row, Set, Uuid};
use core::cmp::Ordering;
use core::ops::ControlFlow;
use dynamicfs_hal::{Batch, DiskArray, IoError, Operation, Request};

/// Requests for each disk that a superblock takes: ring A, ring B, a flush.
pub(super) const REQUESTS_PER_SUPERBLOCK: usize = 3;

/// Reads all superblock slots of all members and notes each disk's newest state, sequence and highest claim. A
/// member without any valid slot has lost its state and does not take part.
///
/// Where ring B lacks what ring A holds, and the label behind it is gone as well, the disk was cut and
/// enlarged again. The data before ring B may have gone with it.
///
/// A slot that cannot be read, or holds a write that was cut short, may hold something newer. The sector may
/// be readable one day, and the next write to the slot may be cut short so that it completes the one before.
#[inline(never)] // Once, and not in each of its callers.
pub(super) fn survey<A: DiskArray>(disks: &mut Disks<'_, A>, stage: &mut [u8]) -> Result<(), Code> {
    let bytes = disks.parameters.superblock_bytes();
    let image = stage.get_mut(..bytes).ok_or(Code::NoSuperblock)?;
    for disk in disks.all() {
        if disks.state(disk).status != DiskStatus::Online {
            continue;
        }
        let (mut any, mut torn, mut must_not_write) = (false, 0u64, false);
        let mut missing_in_b = 0;
        // The newest superblock with features that are not known: where it is the newest of all, it decides.
        let mut unsupported = None;
        for place in 0..u64::from(disks.parameters.ring_length) {
            let (mut unread, mut in_a) = (0, false);
            for ring in 0..2 {
                match read_slot(disks, disk, ring, place, image) {
                    Some(SlotContents::Valid) => in_a |= ring == 0,
                    Some(SlotContents::Unsupported { sequence, incompat }) => {
                        unsupported = unsupported.max(Some((sequence, incompat)));
                        continue;
                    }
                    Some(SlotContents::Nothing) => {
                        let is_blank = image.iter().all(|&byte| byte == 0);
                        torn |= u64::from(!is_blank) << (place % 64);
                        missing_in_b += usize::from(in_a);
                        continue;
                    }
                    None => {
                        let state = disks.state_mut(disk);
                        (unread, state.may_hold_more) = (unread + 1, true);
                        state.has_lost_slot |= unread == 2;
                        continue;
                    }
                }
                let Some(view) = Superblock::new(&*image) else { continue };
                let state = disks.state_mut(disk);
                state.claim = state.claim.max(view.claim());
                let sequence = view.sequence();
                if sequence < state.sequence {
                    state.previous = state.previous.max(sequence);
                }
                if !any || sequence > state.sequence {
                    (state.previous, state.sequence) = (state.sequence, sequence);
                    state.order = view.order();
                    if MULTI {
                        state.note_history(&view);
                    }
                    must_not_write = view.must_not_write();
                }
                any = true;
            }
        }
        if let Some((sequence, incompat)) = unsupported
            && (!any || sequence > disks.state(disk).sequence)
        {
            let (version, algorithm) = (FORMAT_VERSION, ALGORITHM_CRC32C);
            return Err(disks.about.unsupported(disk, (version, incompat, algorithm)));
        }
        let state = disks.state_mut(disk);
        state.must_not_write |= must_not_write;
        state.has_damaged_slot = torn != 0 || state.may_hold_more;
        let next = disks.parameters.ring_place(disks.state(disk).sequence.wrapping_add(1));
        if !any {
            disks.state_mut(disk).status = DiskStatus::Unlabelled;
        } else if torn >> (next % 64) & 1 != 0 {
            disks.state_mut(disk).may_hold_more = true;
        }
        if !MULTI {
            continue;
        }
        // Ring B may be full again of claims, which say that the disk lost something.
        let lacks = missing_in_b > SLOTS_TORN_MAX || disks.state(disk).is_rolled_back;
        disks.state_mut(disk).lost_end = any && lacks && !disks.may_have_end(disk, image);
    }
    Ok(())
}

impl DiskState {
    /// Notes by what a disk's newest state is compared with those of others.
    fn note_history(&mut self, view: &Superblock<&[u8]>) {
        self.branch = view.branch();
        self.root_crc = view.root_crc();
        self.first_root_crc = view.first_root_crc();
        self.claim_root_crc = view.claim_root_crc();
        self.is_rolled_back = view.is_rolled_back();
    }
}

/// Slots that a power cut leaves whole in ring A and not in ring B.
const SLOTS_TORN_MAX: usize = 1;

/// Reads one slot of one ring: what it holds of this disk, `None` if it cannot be read now.
fn read_slot<A: DiskArray>(
    disks: &mut Disks<'_, A>,
    disk: DiskIndex,
    ring: usize,
    place: u64,
    image: &mut [u8],
) -> Option<SlotContents> {
    let identity = disks.state(disk).identity?;
    let start = if ring == 0 { identity.ring_a } else { identity.ring_b };
    let p = disks.parameters;
    let at = start.checked_add(place * u64::from(p.slot_bytes))?;
    disks.read_bytes_again(disk, at, image)?;
    Some(superblock::examine(image, &p, identity.disk, place, disks.crc32c))
}

/// What stands where a disk's next superblock goes.
enum Look {
    /// What this mount, or one before it, left there.
    Ours,
    /// A superblock of this disk that is newer than any that this mount wrote.
    OtherWriter,
    /// Nothing that this disk would have there: it is another one, or an older copy.
    Exchanged,
}

/// Looks closely at the slot that a disk's next superblock goes to, and at its newest. They tell whether it
/// is still the same disk, and nothing else wrote to it. What cannot be read proves nothing: writing will
/// tell.
fn look_closely<A: DiskArray>(disks: &mut Disks<'_, A>, disk: DiskIndex, image: &mut [u8]) -> Look {
    let Some(identity) = disks.state(disk).identity else { return Look::Exchanged };
    let (pool, next, newest) = (disks.parameters.pool, disks.next_sequence(disk), disks.state(disk).sequence);
    let places = [disks.places_of(disk, next), disks.places_of(disk, newest)];
    let (mut is_older, mut is_answered) = (false, false);
    for (at, is_newest) in places.into_iter().zip([false, true]).flat_map(|(at, is)| at.map(|at| (at, is))) {
        if disks.read_bytes(disk, at, image).is_none() {
            continue;
        }
        is_answered = true;
        if !superblock::is_whole(image, disks.crc32c) {
            // Of a ring that has not been filled yet an older copy has nothing there.
            is_older |= is_newest && image.iter().all(|&byte| byte == 0);
            continue;
        }
        match superblock::peek(image) {
            Some((p, d, sequence)) if p == pool && d == identity.disk => match is_newest {
                _ if sequence >= next => return Look::OtherWriter,
                true if sequence == newest => return Look::Ours,
                // Another one, where it should hold its newest: it was set back.
                true => is_older = true,
                false => {}
            },
            _ => return Look::Exchanged,
        }
    }
    // Nothing there, or rot: then its label is where it should be, and so is the superblock before.
    let is_ours = !is_older && disks.has_own_label(disk, image);
    match is_ours && !(is_answered && lacks_previous(disks, disk, image)) {
        true => Look::Ours,
        false => Look::Exchanged,
    }
}

/// As [`look_closely`], in less code: a disk whose newest superblock rotted in both rings counts as
/// exchanged.
fn look_at_both<A: DiskArray>(disks: &mut Disks<'_, A>, disk: DiskIndex, image: &mut [u8]) -> Look {
    let (next, newest) = (disks.next_sequence(disk), disks.state(disk).sequence);
    match (newest, last_at(disks, disk, next, image), last_at(disks, disk, newest, image)) {
        // Before its first superblock nothing on it could identify it.
        (0, ..) => Look::Ours,
        (_, Some(sequence), _) if sequence >= next => Look::OtherWriter,
        // What cannot be read proves nothing: writing will tell.
        (_, _, None) => Look::Ours,
        (_, _, Some(sequence)) if sequence == newest => Look::Ours,
        _ => Look::Exchanged,
    }
}

/// The last sequence that a disk's rings hold in the place of this one: 0 for none, `None` where neither can
/// be read.
fn last_at<A: DiskArray>(
    disks: &mut Disks<'_, A>,
    disk: DiskIndex,
    sequence: u64,
    image: &mut [u8],
) -> Option<u64> {
    let mut last = None;
    for ring in 0..2 {
        let place = disks.parameters.ring_place(sequence);
        let found = match read_slot(disks, disk, ring, place, image) {
            Some(SlotContents::Valid) => Superblock::new(&*image).map(|view| view.sequence()),
            Some(_) => Some(0),
            None => None,
        };
        last = last.max(found);
    }
    last
}

/// Whether a disk's rings hold superblocks, all older than the one before its newest, unless that cannot be
/// read now. Rot in both copies of the newest leaves that one. An older copy may have anything in the newest
/// one's place: what rotted there, or was torn.
fn lacks_previous<A: DiskArray>(disks: &mut Disks<'_, A>, disk: DiskIndex, image: &mut [u8]) -> bool {
    let ring_length = u64::from(disks.parameters.ring_length);
    let previous = disks.state(disk).previous;
    let (mut is_answered, mut has_older) = (false, false);
    for (place, ring) in (0..ring_length).flat_map(|place| [(place, 0), (place, 1)]) {
        let contents = read_slot(disks, disk, ring, place, image);
        is_answered |= contents.is_some() && place == disks.parameters.ring_place(previous);
        if contents == Some(SlotContents::Valid)
            && let Some(view) = Superblock::new(&*image)
        {
            if view.sequence() >= previous {
                return false;
            }
            has_older = true;
        }
    }
    is_answered && has_older
}

/// The checksum of the root of an earlier state of a disk, with this order and branch, if its rings still
/// have it. Reads from the newest on backwards.
pub(super) fn root_crc_before<A: DiskArray>(
    disks: &mut Disks<'_, A>,
    disk: DiskIndex,
    (order, branch): ((Epoch, Generation), u64),
    image: &mut [u8],
) -> Option<u32> {
    each_before(disks, disk, image, |view| match view.order().cmp(&order) {
        Ordering::Less => ControlFlow::Break(None),
        Ordering::Equal if view.branch() == branch => ControlFlow::Break(Some(view.root_crc())),
        _ => ControlFlow::Continue(()),
    })
    .flatten()
}

/// Calls `f` with the superblocks before a disk's newest that its rings still have, until it breaks. They
/// come from the newest on backwards, perhaps twice with one. Returns the value of the break.
pub(super) fn each_before<A: DiskArray, T>(
    disks: &mut Disks<'_, A>,
    disk: DiskIndex,
    image: &mut [u8],
    mut f: impl FnMut(&Superblock<&[u8]>) -> ControlFlow<T>,
) -> Option<T> {
    let (newest, ring_length) = (disks.state(disk).sequence, u64::from(disks.parameters.ring_length));
    let before = (1..ring_length).map_while(|back| newest.checked_sub(back));
    for (sequence, ring) in before.flat_map(|sequence| [(sequence, 0), (sequence, 1)]) {
        if read_slot(disks, disk, ring, disks.parameters.ring_place(sequence), image)
            == Some(SlotContents::Valid)
            && let Some(view) = Superblock::new(&*image)
            && let ControlFlow::Break(found) = f(&view)
        {
            return Some(found);
        }
    }
    None
}

/// Reads a disk's newest superblock, from either ring.
pub(super) fn read_state<A: DiskArray>(
    disks: &mut Disks<'_, A>,
    disk: DiskIndex,
    image: &mut [u8],
) -> Option<()> {
    (0..2).any(|ring| reads_newest(disks, disk, ring, image)).then_some(())
}

/// Reads the slot of a ring in which a disk's newest superblock should be; whether it is.
fn reads_newest<A: DiskArray>(
    disks: &mut Disks<'_, A>,
    disk: DiskIndex,
    ring: usize,
    image: &mut [u8],
) -> bool {
    let sequence = disks.state(disk).sequence;
    let place = disks.parameters.ring_place(sequence);
    read_slot(disks, disk, ring, place, image) == Some(SlotContents::Valid)
        && Superblock::new(&*image).is_some_and(|view| view.sequence() == sequence)
}

impl<A: DiskArray> Store<'_, A> {
    /// Looks at the slots before anything is written, if the last look is long ago.
    pub(crate) fn look_if_idle(&mut self) -> Result<(), Code> {
        if self.tree.disks.have_been_idle() { self.look_before_writing() } else { Ok(()) }
    }

    /// Looks at the slots before an open transaction writes more, if it waited for its caller. Another writer
    /// may have committed meanwhile, to blocks that this mount calls free. The transaction can only be
    /// dropped then.
    pub(crate) fn look_if_waited(&mut self) -> Result<(), Code> {
        if !self.tree.disks.have_waited() {
            return Ok(());
        }
        let looked = self.look_before_writing();
        self.poisoned |= looked.is_err();
        looked
    }

    /// Looks at the slots before anything is written: a disk that was exchanged is out of use as if it had
    /// failed. Where it was the last one, it is told.
    pub(super) fn look_before_writing(&mut self) -> Result<(), Code> {
        match self.look_at_slots(false) {
            Err(Code::Exchanged) if !self.tree.disks.online().is_empty() => Ok(()),
            looked => looked,
        }
    }

    /// Looks at a disk that was out of use, and was not written to meanwhile: it may be another one, or an
    /// older copy.
    pub(crate) fn look_at_returning(&mut self, disk: DiskIndex) -> Result<(), Code> {
        self.look_before_writing()?;
        match self.tree.disks.state(disk).status {
            DiskStatus::Online => Ok(()),
            _ => Err(self.tree.disks.about.on(disk, Code::Exchanged)),
        }
    }

    /// Reads, on each member that takes part, the first sector of the slot that its next superblock will
    /// overwrite. If asked for, earlier writes are flushed before. The sector must hold what this disk's ring
    /// held there a turn ago, or nothing.
    ///
    /// Else something else writes to these disks, and the pool takes no more writes; or the disk was exchanged, and is out
    /// of use. One read for each disk, in the batch that flushes.
    #[expect(clippy::indexing_slicing, reason = "the stage holds a slot")]
    pub(super) fn look_at_slots(&mut self, flush: bool) -> Result<(), Code> {
        let disks = &mut self.tree.disks;
        if MANAGE {
            disks.flush_and_peek(flush, self.stage);
        } else if flush {
            disks.flush_written();
        }
        let image = &mut self.stage[..disks.parameters.superblock_bytes()];
        let mut exchanged = Ok(());
        for disk in disks.all() {
            if MANAGE && !core::mem::take(&mut disks.state_mut(disk).is_suspect)
                || disks.state(disk).status != DiskStatus::Online
            {
                continue;
            }
            let found =
                if MANAGE { look_closely(disks, disk, image) } else { look_at_both(disks, disk, image) };
            match found {
                Look::Ours => {}
                Look::OtherWriter => {
                    self.mode = Mode::Usurped { disk };
                    return Err(disks.about.on(disk, Code::OtherWriter));
                }
                Look::Exchanged => {
                    disks.fail(disk, IoError::Gone);
                    exchanged = Err(disks.about.on(disk, Code::Exchanged));
                }
            }
        }
        disks.note_seen();
        exchanged
    }

    /// How many of the slots of the newest superblock are wrong, in both rings of all members that take part.
    /// The next commit writes it anew. Once this mount has an epoch: what a crash left half-way is behind it
    /// then.
    #[expect(clippy::indexing_slicing, reason = "the stage holds a slot")]
    pub fn count_wrong_slots(&mut self) -> usize {
        let disks = &mut self.tree.disks;
        let image = &mut self.stage[..disks.parameters.superblock_bytes()];
        let mut wrong = 0;
        for disk in disks.all() {
            if disks.state(disk).status != DiskStatus::Online {
                continue;
            }
            for (ring, at) in disks.slot_places(disk).into_iter().enumerate() {
                if !reads_newest(disks, disk, ring, image) {
                    disks.note_checksum_error(disk, at >> disks.parameters.block_shift);
                    wrong += 1;
                }
            }
        }
        wrong
    }
}

impl<A: DiskArray> Disks<'_, A> {
    /// Makes a superblock this disk's next one.
    pub(crate) fn seal_superblock(&mut self, disk: DiskIndex, image: &mut [u8], claim: Epoch) {
        let crc32c = self.crc32c;
        let sequence = self.next_sequence(disk);
        let state = self.state_mut(disk);
        (state.previous, state.sequence) = (state.sequence, sequence);
        state.claim = state.claim.max(claim);
        let (sequence, claim, id) =
            (state.sequence, state.claim, state.identity.map_or_else(Default::default, |i| i.disk));
        if let Some(mut view) = Superblock::new(image) {
            view.seal(id, sequence, claim, crc32c);
        }
    }

    /// The sequence of a disk's next superblock. Slots that could not be read may hold up to a ring of newer
    /// ones. Later writes are newer than any of those too, should they become readable.
    fn next_sequence(&self, disk: DiskIndex) -> u64 {
        let state = self.state(disk);
        let unknown = if state.may_hold_more { u64::from(self.parameters.ring_length) } else { 0 };
        state.sequence + unknown + 1
    }

    /// Flushes the disks that were written to, if that is asked for. In the same batches it reads the first
    /// sector of the next slot of each. A disk becomes suspect where that is not what its ring had there a
    /// turn ago. Without a flush the newest slot is read too. A disk that was set back by less than a turn
    /// has the right one at the next.
    #[expect(clippy::indexing_slicing, reason = "a member's sector is no longer than the longest of all")]
    fn flush_and_peek(&mut self, flush: bool, stage: &mut [u8]) {
        const STEPS: usize = 3;
        let (pool, ring_length) = (self.parameters.pool, u64::from(self.parameters.ring_length));
        // Of members alone, whose sectors fit a superblock, and so the stage.
        let members = self.all().filter(|&disk| self.state(disk).status == DiskStatus::Online);
        let unit = members.map(|disk| self.geometry(disk).sector_bytes as usize).max().unwrap_or(1);
        let mut step = 0;
        while step < STEPS * self.count() {
            let mut batch = A::Batch::default();
            let mut sectors = stage.chunks_exact_mut(unit);
            while step < STEPS * self.count() {
                let (disk, is_read, is_newest) =
                    (DiskIndex(step / STEPS), step % STEPS > 0, step % STEPS == 2);
                let state = self.state(disk);
                // Before its first superblock nothing on a disk could identify it.
                let is_wanted = match is_read {
                    true => state.sequence > 0 && !(is_newest && flush),
                    false => flush && state.unflushed,
                };
                let wanted = state.status == DiskStatus::Online && is_wanted;
                let sequence = if is_newest { state.sequence } else { self.next_sequence(disk) };
                let at = self.places_of(disk, sequence)[0];
                let pushed = match (wanted, is_read) {
                    (false, _) => true,
                    (true, false) => batch.push(Request::flush(disk.0)).is_ok(),
                    (true, true) => sectors.next().is_some_and(|sector| {
                        let sector = &mut sector[..self.geometry(disk).sector_bytes as usize];
                        batch.push(Request::read(disk.0, self.lba_of_byte(disk, at), sector)).is_ok()
                    }),
                };
                if !pushed {
                    break;
                }
                step += 1;
            }
            self.execute(&mut batch);
            for request in batch.requests() {
                let Operation::Read(sector) = &request.operation else { continue };
                let disk = DiskIndex(request.disk);
                let (next, lba) = (self.next_sequence(disk), request.lba);
                let newest = self.state(disk).sequence;
                let is_newest = lba == self.lba_of_byte(disk, self.places_of(disk, newest)[0]);
                let expected = if is_newest { Some(newest) } else { next.checked_sub(ring_length) };
                let state = self.state_mut(disk);
                let own = state.identity.map(|identity| identity.disk);
                let is_expected = |(p, d, sequence): (Uuid, Uuid, u64)| {
                    p == pool && Some(d) == own && Some(sequence) == expected
                };
                state.is_suspect |=
                    request.result.is_err() || !superblock::peek(sector).is_some_and(is_expected);
            }
        }
    }

    /// Writes the images, one of `bytes` for each row in order, to both rings of the members' disks, and
    /// flushes them. Returns the rows of members that lack room for it.
    pub(crate) fn write_slots(&mut self, rows: Set<Row>, images: &[u8], bytes: usize) -> Set<Row> {
        let mut batch = A::Batch::default();
        for (image, row) in images.chunks_exact(bytes).zip(rows.iter()) {
            let Some(disk) = self.disk_in_row(row) else { continue };
            for at in self.slot_places(disk) {
                let pushed = batch.push(Request::write(disk.0, self.lba_of_byte(disk, at), image));
                debug_assert!(pushed.is_ok());
            }
        }
        if A::Batch::capacity() >= REQUESTS_PER_SUPERBLOCK * rows.len() {
            for disk in rows.iter().filter_map(|row| self.disk_in_row(row)) {
                let pushed = batch.push(Request::flush(disk.0));
                debug_assert!(pushed.is_ok());
            }
        }
        self.execute(&mut batch);
        self.flush_written();
        self.take_rows_without_room(rows)
    }

    /// The bytes at which the slot of a disk's present sequence lies, in ring A and ring B.
    pub(super) fn slot_places(&self, disk: DiskIndex) -> [u64; 2] {
        self.places_of(disk, self.state(disk).sequence)
    }

    /// The bytes at which the slot of a sequence lies, in ring A and ring B.
    fn places_of(&self, disk: DiskIndex, sequence: u64) -> [u64; 2] {
        let state = self.state(disk);
        let at = self.parameters.ring_place(sequence) * u64::from(self.parameters.slot_bytes);
        state.identity.map_or([0; 2], |identity| [identity.ring_a + at, identity.ring_b + at])
    }
}
