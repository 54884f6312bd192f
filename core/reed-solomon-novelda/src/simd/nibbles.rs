//! Multiplication by table look-up inside a register, for instruction sets with a byte shuffle.
//!
//! A product is linear, so it is the sum of the products of the byte's two halves. Each of those comes from a
//! table of 16 bytes, the width of a shuffle. Source: "Screaming Fast Galois Field Arithmetic Using Intel
//! SIMD Instructions", Plank, Greenan, Miller, FAST 2013.

use crate::field::multiply;

/// The products of one coefficient.
pub(super) struct Nibbles {
    /// With 0 to 15.
    pub(super) low: [u8; 16],
    /// With 0 to 240 in steps of 16.
    pub(super) high: [u8; 16],
}

/// The tables of every coefficient, 8 KiB.
pub(super) static NIBBLES: [Nibbles; 256] = {
    let mut tables = [const { Nibbles { low: [0; 16], high: [0; 16] } }; 256];
    let mut coefficient = 0;
    while coefficient < 256 {
        let mut nibble = 0;
        while nibble < 16 {
            let table = &mut tables[coefficient];
            table.low[nibble] = multiply(coefficient as u8, nibble as u8);
            table.high[nibble] = multiply(coefficient as u8, (nibble as u8) << 4);
            nibble += 1;
        }
        coefficient += 1;
    }
    tables
};

/// What the bits that leave a byte at the top come back as when it is shifted: entry `i` is
/// `i` * x^8. Three bits leave at most; the rest is never looked up.
pub(super) static OVERFLOW: [u8; 16] = {
    let mut reductions = [0; 16];
    let mut bits = 0;
    while bits < 8 {
        reductions[bits] = multiply(bits as u8, crate::field::REDUCTION);
        bits += 1;
    }
    reductions
};
