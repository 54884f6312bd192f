//! Looking after the pool: each call is a transaction of its own, or several.

use super::Pool;
use super::members::act;
use super::read::ask;
use crate::error::{Code, Error, MemberError};
use crate::maintain::{
    CheckReport, ExtentCounts, Finding, Job, JobKind, JobOptions, JobState, Located, LossForecast, Lost,
    Progress, Proof, RebuildForecast, Rooms, Standing, Survivor, Trim, Work, read_standing,
};
use crate::metrics::DiskCounters;
use crate::object::Objects;
use crate::types::{MemberNumber, ObjectId, Row, Set};
use core::ops::Range;
use dynamicfs_hal::DiskArray;

impl<A: DiskArray> Pool<'_, A> {
    // --- steps
    // ------------------------------------------------------------------------------------------------

    /// Does one step of the most urgent work: [`upkeep`](Self::upkeep), or else a step of a job. What members
    /// that came back or failed are owed is rebuilt without being asked for. A transaction of its own;
    /// [`Work::Nothing`] writes nothing.
    ///
    /// With `sweep` dead blocks are given back where that is worth its writes.
    ///
    /// # Errors
    /// Jobs that take more memory than there is say so when nothing else is left to do
    /// ([`NeedsMemory`](crate::error::StorageError::NeedsMemory)); else what disks and tree answered.
    pub fn maintain(&mut self, sweep: bool) -> Result<Work, Error> {
        self.look_after(|objects, progress| objects.maintain(progress, sweep))
    }

    /// Does one step of the work that use causes. It rewrites what reads found bad, or frees a part of a
    /// deleted object. With `sweep` it gives dead blocks back when that is worth its writes. A transaction of
    /// its own; [`Work::Nothing`] writes nothing. Firmware that leaves jobs to a server needs no more, and
    /// carries no code for them.
    ///
    /// # Errors
    /// What disks and tree answered.
    pub fn upkeep(&mut self, sweep: bool) -> Result<Work, Error> {
        ask(self, |objects| objects.upkeep(sweep))
    }

    /// Runs something of maintenance, and puts together what its error is about.
    pub(super) fn look_after<T>(
        &mut self,
        f: impl FnOnce(&mut Objects<'_, A>, &mut Progress) -> Result<T, Code>,
    ) -> Result<T, Error> {
        let (objects, progress) = self.parts();
        f(objects, progress).map_err(|code| objects.store.tree.disks.about.explain(code))
    }

    /// Lets a step of a job read or move at most about this many bytes, and at least a full window. Small
    /// steps keep to a throttle closely, large ones commit less often.
    pub fn set_step_bytes(&mut self, bytes: u64) {
        self.progress.set_step_bytes(bytes.max(self.objects.store.window.len() as u64));
    }

    /// Continues a trim: gives free space of one member back to its disk, a part at a time; false when it is
    /// over.
    ///
    /// Of the pool nothing changes. The pool may change between two steps. Like the first transaction of a
    /// mount, the first step reserves an epoch, unless the trim only counts. A step reads the free map of at
    /// most 32 groups, and sends at most 32 discards.
    ///
    /// # Errors
    /// Fails where the member does not take part or, unless it only counts, the pool takes no writes. A disk
    /// that refuses a discard is no failure: it stays in use, and [`Trim::refused`] says so.
    pub fn trim_step(&mut self, trim: &mut Trim) -> Result<bool, MemberError> {
        act(self, |objects, _| objects.trim_step(trim))
    }

    // --- jobs
    // -------------------------------------------------------------------------------------------------

    /// How a job goes, or went the last time; `None` if there never was one.
    ///
    /// # Errors
    /// What disks and tree answered.
    pub fn job(&mut self, kind: JobKind) -> Result<Option<Job>, Error> {
        self.look_after(|objects, progress| objects.job(progress, kind))
    }

    /// Starts a job from the beginning, unless it is running already to do the same: whether it was started.
    /// A transaction of its own.
    ///
    /// # Errors
    /// What disks and tree answered.
    pub fn start_job(&mut self, kind: JobKind, options: JobOptions) -> Result<bool, Error> {
        self.look_after(|objects, progress| objects.start_job(progress, kind, options))
    }

    /// Pauses a running job, resumes a paused one, or gives up either; whether it was in a state for that. A
    /// transaction of its own.
    ///
    /// # Errors
    /// What disks and tree answered.
    pub fn set_job_state(&mut self, kind: JobKind, state: JobState) -> Result<bool, Error> {
        self.look_after(|objects, progress| objects.set_job_state(progress, kind, state))
    }

    /// Calls `f` with what a job found to be lost, up to [`FAILED_LISTED`](crate::maintain::FAILED_LISTED)
    /// things.
    ///
    /// # Errors
    /// What disks and tree answered.
    pub fn lost_items(&mut self, kind: JobKind, f: impl FnMut(Lost)) -> Result<(), Error> {
        ask(self, |objects| objects.lost_items(kind, f))
    }

    // --- checks
    // -----------------------------------------------------------------------------------------------

    /// Reads and proves everything that the tree refers to, and calls `f` with each finding, and with `None`
    /// now and then.
    ///
    /// # Errors
    /// What disks and tree answered, beside findings.
    pub fn check_contents(
        &mut self,
        report: &mut CheckReport,
        f: impl FnMut(Option<&Finding>),
    ) -> Result<(), Error> {
        ask(self, |objects| objects.check_contents(report, f))
    }

    /// Compares what is allocated with what is referred to, in as many passes as `scratch` asks for: a bit a
    /// block.
    ///
    /// # Errors
    /// What disks and tree answered, beside findings.
    pub fn check_space(
        &mut self,
        scratch: &mut [u8],
        report: &mut CheckReport,
        f: impl FnMut(Option<&Finding>),
    ) -> Result<(), Error> {
        ask(self, |objects| objects.check_space(scratch, report, f))
    }

    /// How redundant what is stored is, counted in the tree alone.
    ///
    /// # Errors
    /// What disks and tree answered.
    pub fn count_extents(&mut self) -> Result<ExtentCounts, Error> {
        ask(self, |objects| objects.count_extents())
    }

    /// Where fragments count now: to be read once, and handed to [`locate`](Self::locate). With `absent`
    /// nothing is waited for.
    ///
    /// # Errors
    /// What disks and tree answered.
    pub fn standing(&mut self, absent: bool) -> Result<Standing, Error> {
        ask(self, |objects| read_standing(&mut objects.store, absent))
    }

    /// The first extent of an object that begins at byte `from` or later, and where its fragments are; `None`
    /// if there is none. Reads the tree, and no data. Contents that are inline have no extents.
    ///
    /// # Errors
    /// What disks and tree answered.
    pub fn locate(
        &mut self,
        object: ObjectId,
        from: u64,
        standing: &Standing,
    ) -> Result<Option<Located>, Error> {
        ask(self, |objects| objects.locate(object, from, standing))
    }

    /// Reads and proves all fragments of the extent that begins at this byte, and changes nothing.
    ///
    /// With too few right fragments it is read as usual: right chunks may lie on different ones.
    ///
    /// # Errors
    /// [`NotFound`](Error::NotFound), or what disks and tree answered.
    pub fn prove(&mut self, object: ObjectId, start: u64) -> Result<Proof, Error> {
        ask(self, |objects| objects.prove(object, start))
    }

    /// Has fragments of an extent rewritten by the next [`upkeep`](Self::upkeep), as if a read had found them
    /// bad: how many of them. [`REPAIRS_MAX`](crate::limits::REPAIRS_MAX) wait at most.
    pub fn order_repairs(&mut self, object: ObjectId, located: &Located, wrong: &[u8]) -> usize {
        self.objects.order_repairs(object, located, wrong)
    }

    // --- what would be
    // ----------------------------------------------------------------------------------------

    /// What would be the case if the members in these rows were lost too. Reads the tree.
    ///
    /// # Errors
    /// What disks and tree answered.
    pub fn forecast_loss(&mut self, lost: Set<Row>) -> Result<LossForecast, Error> {
        ask(self, |objects| objects.forecast_loss(lost))
    }

    /// Whether what the members in these rows hold could be rebuilt on the others. Reads the tree.
    ///
    /// # Errors
    /// What disks and tree answered.
    pub fn forecast_rebuild(&mut self, lost: Set<Row>) -> Result<RebuildForecast, Error> {
        ask(self, |objects| objects.forecast_rebuild(lost))
    }

    /// Whether what the members in these rows hold could be moved to the others. Reads the tree.
    ///
    /// # Errors
    /// What disks and tree answered.
    pub fn forecast_drain(&mut self, draining: Set<Row>) -> Result<RebuildForecast, Error> {
        ask(self, |objects| objects.forecast_drain(draining))
    }

    /// Whether the data of the members in these rows would find room with a new disk of so many blocks. With
    /// `lost` it is computed from others. Reads the tree.
    ///
    /// # Errors
    /// What disks and tree answered.
    pub fn forecast_replacement(
        &mut self,
        gone: Set<Row>,
        lost: bool,
        blocks: u64,
    ) -> Result<RebuildForecast, Error> {
        ask(self, |objects| objects.forecast_replacement(gone, lost, blocks))
    }

    /// The room that each member has.
    ///
    /// # Errors
    /// What disks and tree answered.
    pub fn rooms(&mut self) -> Result<Rooms, Error> {
        ask(self, |objects| objects.rooms())
    }

    // --- what is left
    // -----------------------------------------------------------------------------------------

    /// Calls `f` with everything that can still be read where parts of the tree are lost.
    ///
    /// # Errors
    /// What disks and tree answered.
    pub fn survivors(&mut self, f: impl FnMut(Survivor<'_>)) -> Result<(), Error> {
        ask(self, |objects| objects.survivors(f))
    }

    /// Reads contents as far as they can be read, from byte `offset` on; what is lost is zeros, and told to
    /// `lost`.
    ///
    /// # Errors
    /// What disks and tree answered, beside what is lost.
    pub fn read_surviving(
        &mut self,
        object: ObjectId,
        inline: bool,
        offset: u64,
        buf: &mut [u8],
        lost: impl FnMut(Range<u64>),
    ) -> Result<(), Error> {
        ask(self, |objects| objects.read_surviving(object, inline, offset, buf, lost))
    }

    // --- counters
    // ---------------------------------------------------------------------------------------------

    /// What a member had done when its counters were last saved; zeros if they never were.
    ///
    /// # Errors
    /// What disks and tree answered.
    pub fn saved_counters(&mut self, member: MemberNumber) -> Result<DiskCounters, Error> {
        ask(self, |objects| objects.saved_counters(member))
    }
}
