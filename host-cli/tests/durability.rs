//! What was stored stays, whatever happens to disks and processes: the real program on real files.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

/// A folder in memory where there is room, else wherever temporary files go.
fn folder() -> tempfile::TempDir {
    let shared = Path::new("/dev/shm");
    if shared.is_dir() { tempfile::tempdir_in(shared) } else { tempfile::tempdir() }
        .expect("a temporary folder")
}

fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dynamicfs"));
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn run(arguments: &[&str]) -> Output {
    program(arguments).output().expect("the program runs")
}

fn must(arguments: &[&str]) {
    let output = run(arguments);
    assert!(
        output.status.success(),
        "{arguments:?}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

/// The workspace's own sources: what every clone has, without what is built from them.
fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_path_buf()
}

const SOURCE_FOLDERS: [&str; 6] = ["core", "hal", "sim", "host-cli", "tests", "docs"];

/// Panics unless two folders hold the same files.
fn assert_same_tree(expected: &Path, found: &Path) {
    let list = |root: &Path| {
        let walk = walkdir::WalkDir::new(root).sort_by_file_name();
        let files =
            walk.into_iter().map(|entry| entry.expect("listed")).filter(|entry| entry.file_type().is_file());
        files.map(|entry| entry.path().strip_prefix(root).expect("below").to_path_buf()).collect::<Vec<_>>()
    };
    let names = list(expected);
    assert_eq!(names, list(found));
    assert!(!names.is_empty());
    for name in names {
        let (a, b) = (std::fs::read(expected.join(&name)), std::fs::read(found.join(&name)));
        assert!(a.expect("read") == b.expect("read"), "{} differs", name.to_string_lossy());
    }
}

/// Copies what the test stores, so that it cannot change meanwhile.
fn copy_of_sources(to: &Path) {
    for folder in SOURCE_FOLDERS {
        let from = sources().join(folder);
        for entry in walkdir::WalkDir::new(&from).into_iter().filter_entry(|e| e.file_name() != "target") {
            let entry = entry.expect("listed");
            let target = to.join(entry.path().strip_prefix(sources()).expect("below"));
            if entry.file_type().is_dir() {
                std::fs::create_dir_all(&target).expect("made");
            } else {
                std::fs::copy(entry.path(), &target).expect("copied");
            }
        }
    }
}

fn write_large(path: &Path, bytes: usize) {
    use std::io::Write;
    let mut file = std::io::BufWriter::new(std::fs::File::create(path).expect("created"));
    let mut state = 0x9E37_79B9_7F4A_7C15u64;
    for _ in 0..bytes / 8 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        file.write_all(&state.to_le_bytes()).expect("written");
    }
    file.flush().expect("flushed");
}

fn assert_same_file(a: &Path, b: &Path) {
    use std::io::Read;
    let open =
        |path: &Path| std::io::BufReader::with_capacity(1 << 20, std::fs::File::open(path).expect("opened"));
    let (mut a, mut b) = (open(a), open(b));
    let (mut left, mut right) = (vec![0; 1 << 20], vec![0; 1 << 20]);
    loop {
        let read = a.read(&mut left).expect("read");
        b.read_exact(&mut right[..read]).expect("as long");
        assert!(left[..read] == right[..read], "the files differ");
        if read == 0 {
            assert_eq!(b.read(&mut right).expect("read"), 0, "the second is longer");
            return;
        }
    }
}

#[test]
fn the_source_tree_and_a_gibibyte_survive_the_loss_of_any_two_of_six_disks() {
    let home = folder();
    let at = |name: &str| home.path().join(name);
    copy_of_sources(&at("sources"));
    write_large(&at("large"), 1 << 30);
    let (pool, large) = (at("pool"), at("large"));
    let pool = text(&pool);
    must(&["init", "--pool", pool, "--disks", "6", "--disk-size", "512MiB", "--scheme", "4+2"]);
    must(&["--quiet", "put", "-r", text(&at("sources")), "/sources", "--pool", pool]);
    must(&["--quiet", "put", text(&large), "/large", "--pool", pool]);
    let disk = |n: usize| at("pool").join(format!("disks/disk-{n}.img"));
    let mut round = 0;
    for first in 0..6 {
        for second in first + 1..6 {
            for n in [first, second] {
                std::fs::rename(disk(n), at(&format!("lost-{n}"))).expect("taken away");
            }
            // Read only: each pair is lost from the same healthy pool.
            let copy = at(&format!("copy-{first}-{second}"));
            must(&["--quiet", "--read-only", "get", "-r", "/sources", text(&copy), "--pool", pool]);
            assert_same_tree(&at("sources"), &copy);
            if round % 5 == 0 {
                must(&["--quiet", "--read-only", "get", "/large", text(&at("back")), "--pool", pool]);
                assert_same_file(&large, &at("back"));
                std::fs::remove_file(at("back")).expect("removed");
            }
            for n in [first, second] {
                std::fs::rename(at(&format!("lost-{n}")), disk(n)).expect("brought back");
            }
            round += 1;
        }
    }
    assert_eq!(round, 15);
}

/// Waits a moment that depends on the round, then kills.
fn kill_after(mut child: Child, micros: u64) -> bool {
    // Not synchronisation: the moment of the kill is what the test varies.
    std::thread::sleep(Duration::from_micros(micros));
    let killed = child.kill().is_ok();
    let status = child.wait().expect("waited");
    killed && !status.success()
}

#[test]
fn a_put_that_is_killed_a_hundred_times_leaves_each_file_whole_or_absent() {
    let home = folder();
    let at = |name: &str| home.path().join(name);
    copy_of_sources(&at("sources"));
    write_large(&at("sources/large"), 24 << 20);
    let pool = at("pool");
    let pool = text(&pool);
    must(&["init", "--pool", pool, "--disks", "3", "--disk-size", "256MiB", "--scheme", "mirror:2"]);
    let mut killed = 0;
    for round in 0..100u64 {
        let name = format!("/acknowledged-{round}");
        must(&["--quiet", "put", text(&at("sources/core/Cargo.toml")), &name, "--pool", pool]);
        let child = program(&["--quiet", "put", "-r", text(&at("sources")), "/sources", "--pool", pool])
            .spawn()
            .expect("started");
        let micros = round.wrapping_mul(0x9E37_79B9_7F4A_7C15) % 90_000;
        killed += u64::from(kill_after(child, micros));
        if round % 10 == 9 {
            must(&["--quiet", "check", "--pool", pool]);
            for n in 0..=round {
                let copy = at("acknowledged");
                must(&["--quiet", "get", &format!("/acknowledged-{n}"), text(&copy), "--pool", pool]);
                assert_same_file(&at("sources/core/Cargo.toml"), &copy);
                std::fs::remove_file(&copy).expect("removed");
            }
        } else {
            must(&["--quiet", "status", "--pool", pool]);
        }
        assert_whole(pool, home.path());
        let _ = run(&["--quiet", "--yes", "rm", "-r", "/sources", "--pool", pool]);
    }
    assert!(killed > 30, "{killed} of 100 were killed before they were done");
}

/// Each file of the half-stored tree is as its source is.
fn assert_whole(pool: &str, home: &Path) {
    let copy = home.join("copy");
    if !run(&["--quiet", "stat", "/sources", "--pool", pool]).status.success() {
        return;
    }
    must(&["--quiet", "get", "-r", "/sources", text(&copy), "--pool", pool]);
    for entry in walkdir::WalkDir::new(&copy) {
        let entry = entry.expect("listed");
        if entry.file_type().is_file() {
            let name = entry.path().strip_prefix(&copy).expect("below");
            assert_same_file(entry.path(), &home.join("sources").join(name));
        }
    }
    std::fs::remove_dir_all(&copy).expect("removed");
}
