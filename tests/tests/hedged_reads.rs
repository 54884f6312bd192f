//! Hedged reads, on real files and threads: a disk that does not answer delays no caller that can read
//! elsewhere.

use dynamicfs_core::ReadObjects;
use dynamicfs_core::disks::DiskStatus;
use dynamicfs_core::types::{DiskIndex, Scheme};
use dynamicfs_core::{FormatOptions, MountOptions, Pool, Services};
use dynamicfs_hal::{BlockDevice, Geometry};
use dynamicfs_sim::world::{Lent, put_file};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;
use std_host_shim::{FileDisk, FileDiskError, HostArray, OsClock, OsEntropy, crc32c};

const DISK_BYTES: u64 = 64 << 20;
const FILE_BYTES: usize = 3_000_000;

/// How long a gate stays shut if it is not opened: then the test has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// A disk in a file whose reads can be made to wait.
struct Gated {
    disk: FileDisk,
    /// A word that comes this way shuts the gate, until the next one.
    words: Receiver<Word>,
    /// It had to wait, and the gate opened in time or did not.
    opened: Sender<bool>,
}

enum Word {
    Shut,
    Open,
}

impl BlockDevice for Gated {
    type Error = FileDiskError;

    fn geometry(&self) -> Geometry {
        self.disk.geometry()
    }
    fn read(&mut self, lba: u64, buf: &mut [u8]) -> Result<(), FileDiskError> {
        if let Ok(Word::Shut) = self.words.try_recv()
            && !matches!(self.words.try_recv(), Ok(Word::Open))
        {
            let word = self.words.recv_timeout(PATIENCE);
            let in_time = matches!(word, Ok(Word::Open) | Err(RecvTimeoutError::Disconnected));
            self.opened.send(in_time).expect("the test listens");
        }
        self.disk.read(lba, buf)
    }
    fn write(&mut self, lba: u64, buf: &[u8]) -> Result<(), FileDiskError> {
        self.disk.write(lba, buf)
    }
    fn flush(&mut self) -> Result<(), FileDiskError> {
        self.disk.flush()
    }
}

fn contents() -> Vec<u8> {
    (0..FILE_BYTES as u64).map(|at| dynamicfs_core::disks::mix(at / 8) as u8).collect()
}

type Mounted<'m> = Pool<'m, HostArray<Gated>>;

/// Reads the file in pieces from its beginning, and holds them to what was written.
fn read_all(pool: &mut Mounted<'_>, piece: usize) {
    let (file, contents) = (pool.resolve(b"file").expect("found"), contents());
    let mut buf = vec![0; piece];
    for (at, expected) in (0..).step_by(piece).zip(contents.chunks(piece)) {
        assert_eq!(pool.read(file, at, &mut buf), Ok(expected.len()));
        assert!(buf[..expected.len()] == *expected, "wrong bytes at {at}");
    }
}

/// A pool on real files is read to its end while a disk of it does not answer; then it does, and takes part again.
fn a_stuck_disk_holds_nobody_up(scheme: Scheme, disks: usize, piece: usize) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |disk| folder.path().join(format!("disk-{disk}.img"));
    let clock = OsClock::default();
    let services = || Services::new(crc32c, &clock);
    let mut lent = Lent::new(32 << 20);
    let create = |disk| Some(FileDisk::create(path(disk), DISK_BYTES).expect("created"));
    let options = FormatOptions::server(scheme).extent_bytes(128 << 10);
    let array = HostArray::new((0..disks).map(create).collect());
    let mut pool =
        Pool::format(array, lent.lend(), services(), &mut OsEntropy, &options, &[]).expect("formatted");
    put_file(&mut pool, "file", &contents()).expect("committed");
    drop(pool);

    let (opened, was_opened) = channel();
    let (mut gates, mut gated) = (Vec::new(), Vec::new());
    for disk in 0..disks {
        let (gate, words) = channel();
        let disk = FileDisk::open(path(disk)).expect("opened");
        gates.push(gate);
        gated.push(Some(Gated { disk, words, opened: opened.clone() }));
    }
    drop(opened);
    // These files answer at once; that their reads go to threads is for those that do not.
    let array = HostArray::new(gated).hedging_from(Duration::ZERO);
    let mut pool = Pool::mount(array, lent.lend(), services(), &MountOptions::default()).expect("mounted");
    // So that it is known how long a read takes.
    (0..40).for_each(|_| read_all(&mut pool, piece));
    for (stuck, gate) in gates.iter().enumerate() {
        gate.send(Word::Shut).expect("the disk listens");
        read_all(&mut pool, piece);
        gate.send(Word::Open).expect("the disk listens");
        // It comes back, and nothing is held against it.
        assert!(pool.array().disk(stuck).is_some(), "{scheme:?}: disk {stuck} is there");
        let health = pool.member_health(DiskIndex(stuck));
        assert_eq!((health.status, health.counters.read_errors), (DiskStatus::Online, 0), "{scheme:?}");
    }
    let health = pool.health();
    assert_eq!((health.repairs_waiting, health.counters.fragment_failures), (0, 0), "{scheme:?}");
    let hedged = health.counters.hedged_reads;
    drop(pool);
    // A disk that has nothing but parity of this file is not asked.
    let opened: Vec<bool> = was_opened.iter().collect();
    let enough = opened.len() >= scheme.data.into() && hedged >= opened.len() as u64;
    assert!(enough, "{scheme:?}: {} disks did not answer, {hedged} reads were given up", opened.len());
    assert!(opened.iter().all(|&in_time| in_time), "{scheme:?}: a read waited for a gate: {opened:?}");
}

#[test]
fn a_mirror_is_read_while_a_disk_is_stuck() {
    a_stuck_disk_holds_nobody_up(Scheme::mirror(2), 2, 4096);
    a_stuck_disk_holds_nobody_up(Scheme::mirror(2), 3, 1 << 20);
}

#[test]
fn a_stripe_is_read_while_a_disk_is_stuck() {
    a_stuck_disk_holds_nobody_up(Scheme { data: 4, parity: 2 }, 6, 4096);
    a_stuck_disk_holds_nobody_up(Scheme { data: 4, parity: 2 }, 6, 1 << 20);
}
