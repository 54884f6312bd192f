//! One place in the array: a disk or none.

use std::time::Instant;

use dynamicfs_hal::{BlockDevice, DeviceError, IoError, Operation, Request};

use super::latency::Latency;

/// A disk, or none, and what its requests take.
#[derive(Debug)]
pub(super) struct Place<D> {
    pub(super) disk: Option<D>,
    pub(super) latency: Latency,
}

impl<D: BlockDevice> Place<D> {
    pub(super) fn new(disk: Option<D>) -> Self {
        Self { disk, latency: Latency::default() }
    }

    /// Runs a request and sets its result. A place without a disk is gone.
    pub(super) fn run(&mut self, request: &mut Request<'_>) {
        let Some(disk) = &mut self.disk else {
            request.result = Err(IoError::Gone);
            return;
        };
        let lba = request.lba;
        let began = Instant::now();
        let result = match &mut request.operation {
            Operation::Read(buf) => disk.read(lba, buf),
            Operation::Write(buf) => disk.write(lba, buf),
            Operation::WriteDurable(buf) => disk.write_durable(lba, buf),
            Operation::Flush => disk.flush(),
            Operation::Discard(sectors) => disk.discard(lba, *sectors),
        };
        let took = began.elapsed();
        self.latency.observe(&request.operation, took);
        request.micros = u32::try_from(took.as_micros()).unwrap_or(u32::MAX).max(1);
        request.result = result.map_err(|error| error.kind());
    }
}
