//! What files are put into.

use crate::output::failure::Failure;
use crate::pool::session::{Changes, Disks};
use dynamicfs_core::{Pool, ReadObjects};

/// A transaction, or in a dry run a pool that is only read.
pub(super) trait Target: ReadObjects {
    /// Runs what changes the pool; in a dry run it is left out.
    fn change<T>(
        &mut self,
        f: impl FnOnce(&mut Changes<'_, '_>) -> Result<T, Failure>,
    ) -> Result<Option<T>, Failure>;
}

impl Target for Changes<'_, '_> {
    fn change<T>(
        &mut self,
        f: impl FnOnce(&mut Changes<'_, '_>) -> Result<T, Failure>,
    ) -> Result<Option<T>, Failure> {
        f(self).map(Some)
    }
}

impl Target for Pool<'_, Disks> {
    fn change<T>(
        &mut self,
        _: impl FnOnce(&mut Changes<'_, '_>) -> Result<T, Failure>,
    ) -> Result<Option<T>, Failure> {
        Ok(None)
    }
}
