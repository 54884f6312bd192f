//! What the kit writes: sectors that say what they are.

/// Bytes of a stamp's header; the rest of the sector follows from it.
const HEADER_WORDS: usize = 7;
const MAGIC: u32 = 0x7a4d_f5c1;

/// The contents of a sector: its place, its run and its write in that run. Every byte follows from these
/// three, so that a whole sector is told from a damaged one without a copy of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) seed: u64,
    pub(super) lba: u64,
    pub(super) version: u32,
}

impl Stamp {
    fn header(&self) -> [u32; HEADER_WORDS] {
        let (seed, lba) = (self.seed, self.lba);
        let check = mix(seed ^ mix(lba ^ mix(u64::from(self.version))));
        [MAGIC, self.version, lba as u32, (lba >> 32) as u32, seed as u32, (seed >> 32) as u32, check as u32]
    }

    /// The words of a sector, without an end.
    fn words(&self) -> impl Iterator<Item = [u8; 4]> {
        let header = self.header();
        // Xorshift (Marsaglia 2003), which never leaves zero and is never zero from another start.
        let mut state = header[HEADER_WORDS - 1] | 1;
        let body = core::iter::repeat_with(move || {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state
        });
        header.into_iter().chain(body).map(u32::to_le_bytes)
    }

    /// Writes the sector.
    pub(super) fn fill(&self, sector: &mut [u8]) {
        for (bytes, word) in sector.chunks_exact_mut(4).zip(self.words()) {
            bytes.copy_from_slice(&word);
        }
    }

    /// The first byte in which a sector differs.
    pub(super) fn difference(&self, sector: &[u8]) -> Option<usize> {
        let (at, bytes, word) = (0..)
            .step_by(4)
            .zip(sector.chunks_exact(4).zip(self.words()))
            .map(|(at, (bytes, word))| (at, bytes, word))
            .find(|(_, bytes, word)| *bytes != word)?;
        Some(at + bytes.iter().zip(word).take_while(|(is, should)| **is == *should).count())
    }

    /// Whether a sector is this one from a byte on.
    pub(super) fn is_from(&self, byte: usize, sector: &[u8]) -> bool {
        let words = sector.chunks_exact(4).zip(self.words()).skip(byte / 4);
        words.enumerate().all(|(index, (bytes, word))| {
            let skip = if index == 0 { byte % 4 } else { 0 };
            bytes[skip..] == word[skip..]
        })
    }

    /// What a sector holds, if it is whole.
    pub(super) fn read(sector: &[u8]) -> Option<Self> {
        let mut words =
            sector.chunks_exact(4).map(|bytes| u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]));
        let mut next = || words.next();
        if next()? != MAGIC {
            return None;
        }
        let version = next()?;
        let lba = u64::from(next()?) | u64::from(next()?) << 32;
        let seed = u64::from(next()?) | u64::from(next()?) << 32;
        let stamp = Self { seed, lba, version };
        stamp.difference(sector).is_none().then_some(stamp)
    }
}

/// Whether all bytes are the same: a sector that was never written, erased or discarded.
pub(super) fn is_blank(sector: &[u8]) -> bool {
    sector.windows(2).all(|pair| pair[0] == pair[1])
}

/// A number whose every bit depends on every bit of `a`: the last step of SplitMix64 (Steele, Lea, Flood
/// 2014).
pub(super) const fn mix(a: u64) -> u64 {
    let a = (a ^ (a >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let a = (a ^ (a >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    a ^ (a >> 31)
}

/// Numbers that follow from a seed: SplitMix64.
pub(super) struct Draw(pub(super) u64);

impl Draw {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// A number below `end`, which is not zero.
    pub(super) fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAMP: Stamp = Stamp { seed: 7 << 40, lba: 3 << 33, version: 9 };

    #[test]
    fn a_whole_sector_says_what_it_is() {
        let mut sector = [0; 1024];
        STAMP.fill(&mut sector);
        assert_eq!(Stamp::read(&sector), Some(STAMP));
        assert!(!is_blank(&sector));
    }

    #[test]
    fn any_other_byte_makes_it_damaged() {
        let mut sector = [0; 512];
        STAMP.fill(&mut sector);
        for at in 0..sector.len() {
            sector[at] ^= 0x40;
            assert_eq!(Stamp::read(&sector), None);
            assert_eq!(STAMP.difference(&sector), Some(at));
            sector[at] ^= 0x40;
        }
    }

    #[test]
    fn neighbours_and_versions_share_no_long_stretch() {
        let mut sectors = [[0; 512]; 3];
        for (sector, stamp) in sectors.iter_mut().zip([
            STAMP,
            Stamp { lba: STAMP.lba + 1, ..STAMP },
            Stamp { version: 10, ..STAMP },
        ]) {
            stamp.fill(sector);
        }
        for other in &sectors[1..] {
            let same = sectors[0].iter().zip(other).filter(|(a, b)| a == b).count();
            assert!(same < 64, "{same} of 512 bytes are the same");
        }
    }
}
