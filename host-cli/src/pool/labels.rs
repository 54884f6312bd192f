//! What a disk's label says, read from the file or device itself: no pool is needed, no lock is taken.

use dynamicfs_core::format::label::{self, DiskIdentity, LABEL_BYTES, LabelFault, PoolParameters};
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
}

impl Labels {
    /// Reads both labels.
    pub(crate) fn read(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let bytes = file.seek(SeekFrom::End(0))?;
        let first = read_at(&file, 0);
        let places = match first {
            Ok((_, disk)) => vec![disk.copy_at],
            Err(_) => {
                SECTORS.iter().filter_map(|&sector| (bytes / sector * sector).checked_sub(sector)).collect()
            }
        };
        let second = places.into_iter().map(|at| read_at(&file, at)).reduce(|best, next| match best {
            Ok(_) => best,
            Err(LabelFault::Absent) => next,
            Err(_) => next.or(best),
        });
        Ok(Self { bytes, first, second: second.unwrap_or(Err(LabelFault::Absent)) })
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

fn read_at(file: &File, at: u64) -> Result<(PoolParameters, DiskIdentity), LabelFault> {
    let mut bytes = [0; LABEL_BYTES];
    file.read_exact_at(&mut bytes, at).map_err(|_| LabelFault::Absent)?;
    label::decode(&bytes, std_host_shim::crc32c)
}

/// What is wrong with a label, in words.
pub(crate) fn fault(fault: LabelFault) -> String {
    match fault {
        LabelFault::Absent => "absent".into(),
        LabelFault::Checksum => "damaged".into(),
        LabelFault::Unsupported { version, incompat } => {
            format!("of format {version}, features {incompat:#x}, which this version does not know")
        }
        _ => "contradictory".into(),
    }
}
