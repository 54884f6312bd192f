//! What a pool on file-backed disks does, in the rows of the budgets.
//!
//! `cargo bench -p dynamicfs-tests --bench pool [-- mirror|parity]`; `BENCH_FOLDER` names where the disks are, a
//! tmpfs by default, so that the software is what is measured. Every figure is the median of several runs. "Raw" is
//! one thread writing the same number of bytes, parity included, to plain files beside the disks.

use dynamicfs_core::ReadObjects;
use dynamicfs_core::maintain::{JobKind, JobOptions, JobState};
use dynamicfs_core::object::{Attributes, MakeRequest};
use dynamicfs_core::types::{DiskIndex, ObjectId, Scheme};
use dynamicfs_core::{
    AddOptions, CacheEntry, DiskState, FormatOptions, Memory, MountOptions, Pool, Services,
};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std_host_shim::{FileDisk, HostArray, OsClock, OsEntropy, crc32c};

const BIG_BYTES: usize = 512 << 20;
const SMALL_FILES: usize = 5000;
const DURABLE_PUTS: usize = 300;
const RANDOM_READS: usize = 20_000;
const MEMORY: usize = 64 << 20;
const RUNS: usize = 5;

struct Lent {
    bytes: Vec<u8>,
    entries: Vec<CacheEntry>,
    disks: Vec<DiskState>,
}

impl Lent {
    fn new() -> Self {
        Self {
            bytes: vec![0; MEMORY],
            entries: vec![CacheEntry::NEW; MEMORY / 4096],
            disks: vec![DiskState::NEW; 64],
        }
    }

    fn lend(&mut self) -> Memory<'_> {
        Memory { bytes: &mut self.bytes, entries: &mut self.entries, disks: &mut self.disks }
    }
}

struct Bench {
    folder: PathBuf,
    disks: usize,
    scheme: Scheme,
    clock: OsClock,
}

impl Bench {
    fn path(&self, disk: usize) -> PathBuf {
        self.folder.join(format!("disk-{disk}.img"))
    }

    /// The disks' files, without those whose bits are set in `without`.
    fn array(&self, without: u64) -> HostArray<FileDisk> {
        let open =
            |disk| (without >> disk & 1 == 0).then(|| FileDisk::open(self.path(disk)).expect("opened"));
        HostArray::new((0..self.disks).map(open).collect())
    }

    fn services(&self) -> Services<'_> {
        Services::new(crc32c, &self.clock)
    }

    fn format(&self, disk_bytes: u64) {
        for disk in 0..self.disks {
            let _ = std::fs::remove_file(self.path(disk));
            FileDisk::create(self.path(disk), disk_bytes).expect("created");
        }
        let mut lent = Lent::new();
        let options = FormatOptions::server(self.scheme);
        Pool::format(self.array(0), lent.lend(), self.services(), &mut OsEntropy, &options, &[])
            .expect("formatted");
    }

    /// Puts a blank disk in the place of one.
    fn lose(&self, disk: usize, disk_bytes: u64) {
        std::fs::remove_file(self.path(disk)).expect("removed");
        FileDisk::create(self.path(disk), disk_bytes).expect("created");
    }

    /// Runs `f` on a freshly mounted pool and gives the time that `f` says.
    fn on_pool<R>(&self, without: u64, f: impl FnOnce(&mut Pool<'_, HostArray<FileDisk>>) -> R) -> R {
        let mut lent = Lent::new();
        let mut pool =
            Pool::mount(self.array(without), lent.lend(), self.services(), &MountOptions::default())
                .expect("mounted");
        f(&mut pool)
    }
}

fn timed(f: impl FnOnce()) -> Duration {
    let start = Instant::now();
    f();
    start.elapsed()
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn report(what: &str, unit: &str, values: Vec<f64>) -> f64 {
    let (least, most) = values.iter().fold((f64::MAX, 0f64), |(l, m), &v| (l.min(v), m.max(v)));
    let middle = median(values);
    println!("  {what:<44} {middle:>10.0} {unit:<8} ({least:.0} to {most:.0})");
    middle
}

fn put(pool: &mut Pool<'_, HostArray<FileDisk>>, name: &str, data: &[u8]) {
    let mut transaction = pool.begin().expect("begun");
    let file = transaction
        .create(ObjectId::ROOT, name.as_bytes(), &MakeRequest::File, &Attributes::default())
        .expect("created");
    transaction.write_all(file, 0, data).expect("written");
    transaction.commit().expect("committed");
}

fn read_all(pool: &mut Pool<'_, HostArray<FileDisk>>, buffer: &mut [u8]) -> f64 {
    let file = pool.resolve(b"/big").expect("found");
    let time = timed(|| {
        let mut at = 0;
        while at < BIG_BYTES as u64 {
            at += pool.read(file, at, buffer).expect("read") as u64;
        }
    });
    BIG_BYTES as f64 / 1e6 / time.as_secs_f64()
}

/// Bytes of contents in a second that a job goes over, from its start to its end.
fn job(pool: &mut Pool<'_, HostArray<FileDisk>>, kind: JobKind, options: JobOptions) -> f64 {
    let time = timed(|| {
        pool.start_job(kind, options).expect("started");
        while pool.job(kind).expect("read").is_some_and(|job| job.state == JobState::Running) {
            pool.maintain(true).expect("maintained");
        }
    });
    let job = pool.job(kind).expect("read").expect("it ran");
    assert_eq!((job.state, job.failed), (JobState::Complete, 0));
    assert_eq!(pool.count_extents().expect("counted").readable, 0);
    BIG_BYTES as f64 / 1e6 / time.as_secs_f64()
}

/// One thread writes `bytes` to plain files, a MiB at a time to each in turn.
fn raw_write(folder: &Path, files: usize, bytes: usize, data: &[u8]) -> f64 {
    let paths: Vec<PathBuf> = (0..files).map(|n| folder.join(format!("raw-{n}"))).collect();
    let mut open: Vec<_> = paths.iter().map(|path| std::fs::File::create(path).expect("created")).collect();
    let time = timed(|| {
        for (n, part) in data.chunks(1 << 20).cycle().take(bytes >> 20).enumerate() {
            open[n % files].write_all(part).expect("written");
        }
        open.iter().for_each(|file| file.sync_data().expect("synced"));
    });
    paths.iter().for_each(|path| std::fs::remove_file(path).expect("removed"));
    bytes as f64 / 1e6 / time.as_secs_f64()
}

fn run(name: &str, scheme: Scheme, disks: usize, lost: u64) {
    let base = std::env::var_os("BENCH_FOLDER").map_or_else(|| PathBuf::from("/dev/shm"), PathBuf::from);
    let folder = tempfile::tempdir_in(base).expect("a folder");
    let bench = Bench { folder: folder.path().into(), disks, scheme, clock: OsClock::new() };
    println!("{name} ({scheme} on {disks} disks), median of {RUNS} (least to most):");
    let data: Vec<u8> =
        (0..BIG_BYTES as u64 / 8).flat_map(|i| dynamicfs_core::disks::mix(i).to_le_bytes()).collect();
    let written = BIG_BYTES * scheme.width() / usize::from(scheme.data);
    let mut buffer = vec![0u8; 4 << 20];

    let (mut writes, mut raws, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let raw = raw_write(&bench.folder, disks, written, &data);
        bench.format(1 << 30);
        let seconds = bench.on_pool(0, |pool| timed(|| put(pool, "big", &data)).as_secs_f64());
        writes.push(BIG_BYTES as f64 / 1e6 / seconds);
        ratios.push(written as f64 / 1e6 / seconds / raw * 100.0);
        raws.push(raw);
    }
    report("sequential write to durable", "MB/s", writes);
    report("  raw write of as many bytes", "MB/s", raws);
    report("  of the raw limit", "%", ratios);

    let reads = (0..RUNS).map(|_| bench.on_pool(0, |pool| read_all(pool, &mut buffer))).collect();
    let healthy = report("sequential cold read", "MB/s", reads);
    let reads = (0..RUNS).map(|_| bench.on_pool(lost, |pool| read_all(pool, &mut buffer))).collect();
    let degraded = report("degraded read, as many disks lost as may be", "MB/s", reads);
    println!("    {:.0} % of the healthy read", degraded / healthy * 100.0);
    bench.format(1 << 30);
    bench.on_pool(0, |pool| put(pool, "big", &data));
    let randoms = (0..RUNS)
        .map(|run| {
            bench.on_pool(0, |pool| {
                let file = pool.resolve(b"/big").expect("found");
                let time = timed(|| {
                    for n in 0..RANDOM_READS {
                        let at = dynamicfs_core::disks::mix((run * RANDOM_READS + n) as u64)
                            % (BIG_BYTES as u64 / 4096);
                        pool.read(file, at * 4096, &mut buffer[..4096]).expect("read");
                    }
                });
                RANDOM_READS as f64 / time.as_secs_f64()
            })
        })
        .collect();
    report("random 4 KiB reads", "/s", randoms);
    let scrub = |_| bench.on_pool(0, |pool| job(pool, JobKind::Scrub, JobOptions::default()));
    report("scrub, bytes of contents", "MB/s", (0..RUNS).map(scrub).collect());
    let rebuild = |_| {
        bench.lose(1, 1 << 30);
        bench.on_pool(0, |pool| {
            pool.add_disk(DiskIndex(1), &mut OsEntropy, &AddOptions::default()).expect("added");
            job(pool, JobKind::Rebuild, JobOptions::WITHOUT_ABSENT)
        })
    };
    report("rebuild of a lost disk, bytes of contents", "MB/s", (0..RUNS).map(rebuild).collect());

    let smalls = (0..RUNS)
        .map(|_| {
            bench.format(1 << 30);
            bench.on_pool(0, |pool| {
                let time = timed(|| {
                    let mut transaction = pool.begin().expect("begun");
                    for n in 0..SMALL_FILES {
                        let name = format!("small-{n}");
                        let file = transaction
                            .create(
                                ObjectId::ROOT,
                                name.as_bytes(),
                                &MakeRequest::File,
                                &Attributes::default(),
                            )
                            .expect("created");
                        transaction.write_all(file, 0, &data[4096 * n..4096 * (n + 1)]).expect("written");
                    }
                    transaction.commit().expect("committed");
                });
                SMALL_FILES as f64 / time.as_secs_f64()
            })
        })
        .collect();
    report("small files (4 KiB) in one transaction", "/s", smalls);
    let durables = (0..RUNS)
        .map(|run| {
            bench.on_pool(0, |pool| {
                let time = timed(|| {
                    for n in 0..DURABLE_PUTS {
                        put(pool, &format!("durable-{run}-{n}"), &data[4096 * n..4096 * (n + 1)]);
                    }
                });
                DURABLE_PUTS as f64 / time.as_secs_f64()
            })
        })
        .collect();
    report("durable puts (4 KiB, one commit each)", "/s", durables);
    let mounts = (0..RUNS)
        .map(|_| {
            timed(|| bench.on_pool(0, |pool| assert!(pool.resolve(b"/small-7").is_ok()))).as_secs_f64() * 1e6
        })
        .collect();
    report("mount and one lookup", "us", mounts);
}

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|w| w == name);
    if is_wanted("mirror") {
        run("mirror", Scheme::mirror(2), 3, 0b001);
    }
    if is_wanted("parity") {
        run("parity", Scheme { data: 4, parity: 2 }, 6, 0b000011);
    }
}
