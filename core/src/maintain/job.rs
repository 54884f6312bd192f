//! Maintenance jobs: what they are to do, and how far they are. Their records are in the tree, so that a job goes on where
//! it was after a crash or a reboot.

use super::progress::{Progress, Tried};
use crate::disks::events::Happening;
use crate::error::Code;
use crate::format::job::{FailedItem, FailedWhat, Job, JobKind, JobOptions, JobState, READ_AT};
use crate::format::key::Key;
use crate::object::Objects;
use crate::transaction::{Purpose, RELEASE_UPDATES};
use crate::types::ObjectId;
use core::ops::ControlFlow;
use dynamicfs_hal::DiskArray;

/// Lost things that are listed one by one; of more only the number is kept.
pub const FAILED_LISTED: u32 = 64;

/// Something that is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Lost {
    /// An extent.
    Extent {
        /// The object.
        object: ObjectId,
        /// The first byte.
        start: u64,
    },
    /// A node of the tree, with all records from this object on that were in it.
    Node {
        /// The object.
        object: ObjectId,
    },
}

impl<A: DiskArray> Objects<'_, A> {
    /// How a job goes, or went the last time; `None` if there never was one.
    pub fn job(&mut self, progress: &Progress, kind: JobKind) -> Result<Option<Job>, Code> {
        if let Some(ahead) = progress.ahead_of_record(kind) {
            return Ok(Some(ahead));
        }
        let mut job = self.store.tree.with(&Key::job(kind as u32, 0), |record| Job::load(kind, record?))?;
        if let Some(job) = job.as_mut().filter(|_| kind == JobKind::Scrub) {
            let at = Key::job(kind as u32, READ_AT);
            self.store.tree.with(&at, |record| record.map_or((), |record| job.load_read(record)))?;
        }
        Ok(job)
    }

    /// Starts a job from the beginning, unless it is running already to do the same: whether it was started. A transaction
    /// of its own.
    pub fn start_job(
        &mut self,
        progress: &mut Progress,
        kind: JobKind,
        options: JobOptions,
    ) -> Result<bool, Code> {
        self.store.check_alone()?;
        if let Some(feature) = kind.lacks() {
            return Err(self.store.tree.disks.about.lacks(feature));
        }
        let before = self.job(progress, kind)?;
        if before.is_some_and(|job| job.state == JobState::Running && job.options == options) {
            return Ok(false);
        }
        let started = self.store.tree.disks.now().seconds;
        self.save_job(progress, |objects| {
            let mut job = Job::new(kind, options, started);
            if let Some(before) = before {
                job.whole = before.whole;
                job.has_read_record = before.has_read_record || before.unread > 0;
            }
            objects.begin_pass(&mut job)?;
            Ok(job)
        })?;
        self.store.tree.disks.tell(Happening::Job { kind, state: JobState::Running });
        Ok(true)
    }

    /// Pauses a running job, resumes a paused one, or gives up either; whether it was in a state for that. A transaction of
    /// its own.
    pub fn set_job_state(
        &mut self,
        progress: &mut Progress,
        kind: JobKind,
        state: JobState,
    ) -> Result<bool, Code> {
        self.store.check_alone()?;
        let Some(mut job) = self.job(progress, kind)? else { return Ok(false) };
        let may = job.may_become(state);
        if may {
            job.state = state;
            if state == JobState::Cancelled {
                job.ended = self.store.tree.disks.now().seconds;
                // Nothing starts a rebuild again by itself before something changes.
                if kind == JobKind::Rebuild {
                    progress.tried = Some(Tried { changes: self.store.roster().changes, ..Tried::NEVER });
                }
            }
            self.save_job(progress, |_| Ok(job))?;
            self.store.tree.disks.tell(Happening::Job { kind, state });
        }
        Ok(may)
    }

    pub(super) fn save_job(
        &mut self,
        progress: &mut Progress,
        f: impl FnOnce(&mut Self) -> Result<Job, Code>,
    ) -> Result<(), Code> {
        self.alone(|objects| {
            let job = f(objects)?;
            objects.put_job(&job)?;
            progress.ahead = None;
            Ok(true)
        })?;
        Ok(())
    }

    /// Writes a job's record. Part of a transaction.
    pub(super) fn put_job(&mut self, job: &Job) -> Result<(), Code> {
        let (bytes, read) = (job.store(), job.store_read());
        self.begin_change(if read.is_some() { 4 } else { 2 }, Purpose::Release)?;
        self.change(|objects| {
            if let Some(read) = &read {
                objects.store.put(&Key::job(job.kind as u32, READ_AT), read)?;
            }
            objects.store.put(&Key::job(job.kind as u32, 0), &bytes)
        })
    }

    /// Lists something that is lost. Part of a transaction.
    pub(super) fn put_failed(&mut self, job: &mut Job, what: FailedWhat, key: Key) -> Result<(), Code> {
        job.found += 1;
        job.failed = job.failed.saturating_add(1);
        if job.failed > FAILED_LISTED {
            return Ok(());
        }
        if !self.try_begin_change(2, Purpose::Release)? {
            // It is counted all the same.
            return Ok(());
        }
        let mut bytes = [0; FailedItem::<&[u8]>::BYTES];
        if let Some(mut item) = FailedItem::new(&mut bytes[..]) {
            item.set_what(what as u8);
            item.set_key(key);
        }
        let at = Key::job(job.kind as u32, job.failed);
        self.change(|objects| objects.store.put(&at, &bytes))
    }

    /// Forgets what a job listed. Part of a transaction.
    pub(super) fn clear_failed(&mut self, kind: JobKind) -> Result<(), Code> {
        let (from, end) = (Key::job(kind as u32, 1), Key::job(kind as u32, READ_AT));
        if self.store.tree.scan(&from, &end, |_, _| ControlFlow::Break(()))?.is_none() {
            return Ok(());
        }
        // They lie side by side, and their leaves go whole.
        self.begin_change(RELEASE_UPDATES, Purpose::Release)?;
        self.change(|objects| {
            objects.store.remove_range(&from, &end, usize::MAX)?;
            Ok(())
        })
    }

    /// Calls `f` with what a job found to be lost, up to [`FAILED_LISTED`] things.
    pub fn lost_items(&mut self, kind: JobKind, mut f: impl FnMut(Lost)) -> Result<(), Code> {
        let (from, end) = (Key::job(kind as u32, 1), Key::job(kind as u32, READ_AT));
        self.store.tree.scan(&from, &end, |_, record| {
            if let Some(item) = FailedItem::new(record) {
                let object = item.key().object();
                let is_extent = item.what() == FailedWhat::Extent as u8;
                f(match is_extent {
                    true => Lost::Extent { object, start: item.key().offset() },
                    false => Lost::Node { object },
                });
            }
            ControlFlow::<()>::Continue(())
        })?;
        Ok(())
    }
}
