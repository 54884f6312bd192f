//! What was on a disk before goes with the first write, and not sooner: a command that is refused has changed
//! nothing.

use crate::host::signature::Signature;
use dynamicfs_hal::{BlockDevice, Geometry};

/// A disk whose old signatures are wiped, durably, before it is written to.
#[derive(Debug)]
pub(crate) struct Wiping<D> {
    disk: D,
    /// What is to be wiped.
    signatures: Vec<Signature>,
}

impl<D: BlockDevice> Wiping<D> {
    pub(crate) const fn new(disk: D, signatures: Vec<Signature>) -> Self {
        Self { disk, signatures }
    }

    fn wipe(&mut self) -> Result<(), D::Error> {
        if self.signatures.is_empty() {
            return Ok(());
        }
        let sector_bytes = u64::from(self.disk.geometry().sector_bytes);
        for signature in &self.signatures {
            let end = signature.at + signature.length as u64;
            let lba = signature.at / sector_bytes;
            let start = lba * sector_bytes;
            let mut sectors = vec![0; (end.next_multiple_of(sector_bytes) - start) as usize];
            self.disk.read(lba, &mut sectors)?;
            sectors[(signature.at - start) as usize..(end - start) as usize].fill(0);
            self.disk.write(lba, &sectors)?;
        }
        self.disk.flush()?;
        self.signatures.clear();
        Ok(())
    }
}

impl<D: BlockDevice> BlockDevice for Wiping<D> {
    type Error = D::Error;

    fn geometry(&self) -> Geometry {
        self.disk.geometry()
    }
    fn read(&mut self, lba: u64, buf: &mut [u8]) -> Result<(), D::Error> {
        self.disk.read(lba, buf)
    }
    fn write(&mut self, lba: u64, buf: &[u8]) -> Result<(), D::Error> {
        self.wipe()?;
        self.disk.write(lba, buf)
    }
    fn flush(&mut self) -> Result<(), D::Error> {
        self.disk.flush()
    }
    fn write_durable(&mut self, lba: u64, buf: &[u8]) -> Result<(), D::Error> {
        self.wipe()?;
        self.disk.write_durable(lba, buf)
    }
    fn discard(&mut self, lba: u64, sectors: u64) -> Result<(), D::Error> {
        self.wipe()?;
        self.disk.discard(lba, sectors)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std_host_shim::FileDisk;

    #[test]
    fn signatures_go_with_the_first_write() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("disk");
        std::fs::write(&path, vec![7; 3 * 4096]).unwrap();
        let signatures = vec![
            Signature { name: "one", at: 4090, length: 10 },
            Signature { name: "another", at: 8200, length: 4 },
        ];
        let mut disk = Wiping::new(FileDisk::open(&path).unwrap(), signatures);
        let mut sector = vec![0; 4096];
        disk.read(0, &mut sector).unwrap();
        disk.flush().unwrap();
        assert!(std::fs::read(&path).unwrap().iter().all(|&byte| byte == 7));
        disk.write(2, &[9; 4096]).unwrap();
        let after = std::fs::read(&path).unwrap();
        let zeros: Vec<usize> = (0..after.len()).filter(|&at| after[at] == 0).collect();
        assert_eq!(zeros, (4090..4100).collect::<Vec<_>>(), "what the write covers is the write's");
        assert!(after[8192..].iter().all(|&byte| byte == 9));
    }
}
