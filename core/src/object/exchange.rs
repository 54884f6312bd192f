//! Two names that exchange their objects.

use super::Objects;
use super::directory::NAME_UPDATES;
use super::path::check_name;
use crate::error::Code;
use crate::format::inode::ObjectKind;
use crate::transaction::Purpose;
use crate::types::ObjectId;
use dynamicfs_hal::DiskArray;

impl<A: DiskArray> Objects<'_, A> {
    /// Lets two names exchange their objects, of whatever kinds, in one step. Where both are names of one
    /// object nothing happens.
    ///
    /// # Errors
    /// All of names, kinds and space leave the transaction as it was. After one of a disk or the tree
    /// [`is_poisoned`](crate::transaction::Store::is_poisoned) tells.
    pub fn exchange(&mut self, one: (ObjectId, &[u8]), other: (ObjectId, &[u8])) -> Result<(), Code> {
        check_name(one.1)?;
        check_name(other.1)?;
        self.operate(2 * NAME_UPDATES, Purpose::Growth, |objects| {
            objects.directory(one.0)?;
            objects.directory(other.0)?;
            let (place, target) = objects.find_entry(one.0, one.1)?.ok_or(Code::NotFound)?;
            let (other_place, other_target) = objects.find_entry(other.0, other.1)?.ok_or(Code::NotFound)?;
            if target.object == other_target.object {
                return Ok(());
            }
            let is_directory = target.kind == ObjectKind::Directory;
            let is_other_directory = other_target.kind == ObjectKind::Directory;
            if is_directory {
                objects.check_not_below(target.object, other.0)?;
            }
            if is_other_directory {
                objects.check_not_below(other_target.object, one.0)?;
            }
            objects.retarget_entry(one, &place, other_target)?;
            objects.retarget_entry(other, &other_place, target)?;
            let subdirectories = i64::from(is_other_directory) - i64::from(is_directory);
            objects.touch_directory(one.0, 0, subdirectories)?;
            objects.touch_directory(other.0, 0, -subdirectories)?;
            objects.note_moved(&other_target, one.0)?;
            objects.note_moved(&target, other.0)
        })
    }
}
