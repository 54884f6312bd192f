//! Paths in the pool: bytes that begin with `/`.

use crate::output::failure::{Code, Failure};
use crate::output::names;
use dynamicfs_core::ReadObjects;
use dynamicfs_core::error::Error;
use dynamicfs_core::files::{Inode, ObjectKind, check_name, split_path};
use dynamicfs_core::types::ObjectId;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::OsStrExt;

/// Symbolic links that are followed on one way.
const LINKS_FOLLOWED: usize = 40;

/// A path in the pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PoolPath(Vec<u8>);

impl fmt::Display for PoolPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&names::show(&self.0))
    }
}

impl From<&PoolPath> for names::ToldPath {
    fn from(path: &PoolPath) -> Self {
        path.as_bytes().into()
    }
}

impl PoolPath {
    /// Takes a path as it was typed.
    pub(crate) fn new(typed: &OsStr) -> Result<Self, Failure> {
        let path = typed.as_bytes();
        let shown = names::show(path);
        if path.first() != Some(&b'/') {
            return Err(Failure::new(
                Code::InvalidName,
                format!("`{shown}` is not a path in the pool: such paths begin with /"),
            )
            .hint(format!("write /{shown}")));
        }
        for name in split_path(path) {
            check_name(name).map_err(|_| {
                let why = if name.len() > 255 {
                    "is longer than 255 bytes"
                } else {
                    "cannot be a name in the pool"
                };
                Failure::new(Code::InvalidName, format!("`{}` in `{shown}` {why}", names::show(name)))
            })?;
        }
        Ok(Self(path.to_vec()))
    }

    /// Takes several paths as they were typed; one that cannot be fails all.
    pub(crate) fn all(typed: &[OsString]) -> Result<Vec<Self>, Failure> {
        typed.iter().map(|path| Self::new(path)).collect()
    }

    pub(crate) fn root() -> Self {
        Self(b"/".to_vec())
    }

    /// The path as a command is given it in a shell.
    pub(crate) fn typed(&self) -> String {
        names::typed(&self.0)
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether it was typed as a directory.
    pub(crate) fn ends_with_slash(&self) -> bool {
        self.0.ends_with(b"/")
    }

    /// The last name; none for the root.
    pub(crate) fn name(&self) -> Option<&[u8]> {
        split_path(&self.0).next_back()
    }

    /// The path of an entry of this directory.
    #[must_use]
    pub(crate) fn join(&self, name: &[u8]) -> Self {
        let mut path = self.clone();
        path.push(name);
        path
    }

    /// Goes on to an entry of this directory; how long the path was.
    pub(crate) fn push(&mut self, name: &[u8]) -> usize {
        let length = self.0.len();
        if !self.0.ends_with(b"/") {
            self.0.push(b'/');
        }
        self.0.extend_from_slice(name);
        length
    }

    /// Goes back to what the path was before a [`push`](Self::push).
    pub(crate) fn shorten(&mut self, length: usize) {
        self.0.truncate(length);
    }

    /// The directory that this is in, and the last name; the root is in nothing.
    pub(crate) fn split(&self) -> Result<(Self, &[u8]), Failure> {
        let name = self
            .name()
            .ok_or_else(|| Failure::new(Code::InvalidName, "/ is the root, which this cannot be done to"))?;
        let mut parent = Vec::new();
        let mut parts = split_path(&self.0).peekable();
        while let Some(part) = parts.next() {
            if parts.peek().is_some() {
                parent.push(b'/');
                parent.extend_from_slice(part);
            }
        }
        if parent.is_empty() {
            parent.push(b'/');
        }
        Ok((Self(parent), name))
    }
}

/// Something at a path.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Node {
    pub(crate) object: ObjectId,
    pub(crate) inode: Inode,
}

impl Node {
    pub(crate) fn is_directory(&self) -> bool {
        self.inode.kind == ObjectKind::Directory
    }
}

/// What a path names; links on the way are followed, and the last one too with `follow`.
pub(crate) fn find(contents: &mut impl ReadObjects, path: &PoolPath, follow: bool) -> Result<Node, Failure> {
    let found = walk(contents, path.as_bytes(), follow || path.ends_with_slash());
    let node = found.map_err(|error| Failure::object(error, path))?;
    if path.ends_with_slash() && !node.is_directory() {
        return Err(Failure::object(Error::NotADirectory, path));
    }
    Ok(node)
}

/// As [`find`], where nothing at the path is an answer too.
pub(crate) fn find_if_any(
    contents: &mut impl ReadObjects,
    path: &PoolPath,
    follow: bool,
) -> Result<Option<Node>, Failure> {
    match find(contents, path, follow) {
        Ok(node) => Ok(Some(node)),
        Err(failure) if failure.code() == Code::NotFound => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// The directory at a path.
pub(crate) fn find_directory(contents: &mut impl ReadObjects, path: &PoolPath) -> Result<ObjectId, Failure> {
    let node = find(contents, path, true)?;
    if node.is_directory() { Ok(node.object) } else { Err(Failure::object(Error::NotADirectory, path)) }
}

fn walk(contents: &mut impl ReadObjects, path: &[u8], follow: bool) -> Result<Node, Error> {
    let mut rest: Vec<Vec<u8>> = split_path(path).rev().map(<[u8]>::to_vec).collect();
    let mut above = Vec::new();
    let mut at = ObjectId::ROOT;
    let mut links = 0;
    while let Some(name) = rest.pop() {
        match name.as_slice() {
            // Only targets of links have these.
            b"." => continue,
            b".." => {
                at = above.pop().unwrap_or(ObjectId::ROOT);
                continue;
            }
            _ => {}
        }
        let target = contents.lookup(at, &name)?;
        if target.kind != ObjectKind::Symlink || rest.is_empty() && !follow {
            above.push(at);
            at = target.object;
            continue;
        }
        links += 1;
        if links > LINKS_FOLLOWED {
            return Err(Error::TooLarge);
        }
        let to = link_target(contents, target.object)?;
        if to.first() == Some(&b'/') {
            above.clear();
            at = ObjectId::ROOT;
        }
        rest.extend(split_path(&to).rev().map(<[u8]>::to_vec));
    }
    Ok(Node { object: at, inode: contents.inode(at)? })
}

/// Where a symbolic link points.
pub(crate) fn link_target(contents: &mut impl ReadObjects, link: ObjectId) -> Result<Vec<u8>, Error> {
    let mut target = vec![0; dynamicfs_core::limits::SYMLINK_BYTES_MAX];
    let bytes = contents.read(link, 0, &mut target)?;
    target.truncate(bytes);
    Ok(target)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> PoolPath {
        PoolPath::new(OsStr::new(text)).unwrap()
    }

    #[test]
    fn paths_are_split_into_directory_and_name() {
        for (whole, directory, name) in [("/a", "/", "a"), ("/a/b", "/a", "b"), ("//a//b/", "/a", "b")] {
            let whole = path(whole);
            assert_eq!(whole.split().unwrap(), (path(directory), name.as_bytes()));
        }
        assert!(path("/").split().is_err());
    }

    #[test]
    fn paths_that_would_lead_astray_are_refused() {
        for bad in ["", "a", "/a/../b", "/.", &format!("/{}", "x".repeat(256))] {
            assert!(PoolPath::new(OsStr::new(bad)).is_err(), "{bad}");
        }
    }
}
