//! A pool read into a model.

use super::{Contents, Model, Node, read_whole};
use dynamicfs_core::error::Error;
use dynamicfs_core::format::inode::ObjectKind;
use dynamicfs_core::limits::NAME_BYTES_MAX;
use dynamicfs_core::types::ObjectId;
use dynamicfs_core::{DirectoryCursor, ReadObjects};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

/// Why a pool could not be read into a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoadError {
    /// The pool said so.
    Pool(Error),
    /// What the pool said contradicts itself.
    Contradiction(&'static str),
}

impl From<Error> for LoadError {
    fn from(error: Error) -> Self {
        Self::Pool(error)
    }
}

impl std::fmt::Display for LoadError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Pool(error) => error.fmt(f),
            Self::Contradiction(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for LoadError {}

/// Reads a whole pool into a model, from the root down.
///
/// # Panics
/// When the pool contradicts itself.
pub fn load(objects: &mut impl ReadObjects) -> Result<Model, Error> {
    observe(objects).map_err(|error| match error {
        LoadError::Pool(error) => error,
        LoadError::Contradiction(what) => panic!("{what}"),
    })
}

/// Bytes of an object that a model holds at most.
pub const OBJECT_BYTES_MAX: u64 = 1 << 26;

/// Reads a whole pool into a model, from the root down; a pool that contradicts itself is an error too.
pub fn observe(objects: &mut impl ReadObjects) -> Result<Model, LoadError> {
    let mut model = Model::NOTHING;
    let mut waiting = vec![ObjectId::ROOT];
    let mut parents = BTreeMap::from([(ObjectId::ROOT, ObjectId::ROOT)]);
    while let Some(object) = waiting.pop() {
        if model.nodes.contains_key(&object.0) {
            continue;
        }
        let node = observe_node(objects, object)?;
        if let Contents::Directory(entries) = &node.contents {
            if parents
                .get(&object)
                .is_some_and(|&parent| Ok(parent) != objects.inode(object).map(|i| i.parent))
            {
                return Err(LoadError::Contradiction("a directory names another than holds it"));
            }
            for &entry in entries.values() {
                parents.insert(ObjectId(entry), object);
                waiting.push(ObjectId(entry));
            }
        }
        model.nodes.insert(object.0, Arc::new(node));
    }
    Ok(model)
}

/// Reads one object.
pub fn observe_node(objects: &mut impl ReadObjects, object: ObjectId) -> Result<Node, LoadError> {
    let inode = objects.inode(object)?;
    let contents = match inode.kind {
        ObjectKind::Directory => {
            let (mut entries, mut name) = (BTreeMap::new(), [0; NAME_BYTES_MAX]);
            let mut cursor = DirectoryCursor::new(object);
            while let Some(entry) = cursor.next(objects, &mut name)? {
                if entries.insert(entry.name.to_vec(), entry.object.0).is_some() {
                    return Err(LoadError::Contradiction("a name is listed twice"));
                }
            }
            if inode.size != entries.len() as u64 {
                return Err(LoadError::Contradiction("a directory miscounts its entries"));
            }
            Contents::Directory(entries)
        }
        kind => {
            if inode.size > OBJECT_BYTES_MAX {
                return Err(LoadError::Contradiction("an object is larger than any that was written"));
            }
            let mut bytes = vec![0xA5; inode.size as usize];
            if read_whole(objects, object, &mut bytes)? != bytes.len() {
                return Err(LoadError::Contradiction("a read gives less than there is"));
            }
            if kind == ObjectKind::Symlink {
                Contents::Symlink(bytes)
            } else {
                look_for_holes(objects, object, &bytes)?;
                Contents::File(bytes)
            }
        }
    };
    let mut names = Vec::new();
    objects.attributes(object, |name| {
        names.push(name.to_vec());
        ControlFlow::<()>::Continue(())
    })?;
    let mut attributes = BTreeMap::new();
    for name in names {
        let mut value = vec![0; 4096];
        let length = objects.attribute(object, &name, &mut value)?;
        value.truncate(length);
        attributes.insert(name, value);
    }
    Ok(Node { contents, links: inode.links, attributes })
}

/// Goes from hole to hole: what is in them is zeros, and they end where data begins.
fn look_for_holes(objects: &mut impl ReadObjects, object: ObjectId, bytes: &[u8]) -> Result<(), LoadError> {
    let size = bytes.len() as u64;
    let mut at = 0;
    while at < size {
        let Some(hole) = objects.seek_hole(object, at)? else {
            return Err(LoadError::Contradiction("there is no hole at the end"));
        };
        let data = objects.seek_data(object, hole)?.unwrap_or(size);
        if hole < at || hole > size || hole < size && data <= hole {
            return Err(LoadError::Contradiction("a hole is where there is none"));
        }
        if bytes[hole as usize..data.max(hole) as usize].iter().any(|&byte| byte != 0) {
            return Err(LoadError::Contradiction("a hole holds something"));
        }
        at = data;
    }
    let beyond = (objects.seek_hole(object, size)?, objects.seek_data(object, size)?);
    if beyond == (None, None) { Ok(()) } else { Err(LoadError::Contradiction("something is behind the end")) }
}
