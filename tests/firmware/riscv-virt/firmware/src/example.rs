//! README.md's example of firmware, as it stands there, on this board.

include!(concat!(env!("OUT_DIR"), "/readme.rs"));

use crate::board::BoardClock;
use crate::failure::Failure;
use crate::orders::Machine;

/// The memory that the example lends: the least for cards of up to 16 GiB, whatever the scheme.
pub(crate) struct Space(Lent);

impl Space {
    pub(crate) const NEW: Self = Self(Lent::NEW);

    pub(crate) fn lend(&mut self) -> Memory<'_> {
        self.0.lend()
    }
}

impl Machine {
    /// Makes a pool as the example does.
    pub(crate) fn make(&mut self) -> Result<(), Failure> {
        make(&mut self.disks, &mut self.space.0, &BoardClock, &mut self.entropy)?;
        Ok(())
    }

    /// Mounts the pool and adds a line to its log, as the example does.
    pub(crate) fn record(&mut self, line: &[u8]) -> Result<(), Failure> {
        let mut pool = mount(&mut self.disks, &mut self.space.0, &BoardClock)?;
        Ok(record(&mut pool, line)?)
    }
}
