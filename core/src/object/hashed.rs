//! Records under the hash of a name: directory entries and extended attributes.
//!
//! Names that share a hash take different places; an entry longer than a piece goes on under the next places.

use super::Objects;
use crate::error::Code;
use crate::format::key::{Key, Kind};
use crate::format::name::{PIECE_FIRST, PLACES};
use crate::types::ObjectId;
use core::ops::ControlFlow;
use dynamicfs_hal::DiskArray;

/// Bytes of an entry that a scan shows: the longest name and what stands before it.
const PREFIX_BYTES: usize = 9 + crate::limits::NAME_BYTES_MAX;

/// Where an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The key's offset of its first piece.
    pub(super) offset: u64,
    /// Its pieces.
    pub(super) pieces: u64,
}

impl Place {
    /// The offset after its last piece.
    pub(super) const fn end(&self) -> u64 {
        self.offset.saturating_add(self.pieces)
    }
}

/// Joins pieces as a scan meets them.
pub(crate) struct Joiner {
    prefix: [u8; PREFIX_BYTES],
    bytes: usize,
    place: Place,
    missing: u64,
}

impl Joiner {
    pub(crate) const fn new() -> Self {
        Self { prefix: [0; PREFIX_BYTES], bytes: 0, place: Place { offset: 0, pieces: 0 }, missing: 0 }
    }

    /// Takes a piece; true when the entry is complete. Pieces without a beginning are passed over.
    #[expect(clippy::indexing_slicing, reason = "a part is cut to what the prefix has left")]
    pub(crate) fn take(&mut self, offset: u64, piece: &[u8]) -> bool {
        let Some((&flags, part)) = piece.split_first() else { return false };
        if flags & PIECE_FIRST != 0 {
            self.bytes = 0;
            self.place = Place { offset, pieces: 1 };
            self.missing = u64::from(flags & !PIECE_FIRST);
        } else if self.missing > 0 && offset == self.place.end() {
            self.place.pieces += 1;
            self.missing -= 1;
        } else {
            self.missing = 0;
            return false;
        }
        let bytes = part.len().min(PREFIX_BYTES - self.bytes);
        self.prefix[self.bytes..self.bytes + bytes].copy_from_slice(&part[..bytes]);
        self.bytes += bytes;
        self.missing == 0
    }

    /// The first bytes of the entry that is complete.
    #[expect(clippy::indexing_slicing, reason = "`take` counts no more bytes than there are")]
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.prefix[..self.bytes]
    }
}

impl<A: DiskArray> Objects<'_, A> {
    /// Calls `f` with the place and the first bytes of each entry from `from` on and before `end`, until it breaks.
    pub(super) fn scan_hashed<B>(
        &mut self,
        object: ObjectId,
        kind: Kind,
        from: u64,
        end: u64,
        mut f: impl FnMut(&Place, &[u8]) -> ControlFlow<B>,
    ) -> Result<Option<B>, Code> {
        let mut joiner = Joiner::new();
        let found = self.store.tree.scan(
            &Key::new(object, kind, from),
            &Key::new(object, kind, end),
            |key, piece| {
                if joiner.take(key.offset(), piece) {
                    f(&joiner.place, joiner.bytes())
                } else {
                    ControlFlow::Continue(())
                }
            },
        )?;
        Ok(found)
    }

    /// Writes an entry, the parts one after the other, into the first gap between the others of its hash that
    /// is wide enough. Places that were given up are used again.
    pub(super) fn put_hashed(
        &mut self,
        object: ObjectId,
        kind: Kind,
        hash: u64,
        parts: &[&[u8]],
    ) -> Result<(), Code> {
        let room = self.piece_bytes() - 1;
        let bytes: usize = parts.iter().map(|part| part.len()).sum();
        let pieces = bytes.div_ceil(room).max(1) as u64;
        let mut next = hash;
        // The last place stays empty: so the position behind an entry of the highest hash fits a signed
        // offset too.
        let last = hash + (PLACES - 2);
        self.store.tree.scan(
            &Key::new(object, kind, hash),
            &Key::new(object, kind, last).successor(),
            |key, _| {
                if key.offset().saturating_sub(next) >= pieces {
                    return ControlFlow::Break(());
                }
                next = key.offset().saturating_add(1);
                ControlFlow::Continue(())
            },
        )?;
        if next.checked_add(pieces - 1).is_none_or(|end| end > last) || pieces > u64::from(PIECE_FIRST) {
            return Err(Code::HashFull);
        }
        self.write_hashed(object, kind, next, parts)
    }

    /// Writes an entry, its parts one after the other, from a place on. A new one goes into a gap, or
    /// replaces one of the same length.
    #[expect(
        clippy::indexing_slicing,
        clippy::cast_possible_truncation,
        reason = "a piece fits its buffer with its first byte; an entry has at most 128 pieces"
    )]
    pub(super) fn write_hashed(
        &mut self,
        object: ObjectId,
        kind: Kind,
        first: u64,
        parts: &[&[u8]],
    ) -> Result<(), Code> {
        let room = self.piece_bytes() - 1;
        let bytes: usize = parts.iter().map(|part| part.len()).sum();
        let pieces = bytes.div_ceil(room).max(1) as u64;
        let buffer = core::mem::take(&mut self.store.piece);
        let mut rest = parts.iter().flat_map(|part| part.iter().copied());
        let mut done = Ok(());
        for n in 0..pieces {
            let length = room.min(bytes - n as usize * room);
            buffer[0] = if n == 0 { PIECE_FIRST | (pieces - 1) as u8 } else { 0 };
            buffer[1..=length].iter_mut().zip(&mut rest).for_each(|(to, from)| *to = from);
            done = self.store.put(&Key::new(object, kind, first + n), &buffer[..=length]);
            if done.is_err() {
                break;
            }
        }
        self.store.piece = buffer;
        done
    }

    /// Takes an entry out.
    #[expect(clippy::cast_possible_truncation, reason = "an entry has at most 128 pieces")]
    pub(super) fn remove_hashed(&mut self, object: ObjectId, kind: Kind, place: &Place) -> Result<(), Code> {
        let (from, end) = (Key::new(object, kind, place.offset), Key::new(object, kind, place.end()));
        // No more is looked for: what lies behind them may be lost, and is not in the way.
        self.store.remove_range(&from, &end, place.pieces as usize)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The second piece of a name is lost, and that of another stands behind where it was. The two were
    /// joined to a name that nothing ever had.
    #[test]
    fn a_piece_is_joined_to_the_one_before_it_alone() {
        let first = [PIECE_FIRST | 1, b'a', b'b'];
        let mut joiner = Joiner::new();
        assert!(!joiner.take(7, &first));
        assert!(!joiner.take(9, &[0, b'x']), "it belongs to another");
        assert!(!joiner.take(10, &[0, b'y']), "what it belongs to has no beginning");
        assert!(!joiner.take(17, &first));
        assert!(joiner.take(18, &[0, b'c']));
        assert_eq!((joiner.bytes(), joiner.place), (&b"abc"[..], Place { offset: 17, pieces: 2 }));
    }
}
