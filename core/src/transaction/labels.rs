//! What stands at the beginning of a disk, at its copy's place and at its end: that it is a member of the pool.

use super::Memory;
use super::Store;
use crate::build::MULTI;
use crate::disks::{DiskStatus, Disks};
use crate::error::{Code, FormatError};
use crate::format::label::{self, DiskIdentity, LABEL_BYTES, LABELS, Label, LabelFault};
use crate::format::parameters::PoolParameters;
use crate::format::places;
use crate::logging::tell;
use crate::types::{DiskIndex, Uuid};
use dynamicfs_hal::{Crc32c, DiskArray, IoError, Request};

type Bytes = [u8; LABEL_BYTES];

pub(super) fn encode(parameters: &PoolParameters, identity: &DiskIdentity, crc32c: Crc32c) -> Bytes {
    let mut bytes = [0; LABEL_BYTES];
    label::encode(&mut bytes, parameters, identity, crc32c);
    bytes
}

/// What the labels of a disk say together.
pub(super) struct Labels {
    /// Whether the disk gave any of the places.
    pub(super) answered: bool,
    /// Places that could not be read.
    unread: usize,
    /// The label that is right, if one is whole.
    found: Option<(PoolParameters, DiskIdentity)>,
    /// One of a newer format. It decides, whatever the others say: it was written later.
    newer: Option<LabelFault>,
    /// One of them names features that this code does not know and that only a writer must know.
    pub(super) must_not_write: bool,
}

impl Labels {
    /// Reads the labels of a disk: the first one and where it says that the others are. Where it says nothing, wherever
    /// labels may be.
    pub(super) fn read<A: DiskArray>(disks: &mut Disks<'_, A>, disk: DiskIndex, buf: &mut [u8]) -> Self {
        let mut labels = Self { answered: false, unread: 0, found: None, newer: None, must_not_write: false };
        labels.look(disks, disk, 0, buf);
        if labels.newer.is_some() {
            return labels;
        }
        let is_first_whole = labels.found.is_some();
        let mut end = 0;
        if let Some((_, identity)) = labels.found {
            labels.look(disks, disk, identity.copy_at, buf);
            labels.look(disks, disk, identity.end_at, buf);
            end = identity.end_at;
        } else {
            for at in places::candidates(&disks.geometry(disk)) {
                labels.look(disks, disk, at, buf);
            }
        }
        // Another end than the one that was looked at: the first label is an older one, or was lost.
        if labels.newer.is_none()
            && let Some((_, identity)) = labels.found
            && identity.end_at != end
        {
            labels.look(disks, disk, identity.end_at, buf);
        }
        if !is_first_whole && labels.found.is_some() {
            tell!(warn, "disk {}: the label at its beginning is lost, a copy is used", disk.0);
        }
        labels
    }

    /// Reads the place at this byte.
    fn look<A: DiskArray>(&mut self, disks: &mut Disks<'_, A>, disk: DiskIndex, at: u64, buf: &mut [u8]) {
        if disks.read_bytes(disk, at, buf).is_none() {
            self.unread += 1;
            return;
        }
        self.answered = true;
        let (parameters, identity) = match label::decode(buf, disks.crc32c) {
            Ok(label) => label,
            Err(fault) => {
                if matches!(fault, LabelFault::Unsupported { .. }) && self.newer.is_none() {
                    self.newer = Some(fault);
                }
                return;
            }
        };
        // What is not where it says that it is was left there by something else.
        if !identity.label_places().contains(&at) {
            return;
        }
        self.must_not_write |= Label::new(&*buf).is_some_and(|label| label.ro_compat() != 0);
        let is_later =
            |(_, first): &(_, DiskIdentity)| first.disk == identity.disk && first.serial < identity.serial;
        if self.found.as_ref().is_none_or(is_later) {
            self.found = Some((parameters, identity));
        }
    }
}

/// Reads each disk's labels, takes the parameters from the first of the wanted pool, and marks its members
/// online.
///
/// A disk that is shorter than its label says takes part only where nothing will be written (`reads_only`).
#[inline(never)] // Once, and not in each of its callers.
pub(super) fn read_labels<A: DiskArray>(
    disks: &mut Disks<'_, A>,
    bytes: &mut [u8],
    (wanted, reads_only): (Option<Uuid>, bool),
    alignment: usize,
) -> Result<(), Code> {
    let mut is_known = false;
    // The first disk of a newer format, and the pool that it says it is of.
    let mut unsupported = None;
    // The first disk on which a label may be that was not read.
    let mut unread = None;
    for disk in disks.all() {
        let geometry = disks.geometry(disk);
        if geometry.sectors == 0 {
            continue;
        }
        if geometry.check().is_err() {
            unread = unread.or(Some(disk));
            continue;
        }
        let skip = bytes.as_ptr().align_offset(alignment);
        let sector = geometry.sector_bytes as usize;
        let buf = bytes
            .get_mut(skip..)
            .and_then(|b| b.get_mut(..sector))
            .ok_or_else(|| disks.about.lends(Memory::needs_bytes(sector + alignment, disks.count())))?;
        let labels = Labels::read(disks, disk, buf);
        disks.state_mut(disk).status =
            if labels.answered { DiskStatus::Unlabelled } else { DiskStatus::Gone };
        if let Some(LabelFault::Unsupported { version, incompat, algorithm, pool }) = labels.newer {
            if unsupported.is_none() && wanted.is_none_or(|wanted| wanted == pool) {
                unsupported = Some(pool);
                disks.about.unsupported(disk, (version, incompat, algorithm));
            }
            continue;
        }
        let Some((found, identity)) = labels.found else {
            if labels.unread >= LABELS {
                unread = unread.or(Some(disk));
            }
            continue;
        };
        let pool = if is_known { Some(disks.parameters.pool) } else { wanted };
        if pool.is_some_and(|pool| pool != found.pool) {
            disks.state_mut(disk).status = DiskStatus::Foreign;
            continue;
        }
        if is_known && disks.parameters != found {
            return Err(disks.about.on(disk, Code::LabelsDisagree));
        }
        let state = disks.state_mut(disk);
        (state.identity, state.blocks) = (Some(identity), identity.data_blocks);
        if !found.fits_sectors(geometry.sector_bytes) {
            state.status = DiskStatus::LargeSectors;
            continue;
        }
        (disks.parameters, is_known) = (found, true);
        let state = disks.state_mut(disk);
        state.is_cut = geometry.bytes() < identity.bytes_needed(&found);
        if state.is_cut && !reads_only {
            state.status = DiskStatus::Truncated;
            continue;
        }
        let clone = disks.all().take_while(|&other| other < disk).filter(|_| MULTI).find(|&other| {
            let other = disks.state(other);
            other.status == DiskStatus::Online && other.identity.is_some_and(|i| i.disk == identity.disk)
        });
        if let Some(first) = clone {
            return Err(disks.about.two(first, disk, Code::Cloned));
        }
        let state = disks.state_mut(disk);
        state.status = DiskStatus::Online;
        state.must_not_write = labels.must_not_write;
    }
    match unsupported {
        // Some of its disks are of a newer version already: to go on with the others would leave those
        // behind.
        Some(pool) if !is_known || pool == disks.parameters.pool => Err(Code::Unsupported),
        _ if is_known => Ok(()),
        _ => match unread {
            Some(disk) => Err(disks.about.on(disk, Code::LabelUnreadable)),
            None => Err(unfit(disks, Code::NoPool)),
        },
    }
}

/// Why there is no pool, or too little of one: where a disk is there and cannot be used as it is, that disk.
pub(super) fn unfit<A: DiskArray>(disks: &mut Disks<'_, A>, error: Code) -> Code {
    let unfit = |disk: &DiskIndex| {
        matches!(disks.state(*disk).status, DiskStatus::Truncated | DiskStatus::LargeSectors)
    };
    let (Some(disk), Code::NoPool | Code::NoSuperblock | Code::Missing) = (disks.all().find(unfit), error)
    else {
        return error;
    };
    let (state, geometry) = (disks.state(disk), disks.geometry(disk));
    if state.status == DiskStatus::LargeSectors {
        disks.about.sector_bytes = geometry.sector_bytes;
        return disks.about.on(disk, Code::LargeSectors);
    }
    let needed = state.identity.map_or(0, |identity| identity.bytes_needed(&disks.parameters));
    disks.about.lengths = (geometry.bytes(), needed);
    disks.about.on(disk, Code::Truncated)
}

impl<A: DiskArray> Store<'_, A> {
    /// Writes the labels: from here on the disks are a pool. The first commit comes before.
    pub fn write_labels(&mut self) -> Result<(), FormatError<Code>> {
        for disk in self.tree.disks.all() {
            let Some(identity) = self.tree.disks.state(disk).identity else { continue };
            self.write_label(disk, &identity)?;
        }
        // Two places of the array with one disk between them would count as two.
        let (disks, stage) = (&mut self.tree.disks, &mut *self.stage);
        match disks.all().find(|&disk| !disks.has_own_label(disk, stage)) {
            Some(disk) => Err(FormatError::Overwritten { disk }),
            None => Ok(()),
        }
    }

    /// Writes a member's label to all its places, durably.
    pub(super) fn write_label(
        &mut self,
        disk: DiskIndex,
        identity: &DiskIdentity,
    ) -> Result<(), FormatError<Code>> {
        let disks = &mut self.tree.disks;
        let label = encode(&disks.parameters, identity, disks.crc32c);
        disks.write_label(disk, &label, identity.label_places(), self.stage)
    }

    /// Writes the labels of members anew that cannot be read or are not whole: how many. One of a newer format is left
    /// alone.
    #[expect(clippy::indexing_slicing, reason = "a sector has at least 512 bytes, a label's")]
    pub fn mend_labels(&mut self) -> usize {
        if self.look_if_idle().is_err() {
            // The next transaction is refused for it.
            return 0;
        }
        let disks = &mut self.tree.disks;
        let (parameters, crc32c) = (disks.parameters, disks.crc32c);
        let mut mended = 0;
        for disk in disks.all() {
            let state = disks.state(disk);
            let (DiskStatus::Online, Some(identity)) = (state.status, state.identity) else { continue };
            let geometry = disks.geometry(disk);
            let Some(sector) = self.stage.get_mut(..geometry.sector_bytes as usize) else { continue };
            for at in identity.label_places() {
                let lba = disks.lba_of_byte(disk, at);
                let read = disks.execute_one(Request::read(disk.0, lba, sector));
                let found = read.map_or(Err(LabelFault::Absent), |()| label::decode(sector, crc32c));
                if found == Ok((parameters, identity)) || matches!(found, Err(LabelFault::Unsupported { .. }))
                {
                    continue;
                }
                sector.fill(0);
                sector[..LABEL_BYTES].copy_from_slice(&encode(&parameters, &identity, crc32c));
                // One at a time: the others are whole while this one is in flight.
                let written = disks.execute_one(Request::write(disk.0, lba, sector));
                let flushed = written.and_then(|()| disks.execute_one(Request::flush(disk.0)));
                mended += usize::from(flushed.is_ok());
            }
        }
        mended
    }

    /// Takes the labels off the disk of a member that left. Not off another one that is in its place by now:
    /// it was not looked at since the member went out of use.
    pub fn forget_disk(&mut self, disk: DiskIndex) -> Result<(), FormatError<Code>> {
        if !self.tree.disks.has_own_label(disk, self.stage) {
            return Err(FormatError::Io { disk, error: IoError::Gone });
        }
        let identity = self.tree.disks.state(disk).identity;
        let places = identity.map_or([0; LABELS], |identity| identity.label_places());
        self.tree.disks.write_label(disk, &[0; LABEL_BYTES], places, self.stage)?;
        let state = self.tree.disks.state_mut(disk);
        (state.status, state.identity) = (DiskStatus::Unlabelled, None);
        Ok(())
    }
}

impl<A: DiskArray> Disks<'_, A> {
    /// Whether a disk still has a label of the member that it was mounted as, or none of their places can be read.
    pub(super) fn has_own_label(&mut self, disk: DiskIndex, buf: &mut [u8]) -> bool {
        let (geometry, crc32c, pool) = (self.geometry(disk), self.crc32c, self.parameters.pool);
        let Some(identity) = self.state(disk).identity else { return false };
        let Some(sector) = buf.get_mut(..geometry.sector_bytes as usize) else { return true };
        let mut answered = false;
        for at in identity.label_places() {
            if self.read_bytes(disk, at, sector).is_some() {
                answered = true;
                let label = label::decode(sector, crc32c);
                if label.is_ok_and(|(p, found)| p.pool == pool && found.disk == identity.disk) {
                    return true;
                }
            }
        }
        !answered
    }

    /// Whether a disk has its label at the end, as far as that place can be read.
    pub(super) fn may_have_end(&mut self, disk: DiskIndex, buf: &mut [u8]) -> bool {
        let (bytes, crc32c) = (self.geometry(disk).sector_bytes as usize, self.crc32c);
        let (Some(identity), Some(sector)) = (self.state(disk).identity, buf.get_mut(..bytes)) else {
            return true;
        };
        self.read_bytes_again(disk, identity.end_at, sector).is_none()
            || label::decode(sector, crc32c).is_ok_and(|(_, found)| found.disk == identity.disk)
    }

    /// Runs a request that must not fail.
    pub(super) fn must(&mut self, request: Request<'_>) -> Result<(), FormatError<Code>> {
        let disk = DiskIndex(request.disk);
        self.execute_one(request).map_err(|error| FormatError::Io { disk, error })
    }

    /// Overwrites the labels of a disk, so that a crash while it becomes a member leaves no half of one. It
    /// also overwrites its rings: on a board whose random numbers repeat, a superblock of an earlier pool
    /// would look like one of this pool.
    pub(super) fn wipe(
        &mut self,
        disk: DiskIndex,
        identity: &DiskIdentity,
        stage: &mut [u8],
    ) -> Result<(), FormatError<Code>> {
        let (bytes, slot_bytes) = (self.parameters.superblock_bytes(), u64::from(self.parameters.slot_bytes));
        let geometry = self.geometry(disk);
        let labels = core::iter::once(0).chain(places::candidates(&geometry)).chain(identity.label_places());
        self.write_label(disk, &[0; LABEL_BYTES], labels, stage)?;
        let slot = stage
            .get_mut(..bytes)
            .ok_or(FormatError::NeedsMemory(Memory::needs_bytes(bytes, self.count())))?;
        slot.fill(0);
        for n in 0..u64::from(self.parameters.ring_length) {
            for ring in [identity.ring_a, identity.ring_b] {
                let lba = self.lba_of_byte(disk, ring + n * slot_bytes);
                self.must(Request::write(disk.0, lba, slot))?;
            }
        }
        self.must(Request::flush(disk.0))
    }

    /// Writes a label to these places, durably, one after the other: a power cut damages one of them at most.
    #[expect(clippy::indexing_slicing, reason = "a sector has at least 512 bytes, a label's")]
    pub(super) fn write_label(
        &mut self,
        disk: DiskIndex,
        label: &Bytes,
        places: impl IntoIterator<Item = u64>,
        stage: &mut [u8],
    ) -> Result<(), FormatError<Code>> {
        let bytes = self.geometry(disk).sector_bytes as usize;
        let sector = stage
            .get_mut(..bytes)
            .ok_or(FormatError::NeedsMemory(Memory::needs_bytes(bytes, self.count())))?;
        sector.fill(0);
        sector[..LABEL_BYTES].copy_from_slice(label);
        for at in places {
            self.must(Request::write(disk.0, self.lba_of_byte(disk, at), sector))?;
            self.must(Request::flush(disk.0))?;
        }
        Ok(())
    }
}
