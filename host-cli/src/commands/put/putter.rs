//! What a walk of this machine meets, into the pool, in transactions of bounded size.

use super::file;
use super::place::{Place, is_of_one_file};
use super::same::{same_attributes, same_contents};
use super::target::Target;
use crate::commands::filter::Filter;
use crate::commands::rm::{Doomed, doomed};
use crate::commands::transfer::{BATCH_FILES, Skipped, Transfer};
use crate::host::attributes::{self, Bearer};
use crate::host::folder::{Folder, split};
use crate::host::interrupt;
use crate::host::look::{Identity, Look};
use crate::host::source::{self, Source};
use crate::host::walk::{Step, Walk};
use crate::output::failure::{Code, Failure};
use crate::output::names::{ShowPath, ToldPath};
use crate::output::progress::Progress;
use crate::output::size;
use crate::pool::path::{Node, PoolPath, link_target};
use crate::pool::room::PoolRoom;
use crate::pool::session::{Changes, Session};
use dynamicfs_core::ReadObjects;
use dynamicfs_core::error::Error;
use dynamicfs_core::files::{Change, MakeRequest, ObjectKind};
use dynamicfs_core::types::ObjectId;
use std::collections::{HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::io;
use std::mem;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// How a directory of the pool is brought up to date with a folder.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sync {
    /// Contents are compared, not only sizes and times.
    pub(crate) compare: bool,
    /// What is not in the folder is removed from the directory.
    pub(crate) delete: bool,
}

/// A directory of the pool that is being filled.
struct Open {
    /// Its number; a dry run makes none.
    object: Option<ObjectId>,
    /// The attributes that it gets in the end.
    change: Change,
    /// It was there before.
    was_there: bool,
}

/// What a source is, by the step of a walk.
struct Item {
    name: OsString,
    path: PathBuf,
    look: Look,
}

pub(crate) struct Putter<'f> {
    /// Where what is walked goes.
    root: Place,
    /// The path of it, for messages.
    to: PoolPath,
    walk: Walk,
    /// The folder that is walked, until its directory is there.
    top: Option<Look>,
    /// The directories on the way to where the walk is.
    open: Vec<Open>,
    /// Files with several names, by their numbers here.
    links: HashMap<Identity, ObjectId>,
    buffer: Vec<u8>,
    /// A link that is walked first is followed.
    follow: bool,
    /// The pool's own folder: it is not stored in itself.
    pool: Option<Identity>,
    filter: &'f Filter,
    /// The path below what is walked, where the filter looks at it.
    below: PathBuf,
    sync: Option<Sync>,
    /// Names that `sync` removes.
    doomed: Vec<Doomed>,
    /// Bytes of contents after which a transaction is committed.
    batch_bytes: u64,
    /// What found no space in a transaction that had stored others before it.
    again: Option<(OsString, Look)>,
}

impl<'f> Putter<'f> {
    pub(crate) fn new(
        session: &mut Session<'_>,
        (source, look): (&Path, &Look),
        to: &PoolPath,
        filter: &'f Filter,
    ) -> Result<Self, Failure> {
        let root = Place::find_any(&mut session.pool, to)?;
        let refused = |error| source::refused(source, &error);
        let walk = match split(source).filter(|_| !look.is_folder()) {
            Some((folder, name)) => {
                Walk::of_one(Folder::open(folder).map_err(refused)?, folder, name).map_err(refused)?
            }
            None => Walk::of_folder(Folder::open(source).map_err(refused)?, source).map_err(refused)?,
        };
        Ok(Self {
            root,
            to: to.clone(),
            walk,
            top: look.is_folder().then_some(*look),
            open: Vec::new(),
            links: HashMap::new(),
            buffer: Vec::new(),
            follow: false,
            pool: Look::of_path(&session.config.folder, true).ok().map(|look| look.identity),
            filter,
            below: PathBuf::new(),
            sync: None,
            doomed: Vec::new(),
            batch_bytes: 0,
            again: None,
        })
    }

    /// Follows a link that is named itself.
    pub(crate) fn follow(&mut self, follow: bool) {
        self.follow = follow;
    }

    /// Leaves what is there already as it is.
    pub(crate) fn sync(&mut self, sync: Sync) {
        self.sync = Some(sync);
    }

    /// Stores all of it.
    pub(crate) fn run(
        mut self,
        session: &mut Session<'_>,
        transfer: &mut Transfer,
        progress: &mut Progress,
    ) -> Result<(), Failure> {
        if transfer.dry_run {
            self.batch_bytes = u64::MAX;
            while self.fill(&mut session.pool, transfer, progress)? {}
            return Ok(());
        }
        loop {
            // What a transaction did counts when it is durable.
            let mut batch = Transfer::default();
            self.batch_bytes = session.batch_bytes();
            let mut transaction = session.begin().map_err(|failure| failure.while_doing(&self.to))?;
            let filled = self.fill(&mut transaction, &mut batch, progress);
            transfer.note(&mut batch);
            match filled {
                Ok(more) => {
                    transaction.commit().map_err(|error| Failure::object(error, &self.to))?;
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

    /// Stores files until the transaction is large enough, or finds no more space; whether there are more.
    fn fill(
        &mut self,
        contents: &mut impl Target,
        batch: &mut Transfer,
        progress: &mut Progress,
    ) -> Result<bool, Failure> {
        if let Some(top) = self.top.take() {
            self.begin(contents, &top, batch)?;
        }
        loop {
            interrupt::check()?;
            let begun = batch.files + batch.directories + batch.symlinks + batch.removed;
            let bytes = match self.walk.peek() {
                Some(Step::Item { look: Ok(look), .. }) => look.bytes,
                _ => 0,
            };
            // A large file does not take the small ones before it along when it fails.
            if begun >= BATCH_FILES || begun > 0 && batch.bytes + bytes > self.batch_bytes {
                return Ok(true);
            }
            if let Some(doomed) = self.doomed.pop() {
                self.remove(contents, &doomed, batch)?;
                continue;
            }
            let next = match self.again.take() {
                Some((name, look)) => Some(Step::Item { name, look: Ok(look) }),
                None => self.walk.next(),
            };
            match next {
                None => break,
                Some(Step::Left) => {
                    let path = self.walk.path().to_owned();
                    self.walk.leave().map_err(|error| source::refused(&path, &error))?;
                    self.below.pop();
                    self.close(contents, batch)?;
                }
                Some(Step::Item { name, look }) => {
                    let (entry, reached) =
                        (look.as_ref().ok().map(|look| (name.clone(), *look)), progress.reached());
                    match self.put_item(contents, name, look, batch, progress) {
                        // A transaction takes more space than what it stores, until it is committed.
                        Err(failure) if failure.code() == Code::NoSpace && begun > 0 => {
                            progress.reach(reached);
                            self.again = entry;
                            return Ok(true);
                        }
                        done => done?,
                    }
                }
            }
        }
        while !self.open.is_empty() {
            self.close(contents, batch)?;
        }
        Ok(false)
    }

    /// Makes the directory of the folder that is walked.
    fn begin(
        &mut self,
        contents: &mut impl Target,
        look: &Look,
        batch: &mut Transfer,
    ) -> Result<(), Failure> {
        let path = self.walk.path().to_owned();
        let place = self.root.clone();
        self.open_directory(contents, Some(&place), look, &path, batch)
            .map_err(|failure| failure.while_doing(path.shown()))
    }

    fn put_item(
        &mut self,
        contents: &mut impl Target,
        name: OsString,
        look: io::Result<Look>,
        batch: &mut Transfer,
        progress: &mut Progress,
    ) -> Result<(), Failure> {
        let path = self.walk.path_of(&name);
        let put = match look {
            Ok(look) => {
                let item = Item { name, path: path.clone(), look };
                self.put_entry(contents, item, batch, progress)
            }
            Err(error) => Err(source::refused(&path, &error)),
        };
        match put {
            Err(failure) if is_of_one_file(failure.code()) => {
                batch.fail(path.as_path(), &failure);
                Ok(())
            }
            Err(failure) => Err(failure.while_doing(path.shown())),
            done => done,
        }
    }

    fn put_entry(
        &mut self,
        contents: &mut impl Target,
        mut item: Item,
        batch: &mut Transfer,
        progress: &mut Progress,
    ) -> Result<(), Failure> {
        let refused = |path: &Path, error: &io::Error| source::refused(path, error);
        let is_first = self.open.is_empty();
        if is_first && self.follow {
            let here = self.walk.here().map_err(|error| refused(&item.path, &error))?;
            item.look = here.look_through(&item.name).map_err(|error| refused(&item.path, &error))?;
        }
        if self.pool == Some(item.look.identity) {
            batch.skipped.push(Skipped::new(item.path.as_path(), "the pool's own folder"));
            return Ok(());
        }
        if !is_first && !self.filter.takes(&self.below.join(&item.name), item.look.is_folder()) {
            return Ok(());
        }
        let place = match self.open.last() {
            Some(Open { object: Some(directory), .. }) => {
                Some(Place { directory: *directory, name: item.name.as_bytes().to_vec() })
            }
            // A dry run is in a directory that is not there.
            Some(_) => None,
            None => Some(self.root.clone()),
        };
        let place = place.as_ref();
        match () {
            () if item.look.is_folder() => self.enter(contents, place, &item, batch),
            () if item.look.is_link() => self.put_link(contents, place, &item, batch),
            () if item.look.is_file() => self.put_file(contents, place, &item, batch, progress),
            () => {
                batch.skipped.push(Skipped::new(item.path.as_path(), item.look.what()));
                Ok(())
            }
        }
    }

    /// Goes down into a folder.
    fn enter(
        &mut self,
        contents: &mut impl Target,
        place: Option<&Place>,
        item: &Item,
        batch: &mut Transfer,
    ) -> Result<(), Failure> {
        let refused = |error: io::Error| source::refused(&item.path, &error);
        let folder = self.walk.here().and_then(|here| here.enter(&item.name)).map_err(refused)?;
        let look = Look::of(&folder.file).map_err(refused)?;
        self.walk.enter(&item.name, folder).map_err(refused)?;
        self.below.push(&item.name);
        let opened = self.open_directory(contents, place, &look, &item.path, batch);
        if opened.is_err() {
            // Nothing of it lands beside the place that it has not.
            self.walk.leave().map_err(refused)?;
            self.below.pop();
        }
        opened
    }

    /// Makes the directory for the folder that the walk is in, unless it is there.
    fn open_directory(
        &mut self,
        contents: &mut impl Target,
        place: Option<&Place>,
        look: &Look,
        path: &Path,
        batch: &mut Transfer,
    ) -> Result<(), Failure> {
        let there = self.look_up(contents, place)?;
        let change = attributes::change(look);
        let there = match (there, place) {
            (Some(there), _) if there.is_directory() => Some(there.object),
            // `sync` puts a directory in the place of anything else.
            (Some(_), Some(place)) if self.sync.is_some() => {
                contents.change(|changes| Ok(changes.unlink(place.directory, &place.name)?))?;
                None
            }
            (Some(_), _) => return Err(Error::NotADirectory.into()),
            (None, _) => None,
        };
        let was_there = there.is_some();
        let object = match (there, place) {
            (None, Some(Place { directory, name })) => contents.change(|changes| {
                Ok(changes.create(*directory, name, &MakeRequest::Directory, &attributes::of(look))?)
            })?,
            (there, _) => there,
        };
        if let Some(object) = object {
            contents.change(|changes| self.put_folder_xattrs(changes, object, look, path, batch))?;
        }
        if let (Some(object), Some(Sync { delete: true, .. })) = (there, self.sync) {
            self.doom_others(contents, object)?;
        }
        batch.directories += u64::from(self.sync.is_none() || !was_there);
        self.open.push(Open { object, change, was_there });
        Ok(())
    }

    fn put_folder_xattrs(
        &self,
        contents: &mut Changes<'_, '_>,
        object: ObjectId,
        look: &Look,
        path: &Path,
        batch: &mut Transfer,
    ) -> Result<(), Failure> {
        let here = self.walk.here().map_err(|error| source::refused(path, &error))?;
        let bearer = Bearer::File(&here.file);
        let node = Node { object, inode: contents.inode(object)? };
        if self.sync.is_some() && same_attributes(contents, &node, look, &bearer)? {
            return Ok(());
        }
        let lacking = attributes::put_xattrs(contents, object, &bearer)?;
        batch.attributes.note(&ToldPath::from(path), lacking);
        Ok(())
    }

    /// What is at a place already.
    fn look_up(&self, contents: &mut impl Target, place: Option<&Place>) -> Result<Option<Node>, Failure> {
        let Some(place) = place else { return Ok(None) };
        let object = if place.name.is_empty() {
            place.directory
        } else {
            match contents.lookup(place.directory, &place.name) {
                Err(Error::NotFound) => return Ok(None),
                found => found?.object,
            }
        };
        Ok(Some(Node { object, inode: contents.inode(object)? }))
    }

    /// Refuses to put something in the place of a directory; `sync --delete` removes that first.
    fn clear(
        &mut self,
        contents: &mut impl Target,
        place: Option<&Place>,
        there: Option<&Node>,
        batch: &mut Transfer,
    ) -> Result<(), Failure> {
        let (Some(place), Some(there)) = (place, there.filter(|there| there.is_directory())) else {
            return Ok(());
        };
        match self.sync {
            Some(Sync { delete: true, .. }) => {
                for doomed in doomed(contents, *there, (place.directory, &place.name))? {
                    self.remove(contents, &doomed, batch)?;
                }
                Ok(())
            }
            Some(_) => Err(Failure::from(Error::IsADirectory).hint("--delete puts a file in its place")),
            None => Err(Error::IsADirectory.into()),
        }
    }

    fn put_link(
        &mut self,
        contents: &mut impl Target,
        place: Option<&Place>,
        item: &Item,
        batch: &mut Transfer,
    ) -> Result<(), Failure> {
        let there = self.look_up(contents, place)?;
        let here = self.walk.here().map_err(|error| source::refused(&item.path, &error))?;
        let target = here.target(&item.name).map_err(|error| source::refused(&item.path, &error))?;
        let bearer = Bearer::Link(here, &item.name);
        if let (Some(_), Some(there)) = (self.sync, &there)
            && there.inode.kind == ObjectKind::Symlink
            && link_target(contents, there.object)? == target
            && same_attributes(contents, there, &item.look, &bearer)?
        {
            batch.unchanged += 1;
            return Ok(());
        }
        self.clear(contents, place, there.as_ref(), batch)?;
        let Some(place) = place else {
            batch.symlinks += 1;
            return Ok(());
        };
        contents.change(|changes| self.make_link(changes, place, item, &target, batch))?;
        batch.symlinks += 1;
        Ok(())
    }

    fn make_link(
        &self,
        changes: &mut Changes<'_, '_>,
        place: &Place,
        item: &Item,
        target: &[u8],
        batch: &mut Transfer,
    ) -> Result<(), Failure> {
        let made = MakeRequest::Symlink(target);
        let object = place.replace(changes, |changes, name| {
            Ok(changes.create(place.directory, name, &made, &attributes::of(&item.look))?)
        })?;
        let here = self.walk.here().map_err(|error| source::refused(&item.path, &error))?;
        let lacking = attributes::put_xattrs(changes, object, &Bearer::Link(here, &item.name))?;
        batch.attributes.note(&ToldPath::from(item.path.as_path()), lacking);
        changes.change_attributes(object, &attributes::change(&item.look))?;
        Ok(())
    }

    fn put_file(
        &mut self,
        contents: &mut impl Target,
        place: Option<&Place>,
        item: &Item,
        batch: &mut Transfer,
        progress: &mut Progress,
    ) -> Result<(), Failure> {
        let there = self.look_up(contents, place)?;
        let look = &item.look;
        let first = self.links.get(&look.identity).copied();
        if let Some(first) = first {
            if there.is_some_and(|there| there.object == first) && self.sync.is_some() {
                batch.unchanged += 1;
                return Ok(());
            }
        } else if let (Some(sync), Some(there)) = (self.sync, &there)
            && self.is_unchanged(contents, item, there, sync, batch)?
        {
            return Ok(());
        }
        self.clear(contents, place, there.as_ref(), batch)?;
        let stored = match place {
            Some(place) => {
                contents.change(|changes| self.store(changes, place, item, first, batch, progress))?
            }
            None => None,
        };
        if stored.is_none() && first.is_none() {
            batch.bytes += look.bytes;
            batch.stored_bytes += look.stored_bytes;
        }
        batch.files += 1;
        Ok(())
    }

    /// Stores a file, or gives the first of its names' objects another name.
    fn store(
        &mut self,
        changes: &mut Changes<'_, '_>,
        place: &Place,
        item: &Item,
        first: Option<ObjectId>,
        batch: &mut Transfer,
        progress: &mut Progress,
    ) -> Result<(), Failure> {
        if let Some(first) = first {
            return place.replace(changes, |changes, name| Ok(changes.link(first, place.directory, name)?));
        }
        let look = &item.look;
        let source = self.open_source(item)?;
        let stored = file::store(changes, place, source, &mut self.buffer, progress)?;
        batch.bytes += stored.bytes;
        batch.attributes.note(&ToldPath::from(item.path.as_path()), stored.lacking);
        if look.links > 1 {
            self.links.insert(look.identity, stored.object);
        }
        Ok(())
    }

    fn open_source(&self, item: &Item) -> Result<Source, Failure> {
        let here = self.walk.here().map_err(|error| source::refused(&item.path, &error))?;
        Source::open(here, &item.name, &item.path, self.follow && self.open.is_empty())
    }

    /// Whether the pool has a file as it is; where only its attributes are others they are brought up to
    /// date.
    fn is_unchanged(
        &mut self,
        contents: &mut impl Target,
        item: &Item,
        there: &Node,
        sync: Sync,
        batch: &mut Transfer,
    ) -> Result<bool, Failure> {
        let mut source = self.open_source(item)?;
        if !same_contents(contents, there, &mut source, sync.compare)? {
            return Ok(false);
        }
        if item.look.links > 1 {
            self.links.insert(item.look.identity, there.object);
        }
        let bearer = Bearer::File(&source.file);
        if same_attributes(contents, there, &item.look, &bearer)? {
            batch.unchanged += 1;
            return Ok(true);
        }
        batch.files += 1;
        contents.change(|changes| {
            let lacking = attributes::put_xattrs(changes, there.object, &bearer)?;
            batch.attributes.note(&ToldPath::from(item.path.as_path()), lacking);
            Ok(changes.change_attributes(there.object, &attributes::change(&item.look))?)
        })?;
        Ok(true)
    }

    /// Gives the directory that the walk has left its attributes: filling it changed its times.
    fn close(&mut self, contents: &mut impl Target, batch: &mut Transfer) -> Result<(), Failure> {
        // What is removed from it changes them too.
        for doomed in mem::take(&mut self.doomed).iter().rev() {
            self.remove(contents, doomed, batch)?;
        }
        let Some(Open { object: Some(object), change, was_there }) = self.open.pop() else { return Ok(()) };
        let inode = contents.inode(object)?;
        let is = (Some(inode.mode), Some(inode.uid), Some(inode.gid), Some(inode.modified));
        let is_same = is == (change.mode, change.uid, change.gid, change.modified);
        if !(self.sync.is_some() && was_there && is_same) {
            contents.change(|changes| Ok(changes.change_attributes(object, &change)?))?;
        }
        Ok(())
    }

    /// Dooms what is in a directory and not in the folder that the walk is in. What a filter leaves out
    /// stays.
    fn doom_others(&mut self, contents: &mut impl Target, directory: ObjectId) -> Result<(), Failure> {
        let kept: HashSet<OsString> = self.walk.names().cloned().collect();
        for child in crate::pool::tree::children(contents, directory)? {
            let name = OsStr::from_bytes(&child.name);
            let node = Node { object: child.object, inode: contents.inode(child.object)? };
            if !kept.contains(name) && self.filter.takes(&self.below.join(name), node.is_directory()) {
                let mut below = doomed(contents, node, (directory, &child.name))?;
                // They are taken from the end.
                below.reverse();
                self.doomed.append(&mut below);
            }
        }
        Ok(())
    }

    fn remove(
        &self,
        contents: &mut impl Target,
        doomed: &Doomed,
        batch: &mut Transfer,
    ) -> Result<(), Failure> {
        contents.change(|changes| Ok(changes.unlink(doomed.directory, &doomed.name)?))?;
        batch.removed += 1;
        Ok(())
    }
}

/// Fails if there is no room for what a dry run counted.
pub(crate) fn check_room(session: &mut Session<'_>, transfer: &Transfer) -> Result<(), Failure> {
    if !transfer.dry_run {
        return Ok(());
    }
    let room = PoolRoom::of(&mut session.pool)?.filled.usable_bytes;
    if transfer.stored_bytes <= room {
        return Ok(());
    }
    let [wanted, room] = [transfer.stored_bytes, room].map(|bytes| size::show(bytes, session.out.exact()));
    Err(Failure::new(Code::NoSpace, format!("{wanted} would not fit: there is room for {room}")).hint(
        "see `dynamicfs capacity`; `dynamicfs rm PATH` gives space back, and `dynamicfs disk add NEW-DISK` adds some",
    ))
}
