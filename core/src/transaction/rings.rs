//! The rings of superblocks on each disk: written one slot after the other, read all at a mount.

use super::Store;
use crate::disks::{DiskStatus, Disks};
use crate::error::MountError;
use crate::format::superblock::{self, Superblock};
use crate::types::{Epoch, MemberSet};
use dynamicfs_hal::{Batch, DiskArray, Request};

/// Requests for each disk that a superblock takes: ring A, ring B, a flush.
pub(super) const REQUESTS_PER_SUPERBLOCK: usize = 3;

/// Reads all superblock slots of all members and notes each disk's newest state, sequence and highest claim. A
/// member without any valid slot has lost its state and does not take part.
///
/// A slot that cannot be read, or holds a write that was cut short, may hold something newer: the sector can be read again one
/// day, and the next write to the slot may be cut short so that what it leaves completes the one before.
pub(super) fn survey<A: DiskArray>(disks: &mut Disks<'_, A>, stage: &mut [u8]) -> Result<(), MountError> {
    let bytes = disks.parameters.slot_bytes as usize;
    let image = stage.get_mut(..bytes).ok_or(MountError::NeedsMemory { bytes })?;
    for disk in 0..disks.count() {
        if disks.state(disk).status != DiskStatus::Online {
            continue;
        }
        let (mut any, mut torn) = (false, 0u64);
        for place in 0..u64::from(disks.parameters.ring_length) {
            for ring in 0..2 {
                match read_slot(disks, disk, ring, place, image) {
                    Some(true) => {}
                    Some(false) => {
                        let is_blank = image.iter().all(|&byte| byte == 0);
                        torn |= u64::from(!is_blank) << (place % 64);
                        continue;
                    }
                    None => {
                        disks.state_mut(disk).may_hold_more = true;
                        continue;
                    }
                }
                let Some(view) = Superblock::new(&*image) else { continue };
                let state = disks.state_mut(disk);
                state.claim = state.claim.max(view.claim());
                if !any || view.sequence() > state.sequence {
                    state.sequence = view.sequence();
                    state.order = view.order();
                    state.branch = view.branch();
                    state.root_crc = view.root_crc();
                }
                any = true;
            }
        }
        let next = disks.state(disk).sequence.wrapping_add(1) % u64::from(disks.parameters.ring_length);
        if !any {
            disks.state_mut(disk).status = DiskStatus::Unlabelled;
        } else if torn >> (next % 64) & 1 != 0 {
            disks.state_mut(disk).may_hold_more = true;
        }
    }
    Ok(())
}

/// Reads one slot of one ring; whether it holds a superblock of this disk, `None` if it cannot be read now.
fn read_slot<A: DiskArray>(
    disks: &mut Disks<'_, A>,
    disk: usize,
    ring: usize,
    place: u64,
    image: &mut [u8],
) -> Option<bool> {
    let identity = disks.state(disk).identity?;
    let start = if ring == 0 { identity.ring_a } else { identity.ring_b };
    let at = start.checked_add(place * image.len() as u64)?;
    let p = disks.parameters;
    disks.read_bytes(disk, at, image)?;
    Some(superblock::is_valid(image, p.pool, identity.disk, place, p.ring_length, disks.crc32c))
}

/// Reads a disk's newest superblock, from either ring.
pub(super) fn read_state<A: DiskArray>(
    disks: &mut Disks<'_, A>,
    disk: usize,
    image: &mut [u8],
) -> Option<()> {
    (0..2).any(|ring| reads_newest(disks, disk, ring, image)).then_some(())
}

/// Reads the slot of a ring in which a disk's newest superblock should be; whether it is.
fn reads_newest<A: DiskArray>(disks: &mut Disks<'_, A>, disk: usize, ring: usize, image: &mut [u8]) -> bool {
    let sequence = disks.state(disk).sequence;
    let place = sequence % u64::from(disks.parameters.ring_length);
    read_slot(disks, disk, ring, place, image) == Some(true)
        && Superblock::new(&*image).is_some_and(|view| view.sequence() == sequence)
}

impl<A: DiskArray> Store<'_, A> {
    /// How many of the slots that hold the newest superblock are not right, of both rings of all members that take part; the
    /// next commit writes it anew. Once this mount has an epoch: what a crash left half-way is behind it then.
    pub fn count_wrong_slots(&mut self) -> usize {
        let disks = &mut self.tree.disks;
        let image = &mut self.stage[..disks.parameters.slot_bytes as usize];
        let mut wrong = 0;
        for disk in 0..disks.count() {
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
    pub(crate) fn seal_superblock(&mut self, disk: usize, image: &mut [u8], claim: Epoch) {
        let crc32c = self.crc32c;
        let state = self.state_mut(disk);
        state.sequence += 1;
        state.claim = state.claim.max(claim);
        let (sequence, claim, id) =
            (state.sequence, state.claim, state.identity.map_or_else(Default::default, |i| i.disk));
        if let Some(mut view) = Superblock::new(image) {
            view.seal(id, sequence, claim, crc32c);
        }
    }

    /// Writes the images, one of `bytes` for each disk in order, to both rings of the disks, and flushes them.
    pub(crate) fn write_slots(&mut self, disks: MemberSet, images: &[u8], bytes: usize) {
        let mut batch = A::Batch::default();
        for (image, disk) in images.chunks_exact(bytes).zip(disks.iter()) {
            for at in self.slot_places(disk) {
                let pushed = batch.push(Request::write(disk, self.lba_of_byte(disk, at), image));
                debug_assert!(pushed.is_ok());
            }
        }
        if <A::Batch<'_> as Batch<'_>>::CAPACITY >= REQUESTS_PER_SUPERBLOCK * disks.len() {
            for disk in disks.iter() {
                let pushed = batch.push(Request::flush(disk));
                debug_assert!(pushed.is_ok());
            }
        }
        self.execute(&mut batch);
        self.flush_written();
    }

    /// The bytes at which the slot of a disk's present sequence lies, in ring A and ring B.
    pub(super) fn slot_places(&self, disk: usize) -> [u64; 2] {
        let state = self.state(disk);
        let at =
            state.sequence % u64::from(self.parameters.ring_length) * u64::from(self.parameters.slot_bytes);
        state.identity.map_or([0; 2], |identity| [identity.ring_a + at, identity.ring_b + at])
    }
}
