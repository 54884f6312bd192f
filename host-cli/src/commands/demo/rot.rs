//! Bits that change on a disk unnoticed.

use crate::output::failure::{Code, Failure};
use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use walkdir::WalkDir;

/// Bytes that identify a fragment: contents that are stored as they are, at the beginning of a block.
const MARK: usize = 64;

/// Bytes of a block of the demo's pool, and of an extent.
const BLOCK: usize = 4096;
const EXTENT: usize = 1 << 20;

/// Data fragments of its extents.
const DATA: usize = 4;

/// Files that are damaged beside the noise.
const FILES: usize = 4;

/// What was damaged.
pub(super) struct Damaged {
    /// Bits that were flipped, each in a fragment of its own.
    pub(super) places: u64,
    /// The disks that they are on.
    pub(super) disks: Vec<String>,
}

/// Flips a bit in fragments of several files, found on the disks by their contents. Only contents that are on the disks
/// once are taken: a read of them meets the damage.
pub(super) fn damage(disks: &Path, source: &Path, noise: &Path) -> Result<Damaged, Failure> {
    let refused = |error| Failure::host("damage a disk", &error);
    let marks = marks(source, noise).map_err(refused)?;
    let mut images: Vec<PathBuf> = fs::read_dir(disks)
        .and_then(|entries| entries.map(|entry| entry.map(|e| e.path())).collect())
        .map_err(refused)?;
    images.sort();
    let mut found: Vec<Vec<(usize, u64)>> = vec![Vec::new(); marks.len()];
    for (number, image) in images.iter().enumerate() {
        find(image, &marks, |mark, at| found[mark].push((number, at))).map_err(refused)?;
    }
    let mut hit = BTreeSet::new();
    let mut places = 0;
    for place in &found {
        if let [(number, at)] = place[..] {
            flip(&images[number], at + MARK as u64 / 2).map_err(refused)?;
            hit.insert(number);
            places += 1;
        }
    }
    if places == 0 {
        return Err(Failure::new(Code::NotFound, "no fragment was recognised on the disks"));
    }
    let name = |&number: &usize| {
        images[number].file_stem().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
    };
    Ok(Damaged { places, disks: hit.iter().map(name).collect() })
}

/// The first bytes of fragments of the noise and of some files.
fn marks(source: &Path, noise: &Path) -> io::Result<Vec<[u8; MARK]>> {
    let mut marks = Vec::new();
    let mut take = |file: &File, at: usize| {
        let mut mark = [0; MARK];
        if file.read_exact_at(&mut mark, at as u64).is_ok() && mark != [0; MARK] {
            marks.push(mark);
        }
    };
    let file = File::open(noise)?;
    let bytes = file.metadata()?.len() as usize;
    // Another fragment of each extent, and so another disk.
    let starts = (0..bytes).step_by(EXTENT).enumerate();
    starts.for_each(|(number, at)| take(&file, at + number % DATA * (EXTENT / DATA)));
    // Contents of a block or less are stored in copies, and a reader meets one of them.
    let large = WalkDir::new(source).sort_by_file_name().into_iter().flatten().filter(|entry| {
        entry.file_type().is_file()
            && entry.metadata().is_ok_and(|metadata| metadata.len() > 2 * BLOCK as u64)
    });
    for entry in large.take(FILES) {
        take(&File::open(entry.path())?, 0);
    }
    Ok(marks)
}

/// Calls `f` with each mark that begins a block of the image, and where.
fn find(image: &Path, marks: &[[u8; MARK]], mut f: impl FnMut(usize, u64)) -> io::Result<()> {
    let file = File::open(image)?;
    let bytes = file.metadata()?.len();
    let mut buffer = vec![0; EXTENT];
    for start in (0..bytes).step_by(EXTENT) {
        let length = (bytes - start).min(EXTENT as u64) as usize;
        file.read_exact_at(&mut buffer[..length], start)?;
        for (number, block) in buffer[..length].chunks_exact(BLOCK).enumerate() {
            if let Some(mark) = marks.iter().position(|mark| block.starts_with(mark)) {
                f(mark, start + (number * BLOCK) as u64);
            }
        }
    }
    Ok(())
}

fn flip(image: &Path, at: u64) -> io::Result<()> {
    let file = OpenOptions::new().read(true).write(true).open(image)?;
    let mut byte = [0];
    file.read_exact_at(&mut byte, at)?;
    byte[0] ^= 0x10;
    file.write_all_at(&byte, at)
}
