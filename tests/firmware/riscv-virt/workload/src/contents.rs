//! What is in a file: pieces, each written by one transaction, later ones over earlier ones.

use crate::random::Random;

/// Pieces that one file has at most.
const PIECES_MAX: usize = 6;

/// One write: bytes that follow from a seed and their place in the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Piece {
    /// Where it begins in the file.
    pub offset: u32,
    /// Bytes of it.
    pub length: u32,
    seed: u32,
}

impl Piece {
    /// A piece of so many bytes.
    pub(crate) const fn new(offset: u32, length: u32, seed: u32) -> Self {
        Self { offset, length, seed }
    }

    /// The place in the file that follows its last byte.
    pub const fn end(&self) -> u32 {
        self.offset + self.length
    }

    /// Puts the part of the piece that lies there into a buffer which begins at `at` in the file.
    pub fn fill(&self, at: u32, buf: &mut [u8]) {
        for (place, byte) in (at..).zip(buf) {
            if (self.offset..self.end()).contains(&place) {
                *byte = Random::new(u64::from(self.seed) << 32 | u64::from(place)).next() as u8;
            }
        }
    }
}

/// What is in a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    pieces: [Piece; PIECES_MAX],
    count: usize,
}

impl Contents {
    /// Bytes of the file.
    pub fn size(&self) -> u32 {
        self.pieces.iter().map(Piece::end).max().unwrap_or(0)
    }

    /// Fills a buffer with what is in the file from `at` on; zeros where nothing was ever written.
    pub fn fill(&self, at: u32, buf: &mut [u8]) {
        buf.fill(0);
        self.pieces[..self.count].iter().for_each(|piece| piece.fill(at, buf));
    }

    /// Whether there is no room for another piece.
    pub(crate) const fn is_full(&self) -> bool {
        self.count == PIECES_MAX
    }

    /// Adds a piece, where there is room for it.
    pub(crate) fn write(&mut self, piece: Piece) {
        if let Some(place) = self.pieces.get_mut(self.count) {
            *place = piece;
            self.count += 1;
        }
    }
}
