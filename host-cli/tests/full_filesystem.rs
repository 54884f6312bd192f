//! The filesystem that the images are in is full, and the pool is not: nothing is lost, no disk is blamed,
//! and deleting works.

use crate::common::{TestPool, assert_valid, is_superuser, noise};
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::Command;

/// A pool's folder on a filesystem of limited size, which is taken away when dropped.
struct Limited(TestPool);

impl Limited {
    /// `None`, and said so, where this process may not mount one.
    fn new(size: &str) -> Option<Self> {
        let size = format!("size={size}");
        Self::mount(|_| Some(vec!["-t".into(), "tmpfs".into(), "none".into(), "-o".into(), size.clone()]))
    }

    /// One on a loop device, with a filesystem that keeps what is held behind the end of a file until the
    /// file is cut.
    fn ext4(size: &str) -> Option<Self> {
        Self::mount(|pool| {
            let image = pool.beside("ext4.img");
            let made = Command::new("mkfs.ext4").arg("-q").arg(&image).arg(size).output();
            if !made.is_ok_and(|output| output.status.success()) {
                return None;
            }
            Some(vec!["-o".into(), "loop".into(), image.to_str()?.into()])
        })
    }

    fn mount(arguments: impl FnOnce(&TestPool) -> Option<Vec<String>>) -> Option<Self> {
        if !is_superuser() {
            println!("not the superuser: no filesystem of limited size, nothing is tested");
            return None;
        }
        let pool = TestPool::none();
        fs::create_dir(pool.path()).unwrap();
        let Some(arguments) = arguments(&pool) else {
            println!("no filesystem could be made, nothing is tested");
            return None;
        };
        match Command::new("mount").args(arguments).arg(pool.path()).output() {
            Ok(output) if output.status.success() => Some(Self(pool)),
            failed => {
                println!("no filesystem of limited size, nothing is tested: {failed:?}");
                None
            }
        }
    }

    fn with_pool(size: &str) -> Option<Self> {
        Self::new(size).map(Self::with_a_pool)
    }

    fn with_a_pool(self) -> Self {
        self.0.run(["init", "--disks", "3", "--disk-size", "64MiB", "--scheme", "mirror:2"]).ok();
        self
    }

    /// Something else takes all that is left.
    fn fill(&self) {
        let mut file = File::create(self.0.path().join("something-else")).unwrap();
        let zeros = [0; 4096];
        while file.write_all(&zeros).is_ok() {}
    }

    /// The same, beside `/kept` and `/other` in the pool: the bytes of either. A third finds no room.
    fn fill_beside_two_files(&self) -> Vec<u8> {
        let bytes = noise(3_000_000, 4);
        let file = self.0.file("kept", &bytes);
        self.0.run(["put", text(&file), "/kept"]).ok();
        self.0.run(["put", text(&file), "/other"]).ok();
        self.fill();
        self.expect_no_room(&["put", text(&file), "/more"]);
        bytes
    }

    fn make_room(&self) {
        fs::remove_file(self.0.path().join("something-else")).unwrap();
    }

    fn resize(&self, size: &str) {
        let size = format!("remount,size={size}");
        let done = Command::new("mount").args(["-o", &size]).arg(self.0.path()).status().unwrap();
        assert!(done.success());
    }

    #[track_caller]
    fn expect_no_room(&self, arguments: &[&str]) -> String {
        let refused = self.0.run([&["--json"], arguments].concat()).expect(1).json();
        assert_eq!(refused["error"]["code"], "no_space_below", "{refused}");
        let said = refused["error"].to_string();
        assert!(!said.contains("medium error"), "{said}");
        said
    }

    #[track_caller]
    fn health(&self, code: i32) -> String {
        let health = self.0.run(["--json", "health"]).expect(code);
        assert_valid("health", &health);
        let health = health.json();
        let codes =
            health["reasons"].as_array().unwrap().iter().map(|reason| reason["code"].as_str().unwrap());
        let codes: Vec<_> = codes.collect();
        format!("{} {}", health["status"].as_str().unwrap(), codes.join(" "))
    }
}

impl Drop for Limited {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).output();
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

// It was a medium error on every disk: the pool went read-only, `rm` was refused, and health said "healthy"
// afterwards.
#[test]
fn a_file_that_does_not_fit_below_is_refused_and_its_space_given_back() {
    let Some(limited) = Limited::with_pool("24M") else { return };
    let pool = &limited.0;
    let kept = noise(4_000_000, 1);
    pool.run(["put", text(&pool.file("kept", &kept)), "/kept"]).ok();
    let large = pool.file("large", &noise(20_000_000, 2));
    let said = limited.expect_no_room(&["put", text(&large), "/large"]);
    assert!(said.contains("dynamicfs trim") && said.contains("pool/disks"), "{said}");
    assert_eq!(limited.health(1), "warning HOST_NEARLY_FULL");
    assert!(pool.cat("/kept") == kept);
    // What was written of it is not kept from others.
    pool.run(["put", text(&pool.file("small", &kept[..1_000_000])), "/small"]).ok();
    pool.run(["rm", "/kept"]).ok();
    pool.run(["check"]).ok();
    assert_eq!(pool.json(["status"])["disks"]["healthy"], 3);
}

#[test]
fn what_filled_the_filesystem_bit_by_bit_can_be_deleted() {
    let Some(limited) = Limited::with_pool("8M") else { return };
    let pool = &limited.0;
    let file = pool.file("file", &noise(30_000, 3));
    let put = |number: usize| pool.run(["put", text(&file), &format!("/{number}")]).code;
    let stored = (0..1000).take_while(|&number| put(number) == 0).count();
    assert!((20..1000).contains(&stored), "{stored}");
    limited.fill();
    assert_eq!(limited.health(2), "critical HOST_FULL");
    limited.expect_no_room(&["put", text(&file), "/more"]);
    let names: Vec<String> = (0..stored).map(|number| format!("/{number}")).collect();
    for name in &names[..5] {
        pool.run(["rm", name]).ok();
    }
    let rest: Vec<&str> = ["rm"].into_iter().chain(names[5..].iter().map(String::as_str)).collect();
    pool.run(rest).ok();
    assert_eq!(pool.json(["status"])["extents"]["total"], 0);
    pool.run(["check"]).ok();
    pool.run(["trim"]).ok();
    pool.run(["put", text(&file), "/again"]).ok();
}

#[test]
fn a_pool_on_a_full_filesystem_is_read_and_deleted_from() {
    let Some(limited) = Limited::with_pool("24M") else { return };
    let (pool, kept) = (&limited.0, limited.fill_beside_two_files());
    limited.expect_no_room(&["mkdir", "/folder"]);
    assert!(pool.cat("/kept") == kept);
    pool.run(["rm", "/kept"]).ok();
    assert!(pool.cat("/other") == kept);
    pool.run(["check"]).ok();
    limited.make_room();
    pool.run(["mkdir", "/folder"]).ok();
    pool.run(["scrub", "start"]).ok();
    assert_eq!(pool.json(["status"])["disks"]["healthy"], 3);
}

/// What is held behind the end of an image was let go by a hole there, which ext4 leaves alone: nothing could
/// be deleted.
#[test]
fn what_is_held_is_let_go_where_a_hole_frees_nothing() {
    let Some(limited) = Limited::ext4("32M").map(Limited::with_a_pool) else { return };
    let (pool, kept) = (&limited.0, limited.fill_beside_two_files());
    pool.run(["rm", "/kept"]).ok();
    assert!(pool.cat("/other") == kept);
    pool.run(["check"]).ok();
}

#[test]
fn a_pool_is_not_made_where_there_is_no_room_and_nothing_is_left_half_claimed() {
    let Some(limited) = Limited::new("64k") else { return };
    let pool = &limited.0;
    let make = ["init", "--disks", "3", "--disk-size", "64MiB", "--scheme", "mirror:2"];
    let said = limited.expect_no_room(&make);
    assert!(said.contains("disk-0.img"), "{said}");
    assert_eq!(fs::read_dir(pool.path()).unwrap().count(), 0, "something is left");

    let disks: Vec<_> = (0..3).map(|number| pool.path().join(format!("own-{number}"))).collect();
    for disk in &disks {
        File::create(disk).unwrap().set_len(64 << 20).unwrap();
    }
    let on_own =
        ["init", "--scheme", "mirror:2", "--disk", text(&disks[0]), text(&disks[1]), text(&disks[2])];
    // With each little more room it comes further, to the labels at last.
    let mut refused = 0;
    for size in (64..2000).step_by(4) {
        limited.resize(&format!("{size}k"));
        let made = pool.run(on_own);
        if made.code == 0 {
            break;
        }
        assert_eq!(made.code, 1, "{size}k: {}", made.stderr);
        assert!(made.stderr.contains("no space"), "{size}k: {}", made.stderr);
        refused += 1;
    }
    assert!(refused > 5, "{refused}");
    limited.resize("24M");
    pool.run(["put", text(&pool.file("file", b"contents")), "/file"]).ok();
    assert_eq!(pool.cat("/file"), b"contents");
}
