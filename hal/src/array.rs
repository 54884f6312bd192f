//! All disks at once: the seam through which the core's I/O passes.

use crate::{Batch, BlockDevice, DeviceError, Geometry, Operation, Outcome, Request};

/// The disks of a pool, driven in batches.
///
/// The requests of a batch have no order among each other, with one exception. A [`Operation::Flush`] covers
/// the earlier requests to the same disk in its batch. When a call returns, nothing is in flight: what timed
/// out makes its disk gone until it is opened anew. A `&mut T` is a `DiskArray` too.
///
/// One exception: an array that [`GIVES_UP`](Self::GIVES_UP) may return while a disk is still at a read whose
/// [`patience`](Request::patience) has ended. Nothing of the caller's is touched by it any more. Until the
/// disk has answered, its other requests wait. A read with patience waits for that long and is then
/// [`Late`](crate::IoError::Late); other requests wait as long as it takes.
pub trait DiskArray {
    /// Whether the array gives up on reads that take longer than the caller's patience. Where it does not, the core
    /// need not think about patience, and code that does is left out of a firmware.
    const GIVES_UP: bool = false;

    /// Where the core collects requests, usually `heapless::Vec<Request<'b>, N>`.
    type Batch<'b>: Batch<'b>;

    /// Disks in the array; their indices are `0..disks()`.
    fn disks(&self) -> usize;

    /// What a disk is like. A place in the array without a disk has zero sectors.
    ///
    /// # Panics
    /// May panic when `disk >= self.disks()`.
    fn geometry(&self, disk: usize) -> Geometry;

    /// Runs all requests, sets each one's result, and calls `work` exactly once. It calls it while they are
    /// in flight if the array can do that, else before or after them.
    fn execute_while(&mut self, batch: &mut [Request<'_>], work: &mut dyn FnMut());

    /// What became of a read that was given up, once its disk has answered; each is told once. For arrays that
    /// [`GIVES_UP`](Self::GIVES_UP).
    fn take_outcome(&mut self, disk: usize) -> Option<Outcome> {
        let _ = disk;
        None
    }

    /// Runs all requests.
    fn execute(&mut self, batch: &mut [Request<'_>]) {
        self.execute_while(batch, &mut || {});
    }
}

impl<T: DiskArray> DiskArray for &mut T {
    const GIVES_UP: bool = T::GIVES_UP;
    type Batch<'b> = T::Batch<'b>;

    fn disks(&self) -> usize {
        (**self).disks()
    }
    fn geometry(&self, disk: usize) -> Geometry {
        (**self).geometry(disk)
    }
    fn execute_while(&mut self, batch: &mut [Request<'_>], work: &mut dyn FnMut()) {
        (**self).execute_while(batch, work);
    }
    fn take_outcome(&mut self, disk: usize) -> Option<Outcome> {
        (**self).take_outcome(disk)
    }
}

/// Disks driven one request after the other: what firmware uses. `B` is the capacity of a batch, at least 2.
/// A capacity of 8 costs about 320 bytes of stack on a 32-bit target.
#[derive(Debug)]
pub struct SerialArray<D, const N: usize, const B: usize = 8> {
    devices: [D; N],
}

impl<D: BlockDevice, const N: usize> SerialArray<D, N> {
    /// An array over these disks, with batches of 8 requests.
    pub const fn new(devices: [D; N]) -> Self {
        Self::with_batches(devices)
    }
}

impl<D: BlockDevice, const N: usize, const B: usize> SerialArray<D, N, B> {
    /// An array over these disks, with batches of `B` requests.
    pub const fn with_batches(devices: [D; N]) -> Self {
        const { assert!(B >= 2, "a batch holds at least two requests") };
        Self { devices }
    }

    /// The disks, as they are between two calls.
    pub const fn devices(&mut self) -> &mut [D; N] {
        &mut self.devices
    }

    /// Gives the disks back.
    pub fn into_devices(self) -> [D; N] {
        self.devices
    }
}

impl<D: BlockDevice, const N: usize, const B: usize> DiskArray for SerialArray<D, N, B> {
    type Batch<'b> = heapless::Vec<Request<'b>, B>;

    fn disks(&self) -> usize {
        N
    }

    fn geometry(&self, disk: usize) -> Geometry {
        self.devices[disk].geometry()
    }

    fn execute_while(&mut self, batch: &mut [Request<'_>], work: &mut dyn FnMut()) {
        work();
        for request in batch {
            let Some(device) = self.devices.get_mut(request.disk) else {
                request.result = Err(crate::IoError::Gone);
                continue;
            };
            request.result = run(device, request.lba, &mut request.operation);
        }
    }
}

/// Runs one operation on one device.
pub(crate) fn run<D: BlockDevice>(
    device: &mut D,
    lba: u64,
    operation: &mut Operation<'_>,
) -> Result<(), crate::IoError> {
    match operation {
        Operation::Read(buf) => device.read(lba, buf),
        Operation::Write(buf) => device.write(lba, buf),
        Operation::WriteDurable(buf) => device.write_durable(lba, buf),
        Operation::Flush => device.flush(),
        Operation::Discard(sectors) => device.discard(lba, *sectors),
    }
    .map_err(|error| error.kind())
}
