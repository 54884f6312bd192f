//! Whether the records of the tree belong together: long values whole, contents within their objects, members that exist.
//! Pure: records are taken one by one, in the order of their keys.

use super::survey::RecordJoiner;
use crate::format::inode::Inode;
use crate::format::key::{Key, Kind};
use crate::format::name::PIECE_FIRST;
use crate::limits::EXTENT_BYTES_MIN;
use crate::types::{MemberNumber, ObjectId};

/// A record that does not fit the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Oddity {
    /// Nothing refers to it: a piece of no value, a record of no member.
    Stray(Key),
    /// A long value with a missing piece.
    Broken(Key),
    /// It belongs to an object that has no attributes: right only if the object is being deleted.
    Unowned(Key),
    /// An extent behind its object's end: right only if it is being deleted.
    Beyond(Key),
}

/// A value that may be longer than one record.
struct Long {
    first: Key,
    /// The offset of its next piece.
    next: u64,
    /// The offset behind its last piece; `None` while that is not known.
    end: Option<u64>,
}

/// The sizes that say how long an extent's record is.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    pub(super) piece_bytes: usize,
    pub(super) block_shift: u8,
    pub(super) chunk_shift: u8,
}

/// What was met so far.
pub(super) struct Records {
    shape: Shape,
    object: ObjectId,
    inode: Option<Inode>,
    /// That the object has none was told.
    told: bool,
    long: Option<Long>,
    joiner: RecordJoiner,
}

impl Records {
    pub(super) const fn new(shape: Shape) -> Self {
        let joiner = RecordJoiner::new();
        Self { shape, object: ObjectId::SYSTEM, inode: None, told: false, long: None, joiner }
    }

    /// Takes a record; what of it and of the value before it is odd.
    pub(super) fn take(
        &mut self,
        key: &Key,
        record: &[u8],
        is_member: impl Fn(MemberNumber) -> bool,
    ) -> [Option<Oddity>; 2] {
        let goes_on = self.long.as_ref().is_some_and(|long| {
            let is_same = long.first.object() == key.object() && long.first.kind() == key.kind();
            is_same && long.next == key.offset() && long.end.is_none_or(|end| long.next < end)
        });
        let broken = if goes_on { None } else { self.end() };
        if key.object() != self.object {
            (self.object, self.inode, self.told) = (key.object(), None, false);
        }
        let odd = match self.object {
            ObjectId::SYSTEM => self.take_system(key, is_member),
            _ => self.take_of_object(key, record, goes_on),
        };
        [broken, odd]
    }

    /// What is odd about the last value, when nothing more of it comes.
    pub(super) fn end(&mut self) -> Option<Oddity> {
        let long = self.long.take()?;
        (long.end != Some(long.next)).then_some(Oddity::Broken(long.first))
    }

    fn take_system(&self, key: &Key, is_member: impl Fn(MemberNumber) -> bool) -> Option<Oddity> {
        let number = match key.kind() {
            kind if kind == Kind::Group as u8 => key.as_group().0,
            kind if kind == Kind::Member as u8 || kind == Kind::Counters as u8 => {
                // A number that is none is no member's.
                u16::try_from(key.offset()).map_or(MemberNumber::NONE, MemberNumber)
            }
            _ => return None,
        };
        let is_pools = key.kind() == Kind::Counters as u8 && key.offset() == u64::from(MemberNumber::NONE.0);
        (!is_pools && !is_member(number)).then_some(Oddity::Stray(*key))
    }

    fn take_of_object(&mut self, key: &Key, record: &[u8], goes_on: bool) -> Option<Oddity> {
        if key.kind() == Kind::Inode as u8 {
            self.inode = Inode::decode(record);
            self.told = self.inode.is_none();
            return self.told.then_some(Oddity::Broken(*key));
        }
        let odd = match key.kind() {
            kind if kind == Kind::Entry as u8 || kind == Kind::Xattr as u8 => {
                self.take_hashed(key, record, goes_on)
            }
            kind if kind == Kind::Extent as u8 => self.take_extent(key, record, goes_on),
            kind if kind == Kind::Inline as u8 => {
                let holds = |inode: Inode| {
                    let begins = key.offset().saturating_mul(self.shape.piece_bytes as u64);
                    inode.inline && begins < inode.size.max(1)
                };
                self.inode.is_some_and(|inode| !holds(inode)).then_some(Oddity::Stray(*key))
            }
            // A later version's.
            _ => return None,
        };
        if self.inode.is_none() && !core::mem::replace(&mut self.told, true) {
            return Some(Oddity::Unowned(*key));
        }
        odd
    }

    fn take_hashed(&mut self, key: &Key, record: &[u8], goes_on: bool) -> Option<Oddity> {
        let flags = record.first().copied().unwrap_or(0);
        let next = key.offset().saturating_add(1);
        if flags & PIECE_FIRST != 0 {
            let broken = if goes_on { self.end() } else { None };
            let end = next.saturating_add(u64::from(flags & !PIECE_FIRST));
            self.long = Some(Long { first: *key, next, end: Some(end) });
            return broken;
        }
        match &mut self.long {
            Some(long) if goes_on => {
                long.next = next;
                None
            }
            _ => Some(Oddity::Stray(*key)),
        }
    }

    fn take_extent(&mut self, key: &Key, record: &[u8], goes_on: bool) -> Option<Oddity> {
        let begins = key.offset().is_multiple_of(EXTENT_BYTES_MIN);
        let mut odd = None;
        if begins {
            odd = if goes_on { self.end() } else { None };
            self.long = Some(Long { first: *key, next: key.offset(), end: None });
            let size = self.inode.map_or(u64::MAX, |inode| if inode.inline { 0 } else { inode.size });
            odd = odd.or((key.offset() >= size).then_some(Oddity::Beyond(*key)));
        }
        let joined = self.joiner.take(key, record);
        let Some(long) = self.long.as_mut().filter(|_| begins || goes_on) else {
            return Some(Oddity::Stray(*key));
        };
        long.next = key.offset().saturating_add(1);
        if let Some((_, start, extent)) = joined {
            let Shape { piece_bytes, block_shift, chunk_shift } = self.shape;
            let pieces = extent.record_bytes(block_shift, chunk_shift).div_ceil(piece_bytes);
            long.end = Some(start.saturating_add(pieces as u64));
        }
        odd
    }
}
