//! Buffers as the disks ask for them.
//!
//! A disk may ask for buffers at multiples of some alignment in memory. What the core hands it lies where the caller or
//! the cache has it. A request that does not suit goes through memory that does, piece by piece, alone; the others of
//! its batch go straight. Where no disk asks for alignment none of this costs anything.
//!
//! A request that contradicts the geometry of its disk is a mistake of the core or the array, and not an
//! error of the disk. It is not counted, and takes no disk out of use. A write of that kind is remembered,
//! and its transaction fails.

use super::Disks;
use crate::build::{MULTI, STAGING};
use dynamicfs_hal::{DiskArray, IoError, Operation, Request};

/// The alignment in memory that all disks of an array are content with, 1 where none asks for any.
pub(crate) fn alignment_of<A: DiskArray>(array: &A, disks: usize) -> usize {
    let geometries = (0..disks).map(|disk| array.geometry(disk)).filter(|geometry| geometry.check().is_ok());
    geometries.map(|geometry| geometry.buffer_alignment as usize).max().unwrap_or(1)
}

/// The feature that this build lacks for these disks.
pub(crate) fn lacking_for<A: DiskArray>(array: &A, disks: usize) -> Option<&'static str> {
    match () {
        () if !MULTI && disks > 1 => Some("multi"),
        () if !STAGING && alignment_of(array, disks) > 1 => Some("staging"),
        () => None,
    }
}

/// The bytes that a request moves, if it moves any.
fn buffer<'r>(request: &'r Request<'_>) -> Option<&'r [u8]> {
    match &request.operation {
        Operation::Read(buf) => Some(buf),
        Operation::Write(buf) | Operation::WriteDurable(buf) => Some(buf),
        Operation::Flush | Operation::Discard(_) => None,
    }
}

impl<'m, A: DiskArray> Disks<'m, A> {
    /// The alignment in memory that all disks are content with.
    pub(crate) const fn buffer_alignment(&self) -> usize {
        self.alignment
    }

    /// Lends memory for buffers that are not aligned: itself aligned, and no shorter than a sector.
    pub(crate) fn lend_staging(&mut self, bytes: &'m mut [u8]) {
        self.staging = bytes;
    }

    fn is_aligned(&self, request: &Request<'_>) -> bool {
        buffer(request).is_none_or(|buf| buf.as_ptr().addr().is_multiple_of(self.alignment))
    }

    /// Runs requests, those that are not aligned through the memory that was lent.
    pub(super) fn send(&mut self, requests: &mut [Request<'_>], work: &mut dyn FnMut()) {
        if !STAGING || self.alignment <= 1 || requests.iter().all(|request| self.is_aligned(request)) {
            self.array.execute_while(requests, work);
        } else {
            work();
            self.send_staged(requests);
        }
    }

    /// In their order, so that a flush covers what is before it.
    // Not part of its caller, whose stack would hold it in every request.
    #[inline(never)]
    fn send_staged(&mut self, mut requests: &mut [Request<'_>]) {
        loop {
            let aligned = requests.iter().take_while(|request| self.is_aligned(request)).count();
            let (straight, rest) = requests.split_at_mut(aligned);
            if !straight.is_empty() {
                self.array.execute(straight);
            }
            let Some((staged, rest)) = rest.split_first_mut() else { return };
            self.stage(staged);
            requests = rest;
        }
    }

    /// Runs a request that moves bytes, piece by piece.
    #[expect(
        clippy::indexing_slicing,
        reason = "no part is longer than a piece, nor a piece than what was lent"
    )]
    fn stage(&mut self, request: &mut Request<'_>) {
        let sector = self.array.geometry(request.disk).sector_bytes.max(1) as usize;
        let piece = self.staging.len() / sector * sector;
        if piece == 0 {
            request.result = Err(IoError::NotAligned);
            return;
        }
        let (disk, patience) = (request.disk, request.patience);
        let (array, staging) = (&mut self.array, &mut *self.staging);
        let (mut lba, mut micros) = (request.lba, 0_u32);
        let mut run = |operation: Operation<'_>, bytes: usize| {
            let left = patience.saturating_sub(micros).max(1);
            let piece = Request::new(disk, lba, operation).with_patience(if patience > 0 { left } else { 0 });
            let mut piece = [piece];
            array.execute(&mut piece);
            micros = micros.saturating_add(piece[0].micros);
            lba += (bytes / sector) as u64;
            piece[0].result
        };
        request.result = match &mut request.operation {
            Operation::Read(buf) => buf.chunks_mut(piece).try_for_each(|part| {
                let staged = &mut staging[..part.len()];
                run(Operation::Read(&mut *staged), part.len())?;
                part.copy_from_slice(staged);
                Ok(())
            }),
            Operation::Write(buf) => buf.chunks(piece).try_for_each(|part| {
                let staged = &mut staging[..part.len()];
                staged.copy_from_slice(part);
                run(Operation::Write(staged), part.len())
            }),
            Operation::WriteDurable(buf) => buf.chunks(piece).try_for_each(|part| {
                let staged = &mut staging[..part.len()];
                staged.copy_from_slice(part);
                run(Operation::WriteDurable(staged), part.len())
            }),
            Operation::Flush | Operation::Discard(_) => Ok(()),
        };
        request.micros = micros;
    }

    /// Whether a request failed because it does not suit the disk by the disk's own word.
    pub(super) fn is_misfit(&self, request: &Request<'_>, error: IoError) -> bool {
        if !matches!(error, IoError::NotAligned | IoError::OutOfBounds) {
            return false;
        }
        let geometry = self.array.geometry(request.disk);
        let (sector, alignment) =
            (geometry.sector_bytes.max(1) as usize, geometry.buffer_alignment.max(1) as usize);
        let Some(buf) = buffer(request) else { return false };
        let end = request.lba.checked_add((buf.len() / sector) as u64);
        !buf.len().is_multiple_of(sector)
            || !buf.as_ptr().addr().is_multiple_of(alignment)
            || end.is_none_or(|end| end > geometry.sectors)
    }
}
