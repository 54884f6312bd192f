//! Extended attributes: small values under names of their own.

use super::Objects;
use super::hashed::Place;
use crate::error::Code;
use crate::format::key::{Key, Kind};
use crate::format::name::{self, PLACES};
use crate::limits::{NAME_BYTES_MAX, XATTR_BYTES_MAX};
use crate::transaction::{Purpose, RELEASE_UPDATES};
use crate::types::ObjectId;
use core::ops::ControlFlow;
use dynamicfs_hal::DiskArray;

fn check(attribute: &[u8]) -> Result<(), Code> {
    let bad = attribute.is_empty() || attribute.len() > NAME_BYTES_MAX || attribute.contains(&0);
    if bad { Err(Code::InvalidName) } else { Ok(()) }
}

/// The name at the beginning of an entry: its length, then itself.
fn name_of(bytes: &[u8]) -> Option<&[u8]> {
    let (&length, rest) = bytes.split_first()?;
    rest.get(..usize::from(length))
}

/// Whether an extended attribute that is set may be there already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AttributeMode {
    /// It is made or replaced.
    #[default]
    CreateOrReplace,
    /// It is made; one that is there is [`Exists`](crate::error::Error::Exists).
    Create,
    /// It is replaced; one that is not there is [`NotFound`](crate::error::Error::NotFound).
    Replace,
}

impl<A: DiskArray> Objects<'_, A> {
    fn find_attribute(&mut self, object: ObjectId, attribute: &[u8]) -> Result<Option<Place>, Code> {
        let hash = name::hash(self.store.tree.disks.parameters.hash_seed, attribute);
        let end = hash.saturating_add(PLACES);
        self.scan_hashed(object, Kind::Xattr, hash, end, |place, bytes| {
            if name_of(bytes) == Some(attribute) {
                ControlFlow::Break(*place)
            } else {
                ControlFlow::Continue(())
            }
        })
    }

    /// Reads an attribute's value into `out`, as far as it goes; its length.
    #[expect(clippy::indexing_slicing, reason = "cut to the part's length")]
    pub fn attribute(&mut self, object: ObjectId, attribute: &[u8], out: &mut [u8]) -> Result<usize, Code> {
        check(attribute)?;
        self.inode(object)?;
        let place = self.find_attribute(object, attribute)?.ok_or(Code::NotFound)?;
        let (mut skip, mut length) = (1 + attribute.len(), 0);
        let (from, end) =
            (Key::new(object, Kind::Xattr, place.offset), Key::new(object, Kind::Xattr, place.end()));
        self.store.tree.scan(&from, &end, |_, piece| {
            let part = piece.get(1..).unwrap_or(&[]);
            let passed = skip.min(part.len());
            skip -= passed;
            for &byte in &part[passed..] {
                if let Some(to) = out.get_mut(length) {
                    *to = byte;
                }
                length += 1;
            }
            ControlFlow::<()>::Continue(())
        })?;
        Ok(length)
    }

    /// Sets an attribute, of at most 4096 bytes, that may, must or must not be there already.
    ///
    /// # Errors
    /// All of names, kinds and space leave the transaction as it was, but for [`HashFull`](Code::HashFull).
    /// After that one, or one of a disk or the tree, [`is_poisoned`](crate::transaction::Store::is_poisoned)
    /// tells.
    #[expect(clippy::cast_possible_truncation, reason = "a value has at most 4096 bytes, a name 255")]
    pub fn set_attribute(
        &mut self,
        object: ObjectId,
        attribute: &[u8],
        value: &[u8],
        mode: AttributeMode,
    ) -> Result<(), Code> {
        check(attribute)?;
        if value.len() > XATTR_BYTES_MAX {
            return Err(Code::TooLarge);
        }
        let pieces = (value.len() + NAME_BYTES_MAX) / (self.piece_bytes() - 1) + 2;
        self.operate(2 * pieces as u32, Purpose::Growth, |objects| {
            let mut inode = objects.inode(object)?;
            let old = objects.find_attribute(object, attribute)?;
            match (mode, old) {
                (AttributeMode::Create, Some(_)) => return Err(Code::Exists),
                (AttributeMode::Replace, None) => return Err(Code::NotFound),
                _ => {}
            }
            if let Some(place) = old {
                objects.remove_hashed(object, Kind::Xattr, &place)?;
            }
            let hash = name::hash(objects.store.tree.disks.parameters.hash_seed, attribute);
            objects.put_hashed(object, Kind::Xattr, hash, &[&[attribute.len() as u8], attribute, value])?;
            inode.changed = objects.store.tree.disks.now();
            objects.put_inode(object, &inode)
        })
    }

    /// Removes an attribute.
    ///
    /// # Errors
    /// All of names and space leave the transaction as it was. After one of a disk or the tree
    /// [`is_poisoned`](crate::transaction::Store::is_poisoned) tells.
    pub fn remove_attribute(&mut self, object: ObjectId, attribute: &[u8]) -> Result<(), Code> {
        check(attribute)?;
        // Its pieces lie side by side, and their leaves go whole.
        self.operate(RELEASE_UPDATES, Purpose::Release, |objects| {
            let mut inode = objects.inode(object)?;
            let place = objects.find_attribute(object, attribute)?.ok_or(Code::NotFound)?;
            objects.remove_hashed(object, Kind::Xattr, &place)?;
            inode.changed = objects.store.tree.disks.now();
            objects.put_inode(object, &inode)
        })
    }

    /// Calls `f` with the name of each attribute, until it breaks.
    pub fn attributes<B>(
        &mut self,
        object: ObjectId,
        mut f: impl FnMut(&[u8]) -> ControlFlow<B>,
    ) -> Result<Option<B>, Code> {
        self.inode(object)?;
        self.scan_hashed(object, Kind::Xattr, 0, u64::MAX, |_, bytes| match name_of(bytes) {
            Some(name) => f(name),
            None => ControlFlow::Continue(()),
        })
    }
}
