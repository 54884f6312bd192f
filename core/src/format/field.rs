//! Fields at fixed offsets.

#![expect(
    clippy::indexing_slicing,
    clippy::expect_used,
    reason = "a field lies in its structure, as the layout proves, and a structure has its length"
)]

/// One field of a structure, for the documentation's test.
#[cfg(any(test, feature = "internals"))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// The field's name, as its accessor is called.
    pub name: &'static str,
    /// Bytes from the structure's beginning.
    pub offset: usize,
    /// Bytes of the field.
    pub bytes: usize,
}

/// A type that has one little-endian form on disk.
pub trait Stored {
    /// What the field means in memory.
    type Value;
    /// Bytes on disk.
    const BYTES: usize;
    /// Reads `Self::BYTES` bytes at the beginning of `bytes`.
    fn load(bytes: &[u8]) -> Self::Value;
    /// Writes them.
    fn store(bytes: &mut [u8], value: Self::Value);

    /// Reads the field at this offset. A small build calls it, with one check of the bounds for all fields of
    /// a type.
    #[cfg_attr(not(feature = "fast-read"), inline(never))]
    fn load_at(bytes: &[u8], offset: usize) -> Self::Value {
        Self::load(&bytes[offset..])
    }

    /// Reads the field at this offset of a structure that is long enough.
    #[inline(always)]
    fn load_fixed<const N: usize>(bytes: &[u8; N], offset: usize) -> Self::Value {
        Self::load_at(bytes, offset)
    }

    /// Writes the field at this offset.
    #[cfg_attr(not(feature = "fast-read"), inline(never))]
    fn store_at(bytes: &mut [u8], offset: usize, value: Self::Value) {
        Self::store(&mut bytes[offset..], value);
    }
}

macro_rules! stored_integer {
    ($($ty:ty: $($i:literal)*),*) => {$(
        impl Stored for $ty {
            type Value = $ty;
            const BYTES: usize = size_of::<$ty>();
            fn load(bytes: &[u8]) -> $ty {
                <$ty>::from_le_bytes(*bytes.first_chunk().expect("long enough"))
            }
            #[inline(always)]
            fn load_fixed<const N: usize>(bytes: &[u8; N], offset: usize) -> $ty {
                <$ty>::from_le_bytes([$(bytes[offset + $i]),*])
            }
            fn store(bytes: &mut [u8], value: $ty) {
                bytes[..Self::BYTES].copy_from_slice(&value.to_le_bytes());
            }
        }
    )*};
}
stored_integer!(u8: 0, u16: 0 1, u32: 0 1 2 3, u64: 0 1 2 3 4 5 6 7, i64: 0 1 2 3 4 5 6 7);

/// An unsigned integer of 48 bits.
#[derive(Debug)]
pub struct U48;

impl Stored for U48 {
    type Value = u64;
    const BYTES: usize = 6;
    fn load(bytes: &[u8]) -> u64 {
        Self::load_fixed(bytes.first_chunk::<6>().expect("long enough"), 0)
    }
    #[inline(always)]
    fn load_fixed<const N: usize>(bytes: &[u8; N], offset: usize) -> u64 {
        u64::from(u32::load_fixed(bytes, offset)) | u64::from(u16::load_fixed(bytes, offset + 4)) << 32
    }
    fn store(bytes: &mut [u8], value: u64) {
        debug_assert!(value <= crate::limits::U48_MAX);
        bytes[..6].copy_from_slice(&value.to_le_bytes()[..6]);
    }
}

impl Stored for crate::types::Uuid {
    type Value = Self;
    const BYTES: usize = 16;
    fn load(bytes: &[u8]) -> Self {
        Self(*bytes.first_chunk().expect("long enough"))
    }
    fn store(bytes: &mut [u8], value: Self) {
        bytes[..16].copy_from_slice(&value.0);
    }
}

impl Stored for crate::types::BlockAddress {
    type Value = Self;
    const BYTES: usize = 8;
    fn load(bytes: &[u8]) -> Self {
        let fixed = bytes.first_chunk::<8>().expect("long enough");
        let member = crate::types::MemberNumber(u16::load_fixed(fixed, 0));
        Self { member, block: U48::load_fixed(fixed, 2) }
    }
    fn store(bytes: &mut [u8], value: Self) {
        u16::store(bytes, value.member.0);
        U48::store(&mut bytes[2..], value.block);
    }
}

/// What a field of this type means in memory, written out: a public signature names no type of this module.
macro_rules! value {
    (U48) => {
        u64
    };
    (StoredTime) => {
        dynamicfs_hal::UnixTime
    };
    ($ty:tt) => {
        $ty
    };
}
pub(crate) use value;

/// A setter of a field. Only this crate sets fields, and what looks into it: an integrator reads them.
macro_rules! setter {
    (#[$doc:meta] $name:ident(&mut $self:ident, $value:ident: $ty:tt) $body:block) => {
        #[$doc]
        #[cfg(any(test, feature = "internals"))]
        pub fn $name(&mut $self, $value: $crate::format::field::value!($ty)) $body

        #[$doc]
        #[cfg(not(any(test, feature = "internals")))]
        pub(crate) fn $name(&mut $self, $value: $crate::format::field::value!($ty)) $body
    };
}
pub(crate) use setter;

/// Declares a structure of fields at fixed offsets. It makes a view over bytes with a getter and a setter for
/// each, and the structure's length. It also makes the table of fields for the documentation's test.
macro_rules! layout {
    (
        $(#[$doc:meta])*
        $name:ident, $bytes:literal bytes {
            $( $(#[$field_doc:meta])* $field:ident / $setter:ident : $ty:tt = $offset:literal, )*
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub struct $name<B>(B);

        #[allow(dead_code, reason = "the table is whole; not each field is set or read one by one")]
        impl<B: AsRef<[u8]>> $name<B> {
            /// Bytes of the structure's fixed part.
            pub const BYTES: usize = $bytes;

            /// The fields, in the order in which they are laid out.
            #[cfg(any(test, feature = "internals"))]
            pub const FIELDS: &'static [$crate::format::field::Field] = &[
                $( $crate::format::field::Field {
                    name: stringify!($field),
                    offset: $offset,
                    bytes: <$ty as $crate::format::field::Stored>::BYTES,
                }, )*
            ];

            /// A view of these bytes, or `None` if there are too few.
            pub fn new(bytes: B) -> Option<Self> {
                (bytes.as_ref().len() >= $bytes).then_some(Self(bytes))
            }

            $(
                $(#[$field_doc])*
                #[inline(always)]
                pub fn $field(&self) -> $crate::format::field::value!($ty) {
                    let fixed = self.0.as_ref().first_chunk::<$bytes>().expect("as long as when it was made");
                    <$ty as $crate::format::field::Stored>::load_fixed(fixed, $offset)
                }
            )*
        }

        #[allow(dead_code, reason = "the table is whole; not each field is set or read one by one")]
        impl<B: AsRef<[u8]> + AsMut<[u8]>> $name<B> {
            $(
                $crate::format::field::setter! {
                    #[doc = concat!("Sets `", stringify!($field), "`.")]
                    $setter(&mut self, value: $ty) {
                        <$ty as $crate::format::field::Stored>::store_at(self.0.as_mut(), $offset, value);
                    }
                }
            )*
        }

        // The fields follow one another without overlap, in the declared order, inside the structure.
        #[expect(clippy::indexing_slicing, reason = "`i` is below the length; computed when it is compiled")]
        const _: () = {
            let offsets = [$(($offset, <$ty as $crate::format::field::Stored>::BYTES)),*];
            let mut i = 0;
            while i < offsets.len() {
                let end = offsets[i].0 + offsets[i].1;
                assert!(end <= if i + 1 < offsets.len() { offsets[i + 1].0 } else { $bytes });
                i += 1;
            }
        };
    };
}
pub(crate) use layout;
