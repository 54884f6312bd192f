//! What stands at the beginning and the end of a disk: that it is a member of the pool.

use super::Store;
use crate::disks::{DiskStatus, Disks};
use crate::error::FormatError;
use crate::format::label::{self, DiskIdentity, LABEL_BYTES, LabelFault, PoolParameters};
use dynamicfs_hal::{Crc32c, DiskArray, Request};

type Bytes = [u8; LABEL_BYTES];

fn encode(parameters: &PoolParameters, identity: &DiskIdentity, crc32c: Crc32c) -> Bytes {
    let mut bytes = [0; LABEL_BYTES];
    label::encode(&mut bytes, parameters, identity, crc32c);
    bytes
}

impl<A: DiskArray> Store<'_, A> {
    /// Writes the labels: from here on the disks are a pool. The first commit comes before.
    pub fn write_labels(&mut self) -> Result<(), FormatError> {
        for disk in 0..self.tree.disks.count() {
            let Some(identity) = self.tree.disks.state(disk).identity else { continue };
            self.write_label(disk, &identity)?;
        }
        Ok(())
    }

    /// Writes a member's label to the first and the last sector of its disk, durably.
    pub(super) fn write_label(&mut self, disk: usize, identity: &DiskIdentity) -> Result<(), FormatError> {
        let disks = &mut self.tree.disks;
        let label = encode(&disks.parameters, identity, disks.crc32c);
        disks.write_label(disk, &label, self.stage)
    }

    /// Writes the labels of members anew that cannot be read or are not whole: how many. One of a newer format is left
    /// alone.
    pub fn mend_labels(&mut self) -> usize {
        let disks = &mut self.tree.disks;
        let (parameters, crc32c) = (disks.parameters, disks.crc32c);
        let mut mended = 0;
        for disk in 0..disks.count() {
            let state = disks.state(disk);
            let (DiskStatus::Online, Some(identity)) = (state.status, state.identity) else { continue };
            let geometry = disks.geometry(disk);
            let Some(sector) = self.stage.get_mut(..geometry.sector_bytes as usize) else { continue };
            for lba in [0, geometry.sectors - 1] {
                let read = disks.execute_one(Request::read(disk, lba, sector));
                let found = read.map_or(Err(LabelFault::Absent), |()| label::decode(sector, crc32c));
                if found == Ok((parameters, identity)) || matches!(found, Err(LabelFault::Unsupported { .. }))
                {
                    continue;
                }
                sector.fill(0);
                sector[..LABEL_BYTES].copy_from_slice(&encode(&parameters, &identity, crc32c));
                // One at a time: the other is whole while this one is in flight.
                let written = disks.execute_one(Request::write(disk, lba, sector));
                let flushed = written.and_then(|()| disks.execute_one(Request::flush(disk)));
                mended += usize::from(flushed.is_ok());
            }
        }
        mended
    }

    /// Takes the labels off the disk of a member that left.
    pub fn forget_disk(&mut self, disk: usize) -> Result<(), FormatError> {
        self.tree.disks.write_label(disk, &[0; LABEL_BYTES], self.stage)?;
        let state = self.tree.disks.state_mut(disk);
        (state.status, state.identity) = (DiskStatus::Unlabelled, None);
        Ok(())
    }
}

impl<A: DiskArray> Disks<'_, A> {
    /// Whether a disk still has the label with which it was mounted, or none of its places can be read.
    pub(super) fn has_own_label(&mut self, disk: usize, buf: &mut [u8]) -> bool {
        let (geometry, crc32c) = (self.geometry(disk), self.crc32c);
        let own = self.state(disk).identity.map(|identity| (self.parameters, identity));
        let Some(sector) = buf.get_mut(..geometry.sector_bytes as usize) else { return true };
        let mut answered = false;
        for lba in [0, geometry.sectors.saturating_sub(1)] {
            if self.execute_one(Request::read(disk, lba, sector)).is_ok() {
                answered = true;
                if label::decode(sector, crc32c).ok() == own {
                    return true;
                }
            }
        }
        !answered
    }

    /// Runs a request that must not fail.
    pub(super) fn must(&mut self, request: Request<'_>) -> Result<(), FormatError> {
        let disk = request.disk;
        self.execute_one(request).map_err(|error| FormatError::Io { disk, error })
    }

    /// Overwrites the labels of a disk, so that a crash while it becomes a member leaves no half of one, and its rings: on
    /// a board whose random numbers repeat, a superblock of the pool that was there before would look like one of this
    /// pool.
    pub(super) fn wipe(
        &mut self,
        disk: usize,
        identity: &DiskIdentity,
        stage: &mut [u8],
    ) -> Result<(), FormatError> {
        let slot_bytes = self.parameters.slot_bytes as usize;
        self.write_label(disk, &[0; LABEL_BYTES], stage)?;
        let slot = stage.get_mut(..slot_bytes).ok_or(FormatError::NeedsMemory { bytes: slot_bytes })?;
        slot.fill(0);
        for n in 0..u64::from(self.parameters.ring_length) {
            for ring in [identity.ring_a, identity.ring_b] {
                let lba = self.lba_of_byte(disk, ring + n * slot_bytes as u64);
                self.must(Request::write(disk, lba, slot))?;
            }
        }
        self.must(Request::flush(disk))
    }

    fn write_label(&mut self, disk: usize, label: &Bytes, stage: &mut [u8]) -> Result<(), FormatError> {
        let geometry = self.geometry(disk);
        let bytes = geometry.sector_bytes as usize;
        let sector = stage.get_mut(..bytes).ok_or(FormatError::NeedsMemory { bytes })?;
        sector.fill(0);
        sector[..LABEL_BYTES].copy_from_slice(label);
        for lba in [0, geometry.sectors - 1] {
            self.must(Request::write(disk, lba, sector))?;
        }
        self.must(Request::flush(disk))
    }
}
