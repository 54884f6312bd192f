//! What a trial found wrong.

use dynamicfs_core::error::{Error, FormatError, MountError};

/// Why a trial failed: what the pool answered, or what it should not have.
#[derive(Clone, Copy, Debug)]
#[expect(dead_code, reason = "what the variants carry is printed")]
pub(crate) enum Fault {
    /// No pool was made.
    Format(FormatError),
    /// The pool was not mounted.
    Mount(MountError),
    /// An operation failed.
    Pool(Error),
    /// What the pool holds is not what it should.
    Contents(&'static str),
}

impl From<FormatError> for Fault {
    fn from(error: FormatError) -> Self {
        Self::Format(error)
    }
}

impl From<MountError> for Fault {
    fn from(error: MountError) -> Self {
        Self::Mount(error)
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Pool(error)
    }
}
