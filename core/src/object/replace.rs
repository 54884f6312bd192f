//! A file written whole: its name means the old contents or the new ones.

use super::Objects;
use super::directory::NAME_UPDATES;
use super::inode::Attributes;
use super::path::check_name;
use crate::error::Code;
use crate::format::inode::{Inode, ObjectKind};
use crate::format::name::EntryTarget;
use crate::transaction::Purpose;
use crate::types::ObjectId;
use dynamicfs_hal::DiskArray;

impl<A: DiskArray> Objects<'_, A> {
    /// Writes a file whole under a name: a new object, which takes the place of what the name meant when it
    /// has all its contents. The object gets the mode, the owner, the scheme, the extent size and the tier of
    /// the file that it replaces, else `attributes`.
    ///
    /// # Errors
    /// All of names, kinds and space leave the transaction as it was. Any other one on the way poisons it.
    pub fn write_file(
        &mut self,
        directory: ObjectId,
        name: &[u8],
        contents: &[u8],
        attributes: &Attributes,
    ) -> Result<ObjectId, Code> {
        check_name(name)?;
        let file = self.operate(NAME_UPDATES, Purpose::Growth, |objects| {
            let parent = objects.directory(directory)?;
            let old = match objects.find_entry(directory, name)? {
                Some((_, old)) if old.kind == ObjectKind::Directory => return Err(Code::IsADirectory),
                Some((_, old)) if old.kind == ObjectKind::File => Some(objects.inode(old.object)?),
                _ => None,
            };
            let given = old.as_ref().map_or(*attributes, attributes_of);
            let (file, mut inode) = objects.make(ObjectKind::File, &given, &parent, directory)?;
            if let Some(old) = old {
                inode.tier = old.tier;
                objects.put_inode(file, &inode)?;
            }
            Ok(file)
        })?;
        // Nothing leads to it yet.
        let named = self.write_all(file, 0, contents).and_then(|()| {
            self.operate(2 * NAME_UPDATES, Purpose::Growth, |objects| {
                objects.name_instead(directory, name, file)
            })
        });
        match named {
            Ok(()) => Ok(file),
            Err(error) => {
                let undone = error == Code::NoSpace && !self.store.is_poisoned() && self.unmake(file).is_ok();
                if !undone {
                    self.store.poison();
                }
                Err(error)
            }
        }
    }

    /// Gives a file without a name this one, whatever that means now.
    fn name_instead(&mut self, directory: ObjectId, name: &[u8], file: ObjectId) -> Result<(), Code> {
        let target = EntryTarget { object: file, kind: ObjectKind::File };
        match self.find_entry(directory, name)? {
            Some((place, old)) => {
                self.drop_link(&old)?;
                self.retarget_entry((directory, name), &place, target)?;
                self.touch_directory(directory, 0, 0)
            }
            None => {
                self.add_entry(directory, name, target)?;
                self.touch_directory(directory, 1, 0)
            }
        }
    }

    /// Deletes a file that was given no name.
    fn unmake(&mut self, file: ObjectId) -> Result<(), Code> {
        self.operate(NAME_UPDATES, Purpose::Release, |objects| {
            let mut inode = objects.inode(file)?;
            objects.delete(file, &mut inode)
        })
    }
}

/// What a file was given, for another that takes its place.
const fn attributes_of(inode: &Inode) -> Attributes {
    let &Inode { mode, uid, gid, scheme, extent_shift, .. } = inode;
    Attributes::new().mode(mode).uid(uid).gid(gid).scheme(scheme).extent_shift(extent_shift)
}
