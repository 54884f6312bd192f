//! All files and directories after a transaction, and the changes that it makes.

use crate::contents::{Contents, Piece};
use crate::path::{DIRECTORY_COUNT, Directory, Path};
use crate::random::Random;

/// The file in the root that holds the number of the last transaction, which writes it too.
pub const SEQUENCE: &str = "sequence";

/// Digits of that number.
pub const SEQUENCE_DIGITS: usize = 10;

/// Files that there are at most beside it.
const FILES_MAX: u8 = 16;

/// Changes that a transaction makes at most.
const CHANGES_MAX: u32 = 3;

/// Transactions of a round, and those at its end that mostly remove: directories become empty, and space is
/// freed.
const ROUND: u32 = 96;
const CLEARING: u32 = 24;

/// How far behind a file's end something may be written: what lies between reads as zeros.
const GAP_MAX: u32 = 3000;

/// One change of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// A directory is made.
    MakeDirectory(Directory),
    /// An empty directory is removed.
    RemoveDirectory(Directory),
    /// An empty file is made.
    Create(Path),
    /// Bytes are written to a file: over others, at its end or behind it.
    Write(Path, Piece),
    /// A file is given another path, on which there may be a file already, which is then gone.
    Rename(Path, Path),
    /// A file is removed.
    Unlink(Path),
}

#[derive(Clone, Copy, Debug)]
struct File {
    path: Path,
    contents: Contents,
}

/// What a pool holds after a transaction.
#[derive(Clone, Debug)]
pub struct Tree {
    sequence: u32,
    files: [Option<File>; FILES_MAX as usize],
    made: [bool; DIRECTORY_COUNT],
}

impl Tree {
    /// An empty pool.
    pub const EMPTY: Self = Self { sequence: 0, files: [None; _], made: [true, false, false, false, false] };

    /// What a pool holds after so many transactions.
    pub fn after(sequence: u32) -> Self {
        let mut tree = Self::EMPTY;
        tree.advance_to(sequence);
        tree
    }

    /// Goes on to a later transaction.
    pub fn advance_to(&mut self, sequence: u32) {
        while self.sequence < sequence {
            let Ok(()) = self.step(|_| Ok::<_, core::convert::Infallible>(()));
        }
    }

    /// The number of the last transaction; 0 for an empty pool.
    pub const fn sequence(&self) -> u32 {
        self.sequence
    }

    /// All files but [`SEQUENCE`].
    pub fn files(&self) -> impl Iterator<Item = (&Path, &Contents)> {
        self.files.iter().flatten().map(|file| (&file.path, &file.contents))
    }

    /// All directories, the root first, each after what it is in.
    pub fn directories(&self) -> impl Iterator<Item = Directory> {
        Directory::all().filter(|directory| self.made[usize::from(directory.0)])
    }

    /// Entries of a directory.
    pub fn entries(&self, directory: Directory) -> usize {
        let is_root = directory == Directory::ROOT;
        let files = self.files().filter(|(path, _)| path.directory == directory).count();
        let below =
            self.directories().filter(|it| *it != Directory::ROOT && it.parent() == directory).count();
        files + below + usize::from(is_root && self.sequence > 0)
    }

    /// The next transaction: `apply` is given its changes, one after the other. The number in [`SEQUENCE`] is
    /// not one of them.
    ///
    /// # Errors
    /// The first of `apply`; the tree is then that of no pool.
    pub fn step<E>(&mut self, mut apply: impl FnMut(Change) -> Result<(), E>) -> Result<(), E> {
        self.sequence += 1;
        let mut random = Random::new(self.sequence.into());
        for number in 0..=random.below(CHANGES_MAX) {
            let stamp = self.sequence * CHANGES_MAX + number;
            self.change(stamp, &mut random, &mut apply)?;
        }
        Ok(())
    }

    fn change<E>(
        &mut self,
        stamp: u32,
        random: &mut Random,
        apply: &mut impl FnMut(Change) -> Result<(), E>,
    ) -> Result<(), E> {
        let number = random.below(FILES_MAX.into()) as u8;
        if self.sequence % ROUND >= ROUND - CLEARING && random.below(4) != 0 {
            return self.unlink(number, apply);
        }
        let Some(file) = self.files[usize::from(number)] else {
            let path = self.new_path(number, stamp, random, apply)?;
            self.files[usize::from(number)] = Some(File { path, contents: Contents::default() });
            apply(Change::Create(path))?;
            return self.write(number, Piece::new(0, length(random), stamp), apply);
        };
        let size = file.contents.size();
        match random.below(8) {
            0..=4 if file.contents.is_full() => self.unlink(number, apply),
            0 | 1 => self.write(number, Piece::new(size, length(random), stamp), apply),
            2 | 3 => self.write(number, Piece::new(random.below(size), length(random), stamp), apply),
            4 => self.write(number, Piece::new(size + random.below(GAP_MAX), length(random), stamp), apply),
            5 => {
                let path = self.new_path(number, stamp, random, apply)?;
                self.rename(number, path, apply)
            }
            6 => match self.files[random.below(FILES_MAX.into()) as usize] {
                Some(other) if other.path != file.path => self.rename(number, other.path, apply),
                _ => self.unlink(number, apply),
            },
            _ => self.unlink(number, apply),
        }
    }

    /// A path that no file has had, in a directory that is made if it is not there.
    fn new_path<E>(
        &mut self,
        file: u8,
        stamp: u32,
        random: &mut Random,
        apply: &mut impl FnMut(Change) -> Result<(), E>,
    ) -> Result<Path, E> {
        let directory = Directory(random.below(DIRECTORY_COUNT as u32) as u8);
        for needed in [directory.parent(), directory] {
            let made = &mut self.made[usize::from(needed.0)];
            if !core::mem::replace(made, true) {
                apply(Change::MakeDirectory(needed))?;
            }
        }
        Ok(Path { directory, file, stamp })
    }

    fn write<E>(
        &mut self,
        file: u8,
        piece: Piece,
        apply: &mut impl FnMut(Change) -> Result<(), E>,
    ) -> Result<(), E> {
        let Some(file) = &mut self.files[usize::from(file)] else { return Ok(()) };
        file.contents.write(piece);
        apply(Change::Write(file.path, piece))
    }

    fn rename<E>(
        &mut self,
        file: u8,
        to: Path,
        apply: &mut impl FnMut(Change) -> Result<(), E>,
    ) -> Result<(), E> {
        if let Some(replaced) = self.files.iter_mut().find(|file| file.is_some_and(|file| file.path == to)) {
            *replaced = None;
        }
        let Some(file) = &mut self.files[usize::from(file)] else { return Ok(()) };
        let from = core::mem::replace(&mut file.path, to);
        apply(Change::Rename(from, to))
    }

    /// Removes a file, and its directory, if that is empty then.
    fn unlink<E>(&mut self, file: u8, apply: &mut impl FnMut(Change) -> Result<(), E>) -> Result<(), E> {
        let Some(file) = self.files[usize::from(file)].take() else { return Ok(()) };
        apply(Change::Unlink(file.path))?;
        let directory = file.path.directory;
        if directory != Directory::ROOT && self.entries(directory) == 0 {
            self.made[usize::from(directory.0)] = false;
            apply(Change::RemoveDirectory(directory))?;
        }
        Ok(())
    }
}

/// Bytes of a write: some fit a record, some a block, some span extents.
const fn length(random: &mut Random) -> u32 {
    1 + match random.below(4) {
        0 => random.below(100),
        1 => random.below(600),
        _ => random.below(6000),
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::{collections::BTreeMap, string::String, string::ToString, vec, vec::Vec};

    /// Does the changes to a map of paths, and holds each to what it says.
    #[test]
    fn the_changes_lead_to_the_tree_and_are_of_all_kinds() {
        let mut tree = Tree::EMPTY;
        let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        let mut kinds = [0; 7];
        for sequence in 1..=2000 {
            tree.step(|change| {
                let kind = match change {
                    Change::MakeDirectory(_) => 0,
                    Change::RemoveDirectory(directory) => {
                        let inside = std::format!("{}/", directory.path());
                        assert!(files.keys().all(|path| !path.starts_with(&inside)));
                        1
                    }
                    Change::Create(path) => {
                        assert!(files.insert(path.to_string(), vec![]).is_none());
                        2
                    }
                    Change::Write(path, piece) => {
                        let file = files.get_mut(&path.to_string()).expect("it was made");
                        let size = file.len().max(piece.end() as usize);
                        file.resize(size, 0);
                        piece.fill(0, file);
                        3
                    }
                    Change::Rename(from, to) => {
                        let file = files.remove(&from.to_string()).expect("it was made");
                        if files.insert(to.to_string(), file).is_some() { 4 } else { 5 }
                    }
                    Change::Unlink(path) => {
                        files.remove(&path.to_string()).expect("it was made");
                        6
                    }
                };
                kinds[kind] += 1;
                Ok::<_, ()>(())
            })
            .expect("nothing fails");
            assert_eq!(tree.sequence(), sequence);
            if sequence % 37 != 0 {
                continue;
            }
            let mut found = BTreeMap::new();
            for (path, contents) in tree.files() {
                let mut bytes = vec![0; contents.size() as usize];
                contents.fill(0, &mut bytes);
                found.insert(path.to_string(), bytes);
            }
            assert!(found == files, "after {sequence}");
        }
        assert!(kinds.iter().all(|&times| times >= 20), "{kinds:?}");
    }
}
