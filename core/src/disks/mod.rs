//! The pool's disks: which member each is, which still work, and all I/O.
//!
//! Members are named by their number, disks of the array by their index; this layer alone knows both. Every
//! request of the core passes [`Disks::execute`], which counts it and takes a disk that fails out of use. A
//! failed write or flush is never retried and trusted.
//!
//! ```text
//! condition.rs   whether a disk can be relied on, from its errors and its latency      pure
//! select.rs      which of several disks to read from                                   pure
//! staged.rs      buffers as the disks ask for them
//! latency.rs     how long reads take, on average                                   pure
//! measure.rs     what is known of the disks, brought to the two
//! state.rs       what is known of one disk
//! rows.rs        which members take part, and how far each of them is
//! events.rs      what has happened, for those who look after the pool
//! ```

pub mod condition;
pub mod events;
mod latency;
mod measure;
mod rows;
pub mod select;
mod staged;
mod state;

use crate::build::{MULTI, OBSERVE};
use crate::error::{About, Code, Failure, FormatError, MountError};
use crate::format::label::DiskIdentity;
use crate::format::parameters::PoolParameters;
use crate::logging::tell;
use crate::metrics::DiskCounters;
use crate::observed::Observed;
use crate::types::{BlockAddress, DiskIndex, Epoch, Generation, MemberNumber, Row, Set};
use condition::{Fault, Thresholds};
use dynamicfs_hal::{Batch, Clock, Crc32c, DiskArray, Geometry, IoError, Operation, Outcome, Request};
use events::Happening;
pub(crate) use staged::{alignment_of, lacking_for};
use state::States;
pub use state::{Currency, DiskState, DiskStatus};

/// After so long without a look at them, disks are looked at before a transaction writes to them: a card may have been exchanged.
pub(crate) const IDLE_MICROS: u64 = 200_000;

/// After so long without a request, an open transaction has waited for its caller: what is written next is
/// looked at first.
const WAITED_MICROS: u64 = 20_000;

/// The place of a disk among the states.
pub(crate) const fn at(disk: DiskIndex) -> usize {
    if MULTI { disk.0 } else { 0 }
}

/// All disks of a pool.
pub struct Disks<'m, A> {
    array: A,
    states: &'m mut States,
    pub(crate) parameters: PoolParameters,
    pub(crate) crc32c: Crc32c,
    clock: &'m dyn Clock,
    pub(crate) thresholds: Observed<Thresholds>,
    ring: Observed<events::Ring>,
    /// Requests so far.
    requests: u64,
    /// When the last of them ended, in microseconds of the clock.
    used: u64,
    /// Some disk that takes part is degraded, or many times slower than the others.
    any_behind: bool,
    /// Some disk is late.
    any_late: bool,
    /// The alignment in memory that all disks are content with.
    alignment: usize,
    /// Memory for buffers that are not aligned; empty where none need be.
    staging: &'m mut [u8],
    /// A write did not suit its disk.
    has_misfit: bool,
    /// What the last errors were about.
    pub(crate) about: About,
}

impl<'m, A: DiskArray> Disks<'m, A> {
    /// Takes the array; `states` holds one for each of its disks. Nothing is read.
    ///
    /// # Panics
    /// Where there are too few states, or a build for one disk is given none: the caller made sure.
    #[expect(clippy::cast_possible_truncation, reason = "a number of 32 bits has no more than 32 zeros")]
    pub fn new(
        array: A,
        states: &'m mut [DiskState],
        parameters: PoolParameters,
        crc32c: Crc32c,
        clock: &'m dyn Clock,
    ) -> Self {
        let disks = array.disks();
        let states = state::first(states, disks);
        for (disk, state) in states.iter_mut().enumerate() {
            let sector = array.geometry(disk).sector_bytes;
            *state = DiskState { sector_shift: sector.max(1).trailing_zeros() as u8, ..DiskState::NEW };
        }
        let alignment = alignment_of(&array, disks);
        Self {
            array,
            states,
            parameters,
            crc32c,
            clock,
            thresholds: Observed::new(Thresholds::DEFAULT),
            ring: Observed::new(events::Ring::NEW),
            requests: 0,
            used: 0,
            any_behind: false,
            any_late: false,
            alignment,
            staging: &mut [],
            has_misfit: false,
            about: About::NOTHING,
        }
    }

    /// Disks of the array.
    pub fn count(&self) -> usize {
        self.states.len()
    }

    /// Their indices, ascending.
    pub fn all(&self) -> impl Iterator<Item = DiskIndex> + use<A> {
        (0..self.states.len()).map(DiskIndex)
    }

    /// Reads of all disks that failed or brought wrong bytes, since the pool was opened.
    pub fn bad_reads(&self) -> u64 {
        let counters = self.states.iter().map(|state| state.watched.counters);
        counters.map(|counters| counters.read_errors + counters.checksum_errors).sum()
    }

    /// A disk's state; one that the array does not have is [`Gone`](DiskStatus::Gone).
    pub fn state(&self, disk: DiskIndex) -> &DiskState {
        self.states.get(at(disk)).unwrap_or(&DiskState::NEW)
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "the caller has the disk from the array, or has compared it with its count"
    )]
    pub(crate) fn state_mut(&mut self, disk: DiskIndex) -> &mut DiskState {
        &mut self.states[at(disk)]
    }

    /// What a disk is like.
    pub fn geometry(&self, disk: DiskIndex) -> Geometry {
        self.array.geometry(disk.0)
    }

    /// The array itself, between two operations.
    pub fn array(&mut self) -> &mut A {
        &mut self.array
    }

    /// The time of day.
    pub fn now(&self) -> dynamicfs_hal::UnixTime {
        self.clock.now()
    }

    /// Gives the array back.
    pub fn into_array(self) -> A {
        self.array
    }

    /// Gives the array back, with why there is no mounted pool.
    pub(crate) fn not_mounted(self, code: Code) -> Failure<MountError, A> {
        Failure { error: self.about.explain_mount(code), array: self.array }
    }

    /// Gives the array back, with why no pool was made.
    pub(crate) fn not_made(self, error: FormatError<Code>) -> Failure<FormatError, A> {
        Failure { error: self.about.explain_format(error), array: self.array }
    }

    /// Makes a disk a member that does not take part yet.
    pub(crate) fn assign(&mut self, disk: DiskIndex, identity: DiskIdentity, row: Row) {
        let state = self.state_mut(disk);
        let before = state.watched;
        *state = DiskState {
            identity: Some(identity),
            blocks: identity.data_blocks,
            row: row.byte(),
            status: DiskStatus::Unlabelled,
            sector_shift: state.sector_shift,
            ..DiskState::NEW
        };
        state.watched.note(|watched| (watched.counters, watched.events) = (before.counters, before.events));
    }

    /// The disk of this member, if it was taken out of use.
    pub(crate) fn excluded_disk_of(&self, member: MemberNumber) -> Option<DiskIndex> {
        self.position(|s| s.status == DiskStatus::Excluded && s.identity.is_some_and(|i| i.member == member))
    }

    /// Takes a member that takes part out of use, or into use one that was taken out so.
    pub(crate) fn set_excluded(&mut self, disk: DiskIndex, excluded: bool) {
        let (from, to) = match excluded {
            true => (DiskStatus::Online, DiskStatus::Excluded),
            false => (DiskStatus::Excluded, DiskStatus::Online),
        };
        if self.state(disk).status == from {
            self.state_mut(disk).status = to;
        }
    }

    /// Notes how many blocks of a member may be allocated. Its label cannot say less: it would be an older one, and name places
    /// for superblocks that hold data now.
    pub(crate) fn set_blocks(&mut self, row: Row, blocks: u64) {
        let Some(disk) = self.disk_in_row(row) else { return };
        // Groups have numbers of 32 bits: a forged record may say anything.
        let most = u64::from(self.parameters.group_blocks) * u64::from(u32::MAX);
        let state = self.state_mut(disk);
        state.blocks = blocks.min(most);
        state.is_cut |= state.identity.is_some_and(|identity| identity.data_blocks < blocks);
    }

    /// Leaves disks alone that are shorter than they were: nothing is written to them.
    pub(crate) fn leave_out_cut(&mut self) {
        for state in self.states.iter_mut().filter(|s| s.is_cut && s.status == DiskStatus::Online) {
            state.status = DiskStatus::Truncated;
        }
    }

    /// The identity of the member in this row, while it takes part.
    pub fn identity_in_row(&self, row: Row) -> Option<&DiskIdentity> {
        self.state(self.disk_in_row(row)?).identity.as_ref()
    }

    /// The sector at which a byte of a disk lies; the byte begins a sector.
    pub fn lba_of_byte(&self, disk: DiskIndex, byte: u64) -> u64 {
        byte >> self.state(disk).sector_shift
    }

    /// Where the bytes from `offset` on, in the blocks from `address` on, lie: the disk and the sector. `None` when
    /// the member does not take part.
    pub fn locate(&self, address: BlockAddress, offset: u64) -> Option<(DiskIndex, u64)> {
        let disk = self.disk_of(address.member)?;
        let byte = (address.block << self.parameters.block_shift).checked_add(offset)?;
        Some((disk, self.lba_of_byte(disk, byte)))
    }

    /// Whether blocks may be named by a record at all: they lie in the member's data area. True for a member that is
    /// away, whose area is not known.
    pub fn is_data(&self, address: BlockAddress, blocks: u32) -> bool {
        let area = self.states.iter().filter_map(|s| Some((s.identity.as_ref()?, s.blocks)));
        let area = area.into_iter().find(|(identity, _)| identity.member == address.member);
        area.is_none_or(|(identity, of_it)| {
            address.block >= identity.data_start
                && address.block + u64::from(blocks) <= identity.data_start.saturating_add(of_it)
        })
    }

    /// Runs a batch, counts it, and takes disks that failed out of use. `work` runs while it is in flight.
    pub fn execute_while<'b>(&mut self, batch: &mut A::Batch<'b>, work: &mut dyn FnMut()) {
        let requests = batch.requests();
        if requests.is_empty() {
            work();
            return;
        }
        let start = self.clock.monotonic_micros();
        self.send(requests, work);
        self.used = self.clock.monotonic_micros();
        let micros = self.used.saturating_sub(start);
        // Where several disks worked at once, the time of the batch cannot be attributed to one disk.
        let alone = if batch.requests().len() == 1 { micros } else { 0 };
        for request in batch.requests() {
            self.account(request, alone);
        }
    }

    /// Runs a batch.
    pub fn execute<'b>(&mut self, batch: &mut A::Batch<'b>) {
        self.execute_while(batch, &mut || {});
    }

    /// Runs one request.
    pub fn execute_one(&mut self, request: Request<'_>) -> Result<(), IoError> {
        let mut request = [request];
        let start = self.clock.monotonic_micros();
        self.send(&mut request, &mut || {});
        self.used = self.clock.monotonic_micros();
        let micros = self.used.saturating_sub(start);
        let [request] = request;
        self.account(&request, micros);
        request.result
    }

    /// Counts a request. `micros` is how long it took, as far as that is known without the array's word; 0 if it is not.
    fn account(&mut self, request: &Request<'_>, micros: u64) {
        if OBSERVE {
            self.requests += 1;
            if self.requests.is_multiple_of(measure::REQUESTS) {
                self.look();
            }
            if A::GIVES_UP && self.any_late {
                self.hear();
            }
        }
        if let Err(error) = request.result
            && error != IoError::Late
        {
            let (what, lba) = (name(&request.operation), request.lba);
            tell!(warn, "disk {}: {} at sector {} failed: {}", request.disk, what, lba, error);
        }
        if let Err(error) = request.result
            && self.is_misfit(request, error)
        {
            self.has_misfit |= !matches!(request.operation, Operation::Read(_));
            return;
        }
        let Some(state) = self.states.get_mut(at(DiskIndex(request.disk))) else { return };
        state.watched.note(|watched| watched.window.count());
        match request.result {
            Err(IoError::NoSpace) if matches!(request.operation, Operation::Read(_)) => {}
            Err(error @ (IoError::NoSpace | IoError::Refused)) => {
                return state.note_refused(&request.operation, error);
            }
            _ => {}
        }
        let failed = request.result.is_err();
        match &request.operation {
            Operation::Read(_) => {}
            Operation::Write(_) => state.unflushed = true,
            Operation::WriteDurable(_) => {}
            Operation::Flush => {
                state.unflushed &= failed;
                state.may_hold_more |= failed;
            }
            // Advice: the caller decides what a refusal means, and a disk that refuses works all the same.
            Operation::Discard(_) => return,
        }
        if OBSERVE {
            state.watched.note(|watched| watched.observe(request, micros));
            self.any_late |= state.watched.is_late;
        }
        match request.result {
            Ok(()) | Err(IoError::Late) => {}
            Err(error) => {
                let is_read = matches!(request.operation, Operation::Read(_));
                self.bear(DiskIndex(request.disk), request.lba, is_read, error);
            }
        }
    }

    /// Learns what became of reads that were given up, of disks that have answered by now.
    // Not part of its caller, whose stack would hold it after every request.
    #[inline(never)]
    fn hear(&mut self) {
        self.any_late = false;
        for disk in self.all() {
            if !self.state(disk).watched.is_late {
                continue;
            }
            let Some(Outcome { lba, result, micros }) = self.array.take_outcome(disk.0) else {
                self.any_late = true;
                continue;
            };
            self.state_mut(disk).watched.note(|watched| {
                watched.is_late = false;
                latency::measure(&mut watched.latency, &mut watched.samples, micros.into());
                watched.counters.read_errors += u64::from(result.is_err());
            });
            if let Err(error) = result {
                tell!(warn, "disk {}: late read at sector {} failed: {}", disk.0, lba, error);
                self.bear(disk, lba, true, error);
            }
        }
    }

    /// What follows from an error of a disk that takes part: a read is judged with others, anything else takes it out of use.
    fn bear(&mut self, disk: DiskIndex, lba: u64, is_read: bool, error: IoError) {
        let state = self.state_mut(disk);
        let is_timeout = u64::from(error == IoError::Timeout);
        state.watched.note(|watched| watched.counters.timeouts += is_timeout);
        state.last_error = Some(error);
        let is_gone = matches!(error, IoError::Gone | IoError::Timeout);
        if state.status == DiskStatus::Online {
            match is_gone || !is_read {
                true => self.fail(disk, error),
                false => self.note_fault(disk, Fault::Read, lba),
            }
        }
    }

    /// Fails where a write is not on its disk, and the disk is not to blame. The write did not suit the disk,
    /// or found no room in what the disk is stored in.
    pub(crate) fn refusal(&mut self) -> Result<(), Code> {
        if self.has_misfit {
            return Err(Code::BadRequest);
        }
        match self.position(|state| state.lacks_room && state.status == DiskStatus::Online) {
            Some(disk) => Err(self.refused(disk)),
            None => Ok(()),
        }
    }

    /// Why a disk takes no writes that is not to blame for it.
    pub(crate) fn refused(&mut self, disk: DiskIndex) -> Code {
        let code = match self.state(disk).last_error {
            Some(IoError::Refused) => Code::RefusedBelow,
            _ => Code::NoSpaceBelow,
        };
        self.about.on(disk, code)
    }

    /// Too few disks take part.
    pub(crate) fn too_few(&mut self) -> Code {
        let online = self.online();
        self.about.too_few(online)
    }

    /// As [`refusal`](Self::refusal), which is forgotten.
    pub(crate) fn take_refusal(&mut self) -> Result<(), Code> {
        let refusal = self.refusal();
        self.has_misfit = false;
        self.states.iter_mut().for_each(|state| state.lacks_room = false);
        refusal
    }

    /// Rows of these members that lacked room for what was written last, which is forgotten.
    pub(crate) fn take_rows_without_room(&mut self, rows: Set<Row>) -> Set<Row> {
        let of_them = |state: &&mut DiskState| state.lacks_room && rows.contains(state.row.into());
        self.states.iter_mut().filter(of_them).fold(Set::EMPTY, |set, state| {
            state.lacks_room = false;
            set.with(state.row.into())
        })
    }

    /// Whether some member that takes part may have been exchanged, or written to by another program, since
    /// the last look. That is so after [`IDLE_MICROS`], or without a clock.
    pub(crate) fn have_been_idle(&self) -> bool {
        let now = self.clock.monotonic_micros();
        let is_idle = |state: &DiskState| now == 0 || now.saturating_sub(state.seen) >= IDLE_MICROS;
        self.states.iter().any(|state| state.status == DiskStatus::Online && is_idle(state))
    }

    /// Whether a clock tells that there was no request for some time, or no look at the disks for long.
    pub(crate) fn have_waited(&self) -> bool {
        let now = self.clock.monotonic_micros();
        now != 0 && (now.saturating_sub(self.used) >= WAITED_MICROS || self.have_been_idle())
    }

    /// The members that take part were looked at now.
    pub(crate) fn note_seen(&mut self) {
        let now = self.clock.monotonic_micros();
        self.states.iter_mut().for_each(|state| state.seen = now);
    }

    /// Every member that takes part has this state as its newest now.
    pub(crate) fn set_newest(&mut self, rows: Set<Row>, order: (Epoch, Generation), root_crc: u32) {
        let takes_part =
            |state: &&mut DiskState| state.status == DiskStatus::Online && rows.contains(state.row.into());
        let online = self.states.iter_mut().filter(takes_part);
        for state in online {
            (state.order, state.root_crc) = (order, root_crc);
            (state.may_hold_more, state.lost_end, state.is_unconfirmed) = (false, false, false);
        }
    }

    /// What a disk gave, in the blocks from `block` on, was not what had been written there.
    pub fn note_checksum_error(&mut self, disk: DiskIndex, block: u64) {
        tell!(warn, "disk {}: bad checksum at block {}", disk.0, block);
        if !OBSERVE {
            return;
        }
        self.state_mut(disk).watched.note(|watched| watched.counters.checksum_errors += 1);
        self.note_fault(disk, Fault::Checksum, block);
    }

    /// A bad fragment or node of a disk, which was at this block, was rewritten.
    pub(crate) fn note_repair(&mut self, disk: DiskIndex, block: u64) {
        tell!(info, "disk {}: what was bad at block {} is rewritten", disk.0, block);
        if !OBSERVE {
            return;
        }
        self.state_mut(disk).watched.note(|watched| watched.counters.repairs += 1);
        self.tell_of(disk, |member| Happening::Repaired { member, count: 1 });
    }

    /// What the transaction saved of the counters is on disk now, or was dropped with it.
    pub(crate) fn settle_counters(&mut self, committed: bool) {
        if !OBSERVE {
            return;
        }
        for state in self.states.iter_mut() {
            state.watched.note(|watched| {
                let saved = core::mem::replace(&mut watched.saved, DiskCounters::NEW);
                if committed {
                    watched.counters = watched.counters.since(&saved);
                }
            });
        }
    }

    /// Flushes every disk that takes part and was written to since its last flush. Those that fail are out of use.
    pub fn flush_written(&mut self) {
        self.flush_where(|state| state.status == DiskStatus::Online && state.unflushed);
    }

    /// Flushes every disk that answers at all.
    pub fn flush_all(&mut self) {
        self.flush_where(|_| true);
    }

    fn flush_where(&mut self, wanted: impl Fn(&DiskState) -> bool) {
        let mut next = 0;
        while next < self.count() {
            let mut batch = A::Batch::default();
            while next < self.count() {
                if wanted(self.state(DiskIndex(next)))
                    && self.array.geometry(next).sectors > 0
                    && batch.push(Request::flush(next)).is_err()
                {
                    break;
                }
                next += 1;
            }
            self.execute(&mut batch);
        }
    }

    /// Takes a member out of use until the next mount.
    #[inline(never)] // Once, and not in each of its callers.
    pub fn fail(&mut self, disk: DiskIndex, error: IoError) {
        self.state_mut(disk).status = DiskStatus::Failed;
        self.state_mut(disk).last_error = Some(error);
        self.tell_of(disk, |member| Happening::Stopped { member, error });
    }
}

/// An operation in a word.
const fn name(operation: &Operation<'_>) -> &'static str {
    match operation {
        Operation::Read(_) => "read",
        Operation::Write(_) | Operation::WriteDurable(_) => "write",
        Operation::Flush => "flush",
        Operation::Discard(_) => "discard",
    }
}

/// Spreads the bits of a number (the finaliser of SplitMix64, by Steele, Lea and Flood).
pub const fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}
