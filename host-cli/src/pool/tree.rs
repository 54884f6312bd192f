//! Walking directories of the pool.

use super::path::{Node, PoolPath};
use super::readable::readable;
use crate::host::interrupt;
use crate::output::failure::Failure;
use crate::output::names::ToldPath;
use dynamicfs_core::ReadObjects;
use dynamicfs_core::error::Error;
use dynamicfs_core::error::StorageError;
use dynamicfs_core::types::ObjectId;
use std::collections::HashSet;
use std::ops::ControlFlow;

/// A directory's entry.
#[derive(Clone, Debug)]
pub(crate) struct Child {
    pub(crate) name: Vec<u8>,
    pub(crate) object: ObjectId,
}

/// A directory's entries, by name.
pub(crate) fn children(contents: &mut impl ReadObjects, directory: ObjectId) -> Result<Vec<Child>, Error> {
    let mut children = Vec::new();
    contents.list(directory, 0, |entry| {
        children.push(Child { name: entry.name.to_vec(), object: entry.object });
        ControlFlow::<()>::Continue(())
    })?;
    children.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    Ok(children)
}

/// A moment of a walk.
pub(crate) enum Visit<'v> {
    /// Something: a directory before what is in it.
    Enter(&'v PoolPath, &'v Node),
    /// A directory after what is in it.
    Leave(&'v PoolPath, &'v Node),
    /// Something that cannot be read.
    Failed(&'v PoolPath, Failure),
}

/// A directory that a walk is in.
struct Open {
    node: Node,
    /// Bytes of the path of the directory above.
    above: usize,
    /// Its entries that are still to be met, from the last to the first.
    left: Vec<Child>,
}

/// Walks what is at a path, and all below it, in the order of names. `visit` says whether to go down into a directory.
///
/// How deep the directories are is not this program's choice: the walk has a stack of its own, and one path
/// for all.
pub(crate) fn walk<R: ReadObjects>(
    contents: &mut R,
    path: &PoolPath,
    node: Node,
    visit: &mut dyn FnMut(&mut R, Visit<'_>) -> Result<bool, Failure>,
) -> Result<(), Failure> {
    interrupt::check()?;
    if !visit(contents, Visit::Enter(path, &node))? || !node.is_directory() {
        return Ok(());
    }
    let mut path = path.clone();
    // A directory has one name. A second one would be a forgery, and could lead round in a circle.
    let mut met = HashSet::from([node.object]);
    let left = children_or_failure(contents, &path, &node, visit)?;
    let mut open = vec![Open { node, above: path.as_bytes().len(), left }];
    while let Some(Open { node, above, left }) = open.last_mut() {
        interrupt::check()?;
        let Some(child) = left.pop() else {
            visit(contents, Visit::Leave(&path, node))?;
            path.shorten(*above);
            open.pop();
            continue;
        };
        let above = path.push(&child.name);
        let node = match contents.inode(child.object) {
            Ok(inode) => Node { object: child.object, inode },
            Err(error) => {
                visit(contents, Visit::Failed(&path, Failure::object(error, &path)))?;
                path.shorten(above);
                continue;
            }
        };
        if node.is_directory() && !met.insert(node.object) {
            let error = Error::Storage(StorageError::RecordInvalid { object: node.object });
            visit(contents, Visit::Failed(&path, Failure::object(error, &path)))?;
        } else if visit(contents, Visit::Enter(&path, &node))? && node.is_directory() {
            let left = children_or_failure(contents, &path, &node, visit)?;
            open.push(Open { node, above, left });
            continue;
        }
        path.shorten(above);
    }
    Ok(())
}

/// A directory's entries from the last to the first; none if it cannot be read.
fn children_or_failure<R: ReadObjects>(
    contents: &mut R,
    path: &PoolPath,
    node: &Node,
    visit: &mut dyn FnMut(&mut R, Visit<'_>) -> Result<bool, Failure>,
) -> Result<Vec<Child>, Failure> {
    match children(contents, node.object) {
        Ok(mut children) => {
            children.reverse();
            Ok(children)
        }
        Err(error) => {
            visit(contents, Visit::Failed(path, Failure::object(error, path)))?;
            Ok(Vec::new())
        }
    }
}

/// The paths of objects, as far as directories can be read.
pub(crate) fn paths_of(
    contents: &mut impl ReadObjects,
    mut objects: Vec<ObjectId>,
) -> Result<Vec<ToldPath>, Failure> {
    objects.sort_unstable();
    objects.dedup();
    let mut paths = Vec::new();
    if objects.is_empty() {
        return Ok(paths);
    }
    let Some(inode) = readable(contents.inode(ObjectId::ROOT))? else { return Ok(paths) };
    let root = Node { object: ObjectId::ROOT, inode };
    walk(contents, &PoolPath::root(), root, &mut |_, visit| {
        if let Visit::Enter(path, node) = visit
            && objects.binary_search(&node.object).is_ok()
        {
            paths.push(path.into());
        }
        Ok(true)
    })?;
    Ok(paths)
}
