//! Sparse bytes that are cheap to fork: copy-on-write pages in a persistent radix tree.
//!
//! ```text
//!   fork A ──▶ branch ──┬─▶ branch ──▶ page 0, page 1, …      A and B share every page;
//!   fork B ──▶ branch'──┘                                     a write copies one page and
//!                 └───────▶ branch'─▶ page 16'                the branches above it.
//! ```
//!
//! A clone is one counter incremented, whatever the size. A page that was never written takes no memory and reads
//! as the [`Background`]. `Arc` and not `Rc`, so that a fork can be handed to another worker of a campaign.

use crate::digest::digest;
use crate::rng::{GOLDEN_RATIO, splitmix64};
use std::ops::Range;
use std::sync::Arc;

/// Bytes of a page: what a write after a fork copies at least.
pub const PAGE_BYTES: usize = 4096;

/// Children of a branch, as a power of two: 2 levels hold 1 MiB, 7 levels 1 TiB.
const FAN_OUT_LOG2: u32 = 4;
const FAN_OUT: usize = 1 << FAN_OUT_LOG2;

type Page = [u8; PAGE_BYTES];

/// What bytes that were never written read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Background {
    /// Noise: a pure function of this seed and the address. What a used disk may hold.
    Noise(u64),
    /// Zeros: a disk that was wiped.
    Zeros,
}

impl Background {
    /// The bytes from address `at` on.
    pub fn read(self, at: u64, buf: &mut [u8]) {
        let Self::Noise(seed) = self else { return buf.fill(0) };
        let mut done = 0;
        while done < buf.len() {
            let address = at + done as u64;
            let word = splitmix64(seed ^ (address / 8).wrapping_mul(GOLDEN_RATIO)).to_le_bytes();
            let rest = &word[(address % 8) as usize..];
            let bytes = rest.len().min(buf.len() - done);
            buf[done..done + bytes].copy_from_slice(&rest[..bytes]);
            done += bytes;
        }
    }
}

#[derive(Clone, Default)]
enum Slot {
    #[default]
    Empty,
    Branch(Arc<[Slot; FAN_OUT]>),
    Page(Arc<Page>),
}

/// Bytes by address, as far as they were written, over a [`Background`].
#[derive(Clone)]
pub struct Pages {
    root: Slot,
    /// Branches on the path from the root to a page.
    levels: u32,
    /// Addresses from here on do not exist.
    bytes: u64,
    background: Background,
}

impl std::fmt::Debug for Pages {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pages")
            .field("written", &self.written())
            .field("background", &self.background)
            .finish()
    }
}

impl Pages {
    /// Space for `bytes` bytes, none of them written.
    pub fn new(bytes: u64, background: Background) -> Self {
        let pages = bytes.div_ceil(PAGE_BYTES as u64).max(1);
        let levels = (u64::BITS - (pages - 1).leading_zeros()).div_ceil(FAN_OUT_LOG2);
        Self { root: Slot::Empty, levels, bytes, background }
    }

    /// Reads the bytes from address `at` on.
    pub fn read(&self, at: u64, buf: &mut [u8]) {
        debug_assert!(at + buf.len() as u64 <= self.bytes, "a read within the {} bytes", self.bytes);
        for part in parts(at, buf.len()) {
            let target = &mut buf[part.bytes.clone()];
            match self.page(part.page) {
                Some(page) => target.copy_from_slice(&page[part.within..part.within + target.len()]),
                None => self.background.read(at + part.bytes.start as u64, target),
            }
        }
    }

    /// Writes `bytes` from address `at` on.
    pub fn write(&mut self, at: u64, bytes: &[u8]) {
        debug_assert!(at + bytes.len() as u64 <= self.bytes, "a write within the {} bytes", self.bytes);
        for part in parts(at, bytes.len()) {
            let source = &bytes[part.bytes];
            let background = self.background;
            let slot = self.slot_mut(part.page);
            // A page that is replaced whole need not be copied first.
            if let Ok(whole) = <&Page>::try_from(source) {
                replace(slot, whole);
                continue;
            }
            page_mut(slot, part.page, background)[part.within..part.within + source.len()]
                .copy_from_slice(source);
        }
    }

    /// Ends the addresses earlier; what was written beyond is not counted on.
    pub fn shorten(&mut self, bytes: u64) {
        debug_assert!(bytes <= self.bytes, "a shorter space");
        self.bytes = bytes;
    }

    /// Ends the addresses later; what lies between was not written, unless it was before they ended earlier.
    pub fn lengthen(&mut self, bytes: u64) {
        debug_assert!(bytes >= self.bytes, "a longer space");
        let levels = Self::new(bytes, self.background).levels;
        while self.levels < levels {
            let below = std::mem::take(&mut self.root);
            if !matches!(below, Slot::Empty) {
                let mut slots: [Slot; FAN_OUT] = std::array::from_fn(|_| Slot::Empty);
                slots[0] = below;
                self.root = Slot::Branch(Arc::new(slots));
            }
            self.levels += 1;
        }
        self.bytes = bytes;
    }

    /// Forgets what was written to these addresses: they read as the background again.
    pub fn forget(&mut self, range: Range<u64>) {
        let page_bytes = PAGE_BYTES as u64;
        let whole = range.start.div_ceil(page_bytes)..range.end / page_bytes;
        if whole.start >= whole.end {
            return self.forget_parts(range);
        }
        self.forget_parts(range.start..whole.start * page_bytes);
        self.forget_parts(whole.end * page_bytes..range.end);
        clear(&mut self.root, self.levels, 0, &whole);
    }

    /// A hash of what differs from an earlier fork of the same bytes: equal for equal bytes.
    pub fn difference(&self, base: &Self) -> u64 {
        let mut hash = 0;
        differ(&self.root, &base.root, 0, self.levels, &mut hash);
        hash
    }

    /// Pages that take memory.
    pub fn written(&self) -> u64 {
        fn count(slot: &Slot) -> u64 {
            match slot {
                Slot::Empty => 0,
                Slot::Branch(branch) => branch.iter().map(count).sum(),
                Slot::Page(_) => 1,
            }
        }
        count(&self.root)
    }

    /// What was never written reads as this.
    pub const fn background(&self) -> Background {
        self.background
    }

    /// Puts the background over a range that covers no page whole.
    fn forget_parts(&mut self, range: Range<u64>) {
        let background = self.background;
        for part in parts(range.start, (range.end - range.start) as usize) {
            if self.page(part.page).is_some() {
                let page = page_mut(self.slot_mut(part.page), part.page, background);
                let target = &mut page[part.within..part.within + part.bytes.len()];
                background.read(range.start + part.bytes.start as u64, target);
            }
        }
    }

    fn page(&self, page: u64) -> Option<&Page> {
        let mut slot = &self.root;
        let mut level = self.levels;
        loop {
            match slot {
                Slot::Empty => return None,
                Slot::Page(page) => return Some(page),
                Slot::Branch(branch) => {
                    level -= 1;
                    slot = &branch[child(page, level)];
                }
            }
        }
    }

    /// The place of a page, its path no longer shared with any fork.
    fn slot_mut(&mut self, page: u64) -> &mut Slot {
        let mut slot = &mut self.root;
        for level in (0..self.levels).rev() {
            if matches!(slot, Slot::Empty) {
                *slot = Slot::Branch(Arc::default());
            }
            let Slot::Branch(branch) = slot else { unreachable!("pages are at level 0 alone") };
            slot = &mut Arc::make_mut(branch)[child(page, level)];
        }
        slot
    }
}

/// Puts a page into this slot, into the memory of the old one unless a fork still needs that.
fn replace(slot: &mut Slot, whole: &Page) {
    if let Slot::Page(page) = slot
        && let Some(own) = Arc::get_mut(page)
    {
        own.copy_from_slice(whole);
    } else {
        *slot = Slot::Page(Arc::new(*whole));
    }
}

/// The page in this slot, not shared with any fork.
fn page_mut(slot: &mut Slot, number: u64, background: Background) -> &mut Page {
    if matches!(slot, Slot::Empty) {
        let mut page = [0; PAGE_BYTES];
        background.read(number * PAGE_BYTES as u64, &mut page);
        *slot = Slot::Page(Arc::new(page));
    }
    let Slot::Page(page) = slot else { unreachable!("branches are above level 0") };
    Arc::make_mut(page)
}

/// Empties the slots of these pages; `first` is the first page below `slot`.
fn clear(slot: &mut Slot, level: u32, first: u64, pages: &Range<u64>) {
    let last = first + ((1_u64 << (FAN_OUT_LOG2 * level)) - 1);
    if last < pages.start || first >= pages.end || matches!(slot, Slot::Empty) {
        return;
    }
    if pages.start <= first && last < pages.end {
        *slot = Slot::Empty;
        return;
    }
    let Slot::Branch(branch) = slot else { unreachable!("a page is inside the range or outside") };
    for (index, child) in Arc::make_mut(branch).iter_mut().enumerate() {
        clear(child, level - 1, first + ((index as u64) << (FAN_OUT_LOG2 * (level - 1))), pages);
    }
}

/// Adds what differs below two slots to a hash; `first` is the first page below them.
fn differ(slot: &Slot, base: &Slot, first: u64, level: u32, hash: &mut u64) {
    static EMPTY: [Slot; FAN_OUT] = [const { Slot::Empty }; FAN_OUT];
    match (slot, base) {
        (Slot::Branch(one), Slot::Branch(other)) if Arc::ptr_eq(one, other) => {}
        (Slot::Page(one), Slot::Page(other)) if Arc::ptr_eq(one, other) || one == other => {}
        (Slot::Page(page), _) => *hash = splitmix64(*hash ^ first.rotate_left(32) ^ digest(&page[..])),
        (Slot::Branch(children), _) => {
            let others = if let Slot::Branch(others) = base { others } else { &EMPTY };
            for (index, (child, other)) in children.iter().zip(others.iter()).enumerate() {
                let first = first + ((index as u64) << (FAN_OUT_LOG2 * (level - 1)));
                differ(child, other, first, level - 1, hash);
            }
        }
        (Slot::Empty, Slot::Empty) => {}
        (Slot::Empty, _) => *hash = splitmix64(*hash ^ first ^ GOLDEN_RATIO),
    }
}

const fn child(page: u64, level: u32) -> usize {
    (page >> (FAN_OUT_LOG2 * level)) as usize % FAN_OUT
}

/// The part of an access that lies in one page.
struct Part {
    page: u64,
    /// Where in the page it begins.
    within: usize,
    /// Which bytes of the access it is.
    bytes: Range<usize>,
}

fn parts(at: u64, length: usize) -> impl Iterator<Item = Part> {
    let mut done = 0;
    std::iter::from_fn(move || {
        let address = at + done as u64;
        let within = (address % PAGE_BYTES as u64) as usize;
        let bytes = (PAGE_BYTES - within).min(length - done);
        (bytes > 0).then(|| {
            let part = Part { page: address / PAGE_BYTES as u64, within, bytes: done..done + bytes };
            done += bytes;
            part
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    const TIB: u64 = 1 << 40;

    fn bytes(pages: &Pages, at: u64, length: usize) -> Vec<u8> {
        let mut buf = vec![0; length];
        pages.read(at, &mut buf);
        buf
    }

    #[test]
    fn what_was_never_written_is_noise_that_depends_on_seed_and_address() {
        let pages = Pages::new(TIB, Background::Noise(1));
        let other = Pages::new(TIB, Background::Noise(2));
        assert_eq!(bytes(&pages, TIB - 20_000, 20_000)[13..90], bytes(&pages, TIB - 19_987, 77)[..]);
        assert_ne!(bytes(&pages, 0, 64), bytes(&pages, 64, 64));
        assert_ne!(bytes(&pages, 0, 64), bytes(&other, 0, 64));
        assert_eq!(bytes(&Pages::new(TIB, Background::Zeros), 5, 9), [0; 9]);
        assert_eq!(pages.written(), 0);
    }

    #[test]
    fn a_longer_space_holds_what_it_held() {
        let mut pages = Pages::new(9, Background::Noise(1));
        pages.write(3, b"kept");
        for length in [4096, 70_000, TIB] {
            pages.lengthen(length);
            pages.write(length - 1, b"x");
            assert_eq!(bytes(&pages, 3, 4), b"kept");
            assert_eq!(bytes(&pages, length - 1, 1), b"x");
        }
        assert_eq!(bytes(&pages, 69_999, 1), b"x");
        let mut blank = Pages::new(1, Background::Zeros);
        blank.lengthen(TIB);
        assert_eq!((bytes(&blank, TIB - 4, 4), blank.written()), (vec![0; 4], 0));
    }

    #[test]
    fn forks_are_independent() {
        let mut pages = Pages::new(TIB, Background::Zeros);
        pages.write(TIB - 3, b"old");
        let mut fork = pages.clone();
        fork.write(TIB - 2, b"e");
        pages.write(0, b"mine");
        assert_eq!(bytes(&pages, TIB - 3, 3), b"old");
        assert_eq!(bytes(&fork, TIB - 3, 3), b"oed");
        assert_eq!(bytes(&fork, 0, 4), [0; 4]);
    }

    /// Random writes, forgets and forks against plain vectors.
    #[test]
    fn pages_hold_what_a_vector_holds() {
        const BYTES: u64 = 40 * PAGE_BYTES as u64 + 77;
        for seed in 0..40 {
            let mut rng = Rng::new(seed);
            let mut pages = Pages::new(BYTES, Background::Noise(seed));
            let mut background = vec![0; BYTES as usize];
            Background::Noise(seed).read(0, &mut background);
            let mut model = background.clone();
            let mut fork = (pages.clone(), model.clone());
            for _ in 0..60 {
                let start = rng.below(BYTES);
                let end = (start + rng.below(5 * PAGE_BYTES as u64) + 1).min(BYTES);
                let range = start as usize..end as usize;
                match rng.below(8) {
                    0 => fork = (pages.clone(), model.clone()),
                    1 => {
                        std::mem::swap(&mut fork.0, &mut pages);
                        std::mem::swap(&mut fork.1, &mut model);
                    }
                    2 => {
                        pages.forget(start..end);
                        model[range.clone()].copy_from_slice(&background[range]);
                    }
                    _ => {
                        rng.fill(&mut model[range.clone()]);
                        pages.write(start, &model[range]);
                    }
                }
            }
            assert!(bytes(&pages, 0, model.len()) == model, "seed {seed}");
            assert!(bytes(&fork.0, 0, model.len()) == fork.1, "seed {seed}");
        }
    }

    #[test]
    fn forgetting_a_tebibyte_is_quick_and_frees_its_pages() {
        let mut pages = Pages::new(TIB, Background::Noise(1));
        for at in (0..TIB).step_by(1 << 34) {
            pages.write(at, b"here");
        }
        assert_eq!(pages.written(), 64);
        pages.forget(1..TIB);
        assert_eq!((pages.written(), bytes(&pages, 0, 1)), (1, b"h".to_vec()));
        assert_eq!(bytes(&pages, 1, 3), bytes(&Pages::new(TIB, Background::Noise(1)), 1, 3));
    }
}
