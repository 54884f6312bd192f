//! QEMU is killed at moments that follow from a seed, and what was acknowledged is there.
//!
//! The host does not fail: what QEMU has handed to it outlives QEMU. What is cut is the board with all that
//! it has in memory, and a write that QEMU was at, between two pages of it.

use harness::board::number_in;
use harness::images::COUNT;
use harness::{Board, Cli, Images};
use std::ops::Range;
use std::time::{Duration, Instant};
use workload::{Random, Tree};

/// Bytes of each disk.
const DISK_BYTES: u64 = 4 << 20;

/// How long something may take that is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// Kills while transactions are made, unless `KILLS` says otherwise.
const KILLS: u32 = 50;

/// Kills while a pool is made, for each of those.
const FORMATS_SHARE: u32 = 5;

/// The board itself reads everything after so many kills.
const VERIFY_EVERY: u32 = 10;

/// The most transactions that are waited for before a kill, and the longest time after that: longer than one
/// takes.
const LINES_MAX: u32 = 24;
const MICROS_MAX: u32 = 20_000;

/// The longest time from a commit's first superblock to the kill: it goes to all disks in less.
const SUPERBLOCK_MICROS_MAX: u32 = 1000;

/// Where superblocks are on disks of this size: ring A, behind the label's copy (docs/FORMAT.md).
const RING: Range<u64> = 66_048..70_144;

/// When the board is killed. First come so many lines of it, then a superblock of the next commit on this
/// disk if one is named, then so much time.
#[derive(Clone, Copy, Debug)]
struct Moment {
    lines: u32,
    superblock: Option<usize>,
    time: Duration,
}

impl Moment {
    /// One of five is before the pool is mounted, two are after some commits, two in the last writes of one.
    fn random(random: &mut Random) -> Self {
        let kind = random.below(5);
        let lines = if kind == 0 { 0 } else { 1 + random.below(LINES_MAX) };
        let superblock = (kind > 2).then(|| random.below(COUNT as u32) as usize);
        let most = if kind > 2 { SUPERBLOCK_MICROS_MAX } else { MICROS_MAX };
        Self { lines, superblock, time: Duration::from_micros(random.below(most).into()) }
    }

    /// Waits for it.
    fn wait(self, board: &mut Board, images: &Images) -> Vec<String> {
        let lines = (0..self.lines).map_while(|_| board.line()).collect();
        if let Some(disk) = self.superblock {
            let (start, before) = (Instant::now(), images.read(disk, RING));
            while images.read(disk, RING) == before {
                assert!(start.elapsed() < PATIENCE, "no superblock is written to disk {disk}");
            }
        }
        spin(self.time);
        lines
    }
}

/// Lets the time go by. A thread that sleeps would wake at the clock's ticks.
fn spin(time: Duration) {
    let start = Instant::now();
    while start.elapsed() < time {
        std::hint::spin_loop();
    }
}

/// A number from the environment.
fn setting(name: &str, usual: u32) -> u32 {
    std::env::var(name)
        .map_or(usual, |text| text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

/// Prints how to see the same again.
fn announce(test: &str) -> u32 {
    let (seed, kills) = (setting("SEED", 1), setting("KILLS", KILLS));
    println!("{test}: replay with SEED={seed} KILLS={kills} tests/firmware/riscv-virt/run.sh {test}");
    seed
}

#[test]
fn acknowledged_commits_outlive_a_kill() {
    let seed = announce("acknowledged_commits_outlive_a_kill");
    let mut random = Random::new(seed.into());
    let images = Images::new(DISK_BYTES);
    let cli = Cli::new(&images);
    let mut board = Board::boot(&images, [true; COUNT]);
    board.order("format 2+1");
    board.expect("formatting 2+1");
    board.expect("done");
    board.halt();

    let kills = setting("KILLS", KILLS);
    let mut tree = Tree::EMPTY;
    let (mut acknowledged, mut ahead, mut mounting) = (0, 0, 0);
    for kill in 0..kills {
        let moment = Moment::random(&mut random);
        println!("kill {kill}: from {} on, {moment:?}", tree.sequence());
        let before = tree.sequence();
        let mut board = Board::boot(&images, [true; COUNT]);
        if kill % VERIFY_EVERY == VERIFY_EVERY - 1 {
            board.verify(before);
        }
        board.order(&format!("write {}", u32::MAX));
        let mut lines = moment.wait(&mut board, &images);
        lines.extend(board.kill());
        images.copy_to("killed");

        let mut promised = before;
        for (number, line) in lines.iter().enumerate() {
            match number {
                0 => assert_eq!(number_in(line, "mounted"), Some(before), "{lines:#?}"),
                _ => promised += 1,
            }
            assert!(number == 0 || number_in(line, "committed") == Some(promised), "{lines:#?}");
        }
        mounting += u32::from(lines.is_empty());
        acknowledged += promised - before;
        let found = cli.sequence();
        assert!(
            found == promised || found == promised + 1,
            "kill {kill}: {found} is there, {promised} was acknowledged; the disks as QEMU left them are in `killed`"
        );
        ahead += u32::from(found > promised);
        tree.advance_to(found);
        cli.verify(&tree);
    }
    let mut board = Board::boot(&images, [true; COUNT]);
    board.verify(tree.sequence());
    board.halt();
    println!(
        "{kills} kills, {mounting} of them before the pool was mounted: {acknowledged} commits acknowledged, 0 lost; \
         {ahead} were there and not yet acknowledged"
    );
}

#[test]
fn a_killed_format_leaves_a_pool_or_none() {
    let seed = announce("a_killed_format_leaves_a_pool_or_none");
    let mut random = Random::new(u64::from(seed) << 32);
    // What a whole one takes, so that kills are spread over it, and a little further.
    let images = Images::new(DISK_BYTES);
    let mut board = Board::boot(&images, [true; COUNT]);
    let start = Instant::now();
    board.order("format 2+1");
    board.expect("formatting 2+1");
    board.expect("done");
    let micros = start.elapsed().as_micros().try_into().unwrap_or(u32::MAX);
    board.halt();

    let kills = setting("KILLS", KILLS).div_ceil(FORMATS_SHARE);
    let mut finished = 0;
    for kill in 0..kills {
        let images = Images::new(DISK_BYTES);
        let time = Duration::from_micros(random.below(micros / 4 * 5).into());
        let mut board = Board::boot(&images, [true; COUNT]);
        board.order("format 2+1");
        board.expect("formatting 2+1");
        spin(time);
        let lines = board.kill();
        images.copy_to("killed");
        println!("kill {kill}: {time:?} after its beginning, it then said {lines:?}");
        let mut board = Board::boot(&images, [true; COUNT]);
        if lines.is_empty() {
            board.order("format 2+1");
            board.expect("formatting 2+1");
            let line = board.line().unwrap_or_default();
            // The last write may have been done, and not yet be told of.
            assert!(line == "done" || line.contains("InUse"), "{line}");
            finished += u32::from(line != "done");
        } else {
            assert_eq!(lines, ["done"]);
            finished += 1;
        }
        board.write(0, 3);
        board.halt();
        Cli::new(&images).verify(&Tree::after(3));
    }
    println!("{kills} kills of a format: {finished} had made the pool, the others were begun anew");
}
