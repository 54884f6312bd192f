//! Attributes, and making objects.

use super::Objects;
use super::fit::Fit;
use super::put::WINDOW_UPDATES;
use crate::disks::mix;
use crate::error::Code;
use crate::format::inode::{INODE_BYTES, Inode, ObjectKind};
use crate::format::key::{Key, Kind};
use crate::options::options;
use crate::transaction::Purpose;
use crate::types::{ObjectId, Scheme};
use core::ops::ControlFlow;
use dynamicfs_hal::{DiskArray, UnixTime};

options! {
    /// What a new object is given by its maker.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Attributes {
        /// Permission bits; `None` is 0o755 for a directory, 0o777 for a symbolic link and 0o644 for all
        /// else.
        pub mode: Option<u16>,
        /// The owner.
        pub uid: u32,
        /// The group.
        pub gid: u32,
        /// The device number of a device node.
        pub device: u32,
        /// The scheme; `None` takes the directory's.
        pub scheme: Option<Scheme>,
        /// log2 of the extent size, 12 to 22; `None` takes the directory's.
        pub extent_shift: Option<u8>,
    }
}

options! {
    /// A change of attributes; what is `None` stays.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Change {
        /// Permission bits.
        pub mode: Option<u16>,
        /// The owner.
        pub uid: Option<u32>,
        /// The group.
        pub gid: Option<u32>,
        /// Last access.
        pub accessed: Option<UnixTime>,
        /// Last change of the contents.
        pub modified: Option<UnixTime>,
        /// The scheme of what is written from now on.
        pub scheme: Option<Scheme>,
        /// The tier of what is written from now on.
        pub tier: Option<u8>,
    }
}

impl Attributes {
    /// What objects are given that nothing is said of: the usual mode, owner and group 0, the directory's
    /// scheme and extent size.
    pub const fn new() -> Self {
        Self { mode: None, uid: 0, gid: 0, device: 0, scheme: None, extent_shift: None }
    }

    fn mode_of(&self, kind: ObjectKind) -> u16 {
        let usual = match kind {
            ObjectKind::Directory => 0o755,
            ObjectKind::Symlink => 0o777,
            _ => 0o644,
        };
        self.mode.unwrap_or(usual) & 0o7777
    }
}

impl Change {
    /// Everything stays.
    pub const fn new() -> Self {
        Self { mode: None, uid: None, gid: None, accessed: None, modified: None, scheme: None, tier: None }
    }
}

/// Why an object's contents can not be read or written: it is a directory, or has none.
pub(super) fn no_contents(inode: &Inode) -> Code {
    if inode.kind == ObjectKind::Directory { Code::IsADirectory } else { Code::NotAFile }
}

impl<A: DiskArray> Objects<'_, A> {
    /// An object's attributes. One that was deleted is [`NotFound`](Code::NotFound) at once, also while its
    /// contents are still being freed; not while it is pinned.
    pub fn inode(&mut self, object: ObjectId) -> Result<Inode, Code> {
        match self.stored_inode(object)? {
            Inode { links: 0, .. } if !self.is_pinned(object) => Err(Code::NotFound),
            inode => Ok(inode),
        }
    }

    /// The same, of a file that is to be changed in the open transaction.
    pub(super) fn file_inode(&mut self, object: ObjectId) -> Result<Inode, Code> {
        self.store.check()?;
        let inode = self.inode(object)?;
        if inode.kind == ObjectKind::File { Ok(inode) } else { Err(no_contents(&inode)) }
    }

    /// An object's attributes, also of one that was deleted and whose contents are still being freed.
    pub(crate) fn stored_inode(&mut self, object: ObjectId) -> Result<Inode, Code> {
        if object == ObjectId::SYSTEM {
            return Err(Code::NotFound);
        }
        match self.store.tree.with(&Key::inode(object), |record| record.map(Inode::decode))? {
            Some(Some(inode)) => Ok(inode),
            Some(None) => Err(self.store.tree.disks.about.invalid(object)),
            None => Err(Code::NotFound),
        }
    }

    /// Calls `f` with every object and its attributes, by number. Reads all leaves of the tree.
    pub fn each_inode(&mut self, mut f: impl FnMut(ObjectId, &Inode)) -> Result<(), Code> {
        let from = Key::object_start(ObjectId::ROOT);
        let invalid = self.store.tree.scan(&from, &Key::MAX, |key, record| {
            if key.kind() != Kind::Inode as u8 {
                return ControlFlow::Continue(());
            }
            match Inode::decode(record) {
                // Without a link it was deleted, and its contents are still being freed.
                Some(inode) if inode.links == 0 => {}
                Some(inode) => f(key.object(), &inode),
                None => return ControlFlow::Break(key.object()),
            }
            ControlFlow::Continue(())
        })?;
        match invalid {
            Some(object) => Err(self.store.tree.disks.about.invalid(object)),
            None => Ok(()),
        }
    }

    pub(super) fn put_inode(&mut self, object: ObjectId, inode: &Inode) -> Result<(), Code> {
        let bytes: [u8; INODE_BYTES] = inode.encode();
        self.store.put(&Key::inode(object), &bytes)
    }

    /// Makes an object without a name, with one link that the caller gives a name to.
    pub(super) fn make(
        &mut self,
        kind: ObjectKind,
        attributes: &Attributes,
        parent: &Inode,
        parent_id: ObjectId,
    ) -> Result<(ObjectId, Inode), Code> {
        let scheme = attributes.scheme.unwrap_or(parent.scheme);
        let extent_shift = attributes.extent_shift.unwrap_or(parent.extent_shift);
        if !scheme.is_valid()
            || !(12..=22).contains(&extent_shift)
            || scheme.parity > self.store.tree.space.superblock.tolerance()
        {
            return Err(Code::InvalidArgument);
        }
        let now = self.store.tree.disks.now();
        let inode = Inode {
            kind,
            scheme,
            extent_shift,
            mode: attributes.mode_of(kind),
            tier: parent.tier,
            inline: kind != ObjectKind::Directory,
            uid: attributes.uid,
            gid: attributes.gid,
            links: if kind == ObjectKind::Directory { 2 } else { 1 },
            device: attributes.device,
            size: 0,
            parent: if kind == ObjectKind::Directory { parent_id } else { ObjectId::SYSTEM },
            accessed: now,
            modified: now,
            changed: now,
            created: now,
            generation: self.new_generation(),
            flags: 0,
        };
        let superblock = self.store.superblock_mut();
        let object = superblock.next_object_id();
        superblock.set_next_object(object.0 + 1);
        let objects = superblock.objects();
        superblock.set_objects(objects + 1);
        self.put_inode(object, &inode)?;
        Ok((object, inode))
    }

    /// What tells objects of this transaction from those of others that were given the same numbers. Numbers are not used
    /// twice in one history. After an override, or a crash in a transaction, they are given again.
    #[expect(clippy::cast_possible_truncation, reason = "any 32 of 64 mixed bits")]
    fn new_generation(&self) -> u32 {
        let superblock = &self.store.tree.space.superblock;
        let state = superblock.epoch_raw().rotate_left(32) ^ self.store.tree.generation.0;
        mix(superblock.branch() ^ mix(state)) as u32
    }

    /// Makes the root directory of a new pool.
    pub fn make_root(&mut self, mode: u16) -> Result<(), Code> {
        let superblock = &self.store.tree.space.superblock;
        let now = self.store.tree.disks.now();
        let inode = Inode {
            kind: ObjectKind::Directory,
            scheme: superblock.scheme(),
            extent_shift: superblock.extent_shift(),
            mode,
            tier: 0,
            inline: false,
            uid: 0,
            gid: 0,
            links: 2,
            device: 0,
            size: 0,
            parent: ObjectId::ROOT,
            accessed: now,
            modified: now,
            changed: now,
            created: now,
            generation: self.new_generation(),
            flags: 0,
        };
        self.store.superblock_mut().set_objects(1);
        self.put_inode(ObjectId::ROOT, &inode)
    }

    /// Changes attributes.
    ///
    /// # Errors
    /// [`NotFound`](Code::NotFound), [`InvalidArgument`](Code::InvalidArgument) and
    /// [`NoSpace`](Code::NoSpace) leave the transaction as it was. After one of a disk or the tree
    /// [`is_poisoned`](crate::transaction::Store::is_poisoned) tells.
    pub fn change_attributes(&mut self, object: ObjectId, change: &Change) -> Result<Inode, Code> {
        if change
            .scheme
            .is_some_and(|s| !s.is_valid() || s.parity > self.store.tree.space.superblock.tolerance())
        {
            return Err(Code::InvalidArgument);
        }
        self.store.check()?;
        let is_rescaled = change.scheme.is_some() && self.filling.is_some_and(|waits| waits.object == object);
        let before = self.inode(object)?;
        let updates = 1 + if is_rescaled { WINDOW_UPDATES + self.window_updates(&before) } else { 0 };
        let changed = self.operate(updates, Purpose::Growth, |objects| {
            // A window has another length in another scheme: what waits in one is stored as it was begun.
            if is_rescaled && !objects.store_filling()?.is_done() {
                return Ok(Fit::NoSpace);
            }
            let mut inode = objects.inode(object)?;
            inode.mode = change.mode.map_or(inode.mode, |mode| mode & 0o7777);
            inode.uid = change.uid.unwrap_or(inode.uid);
            inode.gid = change.gid.unwrap_or(inode.gid);
            inode.accessed = change.accessed.unwrap_or(inode.accessed);
            inode.modified = change.modified.unwrap_or(inode.modified);
            inode.scheme = change.scheme.unwrap_or(inode.scheme);
            inode.tier = change.tier.unwrap_or(inode.tier);
            inode.changed = objects.store.tree.disks.now();
            objects.put_inode(object, &inode)?;
            Ok(Fit::Done(inode))
        })?;
        changed.or_no_space()
    }
}
