//! A pool that goes from the command line to the board and back.

use harness::images::COUNT;
use harness::{Board, Cli, Images, folder};
use workload::Tree;

/// Bytes of each disk.
const DISK_BYTES: u64 = 8 << 20;

/// Transactions of each writer in turn.
const TURN: u32 = 40;

/// The command line makes and fills a pool, the board changes it, the command line reads it. The board
/// continues without one disk, which is brought up to date. Then any other may be missing.
fn exchange(scheme: &str, missing: usize) {
    let images = Images::new(DISK_BYTES);
    let cli = Cli::new(&images);
    let pool = images.folder().join("pool");
    let pool = pool.to_str().expect("the folder's name is text");
    let made = cli.run(&["init", "--portable", "--scheme", scheme, "--pool", pool, "--json"]);
    let memory = number(&made, "\"memory_min_bytes\":");

    let source = images.folder().join("source");
    folder::lay_out(&Tree::after(TURN), &source);
    cli.run(&["sync", source.to_str().expect("the folder's name is text"), "/"]);
    let mut board = Board::boot(&images, [true; COUNT]);
    board.verify(TURN);
    board.write(TURN, TURN);
    board.verify(2 * TURN);
    board.halt();
    cli.verify(&Tree::after(2 * TURN));

    let present = without(missing);
    let mut board = Board::boot(&images, present);
    board.verify(2 * TURN);
    board.write(2 * TURN, TURN);
    board.verify(3 * TURN);
    board.halt();
    let tree = Tree::after(3 * TURN);
    let degraded = Cli::with(&images, present);
    degraded.compare(&tree);
    let (code, said) = degraded.try_run(&["check"]);
    assert!(code == Some(1) && said.contains("all of them recoverable"), "{said}");

    cli.run(&["rebuild", "start"]);
    cli.verify(&tree);
    for missing in 0..COUNT {
        let mut board = Board::boot(&images, without(missing));
        board.verify(3 * TURN);
        board.halt();
    }
    println!("{scheme}: {memory} bytes needed; exchanged, written without disk {missing}, rebuilt");
}

/// What README.md's example of firmware does to a pool of a host's, and the host to one of the example's.
#[test]
fn the_example_of_the_readme_shares_its_pools() {
    let images = Images::new(DISK_BYTES);
    let cli = Cli::new(&images);
    let pool = images.folder().join("pool");
    let pool = pool.to_str().expect("the folder's name is text");
    cli.run(&["init", "--portable", "--scheme", "2+1", "--pool", pool]);
    let source = images.folder().join("log");
    std::fs::write(&source, "made by a host\n").expect("a file");
    cli.run(&["put", source.to_str().expect("the folder's name is text"), "/log"]);
    for present in [[true; COUNT], without(0)] {
        let mut board = Board::boot(&images, present);
        board.carry_out("record");
        board.halt();
    }
    assert_eq!(cli.run(&["cat", "/log"]), "made by a host\nbooted\nbooted\n");
    cli.run(&["rebuild", "start"]);
    cli.run(&["check"]);

    let images = Images::new(DISK_BYTES);
    let cli = Cli::new(&images);
    let mut board = Board::boot(&images, [true; COUNT]);
    board.carry_out("make");
    board.carry_out("record");
    board.halt();
    cli.run(&["put", source.to_str().expect("the folder's name is text"), "/from-a-host"]);
    let mut board = Board::boot(&images, [true; COUNT]);
    board.carry_out("record");
    board.halt();
    assert_eq!(cli.run(&["cat", "/log"]), "booted\nbooted\n");
    assert_eq!(cli.run(&["cat", "/from-a-host"]), "made by a host\n");
    cli.run(&["check"]);
}

/// All disks but one.
fn without(missing: usize) -> [bool; COUNT] {
    std::array::from_fn(|disk| disk != missing)
}

/// The number behind a name in JSON.
fn number(json: &str, name: &str) -> u64 {
    let digits = json.split(name).nth(1).unwrap_or_default().trim_start();
    let digits = &digits[..digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len())];
    digits.parse().unwrap_or_else(|_| panic!("no {name} in {json}"))
}

#[test]
fn a_mirror_of_two_is_exchanged() {
    exchange("mirror:2", 0);
}

#[test]
fn a_mirror_of_three_is_exchanged() {
    exchange("mirror:3", 1);
}

#[test]
fn a_parity_scheme_is_exchanged() {
    exchange("2+1", 2);
}
