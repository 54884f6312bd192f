//! Taking out what can still be read, where parts of the tree or of the contents are lost.
//!
//! Nothing here needs a path from the root directory. [`Objects::survivors`] returns every readable record,
//! in the order of the keys, and the unreadable ranges of keys between them. The caller joins names and
//! contents.

use super::survey::RecordJoiner;
use crate::error::Code;
use crate::format::inode::{Inode, ObjectKind};
use crate::format::key::{Key, Kind};
use crate::format::name::{ENTRY_HEADER, EntryTarget};
use crate::object::{EntryJoiner, Objects, check_name};
use crate::tree::{Met, Walk};
use crate::types::ObjectId;
use core::ops::{ControlFlow, Range};
use dynamicfs_hal::DiskArray;

/// Something that can still be read, or that records are lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Survivor<'r> {
    /// An object's attributes.
    Inode {
        /// The object.
        object: ObjectId,
        /// Its attributes.
        inode: &'r Inode,
    },
    /// A directory's entry.
    Entry {
        /// The directory.
        directory: ObjectId,
        /// The name, which can be one.
        name: &'r [u8],
        /// The object that it names.
        object: ObjectId,
        /// What that is.
        kind: ObjectKind,
    },
    /// Where some of an object's contents are; whether they can be read is seen when they are.
    Contents {
        /// The object.
        object: ObjectId,
        /// The first byte.
        start: u64,
        /// The first byte after them.
        end: u64,
        /// They are in the tree, not in an extent.
        inline: bool,
    },
    /// An object that is being deleted: it is not missed.
    Orphan {
        /// The object.
        object: ObjectId,
    },
    /// Records whose keys are from `from` on and before `end` are lost; `None` is the end of all.
    Lost {
        /// The first key.
        from: Key,
        /// The first key behind them.
        end: Option<Key>,
    },
}

impl<A: DiskArray> Objects<'_, A> {
    /// Calls `f` with everything in the tree that can be read and that contents are found by. Each node is read once;
    /// one that cannot be read takes what is below it along.
    ///
    /// An error is none of these losses, but that no further step was possible: too little memory.
    pub fn survivors(&mut self, mut f: impl FnMut(Survivor<'_>)) -> Result<(), Code> {
        let mut walk = Walk::new();
        let piece_bytes = self.inline_max();
        let mut joiners = Joiners::new(piece_bytes);
        // Everything before this key was met, or named as lost.
        let mut reached = Key::MIN;
        loop {
            let (from, end, read) = match self.store.tree.walk(&mut walk) {
                Ok(None) => return Ok(()),
                Ok(Some(Met { level: 0, from, end, .. })) => {
                    let read = self.store.tree.scan(&from, &end.unwrap_or(Key::MAX), |key, record| {
                        joiners.take(key, record, &mut f);
                        ControlFlow::<()>::Continue(())
                    });
                    (from, end, read.map(|_| ()))
                }
                Ok(Some(_)) => continue,
                Err(error) => (reached, walk.position(), Err(error)),
            };
            match read {
                Ok(()) => {}
                Err(error) if error.is_loss() => {
                    joiners = Joiners::new(piece_bytes);
                    f(Survivor::Lost { from, end });
                }
                Err(error) => return Err(error),
            }
            reached = end.unwrap_or(Key::MAX);
        }
    }

    /// Reads contents as far as they can be read, also of an object whose inode is lost. `inline` says where they are.
    /// Bytes that are lost become zeros, and `lost` is called with each range of them, in whole blocks or chunks,
    /// whichever are smaller.
    #[expect(
        clippy::indexing_slicing,
        clippy::cast_possible_truncation,
        reason = "a part ends with the buffer; what is over is less than the step, which is a usize"
    )]
    pub fn read_surviving(
        &mut self,
        object: ObjectId,
        inline: bool,
        offset: u64,
        buf: &mut [u8],
        mut lost: impl FnMut(Range<u64>),
    ) -> Result<(), Code> {
        offset.checked_add(buf.len() as u64).ok_or(Code::TooLarge)?;
        let parameters = &self.store.tree.disks.parameters;
        let least = parameters.chunk_bytes().min(parameters.block_bytes());
        let (mut done, mut step) = (0, buf.len().next_power_of_two());
        while done < buf.len() {
            let at = offset + done as u64;
            // Parts are aligned, so that none has both what is lost and what is not for longer than it must.
            let bytes = (step - (at % step as u64) as usize).min(buf.len() - done);
            let part = &mut buf[done..done + bytes];
            match self.read_by_keys(object, inline, at, part) {
                Ok(()) => step = step.saturating_mul(2),
                Err(error) if !error.is_loss_or_unreadable() => return Err(error),
                Err(_) if bytes > least => {
                    step = (bytes.next_power_of_two() / 2).max(least);
                    continue;
                }
                Err(_) => {
                    part.fill(0);
                    lost(at..at + bytes as u64);
                }
            }
            done += bytes;
        }
        Ok(())
    }
}

/// Puts records together that go on under several keys.
struct Joiners {
    extents: RecordJoiner,
    entries: EntryJoiner,
    /// The directory of the entry that is put together.
    directory: ObjectId,
    /// Bytes of a piece of inline contents.
    piece_bytes: u64,
}

impl Joiners {
    const fn new(piece_bytes: u64) -> Self {
        let (extents, entries) = (RecordJoiner::new(), EntryJoiner::new());
        Self { extents, entries, directory: ObjectId::SYSTEM, piece_bytes }
    }

    fn take(&mut self, key: &Key, record: &[u8], f: &mut impl FnMut(Survivor<'_>)) {
        let object = key.object();
        if let Some((object, start, extent)) = self.extents.take(key, record) {
            let end = start.saturating_add(extent.logical.into());
            f(Survivor::Contents { object, start, end, inline: false });
        } else if key.is(ObjectId::SYSTEM, Kind::Orphan) {
            f(Survivor::Orphan { object: ObjectId(key.offset()) });
        } else if object == ObjectId::SYSTEM {
            // The pool's own affairs.
        } else if key.kind() == Kind::Inode as u8 {
            if let Some(inode) = Inode::decode(record) {
                f(Survivor::Inode { object, inode: &inode });
            }
        } else if key.kind() == Kind::Inline as u8 {
            let start = key.offset().saturating_mul(self.piece_bytes);
            let end = start.saturating_add(record.len() as u64);
            f(Survivor::Contents { object, start, end, inline: true });
        } else if key.kind() == Kind::Entry as u8 {
            self.take_entry(key, record, f);
        }
    }

    fn take_entry(&mut self, key: &Key, piece: &[u8], f: &mut impl FnMut(Survivor<'_>)) {
        if key.object() != self.directory {
            (self.entries, self.directory) = (EntryJoiner::new(), key.object());
        }
        if !self.entries.take(key.offset(), piece) {
            return;
        }
        let bytes = self.entries.bytes();
        if let (Some(name), Some(EntryTarget { object, kind })) =
            (bytes.get(ENTRY_HEADER..), EntryTarget::decode(bytes))
            && check_name(name).is_ok()
        {
            f(Survivor::Entry { directory: key.object(), name, object, kind });
        }
    }
}
