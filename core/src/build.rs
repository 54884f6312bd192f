//! What this build has: the features, as constants, so that what is left out is still compiled and checked,
//! and takes no space.

/// More than one disk.
pub(crate) const MULTI: bool = cfg!(feature = "multi");
/// One parity fragment.
pub(crate) const XOR: bool = cfg!(feature = "xor");
/// Several parity fragments.
pub(crate) const REED_SOLOMON: bool = cfg!(feature = "reed-solomon");
/// Rebuild and scrub.
pub(crate) const MAINTAIN: bool = cfg!(feature = "maintain");
/// What an operator needs: more jobs, members that come and go, and the ways around what cannot be read.
pub(crate) const MANAGE: bool = cfg!(feature = "manage");
/// Read repair.
pub(crate) const REPAIR: bool = cfg!(feature = "repair");
/// Conditions, latencies, events, counters.
pub(crate) const OBSERVE: bool = cfg!(feature = "observe");
/// Objects that stay without a name as long as they are held.
pub(crate) const PINS: bool = cfg!(feature = "pins");
/// Contents in pieces.
pub(crate) const TIGHT: bool = cfg!(feature = "tight");
/// Several fragments at once.
pub(crate) const FAST_READ: bool = cfg!(feature = "fast-read");
/// Failure domains, tiers, weights.
pub(crate) const PLACEMENT: bool = cfg!(feature = "placement");
/// Buffers that are aligned in between.
pub(crate) const STAGING: bool = cfg!(feature = "staging");
