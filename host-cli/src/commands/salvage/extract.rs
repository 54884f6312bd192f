//! Writing what is left to a folder: files with holes where bytes are lost.

use super::catalog::{Catalog, Name, Stretch};
use super::report::{Lost, Salvaged, What, join};
use crate::commands::transfer::{BUFFER_BYTES, Failed};
use crate::host::target::{make_folder, make_link, make_symlink, unfinished};
use crate::host::{attributes, interrupt};
use crate::output::failure::{Code, Failure};
use crate::output::names::ShowPath;
use crate::output::progress::Progress;
use crate::pool::occupied::refuse_replacing;
use crate::pool::path::{self, PoolPath};
use crate::pool::session::Contents;
use dynamicfs_core::format::inode::ObjectKind;
use dynamicfs_core::format::key::Kind;
use dynamicfs_core::types::ObjectId;
use std::collections::{BTreeSet, HashMap};
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// Takes things out of a pool, one after the other.
pub(super) struct Extractor<'c> {
    pub(super) catalog: &'c Catalog,
    pub(super) report: &'c mut Salvaged,
    pub(super) progress: Progress,
    /// What was met.
    pub(super) reached: BTreeSet<ObjectId>,
    /// Where objects with several names were put.
    pub(super) links: HashMap<ObjectId, PathBuf>,
}

/// Something that is taken out.
#[derive(Clone)]
pub(super) struct Item {
    pub(super) object: ObjectId,
    pub(super) kind: ObjectKind,
    /// Its path in the pool, if it has one.
    pub(super) path: Option<PoolPath>,
    /// Where it goes.
    pub(super) dest: PathBuf,
}

impl Item {
    /// An entry of this directory.
    fn child(&self, name: &Name) -> Self {
        Self {
            object: name.object,
            kind: name.kind,
            path: self.path.as_ref().map(|path| path.join(&name.name)),
            dest: self.dest.join(OsStr::from_bytes(&name.name)),
        }
    }

    fn shown(&self) -> Option<String> {
        self.path.as_ref().map(ToString::to_string)
    }
}

impl Extractor<'_> {
    /// Takes something out, and all that is below it.
    pub(super) fn take_out(&mut self, contents: &mut Contents<'_>, top: Item) -> Result<(), Failure> {
        // A stack of its own: how deep the pool's directories are is not this program's choice.
        let mut open = Vec::new();
        open.extend(self.enter(contents, top)?);
        while let Some((item, left)) = open.last_mut() {
            interrupt::check()?;
            match left.pop() {
                Some(name) => {
                    let child = item.child(&name);
                    open.extend(self.enter(contents, child)?);
                }
                None => {
                    let item = item.clone();
                    open.pop();
                    self.attribute(contents, &item);
                }
            }
        }
        Ok(())
    }

    /// Takes one thing out; a directory is given back with its entries, from the last to the first.
    fn enter(
        &mut self,
        contents: &mut Contents<'_>,
        item: Item,
    ) -> Result<Option<(Item, Vec<Name>)>, Failure> {
        let is_new = self.reached.insert(item.object);
        let done = match item.kind {
            // A directory has one name; a second one would be a forgery, and could lead round in a circle.
            ObjectKind::Directory if !is_new => return Ok(None),
            ObjectKind::Directory => match self.unless_dry(|| make_folder(&item.dest)) {
                Ok(()) => {
                    self.report.directories += 1;
                    if self.catalog.may_lack(item.object, Kind::Entry) {
                        self.note(&item, What::Entries, 0, []);
                    }
                    let names = self.catalog.names(item.object).iter().rev().cloned().collect();
                    return Ok(Some((item, names)));
                }
                Err(error) => Err(refused(&item.dest, &error)),
            },
            ObjectKind::Symlink => refuse_replacing(&item.dest).and_then(|()| self.symlink(contents, &item)),
            ObjectKind::File => {
                refuse_replacing(&item.dest).and_then(|()| self.file_or_link(contents, &item))
            }
            _ => {
                self.report.skipped.extend(item.shown());
                Ok(())
            }
        };
        match done {
            Err(failure) if failure.code() == Code::Interrupted => return Err(failure),
            Err(failure) => {
                let path = item.shown().unwrap_or_else(|| item.dest.shown().to_string());
                self.report.failed.push(Failed::new(path, &failure));
            }
            Ok(()) => {}
        }
        Ok(None)
    }

    fn symlink(&mut self, contents: &mut Contents<'_>, item: &Item) -> Result<(), Failure> {
        match (self.catalog.inode(item.object), path::link_target(contents, item.object)) {
            (Some(inode), Ok(target)) => {
                self.unless_dry(|| make_symlink(&item.dest, &target, inode))
                    .map_err(|error| refused(&item.dest, &error))?;
                self.report.symlinks += 1;
            }
            _ => self.note(item, What::Everything, 0, []),
        }
        Ok(())
    }

    fn file_or_link(&mut self, contents: &mut Contents<'_>, item: &Item) -> Result<(), Failure> {
        let stretches = self.catalog.contents(item.object);
        let inode = self.catalog.inode(item.object);
        if inode.is_none() && stretches.is_empty() {
            self.note(item, What::Everything, 0, []);
            return Ok(());
        }
        if let Some(first) = self.links.get(&item.object) {
            self.unless_dry(|| make_link(first, &item.dest)).map_err(|error| refused(&item.dest, &error))?;
        } else {
            self.file(contents, item, stretches)?;
            if inode.is_none_or(|inode| inode.links > 1) {
                self.links.insert(item.object, item.dest.clone());
            }
        }
        self.report.files += 1;
        Ok(())
    }

    /// Writes one file: it gets its name when it is complete, as far as it can be.
    fn file(
        &mut self,
        contents: &mut Contents<'_>,
        item: &Item,
        stretches: &[Stretch],
    ) -> Result<(), Failure> {
        let end = stretches.iter().map(|stretch| stretch.bytes.end).max().unwrap_or(0);
        let size = self.catalog.inode(item.object).map_or(end, |inode| inode.size);
        let is_inline = self.catalog.inode(item.object).is_some_and(|inode| inode.inline);
        let unfinished = match self.report.dry_run {
            true => None,
            false => Some(unfinished(&item.dest).map_err(|error| refused(&item.dest, &error))?),
        };
        let file = unfinished.as_ref().map(NamedTempFile::as_file);
        file.map_or(Ok(()), |file| file.set_len(size)).map_err(|error| refused(&item.dest, &error))?;
        let (mut lost, mut at) = (Vec::new(), 0);
        for stretch in stretches {
            let bytes = stretch.bytes.start.min(size)..stretch.bytes.end.min(size);
            lost.extend(self.gap(item.object, is_inline, at..bytes.start));
            lost.extend(self.copy(contents, item, stretch.inline, &bytes, file)?);
            at = at.max(bytes.end);
        }
        lost.extend(self.gap(item.object, is_inline, at..size));
        let path = unfinished.as_ref().map_or(item.dest.as_path(), NamedTempFile::path);
        self.attribute_file(contents, item, path);
        if let Some(unfinished) = unfinished {
            unfinished.persist(&item.dest).map_err(|error| refused(&item.dest, &error.error))?;
        }
        self.note_bytes(item, size, lost);
        Ok(())
    }

    /// What is lost where nothing is known to be.
    fn gap(&self, object: ObjectId, is_inline: bool, gap: Range<u64>) -> Vec<Range<u64>> {
        match () {
            () if gap.is_empty() => Vec::new(),
            () if !is_inline => self.catalog.lost_in(object, &gap, self.catalog.extent_bytes(object)),
            () if self.catalog.may_lack(object, Kind::Inline) => vec![gap],
            () => Vec::new(),
        }
    }

    /// Does what writes, unless nothing is to be written.
    fn unless_dry(&self, write: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        if self.report.dry_run { Ok(()) } else { write() }
    }

    /// Copies bytes to their places in a file, if there is one: what is lost of them, which stays a hole.
    fn copy(
        &mut self,
        contents: &mut Contents<'_>,
        item: &Item,
        inline: bool,
        bytes: &Range<u64>,
        file: Option<&File>,
    ) -> Result<Vec<Range<u64>>, Failure> {
        let mut lost = Vec::new();
        let mut buffer = vec![0; BUFFER_BYTES.min((bytes.end - bytes.start.min(bytes.end)) as usize)];
        let mut at = bytes.start;
        while at < bytes.end {
            interrupt::check()?;
            let part = buffer.len().min((bytes.end - at) as usize);
            let known = lost.len();
            let part = &mut buffer[..part];
            contents
                .read_surviving(item.object, inline, at, part, |range| lost.push(range))
                .map_err(|error| Failure::object(error, item.dest.shown()))?;
            let mut from = at;
            let end = at + part.len() as u64;
            for hole in lost[known..].iter().cloned().chain(std::iter::once(end..end)) {
                let kept = &part[(from - at) as usize..(hole.start - at) as usize];
                file.map_or(Ok(()), |file| file.write_all_at(kept, from))
                    .map_err(|error| refused(&item.dest, &error))?;
                self.report.bytes += kept.len() as u64;
                from = hole.end;
            }
            self.progress.advance(end - at);
            at = end;
        }
        Ok(lost)
    }

    /// Gives a file what the pool knows of it.
    fn attribute_file(&mut self, contents: &mut Contents<'_>, item: &Item, path: &Path) {
        let Some(inode) = self.catalog.inode(item.object) else {
            self.note(item, What::Attributes, 0, []);
            return;
        };
        let xattrs = attributes::xattrs(contents, item.object).unwrap_or_else(|_| {
            self.note(item, What::ExtendedAttributes, inode.size, []);
            Vec::new()
        });
        if let Err(error) = self.unless_dry(|| attributes::restore(path, inode, &xattrs)) {
            let failure = Failure::host(format_args!("set the attributes of {}", item.dest.shown()), &error);
            self.report.failed.push(Failed::new(item.dest.shown(), &failure));
        }
    }

    /// Gives a folder what the pool knows of it: filling it changed its times, and may have needed other permissions.
    fn attribute(&mut self, contents: &mut Contents<'_>, item: &Item) {
        let dest = item.dest.clone();
        self.attribute_file(contents, item, &dest);
    }

    fn note_bytes(&mut self, item: &Item, size: u64, lost: Vec<Range<u64>>) {
        if !lost.is_empty() {
            self.note(item, What::Bytes, size, lost);
        }
    }

    fn note(&mut self, item: &Item, what: What, size: u64, ranges: impl IntoIterator<Item = Range<u64>>) {
        let ranges = join(ranges);
        let lost_bytes = ranges.iter().map(|range| range.bytes).sum();
        self.report.lost_bytes += lost_bytes;
        self.report.lost.push(Lost {
            path: item.shown(),
            object: item.object.0,
            what,
            size,
            lost_bytes,
            ranges,
        });
    }
}

fn refused(path: &Path, error: &io::Error) -> Failure {
    Failure::host(format_args!("write {}", path.shown()), error)
}
