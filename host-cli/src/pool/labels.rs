//! What a disk's labels say, read from the file or device itself: no pool is needed, no lock is taken.

use crate::host::machine::Lack;
use crate::host::storage::open_to_look;
use dynamicfs_core::PoolParameters;
use dynamicfs_core::inspect::{
    COPY_PLACES, DiskIdentity, LABEL_BYTES, Label, LabelFault, SECTOR_BYTES_MAX, SUPERBLOCK_MAGIC,
    candidates, decode_label,
};
use dynamicfs_hal::Geometry;
use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Units in which labels and rings lie, one behind the other.
const RING_UNITS: [u64; 6] = [512, 1024, 2048, 4096, 8192, 16384];

/// What was found at a place of a label.
type Found = Result<(PoolParameters, DiskIdentity), LabelFault>;

/// What was found where labels lie.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Labels {
    /// Bytes of the file or device.
    pub(crate) bytes: u64,
    /// The label at the beginning.
    pub(crate) first: Found,
    /// Its copy, a little further on.
    pub(crate) copy: Found,
    /// The label at the end.
    pub(crate) last: Found,
    /// Features without which the pool may be read and not written, and this version knows none.
    pub(crate) read_only_features: u32,
}

impl Labels {
    /// Reads all labels.
    pub(crate) fn read(path: &Path) -> io::Result<Self> {
        let mut file = open_to_look(path)?;
        let bytes = file.seek(SeekFrom::End(0))?;
        let (first, features) = read_at(&file, 0)?;
        let mut labels = Self {
            bytes,
            first,
            copy: Err(LabelFault::Absent),
            last: Err(LabelFault::Absent),
            read_only_features: features,
        };
        let places: Vec<u64> = match first {
            Ok((_, disk)) => vec![disk.copy_at, disk.end_at],
            // Disks have sectors of one size or the other, and either may have been the larger.
            Err(_) => [512, SECTOR_BYTES_MAX]
                .into_iter()
                .flat_map(|sector| candidates(&Geometry::new(sector, bytes / u64::from(sector))))
                .collect(),
        };
        places.into_iter().try_for_each(|at| labels.look(&file, at))?;
        // Another end than the one that the first label names: that one is older.
        if let Some((_, disk)) = labels.identity()
            && first.is_ok_and(|(_, first)| first.end_at != disk.end_at)
        {
            labels.last = Err(LabelFault::Absent);
            labels.look(&file, disk.end_at)?;
        }
        Ok(labels)
    }

    fn look(&mut self, file: &File, at: u64) -> io::Result<()> {
        let (found, features) = read_at(file, at)?;
        if found.is_ok_and(|(_, disk)| !disk.label_places().contains(&at)) {
            return Ok(());
        }
        self.read_only_features |= features;
        let place = if COPY_PLACES.contains(&at) { &mut self.copy } else { &mut self.last };
        *place = match *place {
            Ok(whole) => Ok(whole),
            Err(LabelFault::Absent) => found,
            Err(_) => found.or(*place),
        };
        Ok(())
    }

    /// All of them.
    const fn all(&self) -> [Found; 3] {
        [self.first, self.copy, self.last]
    }

    /// Why the disk may not be touched: a whole label of a format or with features that this version does not know.
    pub(crate) fn unsupported(&self) -> Option<LabelFault> {
        let faults = self.all().into_iter().filter_map(Result::err);
        faults.into_iter().find(|fault| matches!(fault, LabelFault::Unsupported { .. }))
    }

    /// Whether nothing is where labels lie, not even a damaged one.
    pub(crate) fn are_absent(&self) -> bool {
        self.all().into_iter().all(|found| found == Err(LabelFault::Absent))
    }

    /// What the disk says of itself: of the labels that are whole the one that was changed last.
    pub(crate) fn identity(&self) -> Option<(PoolParameters, DiskIdentity)> {
        let whole = self.all().into_iter().filter_map(Result::ok);
        whole.reduce(
            |best, next| {
                if next.1.disk == best.1.disk && next.1.serial > best.1.serial { next } else { best }
            },
        )
    }

    /// Whether labels that are whole do not say the same.
    pub(crate) fn disagree(&self) -> bool {
        let best = self.identity();
        self.all().into_iter().any(|label| label.is_ok_and(|label| Some(label) != best))
    }

    /// Bytes that the disk had when it was made a member or last grown, if it is shorter now.
    pub(crate) fn truncated_from(&self) -> Option<u64> {
        let (pool, disk) = self.identity()?;
        let least = disk.bytes_needed(&pool);
        (self.bytes < least).then_some(least)
    }
}

/// Whether a disk without labels left a pool: superblocks are where its rings were, and the first sector is
/// zero. Only a removal leaves this, or an `init` that was cut short before there was a pool.
pub(crate) fn has_left(path: &Path) -> io::Result<bool> {
    let file = open_to_look(path)?;
    let starts_with = |at: u64, wanted: &[u8]| {
        let mut bytes = vec![0; wanted.len()];
        file.read_exact_at(&mut bytes, at).is_ok() && bytes == wanted
    };
    let copies = || COPY_PLACES.into_iter().chain([0]);
    let mut rings = RING_UNITS.into_iter().flat_map(|unit| copies().map(move |copy| copy + unit));
    Ok(starts_with(0, &[0; LABEL_BYTES])
        && rings.any(|at| starts_with(at + 4, &SUPERBLOCK_MAGIC.to_le_bytes())))
}

/// A label, and what of its features is only for writers.
fn read_at(file: &File, at: u64) -> io::Result<(Found, u32)> {
    let mut bytes = [0; LABEL_BYTES];
    match file.read_exact_at(&mut bytes, at) {
        // That says nothing of the disk.
        Err(error) if Lack::of(&error).is_some() => return Err(error),
        Err(_) => return Ok((Err(LabelFault::Absent), 0)),
        Ok(()) => {}
    }
    let found = decode_label(&bytes, std_host_shim::crc32c);
    let features = Label::new(&bytes[..]).filter(|_| found.is_ok()).map_or(0, |label| label.ro_compat());
    Ok((found, features))
}

/// What is wrong with a label, in words.
pub(crate) fn fault(fault: LabelFault) -> String {
    match fault {
        LabelFault::Absent => "absent".into(),
        LabelFault::Checksum => "damaged".into(),
        LabelFault::Unsupported { version, incompat, algorithm, .. } => format!(
            "of format {version}, features {incompat:#x}, checksum algorithm {algorithm}, which this version does not \
             know"
        ),
        _ => "contradictory".into(),
    }
}
