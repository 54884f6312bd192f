//! The files that are the board's disks.

use std::fs::{self, File};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// How many disks the board has.
pub const COUNT: usize = 3;

const NAMES: [&str; COUNT] = ["disk-0.img", "disk-1.img", "disk-2.img"];

/// Three files in a folder of their own, which stays if the test fails.
#[derive(Debug)]
pub struct Images {
    folder: Option<TempDir>,
}

impl Images {
    /// New ones, of so many bytes each.
    pub fn new(bytes: u64) -> Self {
        let images = Self { folder: Some(tempfile::tempdir().expect("a temporary folder")) };
        for path in images.paths() {
            File::create(path).and_then(|file| file.set_len(bytes)).expect("an image");
        }
        images
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        self.folder.as_ref().expect("there until it is dropped").path()
    }

    /// The files.
    pub fn paths(&self) -> [PathBuf; COUNT] {
        NAMES.map(|name| self.folder().join(name))
    }

    /// These bytes of one of them, as whatever writes to it has left them so far.
    pub fn read(&self, disk: usize, bytes: Range<u64>) -> Vec<u8> {
        let mut read = vec![0; (bytes.end - bytes.start) as usize];
        let file = File::open(&self.paths()[disk]).expect("an image");
        file.read_exact_at(&mut read, bytes.start).expect("bytes of an image");
        read
    }

    /// Inverts these bytes of one of them.
    pub fn invert(&self, disk: usize, bytes: Range<u64>) {
        let inverted: Vec<u8> = self.read(disk, bytes.clone()).into_iter().map(|byte| !byte).collect();
        let file = File::options().write(true).open(&self.paths()[disk]).expect("an image");
        file.write_all_at(&inverted, bytes.start).expect("bytes of an image");
    }

    /// Copies the files into a folder beside them, which then holds nothing else.
    pub fn copy_to(&self, name: &str) {
        let copy = self.folder().join(name);
        fs::create_dir_all(&copy).expect("a folder");
        for (path, name) in self.paths().iter().zip(NAMES) {
            fs::copy(path, copy.join(name)).expect("a copy");
        }
    }
}

impl Drop for Images {
    fn drop(&mut self) {
        if std::thread::panicking()
            && let Some(folder) = self.folder.take()
        {
            eprintln!("the disks are left in {}", folder.keep().display());
        }
    }
}
