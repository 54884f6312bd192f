//! What a build with the feature `log` or `defmt` tells while it works, through the crate of that name.
//!
//! | level | what |
//! |---|---|
//! | error | a pool is not made or not mounted; a commit fails; something may be lost |
//! | warn | a request fails; a checksum is wrong; another copy is used; a member is out of use or behind |
//! | info | a pool is made or mounted; something was repaired; members and jobs change |
//! | debug | a commit |
//!
//! Disks are told by their index in the array, members by their number. Without these features nothing is
//! left of a line: neither its words nor what it would show.

/// Whether anything is told.
pub(crate) const LOGGING: bool = cfg!(any(feature = "log", feature = "defmt"));

/// A line of this level. Its arguments have a `Display` or `Debug`, and a `defmt::Format`, of the same words.
macro_rules! tell {
    ($level:ident, $words:literal $(, $shown:expr)* $(,)?) => {{
        #[cfg(feature = "defmt")]
        ::defmt::$level!($words $(, $shown)*);
        #[cfg(feature = "log")]
        ::log::$level!($words $(, $shown)*);
        #[cfg(not(any(feature = "defmt", feature = "log")))]
        if false {
            $(let _ = &$shown;)*
        }
    }};
}

pub(crate) use tell;
