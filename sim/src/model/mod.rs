//! The oracle: a pool as plain maps in memory, and how to tell whether a real one equals it.

mod observe;

pub use observe::{LoadError, OBJECT_BYTES_MAX, load, observe, observe_node};

use crate::workload::Operation;
use crate::world::Placed;
use dynamicfs_core::error::{Error, StorageError};
use dynamicfs_core::object::{AttributeMode, Attributes, MakeRequest, RenameMode, split_path};
use dynamicfs_core::types::ObjectId;
use dynamicfs_core::{ReadObjects, Transaction};
use dynamicfs_hal::DiskArray;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What one object is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contents {
    /// A file's bytes.
    File(Vec<u8>),
    /// A directory's entries.
    Directory(BTreeMap<Vec<u8>, u64>),
    /// A symbolic link's target.
    Symlink(Vec<u8>),
}

/// An object of the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// What it is.
    pub contents: Contents,
    /// Names, or for a directory two and its subdirectories.
    pub links: u32,
    /// Extended attributes.
    pub attributes: BTreeMap<Vec<u8>, Vec<u8>>,
}

/// A pool in memory. Two are equal that a mount cannot tell apart: what is held, and what has no name, ends
/// with it.
#[derive(Clone, Debug)]
pub struct Model {
    /// Objects by number. Copies of a model share what neither changed.
    pub nodes: BTreeMap<u64, Arc<Node>>,
    /// Objects that have no name and are there because they are held.
    pub unnamed: BTreeMap<u64, Arc<Node>>,
    /// Objects that are held, and how often.
    pub pins: BTreeMap<u64, u32>,
}

impl PartialEq for Model {
    fn eq(&self, other: &Self) -> bool {
        self.nodes == other.nodes
    }
}

impl Eq for Model {}

impl Default for Model {
    fn default() -> Self {
        let root =
            Node { contents: Contents::Directory(BTreeMap::new()), links: 2, attributes: BTreeMap::new() };
        Self { nodes: BTreeMap::from([(ObjectId::ROOT.0, Arc::new(root))]), ..Self::NOTHING }
    }
}

/// What an operation came to, in the model or in a pool.
pub type Outcome = Result<Option<ObjectId>, Error>;

impl Model {
    /// Not even a root.
    const NOTHING: Self = Self { nodes: BTreeMap::new(), unnamed: BTreeMap::new(), pins: BTreeMap::new() };

    /// An object, whether it has a name or not.
    pub fn node(&self, object: u64) -> Option<&Arc<Node>> {
        self.nodes.get(&object).or_else(|| self.unnamed.get(&object))
    }

    fn node_mut(&mut self, object: u64) -> Option<&mut Node> {
        self.nodes.get_mut(&object).or_else(|| self.unnamed.get_mut(&object)).map(Arc::make_mut)
    }

    /// A mount ended: nothing is held any more.
    pub fn let_go(&mut self) {
        self.unnamed.clear();
        self.pins.clear();
    }

    /// A transaction that came to this was dropped: what it held of what is there is held all the same.
    pub fn keep_pins(&mut self, dropped: &Self) {
        self.pins = dropped.pins.clone();
        self.pins.retain(|object, _| self.nodes.contains_key(object) || self.unnamed.contains_key(object));
        self.unnamed.retain(|object, _| self.pins.contains_key(object));
    }

    fn pin(&mut self, object: ObjectId) -> Outcome {
        match self.node(object.0).map(|node| &node.contents) {
            None => Err(Error::NotFound),
            Some(Contents::Directory(_)) => Err(Error::IsADirectory),
            Some(_) => {
                *self.pins.entry(object.0).or_default() += 1;
                Ok(None)
            }
        }
    }

    fn unpin(&mut self, object: ObjectId) -> Outcome {
        let holders = self.pins.get_mut(&object.0).ok_or(Error::NotFound)?;
        *holders -= 1;
        if *holders == 0 {
            self.pins.remove(&object.0);
            self.unnamed.remove(&object.0);
        }
        Ok(None)
    }

    /// Zeros what of a range is there, and grows the file to its end if it is told so.
    fn zero(&mut self, object: ObjectId, offset: u64, bytes: u64, grows: bool) -> Outcome {
        self.edit(object, |contents| {
            let end = (offset + bytes) as usize;
            if grows && bytes > 0 && end > contents.len() {
                contents.resize(end, 0);
            }
            let within = |at: usize| at.min(contents.len());
            let range = within(offset as usize)..within(end);
            contents[range].fill(0);
        })
    }

    fn move_contents(&mut self, from: (ObjectId, u64), to: (ObjectId, u64), bytes: u64) -> Outcome {
        let mut moved = Vec::new();
        self.edit(from.0, |contents| moved.clone_from(contents))?;
        if from.0 == to.0 || !(from.1 | to.1 | bytes).is_multiple_of(4096) {
            return Err(Error::InvalidArgument);
        }
        let start = (from.1 as usize).min(moved.len());
        let moved = &moved[start..moved.len().min((from.1 + bytes) as usize)];
        if moved.is_empty() {
            return Ok(None);
        }
        self.zero(from.0, from.1, bytes, false)?;
        self.edit(to.0, |contents| {
            let start = to.1 as usize;
            contents.resize(contents.len().max(start + moved.len()), 0);
            contents[start..start + moved.len()].copy_from_slice(moved);
        })
    }

    fn directory(&mut self, object: ObjectId) -> Result<&mut BTreeMap<Vec<u8>, u64>, Error> {
        match self.node_mut(object.0).map(|node| &mut node.contents) {
            None => Err(Error::NotFound),
            Some(Contents::Directory(entries)) => Ok(entries),
            Some(_) => Err(Error::NotADirectory),
        }
    }

    fn is_directory(&self, object: u64) -> bool {
        self.nodes.get(&object).is_some_and(|node| matches!(node.contents, Contents::Directory(_)))
    }

    /// Does what the operation should do. `made` is the number that the pool gave to a new object.
    pub fn apply(&mut self, operation: &Operation, made: Option<ObjectId>) -> Outcome {
        match operation {
            Operation::Create { directory, name } => {
                self.make(*directory, name, Contents::File(Vec::new()), made)
            }
            Operation::MakeDirectory { directory, name } => {
                self.make(*directory, name, Contents::Directory(BTreeMap::new()), made)
            }
            Operation::Symlink { directory, name, target } => {
                self.make(*directory, name, Contents::Symlink(target.clone()), made)
            }
            Operation::Link { object, directory, name } => self.link(*object, *directory, name),
            Operation::Unlink { directory, name } => self.unlink(*directory, name),
            Operation::Rename { from, from_name, to, to_name, mode: RenameMode::Exchange } => {
                self.exchange((*from, from_name), (*to, to_name))
            }
            Operation::Rename { from, from_name, to, to_name, mode } => {
                self.rename((*from, from_name), (*to, to_name), *mode == RenameMode::Replace)
            }
            Operation::Write { object, offset, data } => self.edit(*object, |bytes| {
                let end = *offset as usize + data.len();
                if bytes.len() < end && !data.is_empty() {
                    bytes.resize(end, 0);
                }
                if !data.is_empty() {
                    bytes[*offset as usize..end].copy_from_slice(data);
                }
            }),
            Operation::Truncate { object, size } => {
                self.edit(*object, |bytes| bytes.resize(*size as usize, 0))
            }
            Operation::Punch { object, offset, bytes } => self.zero(*object, *offset, *bytes, false),
            Operation::Zero { object, offset, bytes } => self.zero(*object, *offset, *bytes, true),
            Operation::Move { from, from_offset, to, to_offset, bytes } => {
                self.zero(*to, *to_offset, *bytes, false)?;
                self.move_contents((*from, *from_offset), (*to, *to_offset), *bytes)
            }
            Operation::CreateUnnamed => {
                let Some(made) = made else { return Ok(None) };
                let contents = Contents::File(Vec::new());
                let node = Node { contents, links: 0, attributes: BTreeMap::new() };
                let known = self.unnamed.insert(made.0, Arc::new(node));
                assert!(known.is_none(), "object number {} was given twice", made.0);
                self.pin(made).map(|_| Some(made))
            }
            Operation::Pin { object } => self.pin(*object),
            Operation::Unpin { object } => self.unpin(*object),
            Operation::SetAttribute { object, name, value, mode } => {
                let node = self.node_mut(object.0).ok_or(Error::NotFound)?;
                match (mode, node.attributes.contains_key(name)) {
                    (AttributeMode::Create, true) => return Err(Error::Exists),
                    (AttributeMode::Replace, false) => return Err(Error::NotFound),
                    _ => {}
                }
                node.attributes.insert(name.clone(), value.clone());
                Ok(None)
            }
            Operation::RemoveAttribute { object, name } => {
                let node = self.node_mut(object.0).ok_or(Error::NotFound)?;
                node.attributes.remove(name).map(|_| None).ok_or(Error::NotFound)
            }
            Operation::CreateAll { path } => self.create_all(path, made),
            Operation::WriteFile { path, data } => self.write_file(path, data, made),
            Operation::RemoveAll { path } => {
                let (directory, name) = self.parent_of(path)?;
                self.remove_all(directory, name)
            }
        }
    }

    /// The path of a directory from the root; `None` if it is not there.
    pub fn path_of(&self, directory: ObjectId) -> Option<Vec<u8>> {
        self.path_below(ObjectId::ROOT.0, directory.0)
    }

    fn path_below(&self, from: u64, directory: u64) -> Option<Vec<u8>> {
        if from == directory {
            return Some(Vec::new());
        }
        let Some(Contents::Directory(entries)) = self.nodes.get(&from).map(|node| &node.contents) else {
            return None;
        };
        entries.iter().find_map(|(name, &child)| {
            let rest = self.path_below(child, directory)?;
            Some([b"/", &name[..], &rest[..]].concat())
        })
    }

    fn parent_of<'p>(&mut self, path: &'p [u8]) -> Result<(ObjectId, &'p [u8]), Error> {
        let mut names = split_path(path);
        let last = names.next_back().ok_or(Error::InvalidName)?;
        let directory = names.try_fold(ObjectId::ROOT, |directory, name| {
            self.directory(directory)?.get(name).map(|&object| ObjectId(object)).ok_or(Error::NotFound)
        })?;
        Ok((directory, last))
    }

    /// Objects that are made one after the other have numbers one after the other: the last is `made`.
    fn create_all(&mut self, path: &[u8], made: Option<ObjectId>) -> Outcome {
        let (mut directory, mut names) = (ObjectId::ROOT, split_path(path).peekable());
        while let Some(&name) = names.peek() {
            let Some(&object) = self.directory(directory)?.get(name) else { break };
            directory = ObjectId(object);
            names.next();
        }
        if !self.is_directory(directory.0) {
            return Err(Error::NotADirectory);
        }
        let missing: Vec<&[u8]> = names.collect();
        for (left, name) in (0..missing.len() as u64).rev().zip(&missing) {
            let made = made.map(|last| ObjectId(last.0 - left));
            let contents = Contents::Directory(BTreeMap::new());
            directory = self.make(directory, name, contents, made)?.unwrap_or(directory);
        }
        Ok(made.map(|_| directory))
    }

    fn write_file(&mut self, path: &[u8], data: &[u8], made: Option<ObjectId>) -> Outcome {
        let (directory, name) = self.parent_of(path)?;
        let old = self.directory(directory)?.get(name).copied();
        if let Some(old) = old {
            if self.is_directory(old) {
                return Err(Error::IsADirectory);
            }
            self.directory(directory)?.remove(name);
            self.drop_link(directory, old);
        }
        self.make(directory, name, Contents::File(data.to_vec()), made)
    }

    fn remove_all(&mut self, directory: ObjectId, name: &[u8]) -> Outcome {
        let target = *self.directory(directory)?.get(name).ok_or(Error::NotFound)?;
        if let Some(Contents::Directory(entries)) = self.nodes.get(&target).map(|node| &node.contents) {
            for name in entries.keys().cloned().collect::<Vec<_>>() {
                self.remove_all(ObjectId(target), &name)?;
            }
        }
        self.unlink(directory, name)
    }

    fn make(
        &mut self,
        directory: ObjectId,
        name: &[u8],
        contents: Contents,
        made: Option<ObjectId>,
    ) -> Outcome {
        let is_directory = matches!(contents, Contents::Directory(_));
        let entries = self.directory(directory)?;
        if entries.contains_key(name) {
            return Err(Error::Exists);
        }
        let Some(made) = made else { return Ok(None) };
        entries.insert(name.to_vec(), made.0);
        let links = if is_directory { 2 } else { 1 };
        let node = Node { contents, links, attributes: BTreeMap::new() };
        let known = self.nodes.insert(made.0, Arc::new(node));
        assert!(known.is_none(), "object number {} was given twice", made.0);
        self.count_links(directory, i64::from(is_directory));
        Ok(Some(made))
    }

    fn count_links(&mut self, object: ObjectId, delta: i64) {
        if let Some(node) = self.node_mut(object.0) {
            node.links = (i64::from(node.links) + delta) as u32;
        }
    }

    fn link(&mut self, object: ObjectId, directory: ObjectId, name: &[u8]) -> Outcome {
        self.directory(directory)?;
        if self.node(object.0).is_none() {
            return Err(Error::NotFound);
        }
        if self.is_directory(object.0) {
            return Err(Error::IsADirectory);
        }
        let entries = self.directory(directory)?;
        if entries.contains_key(name) {
            return Err(Error::Exists);
        }
        entries.insert(name.to_vec(), object.0);
        if let Some(unnamed) = self.unnamed.remove(&object.0) {
            self.nodes.insert(object.0, unnamed);
        }
        self.count_links(object, 1);
        Ok(None)
    }

    fn unlink(&mut self, directory: ObjectId, name: &[u8]) -> Outcome {
        let target = *self.directory(directory)?.get(name).ok_or(Error::NotFound)?;
        self.check_empty(target)?;
        self.directory(directory)?.remove(name);
        self.drop_link(directory, target);
        Ok(None)
    }

    fn check_empty(&self, object: u64) -> Result<(), Error> {
        match self.nodes.get(&object).map(|node| &node.contents) {
            Some(Contents::Directory(entries)) if !entries.is_empty() => Err(Error::NotEmpty),
            _ => Ok(()),
        }
    }

    fn drop_link(&mut self, directory: ObjectId, target: u64) {
        if self.is_directory(target) {
            self.nodes.remove(&target);
            self.count_links(directory, -1);
            return;
        }
        self.count_links(ObjectId(target), -1);
        if let Some(node) = self.nodes.remove(&target) {
            match node.links {
                0 if self.pins.contains_key(&target) => self.unnamed.insert(target, node),
                0 => None,
                _ => self.nodes.insert(target, node),
            };
        }
    }

    fn is_below(&self, directory: u64, ancestor: u64) -> bool {
        directory == ancestor
            || matches!(self.nodes.get(&ancestor).map(|node| &node.contents), Some(Contents::Directory(entries))
                if entries.values().any(|&child| self.is_directory(child) && self.is_below(directory, child)))
    }

    fn exchange(&mut self, one: (ObjectId, &Vec<u8>), other: (ObjectId, &Vec<u8>)) -> Outcome {
        self.directory(one.0)?;
        self.directory(other.0)?;
        let target = *self.directory(one.0)?.get(one.1).ok_or(Error::NotFound)?;
        let other_target = *self.directory(other.0)?.get(other.1).ok_or(Error::NotFound)?;
        if target == other_target {
            return Ok(None);
        }
        for (moved, to) in [(target, other.0), (other_target, one.0)] {
            if self.is_directory(moved) && self.is_below(to.0, moved) {
                return Err(Error::IntoItself);
            }
        }
        for (moved, (from, _), (to, name)) in [(target, one, other), (other_target, other, one)] {
            self.directory(to)?.insert(name.clone(), moved);
            let links = i64::from(self.is_directory(moved));
            self.count_links(to, links);
            self.count_links(from, -links);
        }
        Ok(None)
    }

    fn rename(&mut self, from: (ObjectId, &Vec<u8>), to: (ObjectId, &Vec<u8>), replace: bool) -> Outcome {
        self.directory(from.0)?;
        self.directory(to.0)?;
        let target = *self.directory(from.0)?.get(from.1).ok_or(Error::NotFound)?;
        let replaced = self.directory(to.0)?.get(to.1).copied();
        if replaced.is_some() && !replace {
            return Err(Error::Exists);
        }
        if replaced == Some(target) {
            return Ok(None);
        }
        let is_directory = self.is_directory(target);
        if let Some(old) = replaced {
            match (is_directory, self.is_directory(old)) {
                (true, false) => return Err(Error::NotADirectory),
                (false, true) => return Err(Error::IsADirectory),
                _ => self.check_empty(old)?,
            }
        }
        if is_directory && self.is_below(to.0.0, target) {
            return Err(Error::IntoItself);
        }
        if let Some(old) = replaced {
            self.directory(to.0)?.remove(to.1);
            self.drop_link(to.0, old);
        }
        self.directory(from.0)?.remove(from.1);
        self.directory(to.0)?.insert(to.1.clone(), target);
        self.count_links(from.0, -i64::from(is_directory));
        self.count_links(to.0, i64::from(is_directory));
        Ok(None)
    }

    fn edit(&mut self, object: ObjectId, f: impl FnOnce(&mut Vec<u8>)) -> Outcome {
        match self.node_mut(object.0).map(|node| &mut node.contents) {
            None => Err(Error::NotFound),
            Some(Contents::Directory(_)) => Err(Error::IsADirectory),
            Some(Contents::Symlink(_)) => Err(Error::NotAFile),
            Some(Contents::File(bytes)) => {
                f(bytes);
                Ok(None)
            }
        }
    }
}

/// Does an operation on a real pool, in the transaction that is open.
pub fn apply<A: DiskArray>(objects: &mut Transaction<'_, '_, A>, operation: &Operation) -> Outcome {
    let plain = Attributes::new().mode(0o644);
    match operation {
        Operation::Create { directory, name } => {
            objects.create(*directory, name, &MakeRequest::File, &plain).map(Some)
        }
        Operation::MakeDirectory { directory, name } => {
            objects.create(*directory, name, &MakeRequest::Directory, &plain).map(Some)
        }
        Operation::Symlink { directory, name, target } => {
            objects.create(*directory, name, &MakeRequest::Symlink(target), &plain).map(Some)
        }
        Operation::Link { object, directory, name } => objects.link(*object, *directory, name).map(|()| None),
        Operation::Unlink { directory, name } => objects.unlink(*directory, name).map(|()| None),
        Operation::Rename { from, from_name, to, to_name, mode } => {
            objects.rename((*from, from_name), (*to, to_name), *mode).map(|()| None)
        }
        Operation::Write { object, offset, data } => {
            let mut placed = is_particular(objects).then(|| Placed::copy(residue(*object, *offset), data));
            let data = placed.as_mut().map_or(&data[..], |placed| placed.bytes());
            objects.write_all(*object, *offset, data).map(|()| None)
        }
        Operation::Truncate { object, size } => objects.truncate(*object, *size).map(|()| None),
        Operation::Punch { object, offset, bytes } => punch(objects, *object, *offset..offset + bytes),
        Operation::Zero { object, offset, bytes } => {
            let range = *offset..offset + bytes;
            let end = objects.zero(*object, range.clone())?;
            whole(end, range.end)
        }
        Operation::Move { from, from_offset, to, to_offset, bytes } => {
            punch(objects, *to, *to_offset..to_offset + bytes)?;
            let moved = objects.move_extents((*from, *from_offset), (*to, *to_offset), *bytes)?;
            let there = objects.inode(*from)?.size.saturating_sub(*from_offset);
            whole(moved.bytes, there.min(*bytes))
        }
        Operation::CreateUnnamed => objects.create_unnamed(&MakeRequest::File, &plain).map(Some),
        Operation::Pin { object } => objects.pin(*object).map(|()| None),
        Operation::Unpin { object } if objects.unpin(*object) => Ok(None),
        Operation::Unpin { .. } => Err(Error::NotFound),
        Operation::SetAttribute { object, name, value, mode } => {
            objects.set_attribute(*object, name, value, *mode).map(|()| None)
        }
        Operation::RemoveAttribute { object, name } => objects.remove_attribute(*object, name).map(|()| None),
        Operation::CreateAll { path } => objects.create_all(path).map(Some),
        Operation::WriteFile { path, data } => objects.write_file(path, data).map(Some),
        Operation::RemoveAll { path } => objects.remove_all(path).map(|()| None),
    }
}

fn punch<A: DiskArray>(
    objects: &mut Transaction<'_, '_, A>,
    object: ObjectId,
    range: std::ops::Range<u64>,
) -> Outcome {
    let end = objects.punch_hole(object, range.clone())?;
    whole(end, range.end)
}

/// What was not done to its end found no space.
fn whole(done: u64, all: u64) -> Outcome {
    if done == all { Ok(None) } else { Err(StorageError::NoSpace.into()) }
}

/// Whether some disk cares where in memory a buffer is.
fn is_particular(objects: &mut impl ReadObjects) -> bool {
    objects.with_array(|array| (0..array.disks()).any(|disk| array.geometry(disk).buffer_alignment > 1))
}

/// Where a caller's buffer for these bytes is: mostly where no disk would have it.
const fn residue(object: ObjectId, offset: u64) -> usize {
    match (object.0 ^ (offset / 512)) % 4 {
        0 => 0,
        1 => 512,
        _ => (object.0 * 24 + offset % 64) as usize | 1,
    }
}

/// Reads all bytes of an object, into a buffer wherever it may be.
pub(crate) fn read_whole(
    objects: &mut impl ReadObjects,
    object: ObjectId,
    bytes: &mut [u8],
) -> Result<usize, Error> {
    if !is_particular(objects) {
        return objects.read(object, 0, bytes);
    }
    let mut placed = Placed::new(residue(object, 0), bytes.len());
    let read = objects.read(object, 0, placed.bytes())?;
    bytes.copy_from_slice(placed.bytes());
    Ok(read)
}

/// Whether an error is the pool's own affair, which the model knows nothing of.
pub fn is_storage(error: &Error) -> Option<StorageError> {
    match error {
        Error::Storage(error) => Some(*error),
        _ => None,
    }
}

impl Model {
    /// Where two models differ first, in words.
    pub fn difference(&self, other: &Self) -> Option<String> {
        for (object, node) in &self.nodes {
            match other.nodes.get(object) {
                None => return Some(format!("object {object} is missing")),
                Some(found) if found == node => {}
                Some(found) => return Some(format!("object {object}: {}", describe(node, found))),
            }
        }
        let extra = other.nodes.keys().find(|object| !self.nodes.contains_key(object));
        extra.map(|object| format!("object {object} should not be there"))
    }
}

fn describe(expected: &Node, found: &Node) -> String {
    match (&expected.contents, &found.contents) {
        (Contents::File(a), Contents::File(b)) if a != b => {
            let at = a.iter().zip(b).position(|(a, b)| a != b).unwrap_or(a.len().min(b.len()));
            format!("contents differ at byte {at} of {} (found {} bytes)", a.len(), b.len())
        }
        (Contents::Directory(a), Contents::Directory(b)) if a != b => {
            format!("entries {}, found {}", names(a), names(b))
        }
        _ if expected.links != found.links => format!("{} links, found {}", expected.links, found.links),
        _ => format!("attributes {}, found {}", names(&expected.attributes), names(&found.attributes)),
    }
}

/// Names as text, long ones cut.
fn names<V>(entries: &BTreeMap<Vec<u8>, V>) -> String {
    let names = entries.keys().map(|name| String::from_utf8_lossy(&name[..name.len().min(12)]).into_owned());
    format!("{:?}", names.collect::<Vec<_>>())
}
