//! Why an order was not carried out.

use core::fmt;
use dynamicfs_core::error::{Error, FormatError, MountError};

/// Why an order was not carried out.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Failure {
    /// No pool was made.
    Format(FormatError),
    /// The pool was not mounted.
    Mount(MountError),
    /// An operation failed.
    Pool(Error),
    /// What the pool holds is not what it should.
    Contents(&'static str),
    /// The order is none.
    Order,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Format(error) => write!(f, "format: {error}"),
            Self::Mount(error) => write!(f, "mount: {error}"),
            Self::Pool(error) => error.fmt(f),
            Self::Contents(what) => f.write_str(what),
            Self::Order => {
                f.write_str("orders are: format SCHEME, write COUNT, verify, mend, make, record, halt")
            }
        }
    }
}

impl From<FormatError> for Failure {
    fn from(error: FormatError) -> Self {
        Self::Format(error)
    }
}

impl From<MountError> for Failure {
    fn from(error: MountError) -> Self {
        Self::Mount(error)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Pool(error)
    }
}
