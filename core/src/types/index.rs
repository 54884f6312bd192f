//! Indices of one kind each, and sets of them.

use crate::build::MULTI;
use core::marker::PhantomData;

/// The bits of a set: as many as a build may have members or fragments.
#[cfg(feature = "wide")]
type Bits = u64;
#[cfg(not(feature = "wide"))]
type Bits = u32;

macro_rules! index {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[cfg_attr(feature = "defmt", derive(defmt::Format))]
        pub struct $name(pub usize);

        impl From<usize> for $name {
            fn from(index: usize) -> Self {
                Self(index)
            }
        }

        impl From<u8> for $name {
            fn from(index: u8) -> Self {
                Self(index.into())
            }
        }

        impl From<$name> for usize {
            fn from(index: $name) -> Self {
                index.0
            }
        }

        impl core::ops::Add<usize> for $name {
            type Output = Self;

            fn add(self, further: usize) -> Self {
                Self(self.0 + further)
            }
        }

        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

index! {
    /// A row of the superblock's member table, below [`MEMBERS_MAX`](crate::limits::MEMBERS_MAX): a member's
    /// place in all sets of members.
    Row
}

index! {
    /// A disk of the array, below [`DiskArray::disks`](dynamicfs_hal::DiskArray::disks).
    DiskIndex
}

index! {
    /// A fragment of a stripe, below [`Scheme::width`](crate::types::Scheme::width): the data fragments
    /// first, then parity. A replica of a node likewise.
    FragmentIndex
}

index! {
    /// A chunk of a fragment, counted from its beginning. The chunks of a column are computed from each
    /// other.
    Column
}

macro_rules! in_a_byte {
    ($($name:ident)*) => {$(
        impl $name {
            /// The same in a byte.
            #[expect(clippy::cast_possible_truncation, reason = "there are at most 64 rows and 20 fragments")]
            pub(crate) const fn byte(self) -> u8 {
                self.0 as u8
            }
        }
    )*};
}
in_a_byte!(Row FragmentIndex);

/// A set of indices, as a bit for each.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Set<I>(Bits, PhantomData<I>);

impl<I> core::fmt::Debug for Set<I> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_set().entries(Set::<usize>(self.0, PhantomData).iter()).finish()
    }
}

#[cfg(feature = "defmt")]
impl<I> defmt::Format for Set<I> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "{=u64:b}", Self(self.0, PhantomData).bits());
    }
}

impl<I> Default for Set<I> {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl<I> Set<I> {
    /// No index.
    pub const EMPTY: Self = Self(0, PhantomData);

    /// The set of these bits; those that this build has no members for are left out.
    #[cfg_attr(
        not(feature = "wide"),
        expect(clippy::cast_possible_truncation, reason = "what this build has no members for is left out")
    )]
    pub const fn of_bits(bits: u64) -> Self {
        Self(bits as Bits, PhantomData)
    }

    /// The bits of the set.
    #[allow(clippy::unnecessary_cast, reason = "they are fewer in a narrow build")]
    pub const fn bits(self) -> u64 {
        self.0 as u64
    }

    /// The indices `0..count`.
    pub const fn first(count: usize) -> Self {
        Self(if count >= Bits::BITS as usize { Bits::MAX } else { (1 << count) - 1 }, PhantomData)
    }

    /// What is in both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0, PhantomData)
    }

    /// What is in either.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0, PhantomData)
    }

    /// What is not in `other`.
    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0 & !other.0, PhantomData)
    }

    /// Whether all is in `other`.
    pub const fn is_subset_of(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }

    /// Whether there is nothing in it.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// How many indices.
    pub const fn len(self) -> usize {
        count(self.0)
    }
}

#[cfg_attr(not(feature = "fast-read"), inline(never))] // A Cortex-M counts bits in software.
const fn count(bits: Bits) -> usize {
    bits.count_ones() as usize
}

impl<I: From<usize> + Into<usize>> Set<I> {
    /// Whether the index belongs to the set; false from the width on.
    pub fn contains(self, index: I) -> bool {
        let index = index.into();
        index < Bits::BITS as usize && self.0 >> index & 1 == 1
    }

    /// The bit of an index, which is below the width.
    fn bit(index: I) -> Bits {
        1 << (index.into() & (Bits::BITS as usize - 1))
    }

    /// The set and this index, which is below the width.
    #[must_use]
    pub fn with(self, index: I) -> Self {
        Self(self.0 | Self::bit(index), PhantomData)
    }

    /// The set without this index.
    #[must_use]
    pub fn without(self, index: I) -> Self {
        Self(self.0 & !Self::bit(index), PhantomData)
    }

    /// The set of one index, which is below the width.
    pub fn only(index: I) -> Self {
        Self::EMPTY.with(index)
    }

    /// The indices, ascending.
    pub const fn iter(self) -> SetIter<I> {
        SetIter(self)
    }
}

impl<I: From<usize> + Into<usize>> FromIterator<I> for Set<I> {
    fn from_iter<T: IntoIterator<Item = I>>(indices: T) -> Self {
        indices.into_iter().fold(Self::EMPTY, Self::with)
    }
}

impl<I: From<usize> + Into<usize>> IntoIterator for Set<I> {
    type Item = I;
    type IntoIter = SetIter<I>;

    fn into_iter(self) -> SetIter<I> {
        self.iter()
    }
}

/// The indices of a set, ascending.
#[derive(Clone, Debug)]
pub struct SetIter<I>(Set<I>);

impl<I: From<usize>> Iterator for SetIter<I> {
    type Item = I;

    fn next(&mut self) -> Option<I> {
        let bits = self.0.0;
        if !MULTI {
            self.0 = Set::EMPTY;
            return (bits != 0).then(|| I::from(0));
        }
        self.0 = Set(bits & bits.wrapping_sub(1), PhantomData);
        (bits != 0).then(|| I::from(bits.trailing_zeros() as usize))
    }
}
