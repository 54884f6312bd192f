//! What the core under test has.

/// Whether it has all its features. Else it is one as firmware has it, which leaves to a server what an
/// operator does.
pub(crate) const FULL: bool = cfg!(feature = "full");
