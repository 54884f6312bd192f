//! A device that logs what fails below it.

use crate::{BlockDevice, DeviceError, Geometry};

/// Logs each operation that fails, with its place, its kind and the driver's own error, as a warning of the
/// `log` crate. Nothing else is logged, and nothing is changed.
#[derive(Debug)]
pub struct Logged<D> {
    device: D,
    name: &'static str,
}

impl<D: BlockDevice> Logged<D> {
    /// Logs the failures of a device under this name.
    pub const fn new(device: D, name: &'static str) -> Self {
        Self { device, name }
    }

    /// Gives the device back.
    pub fn into_inner(self) -> D {
        self.device
    }

    /// The sectors that a buffer is.
    fn sectors(&self, buf: &[u8]) -> u64 {
        buf.len() as u64 / u64::from(self.device.geometry().sector_bytes.max(1))
    }

    fn note(
        &self,
        operation: core::fmt::Arguments<'_>,
        result: Result<(), D::Error>,
    ) -> Result<(), D::Error> {
        if let Err(error) = &result {
            log::warn!("{}: {operation} failed: {} ({error:?})", self.name, error.kind());
        }
        result
    }
}

impl<D: BlockDevice> BlockDevice for Logged<D> {
    type Error = D::Error;

    fn geometry(&self) -> Geometry {
        self.device.geometry()
    }

    fn read(&mut self, lba: u64, buf: &mut [u8]) -> Result<(), D::Error> {
        let result = self.device.read(lba, buf);
        self.note(format_args!("read of {} sectors at {lba}", self.sectors(buf)), result)
    }

    fn write(&mut self, lba: u64, buf: &[u8]) -> Result<(), D::Error> {
        let result = self.device.write(lba, buf);
        self.note(format_args!("write of {} sectors at {lba}", self.sectors(buf)), result)
    }

    fn flush(&mut self) -> Result<(), D::Error> {
        let result = self.device.flush();
        self.note(format_args!("flush"), result)
    }

    fn write_durable(&mut self, lba: u64, buf: &[u8]) -> Result<(), D::Error> {
        let result = self.device.write_durable(lba, buf);
        self.note(format_args!("durable write of {} sectors at {lba}", self.sectors(buf)), result)
    }

    fn discard(&mut self, lba: u64, sectors: u64) -> Result<(), D::Error> {
        let result = self.device.discard(lba, sectors);
        self.note(format_args!("discard of {sectors} sectors at {lba}"), result)
    }
}
