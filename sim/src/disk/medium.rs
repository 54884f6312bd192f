//! The durable layer: pristine bytes, and the faults of the medium laid over them.

use crate::pages::{Background, Pages};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// Faults of the medium, kept apart from the bytes. Each is sticky until its place is rewritten, and can be
/// healed singly. The bytes below are never lost.
#[derive(Clone, Debug, Default)]
pub(super) struct Overlay {
    /// Byte address to the bits that read inverted, never 0.
    rot: BTreeMap<u64, u8>,
    /// Sectors that cannot be read.
    unreadable: BTreeSet<u64>,
}

/// What is on the disk whatever happens to the power.
#[derive(Clone, Debug)]
pub(super) struct Medium {
    pub(super) pages: Pages,
    overlay: Overlay,
    sector_bytes: u64,
}

impl Medium {
    pub(super) fn new(sector_bytes: u32, sectors: u64, background: Background) -> Self {
        let sector_bytes = u64::from(sector_bytes);
        Self {
            pages: Pages::new(sectors * sector_bytes, background),
            overlay: Overlay::default(),
            sector_bytes,
        }
    }

    /// Writes bytes, which heals what they cover.
    pub(super) fn write(&mut self, at: u64, bytes: &[u8]) {
        self.pages.write(at, bytes);
        self.rewritten(at..at + bytes.len() as u64);
    }

    /// Drops the faults under a range of bytes that was written. An unreadable sector must be written whole.
    pub(super) fn rewritten(&mut self, range: Range<u64>) {
        if self.is_sound() {
            return;
        }
        let whole = range.start.div_ceil(self.sector_bytes)..range.end / self.sector_bytes;
        self.overlay.rot.retain(|at, _| !range.contains(at));
        self.overlay.unreadable.retain(|lba| !whole.contains(lba));
    }

    /// Whether the medium has no faults.
    pub(super) fn is_sound(&self) -> bool {
        self.overlay.rot.is_empty() && self.overlay.unreadable.is_empty()
    }

    /// The sectors in `lbas` that cannot be read.
    pub(super) fn unreadable(&self, lbas: Range<u64>) -> impl Iterator<Item = u64> {
        self.overlay.unreadable.range(lbas).copied()
    }

    /// The bytes in `range` that rotted: address and inverted bits.
    pub(super) fn rot(&self, range: Range<u64>) -> impl Iterator<Item = (u64, u8)> {
        self.overlay.rot.range(range).map(|(&at, &bits)| (at, bits))
    }

    /// Makes sectors unreadable until they are rewritten.
    pub(super) fn make_unreadable(&mut self, lbas: Range<u64>) {
        self.overlay.unreadable.extend(lbas);
    }

    /// Inverts these bits of a byte; inverting them again heals it.
    pub(super) fn flip(&mut self, at: u64, bits: u8) {
        let rot = self.overlay.rot.entry(at).or_default();
        *rot ^= bits;
        if *rot == 0 {
            self.overlay.rot.remove(&at);
        }
    }

    /// Takes all faults in these sectors away; the pristine bytes are what is read again.
    pub(super) fn heal(&mut self, lbas: Range<u64>) {
        let bytes = lbas.start * self.sector_bytes..lbas.end.saturating_mul(self.sector_bytes);
        self.overlay.rot.retain(|at, _| !bytes.contains(at));
        self.overlay.unreadable.retain(|lba| !lbas.contains(lba));
    }
}
