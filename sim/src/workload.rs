//! Operations on a pool, and random ones that meet each other often.

use crate::model::{Contents, Model};
use dynamicfs_core::files::{AttributeMode, RenameMode};
use dynamicfs_core::types::ObjectId;

/// One operation.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are the arguments of the operation of the same name")]
pub enum Operation {
    /// Makes a file.
    Create { directory: ObjectId, name: Vec<u8> },
    /// Makes a directory.
    MakeDirectory { directory: ObjectId, name: Vec<u8> },
    /// Makes a symbolic link.
    Symlink { directory: ObjectId, name: Vec<u8>, target: Vec<u8> },
    /// Gives a file another name.
    Link { object: ObjectId, directory: ObjectId, name: Vec<u8> },
    /// Removes a name.
    Unlink { directory: ObjectId, name: Vec<u8> },
    /// Renames.
    Rename { from: ObjectId, from_name: Vec<u8>, to: ObjectId, to_name: Vec<u8>, mode: RenameMode },
    /// Writes bytes.
    Write { object: ObjectId, offset: u64, data: Vec<u8> },
    /// Sets the size.
    Truncate { object: ObjectId, size: u64 },
    /// Makes a hole.
    Punch { object: ObjectId, offset: u64, bytes: u64 },
    /// Zeros a range, which may grow the file.
    Zero { object: ObjectId, offset: u64, bytes: u64 },
    /// Moves contents from one file to another, in the place of what is there.
    Move { from: ObjectId, from_offset: u64, to: ObjectId, to_offset: u64, bytes: u64 },
    /// Makes a file without a name, pinned.
    CreateUnnamed,
    /// Pins an object.
    Pin { object: ObjectId },
    /// Lets go of an object once.
    Unpin { object: ObjectId },
    /// Sets an extended attribute.
    SetAttribute { object: ObjectId, name: Vec<u8>, value: Vec<u8>, mode: AttributeMode },
    /// Removes an extended attribute.
    RemoveAttribute { object: ObjectId, name: Vec<u8> },
    /// Makes the directories of a path.
    CreateAll { path: Vec<u8> },
    /// Writes a file whole, in the place of what the path means.
    WriteFile { path: Vec<u8>, data: Vec<u8> },
    /// Removes what a path means, and all below it.
    RemoveAll { path: Vec<u8> },
}

/// How large things are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scale {
    /// Bytes of a file at most.
    pub file_bytes: u64,
    /// Bytes of a write at most.
    pub write_bytes: u64,
    /// Names that are used again and again.
    pub names: u64,
    /// Names of attributes with long values, where objects have dozens of them; 0 where they have as few as
    /// there are names.
    pub attributes: u64,
    /// Whether some of the names have equal hashes, see [`crate::colliding`].
    pub colliding: bool,
    /// Objects that are pinned at a time at most: as many places are lent for them.
    pub pins: usize,
}

impl Scale {
    /// Nothing of anything, and nothing special.
    pub const NONE: Self =
        Self { file_bytes: 0, write_bytes: 0, names: 0, attributes: 0, colliding: false, pins: 0 };
}

/// A random operation on what the model holds; `below(n)` is a random number below `n`.
pub fn random(model: &Model, scale: &Scale, below: &mut impl FnMut(u64) -> u64) -> Operation {
    let directory = pick(model, below, |contents| matches!(contents, Contents::Directory(_)));
    if scale.attributes > 0 && below(4) > 0 || scale.colliding && below(6) == 0 {
        return random_attribute(model, scale, below);
    }
    match below(8) {
        0 => return random_hole(model, scale, below),
        1 if scale.pins > 0 => return random_pin(model, scale, below),
        _ => {}
    }
    let name = random_name(scale, below);
    match below(100) {
        0..15 => Operation::Create { directory, name },
        15..20 => Operation::MakeDirectory { directory, name },
        20..23 => {
            let length = 1 + below(300) as usize;
            Operation::Symlink { directory, name, target: vec![b'a' + length as u8 % 26; length] }
        }
        23..26 => Operation::Link { object: pick(model, below, |_| true), directory, name },
        26..38 => Operation::Unlink { directory, name: known_name(model, directory, name, below) },
        38..40 => random_path(model, directory, name, scale, below),
        40..46 => {
            let to = pick(model, below, |contents| matches!(contents, Contents::Directory(_)));
            let to_name = random_name(scale, below);
            let mode = match below(4) {
                0 => RenameMode::NoReplace,
                1 => RenameMode::Exchange,
                _ => RenameMode::Replace,
            };
            // Two names that are both there are rarely drawn.
            let (from_name, to_name) = match mode == RenameMode::Exchange && below(4) > 0 {
                true => (known_name(model, directory, name, below), known_name(model, to, to_name, below)),
                false => (name, to_name),
            };
            Operation::Rename { from: directory, from_name, to, to_name, mode }
        }
        46..80 => {
            let object = pick(model, below, |contents| matches!(contents, Contents::File(_)));
            let offset = random_offset(scale, below);
            let length = if below(3) == 0 { below(scale.write_bytes) } else { below(700) };
            let fill = below(256) as u8;
            let data = (0..length).map(|i| fill.wrapping_add((i / 7) as u8)).collect();
            Operation::Write { object, offset, data }
        }
        80..90 => {
            let object = pick(model, below, |contents| matches!(contents, Contents::File(_)));
            Operation::Truncate { object, size: random_offset(scale, below) }
        }
        90..96 => {
            let object = pick(model, below, |_| true);
            let length = if below(4) == 0 { below(3000) } else { below(100) };
            let (value, mode) = (vec![below(256) as u8; length as usize], random_mode(below));
            Operation::SetAttribute { object, name, value, mode }
        }
        _ => Operation::RemoveAttribute { object: pick(model, below, |_| true), name },
    }
}

/// A hole made, or contents moved, mostly at boundaries where whole extents go.
fn random_hole(model: &Model, scale: &Scale, below: &mut impl FnMut(u64) -> u64) -> Operation {
    let object = pick(model, below, |contents| matches!(contents, Contents::File(_)));
    let most = scale.file_bytes.min(64 << 10);
    match below(5) {
        0 => Operation::Zero { object, offset: random_offset(scale, below), bytes: below(most) },
        1 | 2 => {
            let offset = random_offset(scale, below);
            let bytes = if below(3) == 0 { scale.file_bytes } else { below(most + 1) };
            Operation::Punch { object, offset, bytes }
        }
        _ => {
            let from = pick(model, below, |contents| matches!(contents, Contents::File(_)));
            let units = most / 4096 + 1;
            let odd = u64::from(below(40) == 0);
            let (from_offset, to_offset) = match below(3) {
                0 => (0, 0),
                _ => (below(units) * 4096, below(units) * 4096 + odd),
            };
            Operation::Move { from, from_offset, to: object, to_offset, bytes: (1 + below(units)) * 4096 }
        }
    }
}

/// An operation on a path: below a directory of the model, mostly.
fn random_path(
    model: &Model,
    directory: ObjectId,
    name: Vec<u8>,
    scale: &Scale,
    below: &mut impl FnMut(u64) -> u64,
) -> Operation {
    let mut path = model.path_of(directory).unwrap_or_default();
    path.push(b'/');
    match below(7) {
        0 | 1 => {
            path.extend(name);
            for _ in 0..below(3) {
                path.push(b'/');
                path.extend(random_name(scale, below));
            }
            Operation::CreateAll { path }
        }
        2..6 => {
            path.extend(name);
            let length = if below(3) == 0 { below(scale.write_bytes) } else { below(700) };
            let fill = below(256) as u8;
            let data = (0..length).map(|i| fill.wrapping_add((i / 5) as u8)).collect();
            Operation::WriteFile { path, data }
        }
        _ => {
            path.extend(known_name(model, directory, name, below));
            Operation::RemoveAll { path }
        }
    }
}

/// Something about objects that are held, or that have no name.
fn random_pin(model: &Model, scale: &Scale, below: &mut impl FnMut(u64) -> u64) -> Operation {
    let held: Vec<u64> = model.pins.keys().copied().collect();
    match below(6) {
        0..3 if held.len() < scale.pins => match below(2) {
            0 => Operation::CreateUnnamed,
            _ => Operation::Pin { object: pick(model, below, |_| true) },
        },
        3 if !held.is_empty() => {
            Operation::Unpin { object: ObjectId(held[below(held.len() as u64) as usize]) }
        }
        4 => Operation::Unpin { object: pick(model, below, |_| true) },
        _ => match model.unnamed.keys().next() {
            Some(&object) => {
                let directory = pick(model, below, |contents| matches!(contents, Contents::Directory(_)));
                Operation::Link { object: ObjectId(object), directory, name: random_name(scale, below) }
            }
            // What is held loses its name.
            None => unlink_held(model, below),
        },
    }
}

/// Removes a name of an object that is held, if there is one.
fn unlink_held(model: &Model, below: &mut impl FnMut(u64) -> u64) -> Operation {
    let names = |(&directory, node): (&u64, &std::sync::Arc<crate::model::Node>)| match &node.contents {
        Contents::Directory(entries) => entries
            .iter()
            .filter(|(_, object)| model.pins.contains_key(object))
            .map(|(name, _)| (ObjectId(directory), name.clone()))
            .collect(),
        _ => Vec::new(),
    };
    let held: Vec<_> = model.nodes.iter().flat_map(names).collect();
    match held.get(below(held.len().max(1) as u64) as usize) {
        Some((directory, name)) => Operation::Unlink { directory: *directory, name: name.clone() },
        None => Operation::Pin { object: ObjectId(99_999) },
    }
}

/// An operation on attributes alone. A few objects have dozens with values as long as they may be, or two
/// whose names have equal hashes.
pub fn random_attribute(model: &Model, scale: &Scale, below: &mut impl FnMut(u64) -> u64) -> Operation {
    // The objects that were made first have them.
    let among = (model.nodes.len() as u64).clamp(1, 2);
    let object = ObjectId(model.nodes.keys().copied().nth(below(among) as usize).unwrap_or(1));
    let name = match below(scale.attributes.max(8)) {
        // Two of them, again and again.
        n if scale.attributes == 0 => colliding(n % 2 * crate::colliding::NAMES.len() as u64),
        n if scale.colliding && n.is_multiple_of(3) => colliding(n),
        n => format!("user.attribute-{n}").into_bytes(),
    };
    let length = match below(4) {
        0 => 3000 + below(1097),
        1 => below(1500),
        _ => 200 + below(300),
    };
    match below(8) {
        0 => Operation::RemoveAttribute { object, name },
        fill => {
            let (value, mode) = (vec![fill as u8; length as usize], random_mode(below));
            Operation::SetAttribute { object, name, value, mode }
        }
    }
}

/// Mostly an attribute may be there or not.
fn random_mode(below: &mut impl FnMut(u64) -> u64) -> AttributeMode {
    match below(6) {
        0 => AttributeMode::Create,
        1 => AttributeMode::Replace,
        _ => AttributeMode::CreateOrReplace,
    }
}

/// A name that a directory has, or else this one.
fn known_name(
    model: &Model,
    directory: ObjectId,
    name: Vec<u8>,
    below: &mut impl FnMut(u64) -> u64,
) -> Vec<u8> {
    let names: Vec<&Vec<u8>> = match model.nodes.get(&directory.0).map(|node| &node.contents) {
        Some(Contents::Directory(entries)) => entries.keys().collect(),
        _ => Vec::new(),
    };
    let known = below(names.len().max(1) as u64) as usize;
    names.get(known).map_or(name, |&name| name.clone())
}

/// One of the names that have equal hashes.
fn colliding(n: u64) -> Vec<u8> {
    let names = crate::colliding::NAMES;
    let (pair, one) = (n as usize % names.len(), n as usize / names.len() % 2);
    names[pair][one].as_bytes().to_vec()
}

/// An offset: anywhere, or beside a boundary where things change.
fn random_offset(scale: &Scale, below: &mut impl FnMut(u64) -> u64) -> u64 {
    let at = match below(4) {
        0 => below(scale.file_bytes),
        1 => below(600),
        _ => below(scale.file_bytes / 4096 + 1) * 4096 + below(3),
    };
    at.saturating_sub(below(2)).min(scale.file_bytes)
}

fn random_name(scale: &Scale, below: &mut impl FnMut(u64) -> u64) -> Vec<u8> {
    let n = below(scale.names);
    if scale.colliding && below(3) > 0 {
        return colliding(n);
    }
    // Some names are as long as they may be.
    if n % 7 == 3 { vec![b'A' + (n % 26) as u8; 255] } else { format!("name-{n}").into_bytes() }
}

fn pick(model: &Model, below: &mut impl FnMut(u64) -> u64, fits: impl Fn(&Contents) -> bool) -> ObjectId {
    let all = model.nodes.iter().chain(&model.unnamed);
    let fitting: Vec<u64> = all.filter(|(_, node)| fits(&node.contents)).map(|(&id, _)| id).collect();
    // Now and then an object that is not there.
    match fitting.len() as u64 {
        0 => ObjectId(99_999),
        _ if below(50) == 0 => ObjectId(99_999),
        n => ObjectId(fitting[below(n) as usize]),
    }
}
