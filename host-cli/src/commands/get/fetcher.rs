//! Fetching one thing after the other, down into directories and up again.

use super::place::Guard;
use crate::commands::filter::Filter;
use crate::commands::transfer::{BUFFER_BYTES, Skipped, Transfer};
use crate::host::attributes::{self, Lacking, Xattr, narrow, restore, restore_link};
use crate::host::descent::Descent;
use crate::host::interrupt;
use crate::host::target::Unfinished;
use crate::output::failure::{Code, Failure};
use crate::output::names::{ShowPath, ToldPath};
use crate::output::progress::Progress;
use crate::pool::mend::Damaged;
use crate::pool::path::{self, Node, PoolPath};
use crate::pool::tree::Visit;
use dynamicfs_core::ReadObjects;
use dynamicfs_core::error::Error;
use dynamicfs_core::files::ObjectKind;
use dynamicfs_core::types::ObjectId;
use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::io::{self, Seek, SeekFrom, Write};
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Puts what a walk of the pool meets into folders of this machine.
pub(super) struct Fetcher<'t> {
    /// Where the walk is on this machine.
    descent: Descent,
    /// The name there of what is fetched; without one, what is in it goes into the folder itself.
    name: Option<OsString>,
    /// Bytes of the path of what is fetched.
    from_bytes: usize,
    transfer: &'t mut Transfer,
    damaged: &'t mut Damaged,
    progress: Progress,
    guard: Guard,
    filter: &'t Filter,
    /// Where objects with several names were put, below the folder that all goes into.
    links: HashMap<ObjectId, PathBuf>,
    buffer: Vec<u8>,
    /// Directories on the way to where the walk is, from the first that is not there: a dry run makes none.
    not_there: usize,
}

impl<'t> Fetcher<'t> {
    pub(super) fn new(
        descent: Descent,
        name: Option<OsString>,
        from: &PoolPath,
        (transfer, damaged): (&'t mut Transfer, &'t mut Damaged),
        progress: Progress,
        guard: Guard,
        filter: &'t Filter,
    ) -> Self {
        let from_bytes = from.as_bytes().len();
        let (links, buffer) = (HashMap::new(), vec![0; BUFFER_BYTES]);
        Self {
            descent,
            name,
            from_bytes,
            transfer,
            damaged,
            progress,
            guard,
            filter,
            links,
            buffer,
            not_there: 0,
        }
    }

    pub(super) fn visit(
        &mut self,
        contents: &mut impl ReadObjects,
        visit: Visit<'_>,
    ) -> Result<bool, Failure> {
        let (path, done) = match visit {
            Visit::Enter(path, node) => (path, self.enter(contents, path, node)),
            Visit::Leave(path, node) => (path, self.leave(contents, path, node).map(|()| true)),
            Visit::Failed(path, failure) => (path, Err(failure)),
        };
        match done {
            Err(failure) if failure.code() == Code::Interrupted => Err(failure),
            Err(failure) => {
                self.progress.aside(|| self.transfer.fail(path, &failure));
                Ok(false)
            }
            done => done,
        }
    }

    /// The path below what is fetched.
    fn below<'p>(&self, path: &'p PoolPath) -> &'p [u8] {
        let below = path.as_bytes().get(self.from_bytes..).unwrap_or_default();
        below.strip_prefix(b"/").unwrap_or(below)
    }

    /// The name of something on this machine; none for a directory whose contents go into the first folder.
    fn name_of(&self, path: &PoolPath) -> Option<OsString> {
        if self.below(path).is_empty() {
            return self.name.clone();
        }
        path.name().map(|name| OsStr::from_bytes(name).to_owned())
    }

    fn enter(
        &mut self,
        contents: &mut impl ReadObjects,
        path: &PoolPath,
        node: &Node,
    ) -> Result<bool, Failure> {
        if !self.filter.takes(Path::new(OsStr::from_bytes(self.below(path))), node.is_directory()) {
            return Ok(false);
        }
        let name = self.name_of(path);
        let dest = name.as_ref().map_or(self.descent.path().to_owned(), |name| self.descent.path_of(name));
        match (node.inode.kind, &name) {
            (ObjectKind::Directory, _) => {
                self.enter_directory(name.as_deref(), &dest, node)?;
                self.transfer.directories += 1;
            }
            (ObjectKind::Symlink, Some(name)) => {
                self.put(contents, (name, &dest), path, node)?;
                self.transfer.symlinks += 1;
            }
            (ObjectKind::File, Some(name)) => {
                self.put(contents, (name, &dest), path, node)?;
                self.transfer.files += 1;
                self.transfer.bytes += node.inode.size;
            }
            _ => {
                self.transfer.skipped.push(Skipped::new(path, "a pipe, a socket or a device"));
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Goes into a folder, and makes it if it is not there.
    fn enter_directory(&mut self, name: Option<&OsStr>, dest: &Path, node: &Node) -> Result<(), Failure> {
        let refused = |error: io::Error| refused(dest, &error);
        let mode = node.inode.mode;
        let Some(name) = name else {
            if !self.transfer.dry_run {
                self.narrow(mode, dest)?;
            }
            return Ok(());
        };
        if self.not_there > 0 {
            self.not_there += 1;
            return Ok(());
        }
        let here = self.descent.here().map_err(refused)?;
        let there = here.look_if_any(name).map_err(refused)?;
        if let Some(there) = there.filter(|there| !there.is_folder()) {
            let message = format!("{} is {}, and no folder", dest.shown(), there.what());
            return Err(Failure::new(Code::NotADirectory, message).hint("remove it, or name another place"));
        }
        if self.transfer.dry_run && there.is_none() {
            self.not_there = 1;
            return Ok(());
        }
        let is_new = there.is_none() && here.make(name).map_err(refused)?;
        let folder = here.enter(name).map_err(refused)?;
        self.descent.push(name, folder).map_err(refused)?;
        if !is_new && !self.transfer.dry_run {
            self.narrow(mode, dest)?;
        }
        Ok(())
    }

    /// Closes a folder that was there before to every user without rights to it in the end.
    fn narrow(&mut self, mode: u16, dest: &Path) -> Result<(), Failure> {
        let here = self.descent.here().map_err(|error| refused(dest, &error))?;
        if let Err(error) = narrow(&here.file, mode) {
            let why = crate::output::failure::plain(&error);
            let attribute = "mode until all is there".to_owned();
            self.transfer.attributes.note(&ToldPath::from(dest), [Lacking { attribute, why }]);
        }
        Ok(())
    }

    /// Gives a folder its attributes: filling it changed its times, and needed other permissions.
    fn leave(
        &mut self,
        contents: &mut impl ReadObjects,
        path: &PoolPath,
        node: &Node,
    ) -> Result<(), Failure> {
        if self.not_there > 0 {
            self.not_there -= 1;
            return Ok(());
        }
        let dest = self.descent.path().to_owned();
        let refused = |error: io::Error| refused(&dest, &error);
        let left = match self.name_of(path) {
            Some(_) => Some(self.descent.pop().map_err(refused)?),
            None => None,
        };
        if self.transfer.dry_run {
            return Ok(());
        }
        let xattrs = self.xattrs(contents, path, node)?;
        let folder = match &left {
            Some(left) => left,
            None => self.descent.here().map_err(refused)?,
        };
        let lacking = restore(&folder.file, &node.inode, &xattrs);
        self.transfer.attributes.note(&ToldPath::from(dest.as_path()), lacking);
        Ok(())
    }

    fn xattrs(
        &self,
        contents: &mut impl ReadObjects,
        path: &PoolPath,
        node: &Node,
    ) -> Result<Vec<Xattr>, Failure> {
        attributes::xattrs(contents, node.object).map_err(|error| Failure::object(error, path))
    }

    /// Puts a file or a link where it belongs.
    fn put(
        &mut self,
        contents: &mut impl ReadObjects,
        (name, dest): (&OsStr, &Path),
        path: &PoolPath,
        node: &Node,
    ) -> Result<(), Failure> {
        if self.not_there > 0 {
            return Ok(());
        }
        let refused = |error: io::Error| refused(dest, &error);
        let here = self.descent.here().map_err(refused)?;
        self.guard.check(here, (name, dest), (path, node.inode.kind))?;
        if self.transfer.dry_run || self.link(node.object, (name, dest))? {
            return Ok(());
        }
        let xattrs = self.xattrs(contents, path, node)?;
        let here = self.descent.here().map_err(refused)?;
        let (made, lacking) = if node.inode.kind == ObjectKind::Symlink {
            let target = path::link_target(contents, node.object);
            let target = target.map_err(|error| Failure::object(error, path))?;
            let made = here.symlink(&target).map_err(refused)?;
            let lacking = restore_link(here, made.name(), &node.inode, &xattrs);
            (made, lacking)
        } else {
            let made = here.file().map_err(refused)?;
            self.damaged.noting(contents, node.object, |contents| {
                copy(contents, (path, node), (&made, dest), &mut self.buffer, &mut self.progress)
            })?;
            let lacking = made.file().map_or_else(Vec::new, |file| restore(file, &node.inode, &xattrs));
            (made, lacking)
        };
        made.replace(name).map_err(refused)?;
        self.transfer.attributes.note(&ToldPath::from(dest), lacking);
        if node.inode.links > 1 {
            self.links.insert(node.object, self.descent.below(name));
        }
        Ok(())
    }

    /// Gives what was put elsewhere one more name; false where it is to be fetched once more.
    fn link(&mut self, object: ObjectId, (name, dest): (&OsStr, &Path)) -> Result<bool, Failure> {
        let Some(first) = self.links.get(&object) else { return Ok(false) };
        let link = || {
            let (folder, first) = self.descent.reach(first)?;
            self.descent.here()?.link(&folder, &first)?.replace(name)
        };
        match link() {
            Ok(()) => Ok(true),
            // A filesystem without links, or another one: a copy holds the same.
            Err(error) => {
                let lacking = Lacking::hard_link(error);
                self.transfer.attributes.note(&ToldPath::from(dest), [lacking]);
                Ok(false)
            }
        }
    }
}

/// Copies a file's contents; what was never written stays a hole.
fn copy(
    contents: &mut impl ReadObjects,
    (path, node): (&PoolPath, &Node),
    (made, dest): (&Unfinished, &Path),
    buffer: &mut [u8],
    progress: &mut Progress,
) -> Result<(), Failure> {
    let Some(mut file) = made.file() else { return Ok(()) };
    let refused = |error: io::Error| refused(dest, &error);
    let unreadable = |error| Failure::object(error, path);
    file.set_len(node.inode.size).map_err(refused)?;
    let mut at = 0;
    loop {
        interrupt::check()?;
        let Some(written) = contents.next_written(node.object, at).map_err(unreadable)? else {
            progress.advance(node.inode.size - at);
            return Ok(());
        };
        let end = join(contents, node.object, written.clone()).map_err(unreadable)?;
        let part = &mut buffer[..(end - written.start).min(BUFFER_BYTES as u64) as usize];
        let bytes = contents.read(node.object, written.start, part).map_err(unreadable)?;
        file.seek(SeekFrom::Start(written.start)).map_err(refused)?;
        file.write_all(&part[..bytes]).map_err(refused)?;
        progress.advance(written.start + bytes as u64 - at);
        at = written.start + bytes as u64;
    }
}

/// How far what was written continues without a hole, so far that it fills the buffer: fewer, longer reads.
fn join(contents: &mut impl ReadObjects, object: ObjectId, written: Range<u64>) -> Result<u64, Error> {
    let mut end = written.end;
    while end - written.start < BUFFER_BYTES as u64 {
        match contents.next_written(object, end)? {
            Some(next) if next.start == end => end = next.end,
            _ => break,
        }
    }
    Ok(end)
}

fn refused(path: &Path, error: &io::Error) -> Failure {
    Failure::host(format_args!("write {}", path.shown()), error)
}
