//! Patterns in paths of the pool: each name between slashes may be one.

use super::path::{self, PoolPath};
use super::tree::children;
use crate::output::failure::{Code, Failure};
use crate::output::names;
use dynamicfs_core::ReadObjects;
use dynamicfs_core::error::Error;
use dynamicfs_core::files::split_path;
use globset::{GlobBuilder, GlobMatcher};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Whether a name may be a pattern.
fn is_pattern(name: &[u8]) -> bool {
    name.iter().any(|byte| b"*?[{".contains(byte))
}

/// A pattern of names. One that does not begin with a dot takes no names that do, as in a shell.
#[derive(Debug)]
pub(crate) struct NamePattern {
    matcher: GlobMatcher,
    takes_hidden: bool,
}

impl NamePattern {
    pub(crate) fn new(pattern: &[u8]) -> Result<Self, Failure> {
        let shown = names::show(pattern);
        let failed = |why: String| {
            Failure::new(Code::InvalidArgument, format!("`{shown}` is not a pattern of names: {why}"))
                .hint("write * for any characters, ? for one, [abc] for one of some")
        };
        let text = std::str::from_utf8(pattern).map_err(|_| failed("it is not UTF-8".into()))?;
        let glob = GlobBuilder::new(text).literal_separator(true).backslash_escape(true).build();
        let glob = glob.map_err(|error| failed(error.kind().to_string()))?;
        Ok(Self { matcher: glob.compile_matcher(), takes_hidden: text.starts_with('.') })
    }

    /// The same, of names that begin with a dot too.
    #[must_use]
    pub(crate) fn with_hidden(self) -> Self {
        Self { takes_hidden: true, ..self }
    }

    pub(crate) fn takes(&self, name: &[u8]) -> bool {
        (self.takes_hidden || !name.starts_with(b"."))
            && self.matcher.is_match(Path::new(OsStr::from_bytes(name)))
    }
}

/// The paths that typed ones mean: see [`expand`].
pub(crate) fn expand_all(
    contents: &mut impl ReadObjects,
    typed: &[PoolPath],
) -> Result<Vec<PoolPath>, Failure> {
    let mut all = Vec::new();
    for path in typed {
        all.extend(expand(contents, path)?);
    }
    Ok(all)
}

/// The one path that a typed one means.
pub(crate) fn expand_one(contents: &mut impl ReadObjects, typed: &PoolPath) -> Result<PoolPath, Failure> {
    let mut found = expand(contents, typed)?;
    match (found.pop(), found.len()) {
        (Some(only), 0) => Ok(only),
        (_, more) => Err(Failure::new(
            Code::InvalidArgument,
            format!("{typed} matches {} paths, and this takes one", more + 1),
        )
        .hint(format!("see them with `dynamicfs ls {}`", typed.typed()))),
    }
}

/// The paths that a typed one means: itself, or those that match where it has patterns. What exists literally
/// wins.
pub(crate) fn expand(contents: &mut impl ReadObjects, typed: &PoolPath) -> Result<Vec<PoolPath>, Failure> {
    if !is_pattern(typed.as_bytes()) || path::find_if_any(contents, typed, false)?.is_some() {
        return Ok(vec![typed.clone()]);
    }
    let mut found = vec![PoolPath::root()];
    for name in split_path(typed.as_bytes()) {
        let mut below = Vec::new();
        for directory in &found {
            matching(contents, directory, name, &mut below)?;
        }
        found = below;
    }
    if typed.ends_with_slash() {
        let mut directories = Vec::new();
        for path in found {
            if path::find(contents, &path, true).is_ok_and(|node| node.is_directory()) {
                directories.push(path);
            }
        }
        found = directories;
    }
    if found.is_empty() {
        return Err(Failure::new(Code::NotFound, format!("{typed}: nothing matches"))
            .hint("see the names with `dynamicfs ls`; a name that is not a pattern is found as it is"));
    }
    Ok(found)
}

/// Adds the entries of a directory that a name means.
fn matching(
    contents: &mut impl ReadObjects,
    directory: &PoolPath,
    name: &[u8],
    found: &mut Vec<PoolPath>,
) -> Result<(), Failure> {
    let Some(node) = path::find_if_any(contents, directory, true)?.filter(|node| node.is_directory()) else {
        return Ok(());
    };
    let failed = |error: Error| Failure::object(error, directory);
    match contents.lookup(node.object, name) {
        Ok(_) => found.push(directory.join(name)),
        Err(Error::NotFound) if is_pattern(name) => {
            let pattern = NamePattern::new(name)?;
            let entries = children(contents, node.object).map_err(failed)?;
            let matched = entries.iter().filter(|child| pattern.takes(&child.name));
            found.extend(matched.map(|child| directory.join(&child.name)));
        }
        Err(Error::NotFound) => {}
        Err(error) => return Err(failed(error)),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_take_names_as_in_a_shell() {
        let takes = |pattern: &[u8], name: &[u8]| NamePattern::new(pattern).unwrap().takes(name);
        assert!(takes(b"*.txt", b"a.txt") && !takes(b"*.txt", b".a.txt") && takes(b".*", b".a.txt"));
        assert!(takes(b"[ab]?", b"bx") && !takes(b"[ab]?", b"cx") && takes(b"{a,b}*", b"bcd"));
        assert!(takes(b"*", b"\xff\n") && takes(b"a\\*", b"a*") && !takes(b"a\\*", b"ab"));
        assert!(NamePattern::new(b"[a").is_err());
    }
}
