//! Directories of a path made, and everything below a name removed.

use super::Objects;
use super::directory::MakeRequest;
use super::inode::Attributes;
use super::path::{check_name, split_path};
use crate::error::Code;
use crate::format::inode::ObjectKind;
use crate::format::name::EntryTarget;
use crate::limits::NAME_BYTES_MAX;
use crate::types::ObjectId;
use core::ops::ControlFlow;
use dynamicfs_hal::DiskArray;

impl<A: DiskArray> Objects<'_, A> {
    /// Makes the directories of a path that are not there: the last one.
    ///
    /// # Errors
    /// Those of names are told before anything is made. Where space ends on the way, what was made is part of
    /// the transaction, which goes on. Any other error on the way poisons it.
    pub fn create_all(&mut self, path: &[u8], attributes: &Attributes) -> Result<ObjectId, Code> {
        split_path(path).try_for_each(check_name)?;
        self.several(|objects| {
            split_path(path).try_fold(ObjectId::ROOT, |directory, name| {
                match objects.lookup(directory, name) {
                    Ok(EntryTarget { object, kind: ObjectKind::Directory }) => Ok(object),
                    Ok(_) => Err(Code::NotADirectory),
                    Err(Code::NotFound) => {
                        objects.create(directory, name, &MakeRequest::Directory, attributes)
                    }
                    Err(error) => Err(error),
                }
            })
        })
    }

    /// Removes a name, and everything below it if it is a directory's.
    ///
    /// # Errors
    /// Where space ends on the way, what was removed until then is part of the transaction, which goes on.
    /// Any other error on the way poisons it.
    pub fn remove_all(&mut self, directory: ObjectId, name: &[u8]) -> Result<(), Code> {
        let target = self.lookup(directory, name)?;
        self.several(|objects| {
            if target.kind == ObjectKind::Directory {
                objects.empty(target.object)?;
            }
            objects.unlink(directory, name)
        })
    }

    /// Runs several operations. Each keeps what it did where the next finds no space. Any other error after
    /// the first change poisons the transaction.
    fn several<T>(&mut self, f: impl FnOnce(&mut Self) -> Result<T, Code>) -> Result<T, Code> {
        let before = self.store.changes();
        let done = f(self);
        if done.as_ref().is_err_and(|&error| error != Code::NoSpace) && self.store.changes() != before {
            self.store.poison();
        }
        done
    }

    /// Removes everything in a directory, of any size and depth: always the first entry, and what is in it
    /// before it. The way back is each directory's parent, so nothing grows with the depth.
    #[expect(clippy::indexing_slicing, reason = "as many bytes as `first_entry` copied")]
    fn empty(&mut self, top: ObjectId) -> Result<(), Code> {
        let (mut at, mut circle) = (top, Circle::new(top));
        let mut name = [0; NAME_BYTES_MAX];
        loop {
            let Some((bytes, target)) = self.first_entry(at, &mut name)? else {
                if at == top {
                    return Ok(());
                }
                at = self.inode(at)?.parent;
                continue;
            };
            let goes_down = target.kind == ObjectKind::Directory
                && self.first_entry(target.object, &mut [0; NAME_BYTES_MAX])?.is_some();
            if !goes_down {
                self.unlink(at, &name[..bytes])?;
                circle = Circle::new(at);
                continue;
            }
            // Only a forged tree leads back to itself, or elsewhere.
            if self.inode(target.object)?.parent != at || circle.closes_at(target.object) {
                return Err(self.store.tree.disks.about.invalid(target.object));
            }
            at = target.object;
        }
    }

    /// The first entry of a directory: the length of its name, and what it means.
    #[expect(
        clippy::indexing_slicing,
        reason = "a name that is listed was checked: it has at most 255 bytes"
    )]
    fn first_entry(
        &mut self,
        directory: ObjectId,
        name: &mut [u8; NAME_BYTES_MAX],
    ) -> Result<Option<(usize, EntryTarget)>, Code> {
        self.list(directory, 0, |entry| {
            name[..entry.name.len()].copy_from_slice(entry.name);
            ControlFlow::Break((entry.name.len(), EntryTarget { object: entry.object, kind: entry.kind }))
        })
    }
}

/// Whether a walk comes to where it was before, in constant memory: R. P. Brent, "An improved Monte Carlo
/// factorization algorithm", BIT 20 (1980).
struct Circle {
    mark: ObjectId,
    steps: u64,
    limit: u64,
}

impl Circle {
    const fn new(start: ObjectId) -> Self {
        Self { mark: start, steps: 0, limit: 1 }
    }

    /// Takes a step; whether it leads to the mark, which moves on after twice as many steps each time.
    fn closes_at(&mut self, next: ObjectId) -> bool {
        if next == self.mark {
            return true;
        }
        self.steps += 1;
        if self.steps == self.limit {
            *self = Self { mark: next, steps: 0, limit: self.limit.saturating_mul(2) };
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A way in of some steps, then a circle of some.
    #[test]
    fn a_circle_is_noticed_and_a_long_way_is_none() {
        for (way, round) in [(0_u64, 1), (0, 2), (5, 1), (7, 13), (100, 64), (3, 1000)] {
            let place = |step: u64| ObjectId(if step < way { step } else { way + (step - way) % round });
            let mut circle = Circle::new(place(0));
            let closed = (1..10 * (way + round)).find(|&step| circle.closes_at(place(step)));
            let closed = closed.unwrap_or_else(|| panic!("{way}, {round}"));
            assert!(closed <= 4 * (way + round), "{way}, {round}: after {closed}");
        }
        let mut circle = Circle::new(ObjectId(0));
        assert!(!(1..100_000).any(|step| circle.closes_at(ObjectId(step))));
    }
}
