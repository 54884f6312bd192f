//! Telling damage from other failures.

use crate::output::failure::{Code, Failure};

/// What was read; `None` where the records that it is about are damaged, which other reasons tell.
pub(super) fn readable<T>(read: Result<T, impl Into<Failure>>) -> Result<Option<T>, Failure> {
    match read.map_err(Into::into) {
        Err(failure) if failure.code() == Code::Damaged => Ok(None),
        read => read.map(Some),
    }
}
