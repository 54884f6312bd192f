//! What a disk's label says, read from the file or device itself: no pool is needed, no lock is taken.

use dynamicfs_core::format::label::{self, DiskIdentity, LABEL_BYTES, Label, LabelFault, PoolParameters};
use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Sectors at whose multiples the second label may lie.
const SECTORS: [u64; 6] = [4096, 512, 1024, 2048, 8192, 16384];

/// What was found where labels lie.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Labels {
    /// Bytes of the file or device.
    pub(crate) bytes: u64,
    /// The label at the beginning.
    pub(crate) first: Result<(PoolParameters, DiskIdentity), LabelFault>,
    /// The label at the end.
    pub(crate) second: Result<(PoolParameters, DiskIdentity), LabelFault>,
    /// Features without which the pool may be read and not written, and this version knows none.
    pub(crate) read_only_features: u32,
}

impl Labels {
    /// Reads both labels.
    pub(crate) fn read(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let bytes = file.seek(SeekFrom::End(0))?;
        let (first, mut read_only_features) = read_at(&file, 0);
        let places = match first {
            Ok((_, disk)) => vec![disk.copy_at],
            Err(_) => {
                SECTORS.iter().filter_map(|&sector| (bytes / sector * sector).checked_sub(sector)).collect()
            }
        };
        let mut second = Err(LabelFault::Absent);
        for at in places {
            let (found, features) = read_at(&file, at);
            second = match second {
                Ok(_) => break,
                Err(LabelFault::Absent) => found,
                Err(_) => found.or(second),
            };
            read_only_features |= features;
        }
        Ok(Self { bytes, first, second, read_only_features })
    }

    /// Why the disk may not be touched: a whole label of a format or with features that this version does not know.
    pub(crate) fn unsupported(&self) -> Option<LabelFault> {
        let faults = [self.first.err(), self.second.err()];
        faults.into_iter().flatten().find(|fault| matches!(fault, LabelFault::Unsupported { .. }))
    }

    /// What the disk says of itself, by the first label that is whole.
    pub(crate) fn identity(&self) -> Option<(PoolParameters, DiskIdentity)> {
        self.first.or(self.second).ok()
    }

    /// Bytes that the disk had when it was made a member, if it is shorter now.
    pub(crate) fn truncated_from(&self) -> Option<u64> {
        let (_, disk) = self.identity()?;
        let least = disk.copy_at + LABEL_BYTES as u64;
        (self.bytes < least).then_some(least)
    }
}

/// A label, and what of its features is only for writers.
fn read_at(file: &File, at: u64) -> (Result<(PoolParameters, DiskIdentity), LabelFault>, u32) {
    let mut bytes = [0; LABEL_BYTES];
    if file.read_exact_at(&mut bytes, at).is_err() {
        return (Err(LabelFault::Absent), 0);
    }
    let found = label::decode(&bytes, std_host_shim::crc32c);
    let features = Label::new(&bytes[..]).filter(|_| found.is_ok()).map_or(0, |label| label.ro_compat());
    (found, features)
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
