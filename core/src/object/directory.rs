//! Directories: names, and making, linking, removing and renaming what they name.

use super::Objects;
use super::hashed::Place;
use super::inode::Attributes;
use super::path::{check_name, split_path};
use crate::build::PINS;
use crate::error::Code;
use crate::format::inode::{Inode, ObjectKind};
use crate::format::key::Kind;
use crate::format::name::{self, ENTRY_HEADER, EntryTarget, PLACES};
use crate::limits::{DIRECTORY_DEPTH_MAX, LINKS_MAX, SYMLINK_BYTES_MAX};
use crate::transaction::Purpose;
use crate::types::ObjectId;
use core::ops::ControlFlow;
use dynamicfs_hal::DiskArray;

/// Tree updates of an operation on names: entries, two directories, the object.
pub(super) const NAME_UPDATES: u32 = 10;

/// An entry of a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry<'e> {
    /// The name.
    pub name: &'e [u8],
    /// The object.
    pub object: ObjectId,
    /// What it is.
    pub kind: ObjectKind,
    /// Where to go on after this entry.
    pub next: u64,
}

/// What is to be made under a new name.
#[derive(Clone, Copy, Debug)]
pub enum MakeRequest<'r> {
    /// A file, empty.
    File,
    /// A directory, empty.
    Directory,
    /// A symbolic link to this path.
    Symlink(&'r [u8]),
    /// A device node, pipe or socket.
    Special(ObjectKind),
}

/// What sort of object is to be made, and the target of a symbolic link.
pub(super) const fn described<'r>(what: &MakeRequest<'r>) -> Result<(ObjectKind, &'r [u8]), Code> {
    Ok(match *what {
        MakeRequest::File => (ObjectKind::File, b""),
        MakeRequest::Directory => (ObjectKind::Directory, b""),
        MakeRequest::Symlink(target) if target.is_empty() || target.len() > SYMLINK_BYTES_MAX => {
            return Err(Code::TooLarge);
        }
        MakeRequest::Symlink(target) => (ObjectKind::Symlink, target),
        // These have requests of their own, which say what belongs to them.
        MakeRequest::Special(ObjectKind::File | ObjectKind::Directory | ObjectKind::Symlink) => {
            return Err(Code::InvalidArgument);
        }
        MakeRequest::Special(kind) => (kind, b""),
    })
}

/// What a rename does with a new name that is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RenameMode {
    /// It is refused.
    NoReplace,
    /// The object of the name is removed, if it is of the same sort. A directory replaces an empty directory,
    /// anything else replaces anything else. Where both names are the object's own nothing happens.
    Replace,
    /// Both names are there, and exchange what they mean, of whatever sort.
    Exchange,
}

impl<A: DiskArray> Objects<'_, A> {
    fn hash(&self, name: &[u8]) -> u64 {
        name::hash(self.store.tree.disks.parameters.hash_seed, name)
    }

    // --- looking up -------------------------------------------------------------------------------------------

    pub(super) fn find_entry(
        &mut self,
        directory: ObjectId,
        name: &[u8],
    ) -> Result<Option<(Place, EntryTarget)>, Code> {
        let hash = self.hash(name);
        let end = hash.saturating_add(PLACES);
        let found = self.scan_hashed(directory, Kind::Entry, hash, end, |place, bytes| {
            match (bytes.get(ENTRY_HEADER..), EntryTarget::decode(bytes)) {
                (Some(other), Some(target)) if other == name => ControlFlow::Break((*place, target)),
                _ => ControlFlow::Continue(()),
            }
        })?;
        Ok(found)
    }

    pub(super) fn directory(&mut self, directory: ObjectId) -> Result<Inode, Code> {
        let inode = self.inode(directory)?;
        if inode.kind == ObjectKind::Directory { Ok(inode) } else { Err(Code::NotADirectory) }
    }

    /// The object that a directory has under a name.
    pub fn lookup(&mut self, directory: ObjectId, name: &[u8]) -> Result<EntryTarget, Code> {
        self.directory(directory)?;
        check_name(name)?;
        self.find_entry(directory, name)?.map(|(_, target)| target).ok_or(Code::NotFound)
    }

    /// The object at a path from the root. Symbolic links are not followed.
    pub fn resolve(&mut self, path: &[u8]) -> Result<ObjectId, Code> {
        split_path(path).try_fold(ObjectId::ROOT, |directory, name| Ok(self.lookup(directory, name)?.object))
    }

    /// The directory that holds the last name of a path, and that name.
    pub fn resolve_parent<'p>(&mut self, path: &'p [u8]) -> Result<(ObjectId, &'p [u8]), Code> {
        let mut names = split_path(path);
        let last = names.next_back().ok_or(Code::InvalidName)?;
        check_name(last)?;
        let directory = names.try_fold(ObjectId::ROOT, |directory, name| {
            Ok::<_, Code>(self.lookup(directory, name)?.object)
        })?;
        Ok((directory, last))
    }

    /// Calls `f` with each entry of a directory from `from` on, in the order of the names' hashes, until it
    /// breaks. `from` is 0 for the first, then [`Entry::next`]. What changes meanwhile may or may not be
    /// seen; all else is seen once. No position has bit 63 set, and none is 1 or 2.
    pub fn list<B>(
        &mut self,
        directory: ObjectId,
        from: u64,
        mut f: impl FnMut(Entry<'_>) -> ControlFlow<B>,
    ) -> Result<Option<B>, Code> {
        self.directory(directory)?;
        let ended = self.scan_hashed(directory, Kind::Entry, from, u64::MAX, |place, bytes| {
            let (Some(name), Some(target)) = (bytes.get(ENTRY_HEADER..), EntryTarget::decode(bytes)) else {
                return ControlFlow::Continue(());
            };
            // A name like this was never given: it would mislead a program that makes files of these names
            // elsewhere.
            if check_name(name).is_err() {
                return ControlFlow::Break(Err(()));
            }
            match f(Entry { name, object: target.object, kind: target.kind, next: place.end() }) {
                ControlFlow::Continue(()) => ControlFlow::Continue(()),
                ControlFlow::Break(done) => ControlFlow::Break(Ok(done)),
            }
        })?;
        match ended {
            Some(Err(())) => Err(self.store.tree.disks.about.invalid(directory)),
            Some(Ok(done)) => Ok(Some(done)),
            None => Ok(None),
        }
    }

    // --- making -----------------------------------------------------------------------------------------------

    /// Makes an object under a new name.
    ///
    /// # Errors
    /// All of names, kinds and space leave the transaction as it was, but for [`HashFull`](Code::HashFull).
    /// After that one, or one of a disk or the tree, [`is_poisoned`](crate::transaction::Store::is_poisoned)
    /// tells.
    #[expect(clippy::cast_possible_truncation, reason = "a target is at most 4095 bytes")]
    pub fn create(
        &mut self,
        directory: ObjectId,
        name: &[u8],
        what: &MakeRequest<'_>,
        attributes: &Attributes,
    ) -> Result<ObjectId, Code> {
        check_name(name)?;
        let (kind, target) = described(what)?;
        let updates = NAME_UPDATES + (target.len() / self.piece_bytes()) as u32;
        self.operate(updates, Purpose::Growth, |objects| {
            let parent = objects.directory(directory)?;
            if objects.find_entry(directory, name)?.is_some() {
                return Err(Code::Exists);
            }
            let (object, _) = objects.make_filled((kind, target), attributes, &parent, directory)?;
            let subdirectories = i64::from(kind == ObjectKind::Directory);
            objects.add_entry(directory, name, EntryTarget { object, kind })?;
            objects.touch_directory(directory, 1, subdirectories)?;
            Ok(object)
        })
    }

    /// Makes an object without a name, and writes the target of a symbolic link.
    pub(super) fn make_filled(
        &mut self,
        (kind, target): (ObjectKind, &[u8]),
        attributes: &Attributes,
        parent: &Inode,
        parent_id: ObjectId,
    ) -> Result<(ObjectId, Inode), Code> {
        let (object, mut inode) = self.make(kind, attributes, parent, parent_id)?;
        if !target.is_empty() {
            self.write_target(object, target)?;
            inode.size = target.len() as u64;
            self.put_inode(object, &inode)?;
            self.count_content(0, inode.size);
        }
        Ok((object, inode))
    }

    /// Gives an object that is not a directory another name.
    ///
    /// # Errors
    /// All of names, kinds and space leave the transaction as it was, but for [`HashFull`](Code::HashFull).
    /// After that one, or one of a disk or the tree, [`is_poisoned`](crate::transaction::Store::is_poisoned)
    /// tells.
    pub fn link(&mut self, object: ObjectId, directory: ObjectId, name: &[u8]) -> Result<(), Code> {
        check_name(name)?;
        self.operate(NAME_UPDATES, Purpose::Growth, |objects| {
            objects.directory(directory)?;
            let mut inode = objects.inode(object)?;
            if inode.kind == ObjectKind::Directory {
                return Err(Code::IsADirectory);
            }
            if inode.links >= LINKS_MAX {
                return Err(Code::TooLarge);
            }
            if objects.find_entry(directory, name)?.is_some() {
                return Err(Code::Exists);
            }
            if PINS && inode.links == 0 {
                objects.come_back(object, &inode)?;
            }
            inode.links += 1;
            inode.changed = objects.store.tree.disks.now();
            objects.put_inode(object, &inode)?;
            objects.add_entry(directory, name, EntryTarget { object, kind: inode.kind })?;
            objects.touch_directory(directory, 1, 0)
        })
    }

    pub(super) fn add_entry(
        &mut self,
        directory: ObjectId,
        name: &[u8],
        target: EntryTarget,
    ) -> Result<(), Code> {
        let hash = self.hash(name);
        self.put_hashed(directory, Kind::Entry, hash, &[&target.encode(), name])
    }

    /// Counts entries and subdirectories of a directory, and notes that it changed.
    #[expect(clippy::cast_possible_truncation, reason = "at most `LINKS_MAX`")]
    pub(super) fn touch_directory(
        &mut self,
        directory: ObjectId,
        entries: i64,
        subdirectories: i64,
    ) -> Result<(), Code> {
        let mut inode = self.inode(directory)?;
        inode.size = inode.size.saturating_add_signed(entries);
        inode.links =
            u64::from(inode.links).saturating_add_signed(subdirectories).min(LINKS_MAX.into()) as u32;
        let now = self.store.tree.disks.now();
        (inode.modified, inode.changed) = (now, now);
        self.put_inode(directory, &inode)
    }

    // --- removing ---------------------------------------------------------------------------------------------

    /// Removes a name, and with an object's last name the object. A directory must be empty.
    ///
    /// # Errors
    /// All of names, kinds and space leave the transaction as it was. After one of a disk or the tree
    /// [`is_poisoned`](crate::transaction::Store::is_poisoned) tells.
    pub fn unlink(&mut self, directory: ObjectId, name: &[u8]) -> Result<(), Code> {
        check_name(name)?;
        self.operate(NAME_UPDATES, Purpose::Release, |objects| {
            objects.directory(directory)?;
            let (place, target) = objects.find_entry(directory, name)?.ok_or(Code::NotFound)?;
            objects.check_empty(&target)?;
            objects.take_entry(directory, &place, &target)?;
            objects.drop_link(&target)
        })
    }

    fn check_empty(&mut self, target: &EntryTarget) -> Result<(), Code> {
        if target.kind != ObjectKind::Directory {
            return Ok(());
        }
        let any = self.list(target.object, 0, |_| ControlFlow::Break(()))?;
        if any.is_some() { Err(Code::NotEmpty) } else { Ok(()) }
    }

    /// Takes one link away; the last takes the object with it.
    pub(super) fn drop_link(&mut self, target: &EntryTarget) -> Result<(), Code> {
        let mut inode = self.inode(target.object)?;
        if inode.kind == ObjectKind::Directory || inode.links <= 1 {
            return self.delete(target.object, &mut inode);
        }
        inode.links -= 1;
        inode.changed = self.store.tree.disks.now();
        self.put_inode(target.object, &inode)
    }

    // --- renaming ---------------------------------------------------------------------------------------------

    /// Gives an object another name, in one step. The object of the new name is removed, if `replace` allows
    /// it and it is of the same sort. A directory replaces an empty directory, anything else replaces
    /// anything else. Where both names are the object's own nothing happens.
    ///
    /// # Errors
    /// All of names, kinds and space leave the transaction as it was, but for [`HashFull`](Code::HashFull).
    /// After that one, or one of a disk or the tree, [`is_poisoned`](crate::transaction::Store::is_poisoned)
    /// tells.
    pub fn rename(
        &mut self,
        from: (ObjectId, &[u8]),
        to: (ObjectId, &[u8]),
        replace: bool,
    ) -> Result<(), Code> {
        check_name(from.1)?;
        check_name(to.1)?;
        self.operate(2 * NAME_UPDATES, Purpose::Growth, |objects| {
            objects.directory(from.0)?;
            objects.directory(to.0)?;
            let (place, target) = objects.find_entry(from.0, from.1)?.ok_or(Code::NotFound)?;
            let replaced = objects.find_entry(to.0, to.1)?;
            match replaced {
                Some(_) if !replace => return Err(Code::Exists),
                Some((_, old)) if old.object == target.object => return Ok(()),
                Some((_, old)) => objects.check_replaceable(&target, &old)?,
                None => {}
            }
            if target.kind == ObjectKind::Directory {
                objects.check_not_below(target.object, to.0)?;
            }
            match replaced {
                Some((old_place, old)) => {
                    objects.drop_link(&old)?;
                    objects.take_entry(from.0, &place, &target)?;
                    objects.retarget_entry(to, &old_place, target)?;
                    objects.touch_directory(to.0, 0, 0)?;
                }
                None => {
                    objects.take_entry(from.0, &place, &target)?;
                    objects.add_entry(to.0, to.1, target)?;
                    objects.touch_directory(to.0, 1, i64::from(target.kind == ObjectKind::Directory))?;
                }
            }
            objects.note_moved(&target, to.0)
        })
    }

    /// Refuses to put an object in the place of one of another sort, or of a directory that has entries.
    fn check_replaceable(&mut self, target: &EntryTarget, old: &EntryTarget) -> Result<(), Code> {
        match (target.kind == ObjectKind::Directory, old.kind == ObjectKind::Directory) {
            (true, false) => Err(Code::NotADirectory),
            (false, true) => Err(Code::IsADirectory),
            _ => self.check_empty(old),
        }
    }

    /// Takes a name out of a directory, and leaves what it meant as it is.
    fn take_entry(&mut self, directory: ObjectId, place: &Place, target: &EntryTarget) -> Result<(), Code> {
        self.remove_hashed(directory, Kind::Entry, place)?;
        self.touch_directory(directory, -1, -i64::from(target.kind == ObjectKind::Directory))
    }

    /// Gives a name another object. The entry stays in its place: a listing that goes on somewhere else
    /// neither misses the name nor meets it twice.
    pub(super) fn retarget_entry(
        &mut self,
        (directory, name): (ObjectId, &[u8]),
        place: &Place,
        target: EntryTarget,
    ) -> Result<(), Code> {
        self.write_hashed(directory, Kind::Entry, place.offset, &[&target.encode(), name])
    }

    /// Notes in an object that a name in this directory is its own now.
    pub(super) fn note_moved(&mut self, target: &EntryTarget, directory: ObjectId) -> Result<(), Code> {
        let mut inode = self.inode(target.object)?;
        if target.kind == ObjectKind::Directory {
            inode.parent = directory;
        }
        inode.changed = self.store.tree.disks.now();
        self.put_inode(target.object, &inode)
    }

    /// Refuses to move a directory into itself or below itself.
    pub(super) fn check_not_below(&mut self, moved: ObjectId, directory: ObjectId) -> Result<(), Code> {
        let mut at = directory;
        for _ in 0..DIRECTORY_DEPTH_MAX {
            if at == moved {
                return Err(Code::IntoItself);
            }
            if at == ObjectId::ROOT {
                return Ok(());
            }
            at = self.inode(at)?.parent;
        }
        Err(Code::TooLarge)
    }
}
