//! What a pool holds, as text: one line for each path, then one for each of its extended attributes.

use dynamicfs_core::ReadObjects;
use dynamicfs_core::error::Error;
use dynamicfs_core::format::checksum::crc32c;
use dynamicfs_core::format::inode::{Inode, ObjectKind};
use dynamicfs_core::types::ObjectId;
use dynamicfs_hal::UnixTime;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::ControlFlow;

/// What is at one path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The object's number.
    pub object: u64,
    /// What it is.
    pub kind: u8,
    /// Its size.
    pub size: u64,
    /// CRC-32C of the contents; 0 for a directory.
    pub crc: u32,
    /// Permission bits.
    pub mode: u16,
    /// Owner and group.
    pub owner: (u32, u32),
    /// Names.
    pub links: u32,
    /// Device number.
    pub device: u32,
    /// The scheme: data and parity fragments.
    pub scheme: (u8, u8),
    /// Last access, change of the contents, change of the attributes, making: seconds and nanoseconds.
    pub times: [(i64, u32); 4],
    /// Length and CRC-32C of each extended attribute.
    pub attributes: BTreeMap<Vec<u8>, (usize, u32)>,
}

/// All paths of a pool, without the leading slash; the root is the empty one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest(pub BTreeMap<Vec<u8>, Entry>);

impl fmt::Display for Manifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|(path, entry)| write_entry(f, path, entry))
    }
}

fn write_entry(f: &mut fmt::Formatter<'_>, path: &[u8], entry: &Entry) -> fmt::Result {
    let kinds = ["?", "file", "directory", "symlink", "character-device", "block-device", "fifo", "socket"];
    let (path, kind) = (path.escape_ascii(), kinds[usize::from(entry.kind)]);
    write!(f, "/{path} object={} {kind} size={} crc32c={:08x} ", entry.object, entry.size, entry.crc)?;
    write!(f, "mode={:04o} owner={}:{} links={} ", entry.mode, entry.owner.0, entry.owner.1, entry.links)?;
    write!(f, "device={} scheme={}+{} times=", entry.device, entry.scheme.0, entry.scheme.1)?;
    for (i, (seconds, nanoseconds)) in entry.times.iter().enumerate() {
        write!(f, "{}{seconds}.{nanoseconds:09}", if i == 0 { "" } else { "," })?;
    }
    writeln!(f)?;
    entry.attributes.iter().try_for_each(|(name, (length, crc))| {
        writeln!(f, "/{path} attribute {} size={length} crc32c={crc:08x}", name.escape_ascii())
    })
}

/// Reads a mounted pool, from the root down.
pub fn read(objects: &mut impl ReadObjects) -> Result<Manifest, Error> {
    let mut manifest = Manifest::default();
    let mut waiting = vec![(Vec::new(), ObjectId::ROOT)];
    while let Some((path, object)) = waiting.pop() {
        let inode = objects.inode(object)?;
        if inode.kind == ObjectKind::Directory {
            objects.list(object, 0, |entry| {
                waiting.push((join(&path, entry.name), entry.object));
                ControlFlow::<()>::Continue(())
            })?;
        }
        let crc = contents_crc(objects, object, &inode)?;
        let attributes = attributes(objects, object)?;
        manifest.0.insert(path, entry(object, &inode, crc, attributes));
    }
    Ok(manifest)
}

/// A path one name further down.
pub fn join(path: &[u8], name: &[u8]) -> Vec<u8> {
    let slash: &[u8] = if path.is_empty() { b"" } else { b"/" };
    [path, slash, name].concat()
}

fn entry(object: ObjectId, inode: &Inode, crc: u32, attributes: BTreeMap<Vec<u8>, (usize, u32)>) -> Entry {
    let time = |time: UnixTime| (time.seconds, time.nanoseconds);
    Entry {
        object: object.0,
        kind: inode.kind as u8,
        size: inode.size,
        crc,
        mode: inode.mode,
        owner: (inode.uid, inode.gid),
        links: inode.links,
        device: inode.device,
        scheme: (inode.scheme.data, inode.scheme.parity),
        times: [time(inode.accessed), time(inode.modified), time(inode.changed), time(inode.created)],
        attributes,
    }
}

fn contents_crc(objects: &mut impl ReadObjects, object: ObjectId, inode: &Inode) -> Result<u32, Error> {
    if !matches!(inode.kind, ObjectKind::File | ObjectKind::Symlink) {
        return Ok(0);
    }
    let mut bytes = vec![0; inode.size as usize];
    let read = objects.read(object, 0, &mut bytes)?;
    assert_eq!(read, bytes.len(), "a read gives all there is");
    Ok(crc32c(0, &bytes))
}

fn attributes(
    objects: &mut impl ReadObjects,
    object: ObjectId,
) -> Result<BTreeMap<Vec<u8>, (usize, u32)>, Error> {
    let mut names = Vec::new();
    objects.attributes(object, |name| {
        names.push(name.to_vec());
        ControlFlow::<()>::Continue(())
    })?;
    let read = |name: Vec<u8>| {
        let mut value = vec![0; 4096];
        let length = objects.attribute(object, &name, &mut value)?;
        Ok((name, (length, crc32c(0, &value[..length]))))
    };
    names.into_iter().map(read).collect()
}
