//! All disks of a host at once.

mod crew;
mod handoff;
mod latency;
mod lent;
mod place;
mod sync;
#[cfg(test)]
mod tests;

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use dynamicfs_hal::{BlockDevice, DiskArray, Geometry, IoError, Operation, Outcome, Request};

use crew::Crew;
use lent::{Reader, Start};
use place::Place;

/// Requests in a batch: three for each of 64 disks.
pub const BATCH_REQUESTS: usize = 192;

/// Threads of an array that was not told how many, at most: they wait for disks, so they are more than processors.
const WORKERS_MAX: usize = 64;

/// What handing a batch to threads must save, in nanoseconds, for it to be done. It costs the calling thread
/// 15,000 to 30,000. It may take another 100,000 until a sleeping processor (of a virtual machine) begins to
/// help.
const HANDOFF_NANOS: u64 = 100_000;

/// The disks of a host, driven in parallel where that is faster.
///
/// A short batch (few bytes to and from the system's cache) runs on the calling thread: to wake others costs
/// more than it gains. Longer ones go to a fixed number of threads, which start with the first such batch.
/// The size decides, and the recent times of each disk's reads, writes and flushes. The calling thread runs
/// the batch's work meanwhile and then helps.
///
/// Requests to one disk run one after the other in the order of the batch, so a flush covers those before it.
///
/// A place without a disk has no sectors, and requests to it find it [`Gone`](IoError::Gone).
///
/// # Reads that are given up
/// A read with [patience](Request::patience) runs on a thread of its own, to which the disk is lent. This is
/// done for disks whose reads take long enough to be worth it (see [`hedging_from`](Self::hedging_from)).
/// When patience ends the caller continues, and the disk stays away until it has answered. Further reads wait
/// for it as long as their patience lasts, other requests as long as it takes. What became of the read is
/// told [afterwards](DiskArray::take_outcome). An array that is dropped does not wait: such a disk is closed
/// when it has answered.
///
/// # Panics
/// A panic of a driver reaches the caller once nothing is in flight any more; requests that had not begun may
/// then be [`NotExecuted`](IoError::NotExecuted). A panic of the work likewise. A panic in an abandoned read
/// reaches the next caller of that disk, which is then gone.
///
/// ```
/// use dynamicfs_hal::{DiskArray, IoError, RamDisk, Request};
/// use std_host_shim::HostArray;
///
/// let mut array = HostArray::new(vec![Some(RamDisk::new(vec![0; 8192], 512)), None]);
/// let mut batch = [Request::write(0, 3, &[7; 512]), Request::flush(0), Request::flush(1)];
/// array.execute(&mut batch);
/// assert_eq!(batch.map(|request| request.result), [Ok(()), Ok(()), Err(IoError::Gone)]);
/// ```
#[derive(Debug)]
pub struct HostArray<D> {
    places: Vec<Place<D>>,
    workers: usize,
    /// Started when it is first needed: most programs never have a batch that pays for it.
    crew: Option<Crew>,
    hedge: Option<Hedge<D>>,
}

/// When reads may be given up, and how.
#[derive(Debug)]
struct Hedge<D> {
    from: Duration,
    start: Start<D>,
}

impl<D: BlockDevice + Send + 'static> HostArray<D> {
    /// Abandons reads that take longer than the caller's patience. It does so on disks whose reads take at
    /// least this long on average, beyond moving their bytes. It costs such a read a copy and the hand-over
    /// to a thread, 20 to 100 microseconds.
    #[must_use]
    pub fn hedging_from(self, from: Duration) -> Self {
        Self { hedge: Some(Hedge { from, start: Reader::start }), ..self }
    }
}

impl<D: BlockDevice + Send> HostArray<D> {
    /// An array over these disks, with a thread for each, up to 64; a place may be without a disk.
    pub fn new(disks: Vec<Option<D>>) -> Self {
        let workers = disks.len().min(WORKERS_MAX);
        Self::with_workers(disks, workers)
    }

    /// An array with so many threads beside the calling one; with 0 everything runs on that one.
    pub fn with_workers(disks: Vec<Option<D>>, workers: usize) -> Self {
        let places = disks.into_iter().map(Place::new).collect();
        Self { places, workers, crew: None, hedge: None }
    }

    /// The disk at a place, if there is one. Waits for a disk that is at a read that was given up.
    ///
    /// # Panics
    /// When `place >= self.disks()`.
    pub fn disk(&mut self, place: usize) -> Option<&mut D> {
        self.places[place].disk().as_mut()
    }

    /// Puts a disk at a place, or takes it away, and gives back what was there; waits for it as [`disk`](Self::disk) does.
    ///
    /// # Panics
    /// When `place >= self.disks()`.
    pub fn replace(&mut self, place: usize, disk: Option<D>) -> Option<D> {
        std::mem::replace(&mut self.places[place], Place::new(disk)).disk().take()
    }

    /// Gives the disks back; waits for them as [`disk`](Self::disk) does.
    pub fn into_disks(self) -> Vec<Option<D>> {
        self.places.into_iter().map(|mut place| place.disk().take()).collect()
    }

    /// Whether threads will probably be faster: what they save is all but the slowest disk's share, or everything if
    /// there is work to do meanwhile.
    fn pays_for_threads(&self, batch: &[Request<'_>], has_work: bool) -> bool {
        let expected = |request: &Request<'_>| {
            self.places.get(request.disk).map_or(0, |place| place.latency.expected(&request.operation))
        };
        let total = batch.iter().map(expected).fold(0, u64::saturating_add);
        if self.workers == 0 || total <= HANDOFF_NANOS {
            return false;
        }
        if has_work {
            return true;
        }
        let mut shares = vec![0_u64; self.places.len()];
        for request in batch.iter().filter(|request| request.disk < self.places.len()) {
            let share = &mut shares[request.disk];
            *share = share.saturating_add(expected(request));
        }
        total - shares.into_iter().max().unwrap_or(0) > HANDOFF_NANOS
    }

    /// Whether all requests of a batch are reads that may be abandoned, each of a disk of its own. Hedging
    /// must be worth it for some.
    fn is_hedged(&self, batch: &[Request<'_>]) -> bool {
        let Some(hedge) = &self.hedge else { return false };
        let place = |request: &Request<'_>| self.places.get(request.disk);
        let is_slow = |place: &Place<D>| place.is_away() || place.latency.of_reads() >= hedge.from;
        let is_patient = |request: &Request<'_>| {
            matches!(request.operation, Operation::Read(_))
                && request.patience > 0
                && place(request).is_some()
        };
        let is_alone = |(index, request): (usize, &Request<'_>)| {
            batch[..index].iter().all(|earlier| earlier.disk != request.disk)
        };
        batch.iter().any(|request| place(request).is_some_and(is_slow))
            && batch.iter().all(is_patient)
            && batch.iter().enumerate().all(is_alone)
    }

    fn run_hedged(&mut self, batch: &mut [Request<'_>], start: Start<D>, work: Option<&mut dyn FnMut()>) {
        let asked = Instant::now();
        let begun: Vec<bool> =
            batch.iter().map(|request| self.places[request.disk].begin(request, start)).collect();
        if let Some(work) = work {
            work();
        }
        for (request, has_begun) in batch.iter_mut().zip(begun) {
            let patience = Duration::from_micros(request.patience.into());
            let left = || patience.saturating_sub(asked.elapsed());
            let place = &mut self.places[request.disk];
            // It may be back by now, or come back in time.
            let has_begun = has_begun || place.comes_back(left()) && place.begin(request, start);
            place.end(request, has_begun.then(left));
        }
    }

    fn run(&mut self, batch: &mut [Request<'_>], work: Option<&mut dyn FnMut()>) {
        if let Some(Hedge { start, .. }) = self.hedge
            && self.is_hedged(batch)
        {
            self.run_hedged(batch, start, work);
        } else if self.pays_for_threads(batch, work.is_some()) {
            self.run_in_parallel(batch, work.unwrap_or(&mut || {}));
        } else {
            if let Some(work) = work {
                work();
            }
            self.run_inline(batch);
        }
    }

    fn run_inline(&mut self, batch: &mut [Request<'_>]) {
        for request in batch {
            match self.places.get_mut(request.disk) {
                Some(place) => place.run(request),
                None => request.result = Err(IoError::Gone),
            }
        }
    }

    fn run_in_parallel(&mut self, batch: &mut [Request<'_>], work: &mut dyn FnMut()) {
        let mut requests: Vec<&mut Request<'_>> = batch.iter_mut().collect();
        // A stable sort: what goes to one disk keeps its order.
        requests.sort_by_key(|request| request.disk);

        let mut places = self.places.iter_mut().enumerate();
        let mut lanes = Vec::new();
        for requests in requests.chunk_by_mut(|a, b| a.disk == b.disk) {
            let disk = requests[0].disk;
            match places.find(|(index, _)| *index == disk) {
                Some((_, place)) => lanes.push(Mutex::new(Lane { place, requests })),
                None => requests.iter_mut().for_each(|request| request.result = Err(IoError::Gone)),
            }
        }

        // Each lane is locked once, by the thread that got it: the locks only tell the compiler so.
        let run = |lane: usize| lanes[lane].lock().unwrap_or_else(PoisonError::into_inner).run();
        let crew = self.crew.get_or_insert_with(|| Crew::new(self.workers));
        crew.run(lanes.len(), &run, work);
    }
}

/// The requests of a batch to one disk.
struct Lane<'a, 'r, 'b, D> {
    place: &'a mut Place<D>,
    requests: &'a mut [&'r mut Request<'b>],
}

impl<D: BlockDevice> Lane<'_, '_, '_, D> {
    fn run(&mut self) {
        for request in &mut *self.requests {
            self.place.run(request);
        }
    }
}

impl<D: BlockDevice + Send> DiskArray for HostArray<D> {
    const GIVES_UP: bool = true;

    type Batch<'b> = heapless::Vec<Request<'b>, BATCH_REQUESTS>;

    fn disks(&self) -> usize {
        self.places.len()
    }

    fn geometry(&self, disk: usize) -> Geometry {
        self.places[disk].geometry()
    }

    fn execute_while(&mut self, batch: &mut [Request<'_>], work: &mut dyn FnMut()) {
        self.run(batch, Some(work));
    }

    fn execute(&mut self, batch: &mut [Request<'_>]) {
        self.run(batch, None);
    }

    fn take_outcome(&mut self, disk: usize) -> Option<Outcome> {
        self.places.get_mut(disk)?.take_outcome()
    }
}
