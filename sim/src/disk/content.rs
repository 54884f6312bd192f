//! What tests and the fault table do to a disk from outside, and what they can look at.

use super::cache::Cache;
use super::{IoKind, Medium, Mishap, SimDisk};
use crate::pages::Background;
use dynamicfs_hal::{BlockDevice, Geometry, IoError};
use std::ops::Range;

impl SimDisk {
    /// Takes the disk away: every request gets [`IoError::Gone`] until [`plug`](Self::plug). What is cached stays
    /// in it; the geometry stays what the host saw when it opened the disk.
    pub const fn unplug(&mut self) {
        self.switches.unplugged = true;
    }

    /// Brings the disk back, opened anew.
    pub const fn plug(&mut self) {
        self.switches.unplugged = false;
        self.switches.reopen();
    }

    /// The disk is opened anew: one that stopped answering does so again, one that is unplugged does not.
    pub fn reopen(&mut self) {
        self.switches.reopen();
        // The process that had given something up is gone.
        (self.given_up, self.outcome) = (None, None);
    }

    /// Makes the disk refuse writes and discards, or take them again.
    pub const fn set_read_only(&mut self, read_only: bool) {
        self.switches.read_only = read_only;
    }

    /// The next `requests` requests of this kind that reach the disk report `error`; 0 switches it off. It
    /// replaces what was set for this kind before.
    pub fn fail_next(&mut self, kind: IoKind, requests: u64, error: IoError) {
        self.mishap_next(kind, requests, Mishap::Fail(error));
    }

    /// The next `requests` requests of this kind that reach the disk go wrong in this way; 0 switches it off. It
    /// replaces what was set for this kind before.
    pub fn mishap_next(&mut self, kind: IoKind, requests: u64, mishap: Mishap) {
        self.switches.expect(kind, 0, requests, mishap);
    }

    /// Whether it answers, no request is in for a mishap, and writes are not refused.
    pub const fn is_calm(&self) -> bool {
        self.switches.answers() && self.switches.is_calm() && !self.switches.read_only
    }

    /// After `well` more requests of this kind, the next one that reaches the disk reports `error`. It replaces what
    /// was set for this kind before.
    pub fn fail_after(&mut self, kind: IoKind, well: u64, error: IoError) {
        self.switches.expect(kind, well, 1, Mishap::Fail(error));
    }

    /// The next write that begins in one of these sectors fails once, or with `at_flush` the first flush after it.
    pub fn fail_at(&mut self, places: Vec<Range<u64>>, at_flush: bool) {
        self.switches.wait_at(places, at_flush);
    }

    /// Whether a failure waits at certain places.
    pub(crate) const fn is_in_wait(&self) -> bool {
        self.switches.is_in_wait()
    }

    /// No request is in for a mishap any more; the disk takes writes.
    pub fn calm(&mut self) {
        self.switches.calm();
        self.switches.read_only = false;
    }

    /// After `well` more requests of this kind, the next `requests` go wrong in this way. It replaces what was set for
    /// this kind before.
    pub fn mishap_after(&mut self, kind: IoKind, well: u64, requests: u64, mishap: Mishap) {
        self.switches.expect(kind, well, requests, mishap);
    }

    /// Whether no sector is rotten or unreadable.
    pub fn is_sound(&self) -> bool {
        self.medium.is_sound()
    }

    /// Makes sectors of the medium unreadable until they are rewritten: latent sector errors.
    pub fn make_unreadable(&mut self, lbas: Range<u64>) {
        self.medium.make_unreadable(lbas);
    }

    /// Inverts `bits` of one byte of the medium, `at` bytes from the disk's beginning: bit rot. It lasts until the
    /// byte is rewritten; inverting the same bits again heals it.
    pub fn flip_bits(&mut self, at: u64, bits: u8) {
        self.medium.flip(at, bits);
    }

    /// Takes all faults of the medium in these sectors away.
    pub fn heal(&mut self, lbas: Range<u64>) {
        self.medium.heal(lbas);
    }

    /// Reads durable bytes as they were written, without the medium's faults and whatever the switches say: the
    /// truth that an oracle compares with. `at` counts bytes.
    ///
    /// # Panics
    /// When the range lies beyond the disk's end.
    pub fn pristine(&self, at: u64, buf: &mut [u8]) {
        self.assert_inside(at..at + buf.len() as u64);
        self.medium.pages.read(at, buf);
    }

    /// Overwrites durable bytes from outside, cached versions of them included. Tests use it for well-formed
    /// lies, and for bytes that another program may have written. `at` counts bytes.
    ///
    /// # Panics
    /// When the range lies beyond the disk's end.
    pub fn overwrite(&mut self, at: u64, bytes: &[u8]) {
        let range = at..at + bytes.len() as u64;
        self.assert_inside(range.clone());
        self.cache.forget(range);
        self.cache.pages.write(at, bytes);
        self.medium.write(at, bytes);
    }

    /// All bytes are zero, nothing is cached, the medium is sound.
    pub fn wipe(&mut self) {
        self.fill(Background::Zeros);
    }

    /// Another disk stands in its place, never written: it reads as noise of this seed. Its geometry may differ.
    ///
    /// # Panics
    /// When the geometry is out of its bounds.
    pub fn replace(&mut self, geometry: Geometry, seed: u64) {
        *self = Self::new(geometry, seed);
    }

    /// A copy of the disk onto a smaller one: the same bytes as far as they fit, everything durable.
    ///
    /// # Panics
    /// When the disk has fewer sectors.
    #[must_use]
    pub fn shortened(&self, sectors: u64) -> Self {
        assert!(sectors <= self.geometry.sectors, "a copy on a smaller disk");
        let mut copy = self.clone();
        copy.cache.settle_all(&mut copy.medium);
        copy.geometry.sectors = sectors;
        copy.medium.pages.shorten(copy.geometry.bytes());
        copy.cache = Cache::over(copy.medium.pages.clone());
        copy
    }

    /// The image or volume is cut or enlarged while no process has it open. Everything is durable, and new
    /// space reads as noise or as its former contents.
    pub fn resize(&mut self, sectors: u64) {
        if sectors <= self.geometry.sectors {
            *self = self.shortened(sectors);
            return;
        }
        self.cache.settle_all(&mut self.medium);
        self.geometry.sectors = sectors;
        self.medium.pages.lengthen(self.geometry.bytes());
        self.cache = Cache::over(self.medium.pages.clone());
    }

    /// Puts the durable bytes of an earlier image back, with its faults; nothing is cached. Counters, switches and
    /// the further randomness stay this disk's own.
    ///
    /// # Panics
    /// When the geometries differ.
    pub fn roll_back(&mut self, image: &Self) {
        assert_eq!(self.geometry, image.geometry, "an image fits the disk that it was taken of");
        self.medium = image.medium.clone();
        self.cache = Cache::over(self.medium.pages.clone());
    }

    /// Puts the durable bytes of an earlier image back in these sectors alone.
    ///
    /// # Panics
    /// When the geometries differ or the sectors lie beyond the disk's end.
    pub fn roll_back_region(&mut self, image: &Self, lbas: Range<u64>) {
        assert_eq!(self.geometry, image.geometry, "an image fits the disk that it was taken of");
        let mut sector = vec![0; self.geometry.sector_bytes as usize];
        for lba in lbas {
            image.pristine(self.address(lba), &mut sector);
            self.overwrite(self.address(lba), &sector);
        }
    }

    /// A hash of the durable bytes that differ from an earlier fork's: equal for equal bytes.
    pub(crate) fn difference(&self, base: &Self) -> u64 {
        self.medium.pages.difference(&base.medium.pages)
    }

    /// Memory that the disk's durable bytes take, in bytes, pages shared with forks included.
    pub fn memory_bytes(&self) -> u64 {
        self.medium.pages.written() * crate::pages::PAGE_BYTES as u64
    }

    fn fill(&mut self, background: Background) {
        let Geometry { sector_bytes, sectors, .. } = self.geometry();
        self.medium = Medium::new(sector_bytes, sectors, background);
        self.cache = Cache::over(self.medium.pages.clone());
    }

    fn assert_inside(&self, range: Range<u64>) {
        assert!(range.end <= self.geometry.bytes(), "bytes {range:?} lie beyond the disk's end");
    }
}
