//! Where files are.

use core::fmt::{self, Write};

/// The directories that there may be, each after what it is in. The first is the root.
const DIRECTORIES: [(&str, u8); DIRECTORY_COUNT] =
    [("", 0), ("/logs", 0), ("/data", 0), ("/data/deep", 2), ("/spool", 0)];

/// How many directories there may be.
pub(crate) const DIRECTORY_COUNT: usize = 5;

/// Of so many names one is long.
const LONG_NAME_EVERY: u32 = 3;

/// One of the directories.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Directory(pub(crate) u8);

impl Directory {
    /// The root, which is always there.
    pub const ROOT: Self = Self(0);

    /// All of them, each after what it is in.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..DIRECTORY_COUNT as u8).map(Self)
    }

    /// Its path; empty for the root.
    pub const fn path(self) -> &'static str {
        DIRECTORIES[self.0 as usize].0
    }

    /// What it is in; of the root itself.
    pub const fn parent(self) -> Self {
        Self(DIRECTORIES[self.0 as usize].1)
    }

    /// Its name in that.
    pub fn name(self) -> &'static str {
        self.path().rsplit('/').next().unwrap_or_default()
    }
}

/// A file's path: no two that are ever given are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Path {
    /// What the file is in.
    pub directory: Directory,
    pub(crate) file: u8,
    pub(crate) stamp: u32,
}

impl Path {
    /// The file's name.
    pub fn name(&self) -> Text {
        let mut text = Text::default();
        // A text has room for every name.
        let _ = write!(text, "file-{}-{}", self.file, self.stamp);
        if self.stamp.is_multiple_of(LONG_NAME_EVERY) {
            let _ = write!(text, "-{:-<60}", "a-name-that-does-not-fit-a-short-record");
        }
        text
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.directory.path(), self.name().as_str())
    }
}

/// A text of at most 96 bytes.
#[derive(Clone, Copy, Debug)]
pub struct Text {
    bytes: [u8; 96],
    length: usize,
}

impl Default for Text {
    fn default() -> Self {
        Self { bytes: [0; _], length: 0 }
    }
}

impl Text {
    /// The text.
    pub fn as_str(&self) -> &str {
        // Nothing but texts is written to it, each of them whole.
        core::str::from_utf8(&self.bytes[..self.length]).unwrap_or_default()
    }
}

impl Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.length + text.len();
        self.bytes.get_mut(self.length..end).ok_or(fmt::Error)?.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}
