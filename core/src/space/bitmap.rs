//! Bitmaps of groups: a bit for each block, set if it is allocated. The lowest bit of a byte is the first block.

use core::ops::Range;

/// Bits that are set.
pub(super) fn ones(bitmap: &[u8]) -> u32 {
    bitmap.iter().map(|byte| byte.count_ones()).sum()
}

#[expect(
    clippy::indexing_slicing,
    reason = "callers stay below the blocks of a group, and a bitmap has a bit for each"
)]
fn is_set(bitmap: &[u8], block: u32) -> bool {
    bitmap[block as usize / 8] >> (block % 8) & 1 == 1
}

#[expect(
    clippy::indexing_slicing,
    reason = "callers stay below the blocks of a group, and a bitmap has a bit for each"
)]
pub(super) fn set(bitmap: &mut [u8], block: u32) {
    bitmap[block as usize / 8] |= 1 << (block % 8);
}

#[expect(
    clippy::indexing_slicing,
    reason = "callers stay below the blocks of a group, and a bitmap has a bit for each"
)]
pub(super) fn clear(bitmap: &mut [u8], block: u32) {
    bitmap[block as usize / 8] &= !(1 << (block % 8));
}

/// Clear bits from `from` on, below `end`.
#[expect(clippy::cast_possible_truncation, reason = "no more than the blocks between two numbers of 32 bits")]
pub(super) fn clear_from(bitmap: &[u8], from: u32, end: u32) -> u32 {
    (from..end).filter(|&block| !is_set(bitmap, block)).count() as u32
}

/// The first clear bit from `from` on, below `end`.
#[expect(
    clippy::indexing_slicing,
    reason = "`end` is at most the blocks of a group, and a bitmap has a bit for each"
)]
pub(super) fn next_clear(bitmap: &[u8], from: u32, end: u32) -> Option<u32> {
    let mut at = from;
    while at < end {
        if at.is_multiple_of(8) && bitmap[at as usize / 8] == 0xFF {
            at += 8;
        } else if is_set(bitmap, at) {
            at += 1;
        } else {
            return Some(at);
        }
    }
    None
}

/// The first run of `blocks` clear bits from `from` on, below `end`.
pub fn next_clear_run(bitmap: &[u8], from: u32, blocks: u32, end: u32) -> Option<u32> {
    let mut start = next_clear(bitmap, from, end)?;
    loop {
        if start + blocks > end {
            return None;
        }
        match (start..start + blocks).find(|&block| is_set(bitmap, block)) {
            None => return Some(start),
            Some(taken) => start = next_clear(bitmap, taken, end)?,
        }
    }
}

/// The first run of clear bits from `from` on, as long as it is, below `end`.
pub fn next_free(bitmap: &[u8], from: u32, end: u32) -> Option<Range<u32>> {
    let start = next_clear(bitmap, from, end)?;
    Some(start..(start..end).find(|&block| is_set(bitmap, block)).unwrap_or(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_found_between_allocated_blocks() {
        let mut bitmap = [0u8; 16];
        for block in [0, 1, 5, 9, 127] {
            set(&mut bitmap, block);
        }
        assert_eq!(next_clear(&bitmap, 0, 128), Some(2));
        assert_eq!(next_clear_run(&bitmap, 0, 3, 128), Some(2));
        assert_eq!(next_clear_run(&bitmap, 0, 4, 128), Some(10));
        assert_eq!(next_clear_run(&bitmap, 3, 117, 128), Some(10));
        assert_eq!(next_clear_run(&bitmap, 3, 118, 128), None);
        let runs = [(0, Some(2..5)), (3, Some(3..5)), (6, Some(6..9)), (10, Some(10..127)), (127, None)];
        for (from, run) in runs {
            assert_eq!(next_free(&bitmap, from, 128), run, "from {from}");
        }
        assert_eq!(next_free(&bitmap, 10, 100), Some(10..100));
    }
}
