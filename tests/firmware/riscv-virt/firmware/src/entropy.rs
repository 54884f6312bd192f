//! The board's source of randomness: a virtio device at the last of its places.

use crate::disk;
use crate::virtio::{Direct, device};
use dynamicfs_hal::{Entropy, EntropyError};
use virtio_drivers::device::rng::VirtIORng;
use virtio_drivers::transport::DeviceType;
use virtio_drivers::transport::mmio::MmioTransport;

/// The device, if the board has one.
pub(crate) struct BoardEntropy(Option<VirtIORng<Direct, MmioTransport<'static>>>);

impl BoardEntropy {
    /// Finds it. To be called once.
    pub(crate) fn find() -> Self {
        let transport = device(disk::COUNT, DeviceType::EntropySource);
        Self(transport.and_then(|transport| VirtIORng::new(transport).ok()))
    }
}

impl Entropy for BoardEntropy {
    fn fill(&mut self, mut buf: &mut [u8]) -> Result<(), EntropyError> {
        let device = self.0.as_mut().ok_or(EntropyError)?;
        while !buf.is_empty() {
            match device.request_entropy(buf) {
                Ok(bytes @ 1..) => buf = buf.get_mut(bytes..).ok_or(EntropyError)?,
                _ => return Err(EntropyError),
            }
        }
        Ok(())
    }
}
