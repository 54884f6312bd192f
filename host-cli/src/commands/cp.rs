//! `cp`: copies within the pool.

use super::mv;
use super::transfer::{BATCH_FILES, BUFFER_BYTES, Transfer};
use crate::app::App;
use crate::host::attributes::xattrs;
use crate::host::interrupt;
use crate::output::failure::{Code, Exit, Failure};
use crate::output::progress::{Progress, Unit};
use crate::pool::open::{Access, with_pool};
use crate::pool::path::{self, Node, PoolPath, link_target};
use crate::pool::session::{Changes, Session};
use crate::pool::tree::{Visit, walk};
use dynamicfs_core::ReadObjects;
use dynamicfs_core::error::Error;
use dynamicfs_core::files::{AttributeMode, Attributes, Change, Inode, MakeRequest, ObjectKind};
use dynamicfs_core::types::ObjectId;
use std::collections::HashMap;
use std::ffi::OsString;
use std::time::Instant;

/// What to copy, and where to.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// A file in the pool, or a directory with -r
    from: OsString,
    /// The copy's name, or a directory to put it into
    to: OsString,
    /// Copy a directory with all its contents
    #[arg(short, long)]
    recursive: bool,
}

pub(crate) fn run(app: &App, options: &Options) -> Result<Exit, Failure> {
    let started = Instant::now();
    let (from, to) = (PoolPath::new(&options.from)?, PoolPath::new(&options.to)?);
    let mut transfer = Transfer::new(app, "copied");
    let ended =
        with_pool(app, Access::Write, |session| copy(app, session, &from, &to, options, &mut transfer));
    transfer.finish(app, started, ended)
}

/// Something that is to be copied.
struct Item {
    node: Node,
    /// Its name; what is copied itself gets another one.
    name: Vec<u8>,
    /// A directory is left, and gets its attributes.
    leave: bool,
}

fn copy(
    app: &App,
    session: &mut Session<'_>,
    from: &PoolPath,
    to: &PoolPath,
    options: &Options,
    transfer: &mut Transfer,
) -> Result<(), Failure> {
    let node = path::find(&mut session.pool, from, !options.recursive)?;
    if node.is_directory() && !options.recursive {
        return Err(
            Failure::object(Error::IsADirectory, from).hint("add -r to copy it with all that is in it")
        );
    }
    let (_, name) = from.split()?;
    let to = mv::into(session, to, name)?;
    let (parent, name) = to.split()?;
    let directory = path::find_directory(&mut session.pool, &parent)?;
    refuse_into_itself(&mut session.pool, &node, directory, &to)?;
    let items = list(session, from, node)?;
    let bytes = items
        .iter()
        .filter(|item| item.node.inode.kind == ObjectKind::File)
        .map(|item| item.node.inode.size)
        .sum();
    if transfer.dry_run {
        items.iter().for_each(|item| count(transfer, item));
        return Ok(());
    }
    let mut progress = Progress::new(&app.out, "copying", Unit::Bytes, Some(bytes));
    let mut copier = Copier {
        top: Some((directory, name.to_vec())),
        path: from.clone(),
        open: Vec::new(),
        links: HashMap::new(),
        buffer: vec![0; BUFFER_BYTES],
    };
    let mut rest = items.as_slice();
    while !rest.is_empty() {
        let (mut bytes, limit) = (0, session.batch_bytes());
        let batch = rest.iter().take(BATCH_FILES as usize).take_while(|item| {
            let before = bytes;
            bytes += if item.node.inode.kind == ObjectKind::File { item.node.inode.size } else { 0 };
            before == 0 || bytes <= limit
        });
        let (batch, later) = rest.split_at(batch.count().max(1));
        rest = later;
        session.change(|contents| {
            batch.iter().try_for_each(|item| {
                let copied = copier.copy(contents, item, &mut progress);
                copied.map_err(|failure| failure.while_doing(&copier.path))
            })
        })?;
        batch.iter().for_each(|item| count(transfer, item));
    }
    Ok(())
}

fn count(transfer: &mut Transfer, item: &Item) {
    match item.node.inode.kind {
        ObjectKind::Directory => transfer.directories += u64::from(item.leave),
        ObjectKind::Symlink => transfer.symlinks += 1,
        _ => {
            transfer.files += 1;
            transfer.bytes += item.node.inode.size;
        }
    }
}

/// A directory is not copied into itself: that would never end. Nor is a file onto itself.
fn refuse_into_itself(
    contents: &mut impl ReadObjects,
    node: &Node,
    directory: ObjectId,
    to: &PoolPath,
) -> Result<(), Failure> {
    if let Some(there) = path::find_if_any(contents, to, false)?
        && there.object == node.object
    {
        return Err(Failure::new(Code::Exists, format!("{to} is the same file")));
    }
    let mut at = directory;
    while at != ObjectId::ROOT {
        if at == node.object {
            return Err(Failure::object(Error::IntoItself, to));
        }
        at = contents.inode(at)?.parent;
    }
    Ok(())
}

/// All that is to be copied, as it is now.
fn list(session: &mut Session<'_>, from: &PoolPath, node: Node) -> Result<Vec<Item>, Failure> {
    let mut items = Vec::new();
    walk(&mut session.pool, from, node, &mut |_, visit| {
        let (path, node, leave) = match visit {
            Visit::Enter(path, node) => (path, node, false),
            Visit::Leave(path, node) => (path, node, true),
            Visit::Failed(_, failure) => return Err(failure),
        };
        items.push(Item { node: *node, name: path.name().unwrap_or_default().to_vec(), leave });
        Ok(true)
    })?;
    Ok(items)
}

struct Copier {
    /// The directory that the copy is put into, and its name there, until it is.
    top: Option<(ObjectId, Vec<u8>)>,
    /// What is being copied, for messages.
    path: PoolPath,
    /// The copies of the directories on the way to it, and how long the paths above them are.
    open: Vec<(ObjectId, usize)>,
    /// Copies of objects with several names.
    links: HashMap<ObjectId, ObjectId>,
    buffer: Vec<u8>,
}

impl Copier {
    fn copy(
        &mut self,
        contents: &mut Changes<'_, '_>,
        item: &Item,
        progress: &mut Progress,
    ) -> Result<(), Failure> {
        let Item { node, name, leave } = item;
        if *leave {
            let Some((copy, above)) = self.open.pop() else { return Ok(()) };
            self.path.shorten(above);
            return finish(contents, node, copy);
        }
        let above = self.path.as_bytes().len();
        let (directory, name) = match (self.top.take(), self.open.last()) {
            (Some(top), _) => top,
            (None, Some(&(directory, _))) => {
                self.path.push(name);
                (directory, name.clone())
            }
            (None, None) => return Ok(()),
        };
        self.copy_one(contents, node, (directory, &name), above, progress)?;
        if !node.is_directory() {
            self.path.shorten(above);
        }
        Ok(())
    }

    fn copy_one(
        &mut self,
        contents: &mut Changes<'_, '_>,
        node: &Node,
        (directory, name): (ObjectId, &[u8]),
        above: usize,
        progress: &mut Progress,
    ) -> Result<(), Failure> {
        if node.is_directory() {
            let copy =
                match contents.create(directory, name, &MakeRequest::Directory, &attributes(&node.inode)) {
                    Err(Error::Exists) => contents.lookup(directory, name)?.object,
                    made => made?,
                };
            self.open.push((copy, above));
            return Ok(());
        }
        replace_old(contents, directory, name)?;
        if let Some(&copy) = self.links.get(&node.object) {
            contents.link(copy, directory, name)?;
            return Ok(());
        }
        let copy = self.copy_contents(contents, node, directory, name, progress)?;
        if node.inode.links > 1 {
            self.links.insert(node.object, copy);
        }
        finish(contents, node, copy)
    }

    fn copy_contents(
        &mut self,
        contents: &mut Changes<'_, '_>,
        node: &Node,
        directory: ObjectId,
        name: &[u8],
        progress: &mut Progress,
    ) -> Result<ObjectId, Failure> {
        let inode = &node.inode;
        match inode.kind {
            ObjectKind::File => {}
            ObjectKind::Symlink => {
                let target = link_target(contents, node.object)?;
                return Ok(contents.create(
                    directory,
                    name,
                    &MakeRequest::Symlink(&target),
                    &attributes(inode),
                )?);
            }
            special => {
                return Ok(contents.create(
                    directory,
                    name,
                    &MakeRequest::Special(special),
                    &attributes(inode),
                )?);
            }
        }
        let copy = contents.create(directory, name, &MakeRequest::File, &attributes(inode))?;
        let (mut at, mut has_holes) = (0, false);
        while let Some(written) = contents.next_written(node.object, at)? {
            interrupt::check()?;
            if written.start > at && !has_holes {
                has_holes = true;
                contents.truncate(copy, inode.size)?;
            }
            let bytes = (written.end - written.start).min(BUFFER_BYTES as u64) as usize;
            let part = &mut self.buffer[..bytes];
            let bytes = contents.read(node.object, written.start, part)?;
            if has_holes {
                contents.write_apart(copy, written.start, &part[..bytes])?;
            } else {
                contents.write_all(copy, written.start, &part[..bytes])?;
            }
            let end = written.start + bytes as u64;
            progress.advance(end - at);
            at = end;
        }
        if at < inode.size {
            contents.truncate(copy, inode.size)?;
            progress.advance(inode.size - at);
        }
        Ok(copy)
    }
}

/// Takes away what a copy replaces; all of it happens at once, or nothing.
fn replace_old(contents: &mut Changes<'_, '_>, directory: ObjectId, name: &[u8]) -> Result<(), Failure> {
    match contents.lookup(directory, name) {
        Ok(target) if target.kind == ObjectKind::Directory => Err(Error::IsADirectory.into()),
        Ok(_) => Ok(contents.unlink(directory, name)?),
        Err(Error::NotFound) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn attributes(inode: &Inode) -> Attributes {
    Attributes::new().mode(inode.mode).uid(inode.uid).gid(inode.gid).device(inode.device)
}

/// Gives a copy what its contents do not say.
fn finish(contents: &mut Changes<'_, '_>, node: &Node, copy: ObjectId) -> Result<(), Failure> {
    for (name, value) in xattrs(contents, node.object)? {
        contents.set_attribute(copy, &name, &value, AttributeMode::CreateOrReplace)?;
    }
    let Inode { mode, uid, gid, accessed, modified, .. } = node.inode;
    let change = Change::new().mode(mode).uid(uid).gid(gid).accessed(accessed).modified(modified);
    contents.change_attributes(copy, &change)?;
    Ok(())
}
