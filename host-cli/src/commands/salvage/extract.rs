//! Writing what is left to a folder: files with holes where bytes are lost. Nothing that is there is
//! replaced.

use super::catalog::{Catalog, Name, Stretch};
use super::report::{Lost, Salvaged, What, join};
use crate::commands::transfer::{BUFFER_BYTES, Failed, Skipped};
use crate::host::attributes::{self, Lacking, Xattr, restore, restore_link};
use crate::host::descent::Descent;
use crate::host::interrupt;
use crate::output::failure::{Code, Failure};
use crate::output::names::{ShowPath, ToldPath};
use crate::output::progress::Progress;
use crate::pool::path::{self, PoolPath};
use crate::pool::session::Disks;
use dynamicfs_core::Pool;
use dynamicfs_core::files::ObjectKind;
use dynamicfs_core::inspect::Kind;
use dynamicfs_core::types::ObjectId;
use std::collections::{BTreeSet, HashMap};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Takes things out of a pool, one after the other.
pub(super) struct Extractor<'c> {
    pub(super) catalog: &'c Catalog,
    pub(super) report: &'c mut Salvaged,
    pub(super) progress: Progress,
    /// What was met.
    pub(super) reached: BTreeSet<ObjectId>,
    /// Where objects with several names were put, below the folder that all goes into.
    links: HashMap<ObjectId, PathBuf>,
    /// Where on this machine things are put; a dry run puts nothing anywhere.
    descent: Option<Descent>,
    /// The path in the pool of the directory that the descent is in, if it has one.
    path: Option<PoolPath>,
    /// Bytes of the paths above it.
    above: Vec<usize>,
}

/// Something that is taken out.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) object: ObjectId,
    pub(super) kind: ObjectKind,
    /// Its name where it is put; the root directory is the folder itself.
    pub(super) name: Option<OsString>,
}

impl From<&Name> for Item {
    fn from(name: &Name) -> Self {
        let Name { name, object, kind } = name;
        Self { object: *object, kind: *kind, name: Some(OsStr::from_bytes(name).to_owned()) }
    }
}

/// A directory that is being taken out, and its entries that are not yet, from the last to the first.
struct Open {
    item: Item,
    left: Vec<Name>,
}

impl<'c> Extractor<'c> {
    pub(super) fn new(
        catalog: &'c Catalog,
        report: &'c mut Salvaged,
        progress: Progress,
        descent: Option<Descent>,
    ) -> Self {
        let (reached, links) = (BTreeSet::new(), HashMap::new());
        Self { catalog, report, progress, reached, links, descent, path: None, above: Vec::new() }
    }

    /// Takes something out, and all that is below it. `path` is the directory's that has its name, if that
    /// has one.
    pub(super) fn take_out(
        &mut self,
        contents: &mut Pool<'_, Disks>,
        top: Item,
        path: Option<PoolPath>,
    ) -> Result<(), Failure> {
        self.path = path;
        self.take_out_here(contents, top)
    }

    /// Begins in the folder that all goes into, as the pool's root directory.
    pub(super) fn begin_at_the_root(&mut self) {
        self.path = Some(PoolPath::root());
    }

    /// Takes something out where the last one was taken to.
    pub(super) fn take_out_here(&mut self, contents: &mut Pool<'_, Disks>, top: Item) -> Result<(), Failure> {
        // A stack of its own: how deep the pool's directories are is not this program's choice.
        let mut open = Vec::new();
        open.extend(self.enter(contents, top)?);
        while let Some(Open { item, left }) = open.last_mut() {
            interrupt::check()?;
            match left.pop() {
                Some(name) => {
                    let below = self.enter(contents, Item::from(&name))?;
                    open.extend(below);
                }
                None => {
                    let item = item.clone();
                    open.pop();
                    self.leave(contents, &item)?;
                }
            }
        }
        Ok(())
    }

    /// Takes one thing out; a directory is given back with its entries.
    fn enter(&mut self, contents: &mut Pool<'_, Disks>, item: Item) -> Result<Option<Open>, Failure> {
        let is_new = self.reached.insert(item.object);
        let done = match item.kind {
            // A directory has one name; a second one would be a forgery, and could lead round in a circle.
            ObjectKind::Directory if !is_new => return Ok(None),
            ObjectKind::Directory => match self.go_down(item.name.as_deref(), false) {
                Ok(()) => {
                    self.report.directories += 1;
                    if self.catalog.may_lack(item.object, Kind::Entry) {
                        let path = self.path.clone();
                        self.note(path.as_ref(), item.object, What::Entries, 0, []);
                    }
                    let left = self.catalog.names(item.object).iter().rev().cloned().collect();
                    return Ok(Some(Open { item, left }));
                }
                Err(error) => Err(error),
            },
            ObjectKind::Symlink => self.symlink(contents, &item),
            ObjectKind::File => self.file_or_link(contents, &item),
            _ => {
                let path = self.told(&item);
                self.report.skipped.push(Skipped::new(path, "a pipe, a socket or a device"));
                Ok(())
            }
        };
        match done {
            Err(failure) if failure.code() == Code::Interrupted => return Err(failure),
            Err(failure) => {
                let path = self.told(&item);
                self.report.failed.push(Failed::new(path, &failure));
            }
            Ok(()) => {}
        }
        Ok(None)
    }

    // --- where it is -------------------------------------------------------------------------------------

    /// The path of something in the innermost directory, in the pool if it has one there.
    fn told(&self, item: &Item) -> ToldPath {
        match self.path_of(item) {
            Some(path) => (&path).into(),
            None => self.dest_of(item).as_path().into(),
        }
    }

    fn path_of(&self, item: &Item) -> Option<PoolPath> {
        let path = self.path.as_ref()?;
        Some(item.name.as_ref().map_or_else(|| path.clone(), |name| path.join(name.as_bytes())))
    }

    /// The path of something on this machine, for messages.
    fn dest_of(&self, item: &Item) -> PathBuf {
        let name = item.name.as_deref().unwrap_or(OsStr::new(""));
        self.descent.as_ref().map_or_else(|| name.into(), |descent| descent.path_of(name))
    }

    /// Goes down into a folder, which is made; one that is there already only where it `may_be_there`.
    /// Without a name it is the destination folder.
    pub(super) fn go_down(&mut self, name: Option<&OsStr>, may_be_there: bool) -> Result<(), Failure> {
        let Some(name) = name else { return Ok(()) };
        if let Some(descent) = &mut self.descent {
            let dest = descent.path_of(name);
            let refused = |error: io::Error| refused(&dest, &error);
            let here = descent.here().map_err(refused)?;
            if !here.make(name).map_err(refused)? {
                if !may_be_there {
                    return Err(is_there(&dest));
                }
                attributes::permit(&here.enter(name).map_err(refused)?, 0o700).map_err(refused)?;
            }
            let folder = here.enter(name).map_err(refused)?;
            descent.push(name, folder).map_err(refused)?;
        }
        if let Some(path) = &mut self.path {
            self.above.push(path.push(name.as_bytes()));
        }
        Ok(())
    }

    /// Gives a folder what the pool knows of it, which filling it changed, and goes up. The folder that all
    /// goes into gets it at the end.
    pub(super) fn leave(&mut self, contents: &mut Pool<'_, Disks>, item: &Item) -> Result<(), Failure> {
        if item.name.is_none() {
            return Ok(());
        }
        let path = self.path.clone();
        let known = self.attributes(contents, path.as_ref(), item.object);
        if let Some(descent) = &mut self.descent {
            let dest = descent.path().to_owned();
            let folder = descent.pop().map_err(|error| refused(&dest, &error))?;
            self.restore(&folder.file, item.object, &known, &dest);
        }
        if let (Some(path), Some(length)) = (&mut self.path, self.above.pop()) {
            path.shorten(length);
        }
        Ok(())
    }

    /// Goes up from a folder that no directory of the pool is.
    pub(super) fn go_up_from_a_folder_of_no_directory(&mut self) -> Result<(), Failure> {
        let Some(descent) = &mut self.descent else { return Ok(()) };
        let dest = descent.path().to_owned();
        descent.pop().map(|_| ()).map_err(|error| refused(&dest, &error))
    }

    /// What the pool knows of its root directory.
    pub(super) fn root_attributes(&mut self, contents: &mut Pool<'_, Disks>) -> Vec<Xattr> {
        self.attributes(contents, Some(&PoolPath::root()), ObjectId::ROOT)
    }

    /// Gives the folder that all went into what the pool knows of its root directory.
    pub(super) fn finish(&mut self, known: &[Xattr]) -> Result<(), Failure> {
        let Some(descent) = &self.descent else { return Ok(()) };
        let dest = descent.path().to_owned();
        let here = descent.here().map_err(|error| refused(&dest, &error))?;
        let file = here.file.try_clone().map_err(|error| refused(&dest, &error))?;
        self.restore(&file, ObjectId::ROOT, known, &dest);
        Ok(())
    }

    // --- one thing ---------------------------------------------------------------------------------------

    fn symlink(&mut self, contents: &mut Pool<'_, Disks>, item: &Item) -> Result<(), Failure> {
        let path = self.path_of(item);
        let (Some(inode), Ok(target)) =
            (self.catalog.inode(item.object), path::link_target(contents, item.object))
        else {
            self.note(path.as_ref(), item.object, What::Everything, 0, []);
            return Ok(());
        };
        let known = self.attributes(contents, path.as_ref(), item.object);
        let dest = self.dest_of(item);
        if let (Some(descent), Some(name)) = (&self.descent, &item.name) {
            let refused = |error: io::Error| refused(&dest, &error);
            let here = descent.here().map_err(refused)?;
            let made = here.symlink(&target).map_err(refused)?;
            let lacking = restore_link(here, made.name(), inode, &known);
            made.add(name).map_err(|error| not_added(&dest, &error))?;
            self.report.attributes.note(&ToldPath::from(dest.as_path()), lacking);
        }
        self.report.symlinks += 1;
        Ok(())
    }

    fn file_or_link(&mut self, contents: &mut Pool<'_, Disks>, item: &Item) -> Result<(), Failure> {
        let stretches = self.catalog.contents(item.object);
        let inode = self.catalog.inode(item.object);
        if inode.is_none() && stretches.is_empty() {
            let path = self.path_of(item);
            self.note(path.as_ref(), item.object, What::Everything, 0, []);
            return Ok(());
        }
        if !self.link(item)? {
            self.file(contents, item, stretches)?;
            if let (Some(descent), Some(name)) = (&self.descent, &item.name)
                && inode.is_none_or(|inode| inode.links > 1)
            {
                self.links.insert(item.object, descent.below(name));
            }
        }
        self.report.files += 1;
        Ok(())
    }

    /// Gives what was taken out already one more name; false where it is to be taken out once more.
    fn link(&mut self, item: &Item) -> Result<bool, Failure> {
        let (Some(descent), Some(name), Some(first)) =
            (&self.descent, &item.name, self.links.get(&item.object))
        else {
            return Ok(false);
        };
        let dest = descent.path_of(name);
        let link = || {
            let (folder, first) = descent.reach(first)?;
            descent.here()?.link(&folder, &first)
        };
        match link() {
            Ok(made) => made.add(name).map(|()| true).map_err(|error| not_added(&dest, &error)),
            // A filesystem without links: a copy holds the same.
            Err(error) => {
                self.report.attributes.note(&ToldPath::from(dest.as_path()), [Lacking::hard_link(error)]);
                Ok(false)
            }
        }
    }

    /// Writes one file: it gets its name when it is complete, as far as it can be.
    fn file(
        &mut self,
        contents: &mut Pool<'_, Disks>,
        item: &Item,
        stretches: &[Stretch],
    ) -> Result<(), Failure> {
        let (dest, path) = (self.dest_of(item), self.path_of(item));
        let refused = |error: io::Error| refused(&dest, &error);
        let end = stretches.iter().map(|stretch| stretch.bytes.end).max().unwrap_or(0);
        let size = self.catalog.inode(item.object).map_or(end, |inode| inode.size);
        let is_inline = self.catalog.inode(item.object).is_some_and(|inode| inode.inline);
        let made = match &self.descent {
            None => None,
            Some(descent) => Some(descent.here().and_then(|here| here.file()).map_err(refused)?),
        };
        let file = made.as_ref().and_then(|made| made.file());
        file.map_or(Ok(()), |file| file.set_len(size)).map_err(refused)?;
        let (mut lost, mut at, mut kept) = (Vec::new(), 0, 0);
        for stretch in stretches {
            let bytes = stretch.bytes.start.min(size)..stretch.bytes.end.min(size);
            lost.extend(self.gap(item.object, is_inline, at..bytes.start));
            let copied = self.copy(contents, item.object, stretch.inline, &bytes, (file, &dest))?;
            kept += copied.iter().fold(bytes.end.saturating_sub(bytes.start), |kept, lost| {
                kept.saturating_sub(lost.end - lost.start)
            });
            lost.extend(copied);
            at = at.max(bytes.end);
        }
        lost.extend(self.gap(item.object, is_inline, at..size));
        let known = self.attributes(contents, path.as_ref(), item.object);
        if let Some(file) = file {
            self.restore(file, item.object, &known, &dest);
        }
        if let (Some(made), Some(name)) = (made, &item.name) {
            made.add(name).map_err(|error| not_added(&dest, &error))?;
        }
        // Not before: a file that was cut short is not there.
        self.report.bytes += kept;
        if !lost.is_empty() {
            self.note(path.as_ref(), item.object, What::Bytes, size, lost);
        }
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

    /// Copies bytes to their places in a file, if there is one: what is lost of them, which stays a hole.
    fn copy(
        &mut self,
        contents: &mut Pool<'_, Disks>,
        object: ObjectId,
        inline: bool,
        bytes: &Range<u64>,
        (file, dest): (Option<&File>, &Path),
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
                .read_surviving(object, inline, at, part, |range| lost.push(range))
                .map_err(|error| Failure::object(error, dest.shown()))?;
            let mut from = at;
            let end = at + part.len() as u64;
            for hole in lost[known..].iter().cloned().chain(std::iter::once(end..end)) {
                let kept = &part[(from - at) as usize..(hole.start - at) as usize];
                file.map_or(Ok(()), |file| file.write_all_at(kept, from))
                    .map_err(|error| refused(dest, &error))?;
                from = hole.end;
            }
            self.progress.advance(end - at);
            at = end;
        }
        Ok(lost)
    }

    // --- attributes and losses ---------------------------------------------------------------------------

    /// An object's extended attributes; that its attributes are lost is noted.
    fn attributes(
        &mut self,
        contents: &mut Pool<'_, Disks>,
        path: Option<&PoolPath>,
        object: ObjectId,
    ) -> Vec<Xattr> {
        let Some(inode) = self.catalog.inode(object) else {
            self.note(path, object, What::Attributes, 0, []);
            return Vec::new();
        };
        let size = inode.size;
        attributes::xattrs(contents, object).unwrap_or_else(|_| {
            self.note(path, object, What::ExtendedAttributes, size, []);
            Vec::new()
        })
    }

    /// Gives a file or folder what the pool knows of it.
    fn restore(&mut self, file: &File, object: ObjectId, known: &[Xattr], dest: &Path) {
        if let Some(inode) = self.catalog.inode(object) {
            let lacking = restore(file, inode, known);
            self.report.attributes.note(&ToldPath::from(dest), lacking);
        }
    }

    fn note(
        &mut self,
        path: Option<&PoolPath>,
        object: ObjectId,
        what: What,
        size: u64,
        ranges: impl IntoIterator<Item = Range<u64>>,
    ) {
        let ranges = join(ranges);
        let lost_bytes = ranges.iter().map(|range| range.bytes).sum();
        self.report.lost_bytes += lost_bytes;
        let told = path.map(ToldPath::from);
        let path_hex = told.as_ref().and_then(|told| told.path_hex.clone());
        self.report.lost.push(Lost {
            path: told.map(|told| told.path),
            path_hex,
            object: object.0,
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

/// What was taken out did not get its name.
fn not_added(path: &Path, error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::AlreadyExists => is_there(path),
        _ => refused(path, error),
    }
}

fn is_there(path: &Path) -> Failure {
    Failure::new(Code::Exists, format!("{} is there already, and is not replaced", path.shown()))
        .hint("salvage into another folder")
}
