//! Objects: numbered byte sequences with attributes, and the names that directories give them.
//!
//! ```text
//! inode.rs      attributes, making and deleting objects
//! extents.rs    finding and freeing extents
//! store.rs      storing them: space, fragments, records
//! fit.rs        where contents go, and whether there was space
//! get.rs        reading: every byte is proved
//! segment.rs    what is read of an extent in one pass
//! chunk.rs      reading one chunk after the other
//! decode.rs     what is not right: from another replica, or computed
//! put.rs        writing: what stays in the tree, what goes into windows
//! window.rs     the window buffer, and how it is stored
//! hole.rs       holes made, and looked for
//! transfer.rs   contents that go from one object to another
//! truncate.rs   cutting and growing
//! orphans.rs    deleting, at once or step by step
//! pinned.rs     objects that stay without a name as long as they are held
//! repair.rs     rewriting fragments that a read found bad
//! rebuild.rs    fragments computed anew and put elsewhere; stripes proved
//! join.rs       short extents become a long one
//! hashed.rs     records under the hash of a name, in pieces
//! directory.rs  entries, create, unlink, rename
//! exchange.rs   two names exchange their objects
//! replace.rs    a file written whole
//! subtree.rs    directories of a path made; all below a name removed
//! xattr.rs      extended attributes
//! path.rs       names and paths
//! ```

mod chunk;
mod decode;
mod directory;
mod exchange;
mod extents;
mod fit;
mod get;
mod hashed;
mod hole;
mod inode;
mod join;
mod orphans;
mod path;
mod pinned;
mod put;
mod rebuild;
mod repair;
mod replace;
mod segment;
mod store;
mod subtree;
mod transfer;
mod truncate;
mod window;
mod xattr;

pub use directory::{Entry, MakeRequest, RenameMode};
pub(crate) use extents::Found;
pub(crate) use hashed::Joiner as EntryJoiner;
pub use inode::{Attributes, Change};
pub use path::{check_name, split_path};
pub use pinned::Pin;
pub(crate) use rebuild::{Mended, Relocation};
pub use repair::Repair;
pub use transfer::Moved;
pub use xattr::AttributeMode;

use crate::error::Code;
use crate::format::node::value_bytes_max;
use crate::limits::REPAIRS_MAX;
use crate::transaction::{Purpose, Store};
use crate::types::ObjectId;
use dynamicfs_hal::DiskArray;

/// The object layer over a store.
pub struct Objects<'m, A> {
    /// Transactions and the tree.
    pub store: Store<'m, A>,
    /// What the window buffer holds, if anything.
    filling: Option<Filling>,
    /// Bad fragments that reads found and that were not rewritten yet.
    pub(crate) repairs: heapless::Vec<Repair, REPAIRS_MAX>,
    /// How far the freeing of deleted objects is.
    pub(crate) reaper: orphans::Reaper,
    /// Places for objects that the application holds.
    pins: &'m mut [Pin],
    /// Whether something found no space since deleted objects were last freed for the sake of space.
    pub(crate) wanting: bool,
}

/// The extent that is being filled in the window buffer, not stored yet.
#[derive(Clone, Copy, Debug)]
struct Filling {
    object: ObjectId,
    /// The first byte of the window.
    start: u64,
    /// Bytes that are there, from the window's beginning.
    bytes: usize,
}

impl<'m, A: DiskArray> Objects<'m, A> {
    /// Objects of a mounted store.
    pub const fn new(store: Store<'m, A>) -> Self {
        Self {
            store,
            filling: None,
            repairs: heapless::Vec::new(),
            reaper: orphans::Reaper::NEW,
            pins: &mut [],
            wanting: false,
        }
    }

    /// Bytes of a record's piece.
    fn piece_bytes(&self) -> usize {
        value_bytes_max(self.store.tree.disks.parameters.node_bytes())
    }

    /// Bytes of contents that stay inline in the tree.
    pub fn inline_max(&self) -> u64 {
        self.piece_bytes() as u64
    }

    fn block_shift(&self) -> u8 {
        self.store.tree.disks.parameters.block_shift
    }

    fn chunk_shift(&self) -> u8 {
        self.store.tree.disks.parameters.chunk_shift
    }

    /// Runs something that uses the window buffer beside the rest, where nothing waits in it. Where something does it is
    /// refused: what waits there is part of the transaction.
    pub(crate) fn with_free_window<T>(
        &mut self,
        f: impl FnOnce(&mut Self, &mut [u8]) -> Result<T, Code>,
    ) -> Result<T, Code> {
        if self.filling.is_some() {
            return Err(Code::InTransaction);
        }
        self.with_window(f)
    }

    /// Runs something that uses the window buffer, and what waits in it, beside the rest.
    fn with_window<T>(&mut self, f: impl FnOnce(&mut Self, &mut [u8]) -> T) -> T {
        let window = core::mem::take(&mut self.store.window);
        let done = f(self, window);
        self.store.window = window;
        done
    }

    // --- transactions -----------------------------------------------------------------------------------------

    /// Begins a transaction; refused while one is open.
    pub(crate) fn begin(&mut self) -> Result<(), Code> {
        self.store.begin()?;
        self.filling = None;
        Ok(())
    }

    /// Drops the transaction and all that it buffered. Without one it does nothing.
    pub fn abort(&mut self) {
        self.filling = None;
        self.store.abort();
        self.unpin_unmade();
    }

    /// Makes the transaction durable. On an error it was dropped.
    pub fn commit(&mut self) -> Result<(), Code> {
        let checked = self.store.check().and_then(|()| self.store.look_if_waited());
        let stored = checked.and_then(|()| self.store_filling()?.or_no_space());
        if let Err(error) = stored {
            let cause = self.store.cause(error);
            self.abort();
            return Err(cause);
        }
        let committed = self.store.commit();
        self.unpin_unmade();
        committed.map(drop)
    }

    // --- operations in one --------------------------------------------------------------------------------------

    /// Runs an operation that changes what the transaction holds, of this many tree updates: makes sure that it finds
    /// memory and space, then does it. Its errors are those of [`change`](Self::change).
    pub(crate) fn operate<T>(
        &mut self,
        updates: u32,
        purpose: Purpose,
        f: impl FnOnce(&mut Self) -> Result<T, Code>,
    ) -> Result<T, Code> {
        self.store.check()?;
        self.store.look_if_waited()?;
        self.begin_change(updates, purpose)?;
        self.change(f)
    }

    /// Runs a part of an operation. An error after its first change poisons the transaction, whatever the error is: it can
    /// only be dropped then. An error before its first change leaves all as it was.
    ///
    /// Every operation passes here, so that none has to think of it.
    pub(crate) fn change<T>(&mut self, f: impl FnOnce(&mut Self) -> Result<T, Code>) -> Result<T, Code> {
        let before = self.store.changes();
        let done = f(self);
        if done.is_err() && self.store.changes() != before {
            self.store.poison();
        }
        done
    }

    /// Makes sure that an operation of this many tree updates may begin and finds memory and space.
    pub(crate) fn begin_change(&mut self, updates: u32, purpose: Purpose) -> Result<(), Code> {
        match self.try_begin_change(updates, purpose)? {
            true => Ok(()),
            false => Err(Code::NoSpace),
        }
    }

    /// The same; false if there is no space, and something else can be done.
    pub(crate) fn try_begin_change(&mut self, updates: u32, purpose: Purpose) -> Result<bool, Code> {
        self.store.check()?;
        self.store.check_memory(purpose)?;
        let before = self.store.changes();
        let found = self.change(|objects| objects.reserve(updates, purpose))?;
        // What makes room changes nothing of what the transaction holds.
        self.store.set_changes(before);
        Ok(found)
    }

    /// Finds space for the nodes of a change, if need be in groups that data was going to take; false if there is none.
    fn reserve(&mut self, updates: u32, purpose: Purpose) -> Result<bool, Code> {
        if self.store.has_room(updates, purpose) {
            return Ok(true);
        }
        self.store.sweep_all()?;
        if self.store.has_room(updates, purpose) {
            return Ok(true);
        }
        // What is in the window buffer counts on the open groups.
        let closed = self.store_filling()?.is_done() && self.store.close_data_groups()?;
        let found = closed && self.store.has_room(updates, purpose)
            || purpose == Purpose::Release && self.store.has_last_room(updates);
        self.wanting |= !found;
        Ok(found)
    }

    /// Sets what waits in the window buffer.
    fn set_filling(&mut self, filling: Option<Filling>) {
        self.store.note_change();
        self.filling = filling;
    }
}
