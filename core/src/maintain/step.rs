//! One bounded step of whatever work there is, each a transaction of its own.

use crate::error::{Error, StorageError};
use crate::limits::REPAIRS_MAX;
use crate::object::Objects;
use dynamicfs_hal::DiskArray;

/// What a step did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Work {
    /// There was nothing to do.
    Nothing,
    /// Fragments that reads found bad were rewritten, or found to be beyond repair.
    Repaired,
    /// Some extents of a deleted object were freed.
    Reaped,
    /// Dead blocks of some groups were given back.
    Swept,
}

impl<A: DiskArray> Objects<'_, A> {
    /// Does one step of the most urgent work: rewrites bad fragments, frees some of a deleted object, or, with
    /// `sweep`, gives dead blocks back when that is worth its writes. A transaction of its own; [`Work::Nothing`] writes nothing.
    pub fn maintain(&mut self, sweep: bool) -> Result<Work, Error> {
        if !self.repairs.is_empty() {
            match self.step(Work::Repaired) {
                // There is none until something is freed, which comes next.
                Err(Error::Storage(StorageError::NoSpace)) => {}
                done => return done,
            }
        }
        match self.store.committed().orphans() {
            0 if sweep && self.store.is_sweep_worthwhile() => self.step(Work::Swept),
            0 => Ok(Work::Nothing),
            _ => self.step(Work::Reaped),
        }
    }

    /// One step of one kind of work, in a transaction of its own.
    fn step(&mut self, work: Work) -> Result<Work, Error> {
        self.store.begin()?;
        let done = match work {
            Work::Repaired => self.repair_all(),
            Work::Reaped => self.reap_step(),
            _ => self.store.sweep_step().map_err(Error::from),
        };
        match done {
            Ok(_) => self.commit().map(|()| work),
            Err(error) => {
                self.abort();
                Err(error)
            }
        }
    }

    /// Rewrites the bad fragments that reads remembered.
    fn repair_all(&mut self) -> Result<bool, Error> {
        let mut repaired = false;
        for _ in 0..REPAIRS_MAX {
            if !self.repair_step()? {
                break;
            }
            repaired = true;
        }
        Ok(repaired)
    }
}
