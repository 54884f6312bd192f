//! How an extent's bytes become fragments, and fragments bytes again. Pure.
//!
//! The bytes are cut into `k` equal pieces, one after the other. The last one is padded with zeros to whole
//! blocks. `m` parity fragments are computed from them. `k == 1` is replication: the parity fragments are
//! copies, which need not be computed.

use crate::build::{REED_SOLOMON, XOR};
use crate::format::extent::{data_fragments, fragment_blocks};
use crate::limits::DATA_FRAGMENTS_MAX;
use crate::limits::PARITY_FRAGMENTS_MAX;
use crate::types::{Column, FragmentIndex, Scheme};
use dynamicfs_hal::Crc32c;
use reed_solomon_novelda::Code;

/// The scheme in which `logical` bytes are stored when `members` disks can take a fragment each. A short
/// extent uses fewer data fragments and never less parity. With too few disks the data fragments shrink
/// first. `None` when there is no disk at all.
#[expect(
    clippy::cast_possible_truncation,
    reason = "each is the lesser of two numbers, of which one has 8 bits"
)]
pub fn effective(asked: Scheme, logical: u32, block_shift: u8, members: usize) -> Option<Scheme> {
    let parity = usize::from(asked.parity).min(members.checked_sub(1)?) as u8;
    let room = (members - usize::from(parity)).min(usize::from(asked.data)) as u8;
    Some(Scheme { data: data_fragments(logical, room, block_shift), parity })
}

/// Bytes of a fragment of `logical` bytes in a scheme: whole blocks.
pub const fn fragment_bytes(scheme: Scheme, logical: u32, block_shift: u8) -> usize {
    (fragment_blocks(logical, scheme.data, block_shift) as usize) << block_shift
}

/// Bytes of work space that storing `logical` bytes takes: the padded last piece, and the parity.
pub const fn stage_bytes(scheme: Scheme, logical: u32, block_shift: u8) -> usize {
    let computed = if scheme.data == 1 { 0 } else { scheme.parity as usize };
    fragment_bytes(scheme, logical, block_shift) * (1 + computed)
}

/// Computes the fragments numbered `wanted` into `outputs` from those numbered `survivors`, whose bytes are
/// `inputs`. There are as many survivors as data fragments; all have one length. False, and nothing to be
/// used, if the numbers do not allow that.
pub fn reconstruct(
    scheme: Scheme,
    (survivors, inputs): (&[u8], &[&[u8]]),
    (wanted, outputs): (&[u8], &mut [&mut [u8]]),
) -> bool {
    if !REED_SOLOMON {
        return XOR && reconstruct_by_xor(scheme, (survivors, inputs), outputs);
    }
    Code::new(scheme.data, scheme.parity)
        .ok()
        .and_then(|code| code.recovery(survivors, wanted).ok())
        .is_some_and(|recovery| recovery.run(inputs, outputs).is_ok())
}

/// One fragment is the exclusive or of all others, up to the first parity.
fn reconstruct_by_xor(
    scheme: Scheme,
    (survivors, inputs): (&[u8], &[&[u8]]),
    outputs: &mut [&mut [u8]],
) -> bool {
    let [output] = outputs else { return false };
    if survivors.len() != usize::from(scheme.data) || survivors.iter().any(|&index| index > scheme.data) {
        return false;
    }
    xor(output, inputs.iter().copied());
    true
}

fn xor<'b>(output: &mut [u8], inputs: impl Iterator<Item = &'b [u8]>) {
    output.fill(0);
    for input in inputs {
        output.iter_mut().zip(input).for_each(|(byte, other)| *byte ^= other);
    }
}

/// The fragments of an extent in memory, ready to be written. They are the caller's bytes where these can be
/// used as they are, the rest is in the work space.
pub struct Fragments<'b> {
    scheme: Scheme,
    bytes: usize,
    data: &'b [u8],
    /// The last piece filled up, if it had to be, and the parity.
    stage: &'b [u8],
    padded: bool,
}

impl<'b> Fragments<'b> {
    /// Cuts and encodes. `stage` has [`stage_bytes`].
    #[expect(
        clippy::indexing_slicing,
        clippy::cast_possible_truncation,
        reason = "an extent of at most 4 MiB, which `k` fragments hold; the stage is as long as was asked"
    )]
    pub fn encode(scheme: Scheme, data: &'b [u8], block_shift: u8, stage: &'b mut [u8]) -> Self {
        let bytes = fragment_bytes(scheme, data.len() as u32, block_shift);
        let (k, m) = (usize::from(scheme.data), usize::from(scheme.parity));
        let padded = data.len() < k * bytes;
        let (pad, parity) = stage.split_at_mut(bytes);
        if padded {
            let tail = &data[(k - 1) * bytes..];
            pad[..tail.len()].copy_from_slice(tail);
            pad[tail.len()..].fill(0);
        }
        if XOR && k > 1 && m > 0 {
            let mut inputs = heapless::Vec::<&[u8], DATA_FRAGMENTS_MAX>::new();
            inputs.extend(data.chunks(bytes).take(if padded { k - 1 } else { k }));
            if padded {
                let _ = inputs.push(&*pad);
            }
            if REED_SOLOMON {
                let mut outputs = heapless::Vec::<&mut [u8], PARITY_FRAGMENTS_MAX>::new();
                outputs.extend(parity.chunks_exact_mut(bytes).take(m));
                let encoded = Code::new(scheme.data, scheme.parity)
                    .ok()
                    .and_then(|code| code.encode(&inputs, &mut outputs).ok());
                debug_assert!(encoded.is_some(), "a valid scheme and equal lengths");
            } else {
                debug_assert!(m == 1, "a build without Reed-Solomon stores no other parity");
                xor(&mut parity[..bytes], inputs.iter().copied());
            }
        }
        Self { scheme, bytes, data, stage, padded }
    }

    /// Fragment `index`, data first.
    #[expect(
        clippy::indexing_slicing,
        reason = "a fragment of the scheme lies in the data, or in the stage as `encode` laid it"
    )]
    pub fn get(&self, index: FragmentIndex) -> &'b [u8] {
        let k = usize::from(self.scheme.data);
        let data = if k == 1 { 0 } else { index.0 };
        if data >= k {
            let at = self.bytes * (1 + data - k);
            return &self.stage[at..at + self.bytes];
        }
        if data + 1 == k && self.padded {
            return &self.stage[..self.bytes];
        }
        &self.data[data * self.bytes..(data + 1) * self.bytes]
    }

    /// The checksum of a chunk of a fragment.
    #[expect(clippy::indexing_slicing, reason = "a column of the fragment; the end is cut to it")]
    pub fn crc(&self, index: FragmentIndex, column: Column, chunk_bytes: usize, crc32c: Crc32c) -> u32 {
        let fragment = self.get(index);
        let start = column.0 * chunk_bytes;
        crc32c(0, &fragment[start..(start + chunk_bytes).min(fragment.len())])
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;

    const FOUR_TWO: Scheme = Scheme { data: 4, parity: 2 };

    #[test]
    fn data_shrinks_before_parity() {
        assert_eq!(effective(FOUR_TWO, 1 << 20, 12, 6), Some(FOUR_TWO));
        assert_eq!(effective(FOUR_TWO, 1 << 20, 12, 5), Some(Scheme { data: 3, parity: 2 }));
        assert_eq!(effective(FOUR_TWO, 1 << 20, 12, 3), Some(Scheme { data: 1, parity: 2 }));
        assert_eq!(effective(FOUR_TWO, 1 << 20, 12, 2), Some(Scheme { data: 1, parity: 1 }));
        assert_eq!(effective(FOUR_TWO, 4096, 12, 6), Some(Scheme { data: 1, parity: 2 }));
        assert_eq!(effective(FOUR_TWO, 1, 12, 0), None);
    }

    #[test]
    fn fragments_are_the_bytes_in_order_and_zeros() {
        let data: std::vec::Vec<u8> = (0..5 * 512 - 100).map(|i| i as u8).collect();
        let scheme = effective(FOUR_TWO, data.len() as u32, 9, 6).unwrap();
        assert_eq!(scheme, Scheme { data: 3, parity: 2 });
        let mut stage = std::vec![0xEE; stage_bytes(scheme, data.len() as u32, 9)];
        let fragments = Fragments::encode(scheme, &data, 9, &mut stage);
        let mut joined: std::vec::Vec<u8> =
            (0..3).flat_map(|i| fragments.get(FragmentIndex(i)).to_vec()).collect();
        assert!(joined.split_off(data.len()).iter().all(|&b| b == 0));
        assert_eq!(joined, data);
        let xor: std::vec::Vec<u8> =
            (0..1024).map(|i| (0..3).fold(0, |sum, f| sum ^ fragments.get(FragmentIndex(f))[i])).collect();
        assert_eq!(fragments.get(FragmentIndex(3)), xor);
    }
}
