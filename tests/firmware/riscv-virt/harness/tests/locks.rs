//! QEMU and the command line keep out each other from the images that they write to.

use harness::images::COUNT;
use harness::{Board, Cli, Images};
use std::io::{Read, Write};
use std::process::Stdio;

/// Bytes of each disk.
const DISK_BYTES: u64 = 16 << 20;

/// More than a pipe and both its ends hold: a command that has written or read as much, and not all, has
/// the pool open.
const LONG: usize = 4 << 20;

/// The exit code of a command that another process is in the way of.
const BUSY: Option<i32> = Some(5);

/// A new pool, with a long file.
fn pool() -> (Images, Cli) {
    let images = Images::new(DISK_BYTES);
    let cli = Cli::new(&images);
    let pool = images.folder().join("pool");
    let source = images.folder().join("long");
    std::fs::write(&source, vec![7; LONG]).expect("a file");
    cli.run(&["init", "--portable", "--scheme", "2+1", "--pool", pool.to_str().expect("text")]);
    cli.run(&["put", source.to_str().expect("text"), "/long"]);
    (images, cli)
}

/// QEMU does not start, and says that it is for a lock.
fn expect_refused(images: &Images) {
    let said = Board::refused(images);
    assert!(said.contains("lock") && said.contains("disk-0.img"), "{said}");
}

#[test]
fn a_board_has_its_disks_alone() {
    let (images, cli) = pool();
    let mut board = Board::boot(&images, [true; COUNT]);
    for refused in [&["put", "-", "/new"][..], &["rm", "/long"], &["scrub", "start"], &["mkdir", "/new"]] {
        let (code, said) = cli.try_run(refused);
        assert!(code == BUSY && said.contains("in use by another process"), "{code:?} {said}");
    }
    let other = images.folder().join("other");
    let other = other.to_str().expect("the folder's name is text");
    let (code, said) =
        cli.try_run(&["init", "--portable", "--scheme", "2+1", "--force", "--yes", "--pool", other]);
    assert!(code == BUSY, "{code:?} {said}");
    // As beside a command that writes: its state is told, and contents are not read under its hands.
    cli.run(&["status"]);
    let (code, said) = cli.try_run(&["cat", "/long"]);
    assert!(code == BUSY && said.contains("in use by another process"), "{code:?} {said}");
    board.write(0, 5);
    board.halt();
    cli.run(&["rm", "/long"]);
    cli.run(&["check"]);
}

#[test]
fn a_command_that_writes_keeps_the_board_out() {
    let (images, cli) = pool();
    let mut put = cli.command(&["put", "-", "/new"]).stdin(Stdio::piped()).spawn().expect("it starts");
    put.stdin.as_mut().expect("it is piped").write_all(&vec![8; LONG]).expect("it reads");
    expect_refused(&images);
    drop(put.stdin.take());
    assert!(put.wait().expect("it ends").success());
    Board::boot(&images, [true; COUNT]).halt();
}

#[test]
fn a_command_that_reads_keeps_the_board_out() {
    let (images, cli) = pool();
    let mut cat = cli.command(&["cat", "/long"]).stdout(Stdio::piped()).spawn().expect("it starts");
    let mut said = cat.stdout.take().expect("it is piped");
    said.read_exact(&mut [0; 1]).expect("it writes");
    // Others read beside it.
    cli.run(&["check"]);
    expect_refused(&images);
    said.read_to_end(&mut Vec::new()).expect("it writes");
    assert!(cat.wait().expect("it ends").success());
    Board::boot(&images, [true; COUNT]).halt();
}
