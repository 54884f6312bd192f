//! Arithmetic in GF(2^8) modulo x^8 + x^4 + x^3 + x^2 + 1 (`0x11d`), one element at a time.
//!
//! Only plans and tables that are made at compile time come here; fragments go through a
//! [kernel](crate::Kernel). So there are no tables: firmware would keep them in flash for a few
//! hundred multiplications in each reconstruction.

/// What x^8 is reduced to: the polynomial without its highest term.
pub(crate) const REDUCTION: u8 = 0x1d;

/// `element` times x, the generator of the field.
pub(crate) const fn double(element: u8) -> u8 {
    (element << 1) ^ ((element >> 7) * REDUCTION)
}

/// The product of two elements.
pub(crate) const fn multiply(a: u8, b: u8) -> u8 {
    let mut product = 0;
    let mut bit = 8;
    while bit > 0 {
        bit -= 1;
        product = double(product) ^ (((b >> bit) & 1) * a);
    }
    product
}

/// `1 / element`, and 0 for 0.
///
/// The nonzero elements are a group of order 255, so the inverse is the 254th power. 254 is 2 + 4 + ... +
/// 128, so the power is the product of seven successive squares.
pub(crate) const fn invert(element: u8) -> u8 {
    let mut square = element;
    let mut inverse = 1;
    let mut step = 0;
    while step < 7 {
        square = multiply(square, square);
        inverse = multiply(inverse, square);
        step += 1;
    }
    inverse
}

/// The weight of data fragment `column` in parity fragment `row`: 2^(row * column).
///
/// The matrix of ISA-L's `gf_gen_rs_matrix`.
pub(crate) const fn weight(row: u8, column: u8) -> u8 {
    let mut power = 1;
    let mut exponent = row as u32 * column as u32;
    while exponent > 0 {
        power = double(power);
        exponent -= 1;
    }
    power
}
