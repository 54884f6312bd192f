//! How much the machine takes at a time: requests of a batch, and requests in flight.

use super::BATCH_MAX;
use dynamicfs_hal::{Batch, Request};
use std::cell::Cell;

thread_local! {
    /// Requests that fit into a batch which is begun on this thread: a batch does not know its array.
    static FITTING: Cell<usize> = const { Cell::new(BATCH_MAX) };
}

/// A machine whose batches hold so many requests, for as long as this lives, on this thread.
#[derive(Debug)]
pub struct Narrow(());

impl Narrow {
    /// Batches of `requests`, two at least.
    pub fn to(requests: usize) -> Self {
        FITTING.set(requests.clamp(2, BATCH_MAX));
        Self(())
    }
}

impl Drop for Narrow {
    fn drop(&mut self) {
        FITTING.set(BATCH_MAX);
    }
}

/// Requests that the core collects for the simulated machine.
#[derive(Debug, Default)]
pub struct SimBatch<'b>(heapless::Vec<Request<'b>, BATCH_MAX>);

impl<'b> Batch<'b> for SimBatch<'b> {
    const CAPACITY: usize = BATCH_MAX;

    fn capacity() -> usize {
        FITTING.get()
    }

    fn push(&mut self, request: Request<'b>) -> Result<(), Request<'b>> {
        if self.0.len() >= FITTING.get() { Err(request) } else { self.0.push(request) }
    }

    fn requests(&mut self) -> &mut [Request<'b>] {
        &mut self.0
    }
}
