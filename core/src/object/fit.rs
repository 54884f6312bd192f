//! What takes space: where it goes, and what became of it.

use crate::error::Code;
use crate::format::inode::Inode;
use crate::transaction::Purpose;
use crate::types::ObjectId;

/// Where contents are to be stored.
#[derive(Clone, Copy)]
pub(super) struct Destination<'i> {
    pub(super) object: ObjectId,
    /// What the object asks for: scheme, length of its extents, tier.
    pub(super) inode: &'i Inode,
    /// The first byte.
    pub(super) start: u64,
    /// What the space is for.
    pub(super) purpose: Purpose,
}

impl<'i> Destination<'i> {
    /// From this byte of an object on, for what is written to it.
    pub(super) const fn new(object: ObjectId, inode: &'i Inode, start: u64) -> Self {
        Self { object, inode, start, purpose: Purpose::Growth }
    }

    /// The same from another byte on.
    pub(super) const fn at(self, start: u64) -> Self {
        Self { start, ..self }
    }

    /// The same for another purpose.
    pub(super) const fn with(self, purpose: Purpose) -> Self {
        Self { purpose, ..self }
    }
}

/// What became of something that takes space, where nothing failed.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fit<T = ()> {
    /// It is done.
    Done(T),
    /// There is no space for it, and nothing was changed.
    NoSpace,
}

impl<T> Fit<T> {
    /// Whether it was done.
    pub(crate) const fn is_done(&self) -> bool {
        matches!(self, Self::Done(_))
    }

    /// What was done, or the error that there is no space.
    pub(crate) fn or_no_space(self) -> Result<T, Code> {
        match self {
            Self::Done(what) => Ok(what),
            Self::NoSpace => Err(Code::NoSpace),
        }
    }
}

impl Fit {
    /// It is done.
    pub(crate) const DONE: Self = Self::Done(());

    /// Done if this is so.
    pub(crate) const fn done_if(is_done: bool) -> Self {
        if is_done { Self::DONE } else { Self::NoSpace }
    }
}

impl Fit<usize> {
    /// Whether so many bytes are stored: all that there were.
    pub(crate) fn is_whole(self, bytes: usize) -> bool {
        self == Self::Done(bytes)
    }
}
