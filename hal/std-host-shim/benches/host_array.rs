//! What a batch over several disks costs, on the calling thread and with threads.
//!
//! The disks are sparse files in `/dev/shm`, where a flush is free: what remains is the cost of driving them. A folder
//! on a real disk can be named in `BENCH_FOLDER`.

use divan::Bencher;
use divan::counter::BytesCount;
use dynamicfs_hal::{Batch, DiskArray, Request};
use std_host_shim::{FileDisk, HostArray};

const DISKS: usize = 6;
const DISK_BYTES: u64 = 64 << 20;
const SECTOR_BYTES: usize = 4096;

fn main() {
    divan::main();
}

/// An array over new files, and the folder that they are in.
fn array(workers: usize) -> (HostArray<FileDisk>, tempfile::TempDir) {
    let folder = std::env::var("BENCH_FOLDER").unwrap_or("/dev/shm".into());
    let folder = tempfile::tempdir_in(folder).expect("a folder for the disks");
    let disks = (0..DISKS)
        .map(|index| {
            let path = folder.path().join(format!("disk-{index}.img"));
            Some(FileDisk::create(path, DISK_BYTES).expect("a new disk"))
        })
        .collect();
    (HostArray::with_workers(disks, workers), folder)
}

/// Four barriers, as a commit has: write a sector to each disk, flush it.
#[divan::bench(args = [0, DISKS])]
fn four_barriers(bencher: Bencher, workers: usize) {
    let (mut array, _folder) = array(workers);
    let sector = [7; SECTOR_BYTES];
    bencher.bench_local(|| {
        for barrier in 0..4 {
            let mut batch = <HostArray<FileDisk> as DiskArray>::Batch::default();
            for disk in 0..DISKS {
                Batch::push(&mut batch, Request::write(disk, barrier, &sector)).expect("room");
                Batch::push(&mut batch, Request::flush(disk)).expect("room");
            }
            array.execute(batch.requests());
            assert!(batch.iter().all(|request| request.result.is_ok()));
        }
    });
}

/// Fragments of these many KiB, eight side by side on each disk, written over one area again and again.
#[divan::bench(args = [4, 16, 64, 256], consts = [0, 1, DISKS])]
fn bulk_writes<const WORKERS: usize>(bencher: Bencher, fragment_kib: usize) {
    const FRAGMENTS: usize = 8;
    let (mut array, _folder) = array(WORKERS);
    let fragment = vec![7; fragment_kib << 10];
    let sectors = (fragment.len() / SECTOR_BYTES) as u64;
    bencher.counter(BytesCount::new(fragment.len() * DISKS * FRAGMENTS)).bench_local(|| {
        let mut batch = <HostArray<FileDisk> as DiskArray>::Batch::default();
        for index in 0..FRAGMENTS as u64 {
            for disk in 0..DISKS {
                Batch::push(&mut batch, Request::write(disk, index * sectors, &fragment)).expect("room");
            }
        }
        array.execute(batch.requests());
        assert!(batch.iter().all(|request| request.result.is_ok()));
    });
}

/// The same, read.
#[divan::bench(args = [4, 16, 64, 256], consts = [0, 1, DISKS])]
fn bulk_reads<const WORKERS: usize>(bencher: Bencher, fragment_kib: usize) {
    const FRAGMENTS: usize = 8;
    let (mut array, _folder) = array(WORKERS);
    let mut memory = vec![0; (fragment_kib << 10) * DISKS * FRAGMENTS];
    let sectors = ((fragment_kib << 10) / SECTOR_BYTES) as u64;
    bencher.counter(BytesCount::new(memory.len())).bench_local(|| {
        let mut batch = <HostArray<FileDisk> as DiskArray>::Batch::default();
        for (index, fragment) in memory.chunks_mut(fragment_kib << 10).enumerate() {
            let lba = (index / DISKS) as u64 * sectors;
            Batch::push(&mut batch, Request::read(index % DISKS, lba, fragment)).expect("room");
        }
        array.execute(batch.requests());
        assert!(batch.iter().all(|request| request.result.is_ok()));
    });
}
