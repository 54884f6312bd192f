//! The volatile layer: what was written and not flushed.
//!
//! The log keeps every unflushed write in order, so that a power cut can leave any version of a tear unit. Beside
//! it stand the pages that a read sees: the medium with the whole log applied. A flush that covers everything is
//! then one shared pointer moved down, and a read never searches the log.

use super::medium::Medium;
use crate::pages::Pages;
use std::ops::Range;
use std::sync::Arc;

/// One unflushed write, or what newer durable writes left of it.
#[derive(Clone, Debug)]
pub(super) struct CachedWrite {
    at: u64,
    data: Arc<[u8]>,
    /// The part of `data` that still counts; `at` is the address of its first byte.
    part: Range<usize>,
}

impl CachedWrite {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.data[self.part.clone()]
    }

    pub(super) fn range(&self) -> Range<u64> {
        self.at..self.at + self.part.len() as u64
    }

    /// The write cut at the boundaries of `unit` bytes: addresses and bytes.
    pub(super) fn pieces(&self, unit: u64) -> impl Iterator<Item = (u64, &[u8])> {
        let (mut at, mut rest) = (self.at, self.bytes());
        std::iter::from_fn(move || {
            let bytes = (unit - at % unit).min(rest.len() as u64);
            let (piece, remaining) = rest.split_at(bytes as usize);
            let piece = (at, piece);
            (at, rest) = (at + bytes, remaining);
            (bytes > 0).then_some(piece)
        })
    }

    /// What is left when `gone` is durable with newer bytes: up to two parts.
    fn without(self, gone: &Range<u64>) -> [Option<Self>; 2] {
        let range = self.range();
        [range.start..range.end.min(gone.start), range.start.max(gone.end)..range.end].map(|kept| {
            (kept.start < kept.end).then(|| {
                let skipped = self.part.start + (kept.start - self.at) as usize;
                let part = skipped..skipped + (kept.end - kept.start) as usize;
                Self { at: kept.start, data: self.data.clone(), part }
            })
        })
    }
}

/// The writes that a power cut may lose.
#[derive(Clone, Debug)]
pub(super) struct Cache {
    /// What a read sees, before the medium's faults.
    pub(super) pages: Pages,
    log: Vec<CachedWrite>,
    /// The first writes of the log are beyond rescue: a flush failed while they were in the cache, and no later
    /// one makes them durable. They are read back all the same, which is the trap.
    doomed: usize,
    /// What became durable since: a disk writes a tear unit as a whole, and nothing tears there any more.
    durable_since: Vec<Range<u64>>,
}

impl Cache {
    /// An empty cache above these pages.
    pub(super) const fn over(pages: Pages) -> Self {
        Self { pages, log: Vec::new(), doomed: 0, durable_since: Vec::new() }
    }

    pub(super) fn write(&mut self, at: u64, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.pages.write(at, bytes);
        self.log.push(CachedWrite { at, data: bytes.into(), part: 0..bytes.len() });
    }

    /// The unflushed writes, oldest first.
    pub(super) fn log(&self) -> &[CachedWrite] {
        &self.log
    }

    /// Whether a read of the byte at this address is answered by the cache.
    pub(super) fn holds(&self, at: u64) -> bool {
        self.log.iter().any(|write| write.range().contains(&at))
    }

    /// Everything reaches the medium, but for what is doomed.
    pub(super) fn flush(&mut self, medium: &mut Medium) {
        if self.doomed == 0 {
            return self.settle_all(medium);
        }
        for write in self.log.split_off(self.doomed) {
            self.settle(&write, medium);
        }
    }

    /// A write reaches the medium; it supersedes what it covers.
    fn settle(&mut self, write: &CachedWrite, medium: &mut Medium) {
        self.forget(write.range());
        medium.write(write.at, write.bytes());
        if self.doomed > 0 {
            self.durable_since.push(write.range());
        }
    }

    /// Whether a write of the log, by its place there, is torn where a power cut meets it in this unit. What
    /// is doomed was tried when its flush failed, and not since.
    pub(super) fn may_tear(&self, index: usize, unit: &Range<u64>) -> bool {
        let overlaps = |range: &Range<u64>| range.start < unit.end && unit.start < range.end;
        index >= self.doomed || !self.durable_since.iter().any(overlaps)
    }

    /// Everything reaches the medium, also what is doomed.
    pub(super) fn settle_all(&mut self, medium: &mut Medium) {
        if self.log.is_empty() {
            return;
        }
        medium.pages = self.pages.clone();
        if !medium.is_sound() {
            self.log.iter().for_each(|write| medium.rewritten(write.range()));
        }
        self.log.clear();
        (self.doomed, self.durable_since) = (0, Vec::new());
    }

    /// A flush failed: nothing that is cached now will become durable by a later one.
    pub(super) fn doom(&mut self) {
        (self.doomed, self.durable_since) = (self.log.len(), Vec::new());
    }

    /// Whether something is beyond rescue.
    pub(super) const fn has_doomed(&self) -> bool {
        self.doomed > 0
    }

    /// The newest write alone reaches the medium (force unit access); it supersedes what it covers.
    pub(super) fn settle_newest(&mut self, medium: &mut Medium) {
        if self.log.len() == 1 {
            return self.settle_all(medium);
        }
        if let Some(write) = self.log.pop() {
            self.settle(&write, medium);
        }
    }

    /// Takes a range out of the log, because newer bytes of it are durable.
    pub(super) fn forget(&mut self, range: Range<u64>) {
        let overlaps = |write: &CachedWrite| write.at < range.end && range.start < write.range().end;
        if !self.log.iter().any(overlaps) {
            return;
        }
        let mut doomed = 0;
        let log = std::mem::take(&mut self.log);
        for (index, write) in log.into_iter().enumerate() {
            self.log.extend(write.without(&range).into_iter().flatten());
            if index < self.doomed {
                doomed = self.log.len();
            }
        }
        self.doomed = doomed;
    }
}
