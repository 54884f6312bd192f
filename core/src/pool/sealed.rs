//! What this crate alone may implement.

use crate::error::Code;
use crate::object::Objects;
use dynamicfs_hal::DiskArray;

/// Something with objects inside.
pub trait Inside {
    /// The disks.
    type Array: DiskArray;

    /// Runs something on the objects.
    fn inside<T>(&mut self, f: impl FnOnce(&mut Objects<'_, Self::Array>) -> T) -> T;

    /// What an error of such a call is told as.
    fn cause(_: &mut Objects<'_, Self::Array>, error: Code) -> Code {
        error
    }
}
