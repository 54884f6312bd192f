//! A file, or a folder and all that is in it, in transactions of bounded size.

use super::{Place, put_file};
use crate::commands::transfer::{BATCH_FILES, Transfer};
use crate::host::{attributes, interrupt, source};
use crate::output::failure::{Code, Failure};
use crate::output::names::ShowPath;
use crate::output::progress::Progress;
use crate::pool::path::PoolPath;
use crate::pool::session::{Contents, Session};
use dynamicfs_core::error::Error;
use dynamicfs_core::format::inode::ObjectKind;
use dynamicfs_core::object::{Change, MakeRequest};
use dynamicfs_core::types::ObjectId;
use std::collections::HashMap;
use std::fs;
use std::iter::Peekable;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use walkdir::{DirEntry, IntoIter, WalkDir};

/// Stores a file, or a folder with all that is in it. With `follow`, a link that is named itself is followed.
pub(super) fn put(
    session: &mut Session<'_>,
    source: &Path,
    to: &PoolPath,
    follow: bool,
    transfer: &mut Transfer,
    progress: &mut Progress,
) -> Result<(), Failure> {
    let place = Place::find_any(&mut session.pool, to)?;
    let walk = WalkDir::new(source).sort_by_file_name().into_iter().peekable();
    let pool = fs::metadata(&session.config.folder).ok().map(|metadata| (metadata.dev(), metadata.ino()));
    let (open, links, buffer) = (Vec::new(), HashMap::new(), Vec::new());
    let mut putter = Putter { root: place, walk, open, links, buffer, follow, pool, batch_bytes: 0 };
    if transfer.dry_run {
        return putter.count(transfer);
    }
    loop {
        // What a transaction did counts when it is durable.
        let mut batch = Transfer::default();
        putter.batch_bytes = session.batch_bytes();
        let mut transaction = session.begin().map_err(|failure| failure.while_doing(to))?;
        let filled = putter.fill(&mut transaction, &mut batch, progress);
        transfer.failed.append(&mut batch.failed);
        transfer.skipped.append(&mut batch.skipped);
        match filled {
            Ok(more) => {
                transaction.commit().map_err(|error| Failure::object(error, to))?;
                transfer.add(&batch);
                if !more {
                    return Ok(());
                }
            }
            Err(failure) if failure.code() == Code::Interrupted => return Err(failure),
            Err(failure) => {
                // What was stored before it is kept, where that is possible.
                if transaction.commit().is_ok() {
                    transfer.add(&batch);
                }
                return Err(failure);
            }
        }
    }
}

impl Place {
    /// The place that a path names, where a directory may be.
    fn find_any(contents: &mut Contents<'_>, to: &PoolPath) -> Result<Self, Failure> {
        let Ok((parent, name)) = to.split() else {
            // The contents of a folder into the root itself.
            return Ok(Self { directory: ObjectId::ROOT, name: Vec::new() });
        };
        let directory = crate::pool::path::find_directory(contents, &parent);
        let directory = directory
            .map_err(|failure| failure.hint(format!("make it with `dynamicfs mkdir -p {parent}`")))?;
        Ok(Self { directory, name: name.to_vec() })
    }
}

/// A directory that is being filled.
struct Open {
    depth: usize,
    object: ObjectId,
    change: Change,
}

struct Putter {
    /// Where what is walked goes.
    root: Place,
    walk: Peekable<IntoIter>,
    /// The directories on the way to where the walk is.
    open: Vec<Open>,
    /// Files with several names, by device and inode.
    links: HashMap<(u64, u64), ObjectId>,
    buffer: Vec<u8>,
    /// A link that is walked first is followed.
    follow: bool,
    /// The pool's own folder, by device and inode: it is not stored in itself.
    pool: Option<(u64, u64)>,
    /// Bytes of contents after which a transaction is committed.
    batch_bytes: u64,
}

impl Putter {
    /// Stores files until the transaction is large enough; whether there are more.
    fn fill(
        &mut self,
        contents: &mut Contents<'_>,
        batch: &mut Transfer,
        progress: &mut Progress,
    ) -> Result<bool, Failure> {
        while let Some(next) = self.walk.peek() {
            interrupt::check()?;
            let begun = batch.files + batch.directories + batch.symlinks;
            let bytes = next
                .as_ref()
                .ok()
                .and_then(|entry| entry.metadata().ok())
                .map_or(0, |metadata| metadata.len());
            // A large file does not take the small ones before it along when it fails.
            if begun >= BATCH_FILES || begun > 0 && batch.bytes + bytes > self.batch_bytes {
                return Ok(true);
            }
            let Some(next) = self.walk.next() else { break };
            self.put_next(contents, next, batch, progress)?;
        }
        self.close(contents, 0)?;
        Ok(false)
    }

    fn put_next(
        &mut self,
        contents: &mut Contents<'_>,
        next: walkdir::Result<DirEntry>,
        batch: &mut Transfer,
        progress: &mut Progress,
    ) -> Result<(), Failure> {
        let entry = match next {
            Ok(entry) => entry,
            Err(error) => {
                let path = error.path().unwrap_or(Path::new(""));
                let failure = match error.io_error() {
                    Some(cause) => source::refused(path, cause),
                    None => Failure::new(Code::Host, error.to_string()),
                };
                batch.fail(path.shown(), &failure);
                return Ok(());
            }
        };
        self.close(contents, entry.depth())?;
        match self.put_entry(contents, &entry, batch, progress) {
            Err(failure) if is_of_this_file(failure.code()) => {
                batch.fail(entry.path().shown(), &failure);
                if entry.file_type().is_dir() {
                    self.walk_past(entry.path());
                }
                Ok(())
            }
            Err(failure) => Err(failure.while_doing(entry.path().shown())),
            done => done,
        }
    }

    /// Passes over what is in a directory that is not stored, what cannot be read of it included.
    fn walk_past(&mut self, directory: &Path) {
        let is_below = |next: &walkdir::Result<DirEntry>| match next {
            Ok(entry) => entry.path().starts_with(directory),
            Err(error) => error.path().is_some_and(|path| path.starts_with(directory)),
        };
        while self.walk.next_if(is_below).is_some() {}
    }

    fn put_entry(
        &mut self,
        contents: &mut Contents<'_>,
        entry: &DirEntry,
        batch: &mut Transfer,
        progress: &mut Progress,
    ) -> Result<(), Failure> {
        let path = entry.path();
        let refused = |error: std::io::Error| source::refused(path, &error);
        let follow = self.follow && entry.depth() == 0;
        let metadata =
            if follow { fs::metadata(path) } else { fs::symlink_metadata(path) }.map_err(refused)?;
        if self.pool == Some((metadata.dev(), metadata.ino())) {
            batch.skipped.push(format!("{}: the pool's own folder", path.shown()));
            self.walk_past(path);
            return Ok(());
        }
        let place = match self.open.last() {
            Some(open) => Place { directory: open.object, name: entry.file_name().as_bytes().to_vec() },
            None => Place { directory: self.root.directory, name: self.root.name.clone() },
        };
        let file_type = metadata.file_type();
        if file_type.is_dir() {
            let object = make_directory(contents, &place, &metadata)?;
            attributes::put_xattrs(contents, object, path)?;
            self.open.push(Open { depth: entry.depth(), object, change: attributes::change(&metadata) });
            batch.directories += 1;
        } else if file_type.is_symlink() {
            let target = fs::read_link(path).map_err(refused)?;
            let made = MakeRequest::Symlink(target.as_os_str().as_bytes());
            let object = place.replace(contents, |contents, name| {
                Ok(contents.create(place.directory, name, &made, &attributes::of(&metadata))?)
            })?;
            contents.change_attributes(object, &attributes::change(&metadata))?;
            batch.symlinks += 1;
        } else if file_type.is_file() {
            let inode = (metadata.dev(), metadata.ino());
            if let Some(&object) = self.links.get(&inode) {
                place.replace(contents, |contents, name| {
                    Ok(contents.link(object, place.directory, name)?)
                })?;
            } else {
                let (object, bytes) = put_file(contents, &place, path, follow, &mut self.buffer, progress)?;
                batch.bytes += bytes;
                if metadata.nlink() > 1 {
                    self.links.insert(inode, object);
                }
            }
            batch.files += 1;
        } else {
            batch.skipped.push(path.shown().to_string());
        }
        Ok(())
    }

    /// Gives the directories that the walk has left their attributes: filling them changed their times.
    fn close(&mut self, contents: &mut Contents<'_>, depth: usize) -> Result<(), Failure> {
        while let Some(open) = self.open.pop_if(|open| open.depth >= depth) {
            contents.change_attributes(open.object, &open.change)?;
        }
        Ok(())
    }

    /// What would be stored.
    fn count(self, transfer: &mut Transfer) -> Result<(), Failure> {
        for next in self.walk {
            interrupt::check()?;
            match next.and_then(|entry| Ok((entry.metadata()?, entry))) {
                Ok((metadata, _)) if metadata.is_dir() => transfer.directories += 1,
                Ok((metadata, _)) if metadata.is_symlink() => transfer.symlinks += 1,
                Ok((metadata, _)) if metadata.is_file() => {
                    transfer.files += 1;
                    transfer.bytes += metadata.len();
                }
                Ok((_, entry)) => transfer.skipped.push(entry.path().shown().to_string()),
                Err(error) => transfer.fail("", &Failure::new(Code::Host, error.to_string())),
            }
        }
        Ok(())
    }
}

/// Whether a failure concerns one file, so that the others can go on.
pub(super) const fn is_of_this_file(code: Code) -> bool {
    use Code::{
        Exists, Host, InvalidArgument, InvalidName, IsADirectory, NotADirectory, NotFound, SourceChanged,
    };
    matches!(
        code,
        Exists
            | Host
            | InvalidArgument
            | InvalidName
            | IsADirectory
            | NotADirectory
            | NotFound
            | SourceChanged
    )
}

/// The directory at a place, made if it is not there.
fn make_directory(
    contents: &mut Contents<'_>,
    place: &Place,
    metadata: &fs::Metadata,
) -> Result<ObjectId, Failure> {
    if place.name.is_empty() {
        return Ok(place.directory);
    }
    match contents.create(place.directory, &place.name, &MakeRequest::Directory, &attributes::of(metadata)) {
        Err(Error::Exists) => {
            let there = contents.lookup(place.directory, &place.name)?;
            if there.kind == ObjectKind::Directory {
                Ok(there.object)
            } else {
                Err(Error::NotADirectory.into())
            }
        }
        made => Ok(made?),
    }
}
