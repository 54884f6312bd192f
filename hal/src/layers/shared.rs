//! One device for several users of one thread.

use core::cell::{Cell, RefCell};

use super::LayerError;
use crate::{BlockDevice, Geometry, IoError};

/// A device that several users have at once, each through a `&SharedDevice`: partitions of one card.
///
/// A flush covers the writes of all users, and so does its failure. Writes of another user may be lost, and a
/// later flush that succeeds would hide it. After a failed flush or durable write the device therefore takes
/// no change from any user ([`IoError::Gone`]) until it is opened anew. Reads continue.
///
/// It is not `Sync`: the users are one thread.
#[derive(Debug)]
pub struct SharedDevice<D> {
    device: RefCell<D>,
    in_doubt: Cell<bool>,
}

impl<D: BlockDevice> SharedDevice<D> {
    /// Shares a device.
    pub const fn new(device: D) -> Self {
        Self { device: RefCell::new(device), in_doubt: Cell::new(false) }
    }

    /// Gives the device back. To put it into another `SharedDevice` counts as opening it anew.
    pub fn into_inner(self) -> D {
        self.device.into_inner()
    }

    /// Changes the device, unless its state is in doubt.
    fn change(
        &self,
        change: impl FnOnce(&mut D) -> Result<(), D::Error>,
    ) -> Result<(), LayerError<D::Error>> {
        if self.in_doubt.get() {
            return Err(LayerError::Refused(IoError::Gone));
        }
        change(&mut self.device.borrow_mut()).map_err(LayerError::Device)
    }

    /// As [`change`](Self::change); a failure leaves the state of the device in doubt.
    fn settle(
        &self,
        change: impl FnOnce(&mut D) -> Result<(), D::Error>,
    ) -> Result<(), LayerError<D::Error>> {
        let result = self.change(change);
        self.in_doubt.set(result.is_err());
        result
    }
}

impl<D: BlockDevice> BlockDevice for &SharedDevice<D> {
    type Error = LayerError<D::Error>;

    fn geometry(&self) -> Geometry {
        self.device.borrow().geometry()
    }

    fn read(&mut self, lba: u64, buf: &mut [u8]) -> Result<(), Self::Error> {
        self.device.borrow_mut().read(lba, buf).map_err(LayerError::Device)
    }

    fn write(&mut self, lba: u64, buf: &[u8]) -> Result<(), Self::Error> {
        self.change(|device| device.write(lba, buf))
    }

    fn flush(&mut self) -> Result<(), Self::Error> {
        self.settle(BlockDevice::flush)
    }

    fn write_durable(&mut self, lba: u64, buf: &[u8]) -> Result<(), Self::Error> {
        self.settle(|device| device.write_durable(lba, buf))
    }

    fn discard(&mut self, lba: u64, sectors: u64) -> Result<(), Self::Error> {
        self.change(|device| device.discard(lba, sectors))
    }
}
