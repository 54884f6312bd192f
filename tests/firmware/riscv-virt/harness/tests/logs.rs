//! The features `log` and `defmt` of the core: what an integrator finds in the log of a board, by both ways.

use harness::images::COUNT;
use harness::{Board, Images, logs};
use std::ops::Range;
use std::path::PathBuf;

/// Bytes of each disk.
const DISK_BYTES: u64 = 4 << 20;

/// Where nodes and contents are on disks of this size, behind labels and superblocks (docs/FORMAT.md).
const CONTENTS: Range<u64> = 70_144..2 << 20;

/// What the board logs while it does something with these of its disks; the same words by both ways.
fn log(images: &Images, present: [bool; COUNT], f: impl FnOnce(&mut Board)) -> Vec<String> {
    let frames: PathBuf = images.folder().join("frames");
    let mut board = Board::boot_logging(images, present, &frames);
    f(&mut board);
    let lines = board.logged().to_vec();
    board.halt();
    let decoded = logs::decode(&frames);
    // An error has words of its own for people, and for `defmt` the names of what it consists of.
    let error = |line: &str| line.rsplit_once(": ").map(|(before, _)| before.to_owned());
    let same = |(line, decoded): (&String, &String)| {
        line == decoded || error(line).is_some_and(|before| decoded.starts_with(&before))
    };
    let agree = lines.len() == decoded.len() && lines.iter().zip(&decoded).all(same);
    assert!(agree, "over the serial line {lines:#?}\nthrough defmt {decoded:#?}");
    decoded
}

/// A line that begins and ends so, which must be there; what is between.
fn find<'l>(lines: &'l [String], begin: &str, end: &str) -> &'l str {
    let found = lines.iter().find_map(|line| line.strip_prefix(begin)?.strip_suffix(end));
    found.unwrap_or_else(|| panic!("no `{begin}...{end}` in {lines:#?}"))
}

#[test]
fn a_mount_a_commit_and_a_repair_are_logged() {
    let images = Images::new(DISK_BYTES);
    let made = log(&images, [true; COUNT], |board| board.carry_out("make"));
    let pool = find(&made, "INFO pool ", " made of 3 disks");

    let written = log(&images, [true; COUNT], |board| board.write(0, 20));
    let mounted =
        find(&written, &format!("INFO pool {pool} mounted at generation "), ", 3 of 3 members online");
    let first: u64 = mounted.parse().expect("a number");
    let commits = written.iter().filter(|line| line.starts_with("DEBUG generation ")).count();
    assert!(commits >= 20, "{written:#?}");
    find(&written, &format!("DEBUG generation {}", first + 20), " committed");
    let bad = |line: &&String| line.starts_with("WARN") || line.starts_with("ERROR");
    assert_eq!(written.iter().find(bad), None, "nothing is wrong");

    images.invert(0, 0..512);
    images.invert(0, CONTENTS);
    let mended = log(&images, [true; COUNT], |board| {
        board.order("mend");
        board.expect("mounted 20");
        board.expect("done");
    });
    find(&mended, "WARN disk 0: the label at its beginning is lost, a copy is used", "");
    let block = find(&mended, "INFO disk 0: what was bad at block ", " is rewritten");
    find(&mended, &format!("WARN disk 0: bad checksum at block {block}"), "");
    let elsewhere = |line: &&String| line.starts_with("WARN disk") && !line.starts_with("WARN disk 0:");
    assert_eq!(mended.iter().find(elsewhere), None, "the other disks are right");
}

#[test]
fn a_missing_disk_and_a_refused_mount_are_logged() {
    let images = Images::new(DISK_BYTES);
    let mut board = Board::boot(&images, [true; COUNT]);
    board.carry_out("make");
    board.carry_out("record");
    board.halt();

    let without_one = log(&images, [true, false, true], |board| board.carry_out("record"));
    find(&without_one, "INFO pool ", ", 2 of 3 members online");
    find(&without_one, "WARN member 1 is away", "");
    let back = log(&images, [true; COUNT], |board| board.carry_out("record"));
    find(&back, "WARN member 1 has missed commits", "");
    let refused = log(&images, [false, true, false], |board| {
        board.order("record");
        let said = board.line();
        assert!(said.as_ref().is_some_and(|said| said.starts_with("failed mount")), "{said:?}");
    });
    find(&refused, "ERROR no pool is mounted: ", "");
}
