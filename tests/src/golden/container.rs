//! The files that hold golden images: a pool's disks without their empty sectors.
//!
//! ```text
//! "DFgolden" | disks u32 | for each disk: bytes u64 | sectors u32 | for each sector: number u32 | 512 bytes
//! ```
//! Integers are little-endian; sectors are 512 bytes, ascending; those that are left out are zero.

const MAGIC: &[u8; 8] = b"DFgolden";
const SECTOR: usize = 512;

/// The disks of a pool, as bytes.
pub type Disks = Vec<Vec<u8>>;

/// Packs disks, whose length is a multiple of 512.
pub fn pack(disks: &[Vec<u8>]) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    out.extend((disks.len() as u32).to_le_bytes());
    for disk in disks {
        let sectors = || {
            disk.chunks_exact(SECTOR).enumerate().filter(|(_, sector)| sector.iter().any(|&byte| byte != 0))
        };
        out.extend((disk.len() as u64).to_le_bytes());
        out.extend((sectors().count() as u32).to_le_bytes());
        for (number, sector) in sectors() {
            out.extend((number as u32).to_le_bytes());
            out.extend(sector);
        }
    }
    out
}

/// Unpacks disks; `None` if the bytes are not what [`pack`] makes.
pub fn unpack(mut bytes: &[u8]) -> Option<Disks> {
    bytes = bytes.strip_prefix(MAGIC)?;
    let count = take_u32(&mut bytes)?;
    let disks = (0..count).map(|_| unpack_disk(&mut bytes)).collect::<Option<Disks>>()?;
    bytes.is_empty().then_some(disks)
}

fn unpack_disk(bytes: &mut &[u8]) -> Option<Vec<u8>> {
    let length = u64::from_le_bytes(*bytes.split_off(..8)?.first_chunk()?);
    let mut disk = vec![0; usize::try_from(length).ok()?];
    for _ in 0..take_u32(bytes)? {
        let at = take_u32(bytes)? as usize * SECTOR;
        disk.get_mut(at..at + SECTOR)?.copy_from_slice(bytes.split_off(..SECTOR)?);
    }
    Some(disk)
}

fn take_u32(bytes: &mut &[u8]) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.split_off(..4)?.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disks_survive() {
        let mut disk = vec![0; 2048];
        disk[700] = 9;
        let disks = vec![disk, vec![0; 512], vec![1; 1024]];
        let packed = pack(&disks);
        assert_eq!(packed.len(), 12 + 3 * 12 + 3 * 516);
        assert_eq!(unpack(&packed), Some(disks));
        assert_eq!(unpack(&packed[..packed.len() - 1]), None);
    }
}
