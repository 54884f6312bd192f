//! The caller's disks as an array of the core, and what else the caller has callbacks for.

use crate::abi::*;
use core::ffi::c_void;
use dynamicfs_hal::{
    Clock, DiskArray, Entropy, EntropyError, Geometry, IoError, Operation, Request, UnixTime,
};

/// The disks of a configuration that was checked ([`Disks::of`]).
pub(crate) struct Disks(&'static [dfs_disk]);

impl Disks {
    /// The disks of a configuration, or the code that says what is wrong with them.
    ///
    /// # Safety
    /// `config.disks` points to as many structs as it says, which stay as they are as long as the disks are
    /// used.
    pub(crate) unsafe fn of(config: &dfs_config) -> Result<Self, dfs_error_info> {
        let (first, count) = (config.disks, config.disk_count as usize);
        if first.is_null() || !first.is_aligned() {
            return Err(dfs_error_info::of(crate::DFS_ERR_POINTER));
        }
        if count == 0 || count > isize::MAX as usize / size_of::<dfs_disk>() {
            return Err(dfs_error_info::of(crate::DFS_ERR_DISK_COUNT));
        }
        // SAFETY: the pointer is aligned and not null, and the caller promises the rest.
        let disks = unsafe { core::slice::from_raw_parts(first, count) };
        for (index, disk) in (0..).zip(disks) {
            let wrong = |code| Err(dfs_error_info { disk: index, ..dfs_error_info::of(code) });
            // The first is looked at first: where its size is wrong the others are not where they seem to be.
            if disk.struct_bytes as usize != size_of::<dfs_disk>() {
                return wrong(crate::DFS_ERR_STRUCT);
            }
            if disk.reserved != 0 || disk.flags & !DFS_DISK_WRITE_THROUGH != 0 {
                return wrong(crate::DFS_ERR_ARGUMENT);
            }
            if disk.sectors > 0 && (disk.read.is_none() || disk.write.is_none() || disk.flush.is_none()) {
                return wrong(crate::DFS_ERR_CALLBACK);
            }
            if disk.sectors > 0 && geometry(disk).check().is_err() {
                return wrong(crate::DFS_ERR_GEOMETRY);
            }
        }
        Ok(Self(disks))
    }
}

fn geometry(disk: &dfs_disk) -> Geometry {
    Geometry {
        tear_unit: if disk.tear_unit == 0 { disk.sector_bytes } else { disk.tear_unit },
        buffer_alignment: disk.buffer_alignment.max(1),
        volatile_cache: disk.flags & DFS_DISK_WRITE_THROUGH == 0,
        discard: disk.discard.is_some(),
        ..Geometry::new(disk.sector_bytes, disk.sectors)
    }
}

const fn result(code: i32) -> Result<(), IoError> {
    match code {
        DFS_IO_OK => Ok(()),
        DFS_IO_GONE => Err(IoError::Gone),
        DFS_IO_TIMEOUT => Err(IoError::Timeout),
        DFS_IO_WRITE_PROTECTED => Err(IoError::WriteProtected),
        DFS_IO_NO_SPACE => Err(IoError::NoSpace),
        DFS_IO_REFUSED => Err(IoError::Refused),
        _ => Err(IoError::Media),
    }
}

/// Sectors of so many bytes. The size of a sector is a power of two, as the geometry was checked.
fn sectors(disk: &dfs_disk, bytes: usize) -> u32 {
    (bytes >> disk.sector_bytes.trailing_zeros()) as u32
}

fn write(disk: &dfs_disk, sector: u64, bytes: &[u8]) -> Result<(), IoError> {
    let Some(write) = disk.write else { return Err(IoError::Gone) };
    // SAFETY: the header asks for callbacks of these signatures, that read no more than so many sectors.
    result(unsafe { write(disk.context, sector, bytes.as_ptr().cast(), sectors(disk, bytes.len())) })
}

fn flush(disk: &dfs_disk) -> Result<(), IoError> {
    let Some(flush) = disk.flush else { return Err(IoError::Gone) };
    // SAFETY: the header asks for a callback of this signature.
    result(unsafe { flush(disk.context) })
}

fn run(disk: &dfs_disk, sector: u64, operation: &mut Operation<'_>) -> Result<(), IoError> {
    match operation {
        Operation::Read(bytes) => {
            let Some(read) = disk.read else { return Err(IoError::Gone) };
            let count = sectors(disk, bytes.len());
            // SAFETY: the header asks for a callback of this signature, that writes no more than so many
            // sectors.
            result(unsafe { read(disk.context, sector, bytes.as_mut_ptr().cast(), count) })
        }
        Operation::Write(bytes) => write(disk, sector, bytes),
        Operation::WriteDurable(bytes) => write(disk, sector, bytes).and_then(|()| flush(disk)),
        Operation::Flush => flush(disk),
        Operation::Discard(count) => match disk.discard {
            // SAFETY: the header asks for a callback of this signature.
            Some(discard) => result(unsafe { discard(disk.context, sector, *count) }),
            None => Ok(()),
        },
    }
}

impl DiskArray for Disks {
    // As many as `SerialArray` has: some 320 bytes of stack.
    type Batch<'b> = heapless::Vec<Request<'b>, 8>;

    fn disks(&self) -> usize {
        self.0.len()
    }

    fn geometry(&self, disk: usize) -> Geometry {
        geometry(&self.0[disk])
    }

    fn execute_while(&mut self, batch: &mut [Request<'_>], work: &mut dyn FnMut()) {
        work();
        for request in batch {
            request.result = match self.0.get(request.disk) {
                Some(disk) => run(disk, request.lba, &mut request.operation),
                None => Err(IoError::Gone),
            };
        }
    }
}

impl Clock for dfs_config {
    fn now(&self) -> UnixTime {
        let mut time = UnixTime::default();
        if let Some(now) = self.now {
            // SAFETY: the header asks for a callback of this signature, that writes to these two.
            unsafe { now(self.clock_context, &raw mut time.seconds, &raw mut time.nanoseconds) };
        }
        time.nanoseconds = time.nanoseconds.min(999_999_999);
        time
    }

    fn monotonic_micros(&self) -> u64 {
        // SAFETY: the header asks for a callback of this signature.
        self.monotonic_micros.map_or(0, |micros| unsafe { micros(self.clock_context) })
    }
}

impl Entropy for &dfs_config {
    fn fill(&mut self, buf: &mut [u8]) -> Result<(), EntropyError> {
        let entropy = self.entropy.ok_or(EntropyError)?;
        let bytes: *mut c_void = buf.as_mut_ptr().cast();
        // SAFETY: the header asks for a callback of this signature, that writes no more than so many bytes.
        if unsafe { entropy(self.entropy_context, bytes, buf.len()) } == 0 {
            Ok(())
        } else {
            Err(EntropyError)
        }
    }
}
