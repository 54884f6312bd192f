//! Objects: inodes, names, contents.

use super::{Address, Reader, key};
use crate::document::{View, number};
use crate::golden::manifest::{Entry, Manifest, join};
use dynamicfs_core::format::checksum::crc32c;
use dynamicfs_core::format::name;
use dynamicfs_core::types::Uuid;
use std::collections::BTreeMap;

const INODE: u8 = 16;
const ENTRY: u8 = 17;
const XATTR: u8 = 18;
const INLINE: u8 = 19;
const EXTENT: u8 = 20;

/// Keys of extents' records begin at multiples of this.
const EXTENT_KEYS: u64 = 4096;

/// An extent's record and where it begins.
pub(super) struct Extent {
    pub(super) start: u64,
    pub(super) record: Vec<u8>,
}

impl Reader<'_> {
    /// Everything that names lead to, from the root down.
    pub fn manifest(&self) -> Manifest {
        let mut manifest = Manifest::default();
        let mut waiting = vec![(Vec::new(), 1)];
        while let Some((path, object)) = waiting.pop() {
            let entry = self.entry(object);
            if entry.kind == 2 {
                let names = self.names(object);
                assert_eq!(entry.size, names.len() as u64, "a directory counts its entries");
                waiting.extend(names.into_iter().map(|(name, object)| (join(&path, &name), object)));
            }
            manifest.0.insert(path, entry);
        }
        manifest
    }

    fn entry(&self, object: u64) -> Entry {
        let record = self
            .records
            .get(&key(object, INODE, 0, 0))
            .unwrap_or_else(|| panic!("object {object} has no inode"));
        let inode = self.structures["InodeRecord"].view(record);
        let byte = |name| inode.number(name) as u8;
        let kind = byte("kind");
        let crc = if matches!(kind, 1 | 3) { self.contents_crc(object, &inode) } else { 0 };
        Entry {
            object,
            kind,
            size: inode.number("size"),
            crc,
            mode: inode.number("mode") as u16,
            owner: (inode.number("uid") as u32, inode.number("gid") as u32),
            links: inode.number("links") as u32,
            device: inode.number("device") as u32,
            scheme: (byte("scheme_data"), byte("scheme_parity")),
            times: ["accessed", "modified", "changed", "created"].map(|name| time(inode.field(name))),
            attributes: self.attributes(object),
        }
    }

    // --- names ------------------------------------------------------------------------------------------------

    /// The payloads under the hashes of names: the hash and the payload.
    fn hashed(&self, object: u64, kind: u8) -> Vec<(u64, Vec<u8>)> {
        let mut found: Vec<(u64, Vec<u8>)> = Vec::new();
        let (mut missing, mut next) = (0, 0);
        for (offset, piece) in self.of_kind(object, kind) {
            let (flags, payload) = piece.split_first().expect("a piece has a first byte");
            if flags & 0x80 != 0 {
                assert_eq!(missing, 0, "the entry before is complete");
                found.push((offset & !0xFF, payload.to_vec()));
                missing = flags & 0x7F;
            } else {
                assert!(missing > 0 && offset == next, "a piece follows its entry");
                found.last_mut().expect("an entry").1.extend(payload);
                missing -= 1;
            }
            next = offset + 1;
        }
        assert_eq!(missing, 0, "the last entry is complete");
        found
    }

    fn check_hash(&self, name: &[u8], hash: u64) {
        let seed = Uuid(self.label.field("hash_seed").try_into().expect("16 bytes"));
        assert_eq!(name::hash(seed, name), hash, "the hash of {}", name.escape_ascii());
    }

    fn names(&self, directory: u64) -> Vec<(Vec<u8>, u64)> {
        let entries = self.hashed(directory, ENTRY).into_iter();
        entries
            .map(|(hash, payload)| {
                self.check_hash(&payload[9..], hash);
                let object = number(&payload[..8]);
                let inode = &self.records[&key(object, INODE, 0, 0)];
                assert_eq!(payload[8], inode[0], "an entry has the kind of its object");
                (payload[9..].to_vec(), object)
            })
            .collect()
    }

    fn attributes(&self, object: u64) -> BTreeMap<Vec<u8>, (usize, u32)> {
        let attributes = self.hashed(object, XATTR).into_iter();
        attributes
            .map(|(hash, payload)| {
                let (name, value) = payload[1..].split_at(payload[0].into());
                self.check_hash(name, hash);
                (name.to_vec(), (value.len(), crc32c(0, value)))
            })
            .collect()
    }

    // --- contents ---------------------------------------------------------------------------------------------

    fn contents_crc(&self, object: u64, inode: &View<'_>) -> u32 {
        let mut contents = vec![0; inode.number("size") as usize];
        let mut put = |at: usize, bytes: &[u8]| {
            let end = (at + bytes.len()).min(contents.len());
            if at < end {
                contents[at..end].copy_from_slice(&bytes[..end - at]);
            }
        };
        if inode.number("inline") == 1 {
            let pieces = self.of_kind(object, INLINE);
            pieces.for_each(|(piece, bytes)| put(piece as usize * self.value_max(), bytes));
        } else {
            for extent in self.extents(object) {
                put(extent.start as usize, &self.extent_bytes(&extent));
            }
        }
        crc32c(0, &contents)
    }

    /// The extents of an object.
    pub(super) fn extents(&self, object: u64) -> Vec<Extent> {
        let mut extents: Vec<Extent> = Vec::new();
        for (offset, piece) in self.of_kind(object, EXTENT) {
            if offset % EXTENT_KEYS == 0 {
                extents.push(Extent { start: offset, record: piece.to_vec() });
                continue;
            }
            let extent = extents.last_mut().expect("a record begins before it goes on");
            let pieces = offset - extent.start;
            assert_eq!(
                extent.record.len() as u64,
                pieces * self.value_max() as u64,
                "all pieces but the last are full"
            );
            extent.record.extend(piece);
        }
        extents
    }

    /// The addresses of an extent's fragments, data first, and the blocks of each.
    pub(super) fn fragments(&self, extent: &Extent) -> (Vec<Address>, usize) {
        let header = self.structures["ExtentHeader"].view(&extent.record);
        let (k, m) = (header.number("data") as usize, header.number("parity") as usize);
        let addresses = &extent.record[header.structure.bytes..][..8 * (k + m)];
        let blocks = (header.number("logical") as usize).div_ceil(k).div_ceil(self.shifted("block_shift"));
        (addresses.chunks_exact(8).map(Address::load).collect(), blocks)
    }

    /// The bytes of an extent, all its fragments proved.
    fn extent_bytes(&self, extent: &Extent) -> Vec<u8> {
        let header = self.structures["ExtentHeader"].view(&extent.record);
        let (k, logical) = (header.number("data") as usize, header.number("logical") as usize);
        assert_eq!(header.number("flags"), 0, "nothing is encoded");
        let (addresses, blocks) = self.fragments(extent);
        let bytes = blocks * self.shifted("block_shift");
        let fragments: Vec<&[u8]> = addresses.iter().map(|&at| self.bytes_at(at, bytes)).collect();
        self.check_births(&header, &extent.record, addresses.len());
        let crcs = header.structure.bytes + 8 * addresses.len() + 7 * header.number("healed") as usize;
        self.check_chunks(&fragments, k, &extent.record[crcs..]);
        for (r, parity) in fragments[k..].iter().enumerate() {
            assert!(*parity == computed(&fragments[..k], r), "parity {r} is what the data makes it");
        }
        let mut contents = fragments[..k].concat();
        assert!(contents.split_off(logical).iter().all(|&byte| byte == 0), "the padding is zero");
        contents
    }

    fn check_births(&self, header: &View<'_>, record: &[u8], fragments: usize) {
        let births =
            &record[header.structure.bytes + 8 * fragments..][..7 * header.number("healed") as usize];
        let births: Vec<(u8, u64)> =
            births.chunks_exact(7).map(|entry| (entry[0], number(&entry[1..]))).collect();
        assert!(births.is_sorted_by(|a, b| a.0 < b.0), "births ascend by fragment");
        let newest = self.superblock.number("generation_raw");
        assert!(births.iter().all(|&(i, birth)| {
            usize::from(i) < fragments && birth > header.number("birth") && birth <= newest
        }));
    }

    fn check_chunks(&self, fragments: &[&[u8]], k: usize, crcs: &[u8]) {
        let chunk = self.shifted("chunk_shift");
        let per_column = if k == 1 { 1 } else { fragments.len() };
        let columns = fragments[0].len().div_ceil(chunk);
        assert_eq!(crcs.len(), 4 * columns * per_column, "a checksum for each chunk");
        for (i, fragment) in fragments.iter().enumerate() {
            for (column, chunk) in fragment.chunks(chunk).enumerate() {
                let at = 4 * (column * per_column + if k == 1 { 0 } else { i });
                assert_eq!(
                    u64::from(crc32c(0, chunk)),
                    number(&crcs[at..at + 4]),
                    "fragment {i}, column {column}"
                );
            }
        }
    }
}

/// Parity fragment `r` of data fragments, byte by byte as the document defines it.
fn computed(data: &[&[u8]], r: usize) -> Vec<u8> {
    let coefficients: Vec<u8> =
        (0..data.len()).map(|j| (0..r * j).fold(1, |power, _| twice(power))).collect();
    let byte = |i: usize| {
        data.iter().zip(&coefficients).fold(0, |sum, (fragment, &c)| sum ^ product(fragment[i], c))
    };
    (0..data[0].len()).map(byte).collect()
}

/// 2 times `a` in GF(2^8) modulo 0x11D.
const fn twice(a: u8) -> u8 {
    (a << 1) ^ if a & 0x80 != 0 { 0x1D } else { 0 }
}

fn product(mut a: u8, mut b: u8) -> u8 {
    let mut sum = 0;
    while b != 0 {
        sum ^= if b & 1 != 0 { a } else { 0 };
        (a, b) = (twice(a), b >> 1);
    }
    sum
}

fn time(bytes: &[u8]) -> (i64, u32) {
    let seconds = (number(&bytes[..6]) << 16) as i64 >> 16;
    (seconds, number(&bytes[6..]) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_field_is_the_documents() {
        assert_eq!((twice(0x80), product(2, 0x80), product(7, 1), product(0x53, 2)), (0x1D, 0x1D, 7, 0xA6));
        assert_eq!(computed(&[&[5], &[9]], 0), [12]);
        assert_eq!(computed(&[&[5], &[9]], 1), [5 ^ 18]);
    }
}
