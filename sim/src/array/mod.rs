//! All disks of the simulated world behind the core's one seam, with a fuse in their power line.
//!
//! ```text
//!   core ── batch ──▶ SimArray ── order, fuse, trace ──▶ SimDisk 0, SimDisk 1, …
//!                        │
//!                        ├─ step 0, 1, 2, …: every request that reaches a disk, in the order chosen
//!                        └─ fuse at step n: that request is in flight when the power goes (or the process dies),
//!                           the rest of its batch may be; it and all that follow get `Gone`, until
//!                           `power_cycle` (or `restart`)
//! ```
//!
//! A clone is a fork of the whole world: it has the same future until it is treated differently.

mod order;
mod queue;
mod sabotage;
mod states;
mod trace;

pub use order::BATCH_MAX;
pub use queue::{Narrow, SimBatch};
pub use sabotage::Sabotage;
pub use states::CrashStates;
pub use trace::{Event, EventKind};

use crate::clock::{SimClock, WorldTime};
use crate::disk::{CrashPolicy, GivenUp, SimDisk};
use crate::rng::{Rng, splitmix64};
use dynamicfs_hal::{BlockDevice, DiskArray, Geometry, IoError, Operation, Outcome, Request};
use std::ops::Range;
use trace::Trace;

/// How the world ends for the core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Halt {
    /// The power goes: volatile caches are at risk.
    PowerCut,
    /// The process dies: caches survive, and requests in flight finish or do not.
    ProcessCrash,
}

/// What a panic carries when the world's patience ends, see [`SimArray::set_patience`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PatienceEnded;

/// A fuse that waits for a write to certain places.
#[derive(Clone, Debug)]
struct Trap {
    /// By disk.
    places: Vec<Vec<Range<u64>>>,
    after: u64,
    halt: Halt,
}

/// Simulated disks that share one power line.
#[derive(Clone, Debug)]
pub struct SimArray {
    disks: Vec<SimDisk>,
    /// In which order requests are run, and what a dying process leaves done.
    rng: Rng,
    reorders: bool,
    thorough: bool,
    sabotage: Option<Sabotage>,
    steps: u64,
    fuse: Option<(u64, Halt)>,
    /// A fuse that is set by the first write to one of these sectors, so many I/Os after it.
    trap: Option<Trap>,
    halted: Option<Halt>,
    /// Something was written since the process was started, or the power came back.
    has_written: bool,
    trace: Trace,
    time: WorldTime,
    /// The I/O at which patience ends.
    patience: u64,
    /// Requests of a batch that are in flight at once.
    in_flight: usize,
}

impl SimArray {
    /// An array of disks on which nothing was written, one per geometry. The seed makes their noise, the order of
    /// requests and how failures go.
    ///
    /// # Panics
    /// When a geometry is out of its bounds.
    pub fn new(seed: u64, geometries: impl IntoIterator<Item = Geometry>) -> Self {
        let world = Rng::new(seed);
        let disk = |(index, geometry)| {
            let seed = world.fork_at("disk", index as u64).next_u64();
            SimDisk::new(geometry, seed)
        };
        Self {
            disks: geometries.into_iter().enumerate().map(disk).collect(),
            rng: world.fork("order"),
            reorders: true,
            thorough: false,
            sabotage: None,
            steps: 0,
            fuse: None,
            trap: None,
            halted: None,
            has_written: false,
            trace: Trace::default(),
            time: WorldTime::default(),
            patience: u64::MAX,
            in_flight: BATCH_MAX,
        }
    }

    /// One disk.
    ///
    /// # Panics
    /// When there is no place with this index.
    pub fn disk(&self, disk: usize) -> &SimDisk {
        &self.disks[disk]
    }

    /// One disk, to switch faults on or change what it holds.
    ///
    /// # Panics
    /// When there is no place with this index.
    pub fn disk_mut(&mut self, disk: usize) -> &mut SimDisk {
        &mut self.disks[disk]
    }

    /// Takes a disk out of the array; its place is empty.
    ///
    /// # Panics
    /// When there is no place with this index.
    pub fn take(&mut self, disk: usize) -> SimDisk {
        self.put(disk, SimDisk::absent())
    }

    /// Puts a disk into a place and gives back what was there. A clone of a member makes a cloned identity.
    ///
    /// # Panics
    /// When there is no place with this index.
    pub fn put(&mut self, place: usize, disk: SimDisk) -> SimDisk {
        std::mem::replace(&mut self.disks[place], disk)
    }

    /// Swaps two places.
    ///
    /// # Panics
    /// When there is no place with one of the indices.
    pub fn swap(&mut self, one: usize, other: usize) {
        self.disks.swap(one, other);
    }

    /// Adds a place with this disk and returns its index.
    pub fn add(&mut self, disk: SimDisk) -> usize {
        self.disks.push(disk);
        self.disks.len() - 1
    }

    /// Whether the requests of a batch are run in an arbitrary order, which is the default, or in the order
    /// in which they were added.
    pub const fn set_reordering(&mut self, reorders: bool) {
        self.reorders = reorders;
    }

    /// Has so many requests of a batch in flight at once, and the others one after the other behind them.
    pub fn set_in_flight(&mut self, requests: usize) {
        self.in_flight = requests.clamp(1, BATCH_MAX);
    }

    /// Whether a power cut finds all requests of its batch in flight. Then
    /// [`crash_states`](Self::crash_states) has every world that the cut may leave. Else some requests are,
    /// by chance.
    pub const fn set_thorough(&mut self, thorough: bool) {
        self.thorough = thorough;
    }

    /// A hash of the durable bytes that differ from an earlier fork's: equal for equal bytes.
    pub fn difference(&self, base: &Self) -> u64 {
        let hashes = self.disks.iter().zip(&base.disks).map(|(disk, base)| disk.difference(base));
        hashes.fold(0, |sum, hash| splitmix64(sum ^ hash))
    }

    /// Draws the order of requests from another seed from now on, so that two forks go different ways.
    pub const fn reseed(&mut self, seed: u64) {
        self.rng = Rng::new(seed);
    }

    /// A clock that shows the world's time, which passes as disks work. The disks of a batch work side by
    /// side; the requests of one disk run one after the other.
    pub fn clock(&self) -> SimClock {
        self.time.clock()
    }

    /// The machine has no clock from now on, though time passes.
    pub const fn hide_clock(&mut self) {
        self.time.hide();
    }

    /// Microseconds since the world began.
    pub fn micros(&self) -> u64 {
        self.time.micros()
    }

    /// Lets time pass in which no disk works.
    pub fn wait(&mut self, micros: u64) {
        self.time.pass(micros);
    }

    /// I/Os begun so far over all disks: the number of the next one.
    pub const fn steps(&self) -> u64 {
        self.steps
    }

    /// Ends the world's patience after so many more I/Os: a caller that continues then does not come to an
    /// end.
    pub const fn set_patience(&mut self, ios: u64) {
        self.patience = self.steps.saturating_add(ios);
    }

    /// Takes the last place away again, and its disk.
    pub fn remove_last(&mut self) -> Option<SimDisk> {
        self.disks.pop()
    }

    /// Sets the fuse: the world halts at I/O number `step`, counted as [`steps`](Self::steps) does. It replaces an
    /// earlier fuse.
    ///
    /// # Panics
    /// When that I/O is over.
    pub fn halt_at(&mut self, step: u64, halt: Halt) {
        assert!(step >= self.steps, "I/O {step} is over, the next one is {}", self.steps);
        self.fuse = Some((step, halt));
    }

    /// The next write to one of these sectors, listed by disk, sets the fuse. The world halts so many I/Os
    /// after it, at that write itself if the number is 0.
    pub fn halt_after_write(&mut self, places: Vec<Vec<Range<u64>>>, after: u64, halt: Halt) {
        self.trap = Some(Trap { places, after, halt });
    }

    /// Takes the fuse out.
    pub fn disarm(&mut self) {
        (self.fuse, self.trap) = (None, None);
    }

    /// What the fuse did, until a power cycle or a restart.
    pub const fn halted(&self) -> Option<Halt> {
        self.halted
    }

    /// Cuts the power and restores it: volatile caches are resolved by `policy`, the fuse is out, and disks that
    /// had stopped answering are opened anew.
    pub fn power_cycle(&mut self, policy: CrashPolicy, rng: &mut Rng) {
        self.power_up(|disk, _| disk.power_cycle(policy, rng));
    }

    /// Cuts the power and restores it, with a policy for each disk.
    pub fn power_cycle_each(&mut self, policies: &[CrashPolicy], rng: &mut Rng) {
        self.power_up(|disk, index| {
            let policy = policies.get(index).copied().unwrap_or(CrashPolicy::Nothing);
            disk.power_cycle(policy, rng);
        });
    }

    /// A fork of the world in which the power was cut now and came back.
    pub fn crash(&self, policy: CrashPolicy, rng: &mut Rng) -> Self {
        let mut fork = self.clone();
        fork.power_cycle(policy, rng);
        fork
    }

    /// All that a power cut now may leave, when that is at most `limit` worlds; else a sample of `limit`.
    pub fn crash_states(&self, limit: usize, rng: &mut Rng) -> CrashStates {
        CrashStates::new(self, limit, rng)
    }

    /// Starts the process again: volatile caches are as they were, and visible; the fuse is out, and disks that had
    /// stopped answering are opened anew.
    ///
    /// # Panics
    /// When the power is gone.
    pub fn restart(&mut self) {
        assert_ne!(self.halted, Some(Halt::PowerCut), "no process starts without power");
        self.disks.iter_mut().for_each(SimDisk::reopen);
        self.resume(EventKind::Restart);
    }

    /// A fork of the world in which the process died now and was started again. A later power cut may still lose
    /// what the caches hold.
    ///
    /// # Panics
    /// When the power is gone.
    pub fn process_crash(&self) -> Self {
        let mut fork = self.clone();
        fork.restart();
        fork
    }

    /// The hash of all that happened: equal worlds have equal hashes.
    pub const fn trace_hash(&self) -> u64 {
        self.trace.hash()
    }

    /// Keeps a list of events from now on, or drops it.
    pub fn keep_events(&mut self, keep: bool) {
        self.trace.keep_events(keep);
    }

    /// The events since the list is kept.
    pub fn events(&self) -> &[Event] {
        self.trace.events()
    }

    /// Puts a mark into the trace, such as the number of the operation that begins.
    pub fn mark(&mut self, number: u64) {
        self.note(EventKind::Mark, number);
    }

    /// Runs one request and returns its result.
    pub fn run(&mut self, request: Request<'_>) -> Result<(), IoError> {
        let mut batch = [request];
        self.execute(&mut batch);
        batch[0].result
    }

    fn power_up(&mut self, mut resolve: impl FnMut(&mut SimDisk, usize)) {
        self.disks.iter_mut().enumerate().for_each(|(index, disk)| resolve(disk, index));
        self.resume(EventKind::PowerCycle);
    }

    fn resume(&mut self, kind: EventKind) {
        (self.fuse, self.trap, self.halted, self.has_written) = (None, None, None, false);
        self.note(kind, 0);
    }

    fn note(&mut self, kind: EventKind, lba: u64) {
        self.trace.add(Event { step: self.steps, kind, disk: 0, lba, length: 0, result: Ok(()) }, 0);
    }

    /// Runs what one call may have in flight at once.
    fn run_part(&mut self, batch: &mut [Request<'_>]) {
        let halted_before = self.halted.is_some();
        let mut order = [0; BATCH_MAX];
        let order = if self.reorders && batch.len() > 1 {
            order::arbitrary(batch, &mut self.rng, &mut order)
        } else {
            order::as_added(batch, &mut order)
        };
        // A disk from another world may be ahead of this one's time.
        let busy = self.disks.iter().map(SimDisk::busy_micros);
        let began = busy.fold(self.time.micros(), u64::max);
        self.disks.iter_mut().for_each(|disk| disk.idle_until(began));
        let is = |kind: EventKind| batch.iter().any(|request| kind_of(&request.operation) == kind);
        let with = (is(EventKind::Write), is(EventKind::Flush));
        for &index in order {
            let request = &mut batch[usize::from(index)];
            request.result = match self.halted {
                None => self.step(request, with),
                Some(halt) => {
                    if !halted_before {
                        self.too_late(halt, request);
                    }
                    Err(IoError::Gone)
                }
            };
        }
        let ended = self.disks.iter().map(SimDisk::busy_micros).fold(began, u64::max);
        self.time.pass(ended - began);
    }

    /// The next I/O: the one that the fuse is set to, or any other.
    /// `with` says whether its batch has writes, and flushes.
    fn step(&mut self, request: &mut Request<'_>, with: (bool, bool)) -> Result<(), IoError> {
        let step = self.steps;
        if step >= self.patience {
            std::panic::panic_any(PatienceEnded);
        }
        self.steps += 1;
        self.spring(step, request);
        let (kind, result) = match self.fuse {
            Some((at, halt)) if at == step => (self.blow(halt, request), Err(IoError::Gone)),
            _ => (kind_of(&request.operation), self.perform(request, with)),
        };
        let (length, digest) = match &request.operation {
            Operation::Read(buf) => (buf.len() as u64, 0),
            Operation::Write(bytes) | Operation::WriteDurable(bytes) => {
                (bytes.len() as u64, crate::digest::digest(bytes))
            }
            Operation::Flush => (0, 0),
            Operation::Discard(sectors) => (*sectors, 0),
        };
        let (disk, lba) = (request.disk as u32, request.lba);
        self.trace.add(Event { step, kind, disk, lba, length, result }, digest);
        result
    }

    /// Sets the fuse if this is the write that it waits for.
    fn spring(&mut self, step: u64, request: &Request<'_>) {
        let Some(trap) = &self.trap else { return };
        let is_write = matches!(request.operation, Operation::Write(_) | Operation::WriteDurable(_));
        let places = trap.places.get(request.disk).map_or(&[][..], Vec::as_slice);
        if is_write && places.iter().any(|place| place.contains(&request.lba)) {
            self.fuse = Some((step + trap.after, trap.halt));
            self.trap = None;
        }
    }

    fn perform(&mut self, request: &mut Request<'_>, with: (bool, bool)) -> Result<(), IoError> {
        if self.sabotage.is_some()
            && let Some(done) = self.sabotaged(request, with.0, with.1)
        {
            return done;
        }
        self.has_written |= matches!(request.operation, Operation::Write(_) | Operation::WriteDurable(_));
        let disk = self.disks.get_mut(request.disk).ok_or(IoError::Gone)?;
        let patience = match request.operation {
            Operation::Read(_) if request.patience > 0 => u64::from(request.patience),
            _ => u64::MAX,
        };
        let micros = |micros: u64| u32::try_from(micros).unwrap_or(u32::MAX);
        let asked = disk.busy_micros();
        let until = asked.saturating_add(patience);
        if let Some(GivenUp { time, .. }) = disk.still_at()
            && time.end > until
        {
            request.micros = micros(until - time.start);
            disk.idle_until(until);
            return disk.be_late(&mut request.operation);
        }
        let began = disk.still_at().map_or(asked, |read| read.time.end);
        let done = disk.run(request.lba, &mut request.operation);
        let ended = disk.busy_micros();
        request.micros = micros(ended.min(until) - began);
        if ended > until {
            disk.give_up(GivenUp { time: began..ended, lba: request.lba, result: done }, until);
            return disk.be_late(&mut request.operation);
        }
        done
    }

    /// The fuse goes off while this request is in flight.
    fn blow(&mut self, halt: Halt, request: &mut Request<'_>) -> EventKind {
        (self.fuse, self.halted) = (None, Some(halt));
        match halt {
            Halt::PowerCut => {
                self.interrupt(request);
                EventKind::PowerCut
            }
            Halt::ProcessCrash => {
                self.outlive(request);
                EventKind::ProcessCrash
            }
        }
    }

    /// A request of the batch in which the fuse went off: it may have been in flight as well. One power cut can
    /// thus tear a write on every disk.
    fn too_late(&mut self, halt: Halt, request: &mut Request<'_>) {
        match halt {
            Halt::PowerCut => {
                if self.thorough || self.rng.coin() {
                    self.interrupt(request);
                }
            }
            Halt::ProcessCrash => self.outlive(request),
        }
    }

    fn interrupt(&mut self, request: &Request<'_>) {
        if let Some(disk) = self.disks.get_mut(request.disk) {
            disk.interrupt(request.lba, &request.operation);
        }
    }

    /// A request whose process died: the machine finishes it, or a part of it, or never began.
    fn outlive(&mut self, request: &mut Request<'_>) {
        let Some(disk) = self.disks.get_mut(request.disk) else { return };
        let sector_bytes = disk.geometry().sector_bytes as usize;
        let share = self.rng.below(3);
        // The answer reaches no caller.
        let _ = match (&request.operation, share) {
            (Operation::Read(_), _) | (_, 0) => Ok(()),
            (Operation::Write(bytes), 1) => {
                let sectors = self.rng.below((bytes.len() / sector_bytes) as u64 + 1) as usize;
                disk.write(request.lba, &bytes[..sectors * sector_bytes])
            }
            _ => disk.run(request.lba, &mut request.operation),
        };
    }
}

const fn kind_of(operation: &Operation<'_>) -> EventKind {
    match operation {
        Operation::Read(_) => EventKind::Read,
        Operation::Write(_) => EventKind::Write,
        Operation::WriteDurable(_) => EventKind::WriteDurable,
        Operation::Flush => EventKind::Flush,
        Operation::Discard(_) => EventKind::Discard,
    }
}

impl DiskArray for SimArray {
    const GIVES_UP: bool = true;

    type Batch<'b> = SimBatch<'b>;

    fn disks(&self) -> usize {
        self.disks.len()
    }

    fn geometry(&self, disk: usize) -> Geometry {
        self.disks[disk].geometry()
    }

    fn execute_while(&mut self, batch: &mut [Request<'_>], work: &mut dyn FnMut()) {
        let early = self.rng.coin();
        if early {
            work();
        }
        let at_once = self.in_flight;
        batch.chunks_mut(at_once).for_each(|part| self.run_part(part));
        if !early {
            work();
        }
    }

    fn take_outcome(&mut self, disk: usize) -> Option<Outcome> {
        let disk = self.disks.get_mut(disk)?;
        let now = self.time.micros().max(disk.busy_micros());
        disk.take_outcome(now)
    }
}
