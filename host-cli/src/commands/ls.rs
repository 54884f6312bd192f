//! `ls`: what is in a directory.

use crate::app::App;
use crate::host::attributes::rfc3339;
use crate::output::failure::{Exit, Failure};
use crate::output::names;
use crate::output::report::Report;
use crate::output::text::{Cell, Text};
use crate::pool::open::{Access, with_pool};
use crate::pool::path::{self, Node, PoolPath};
use crate::pool::session::Contents;
use crate::pool::tree::children;
use dynamicfs_core::format::inode::ObjectKind;
use schemars::JsonSchema;
use serde::Serialize;
use std::ffi::OsString;

/// What to list.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// A directory or file in the pool
    #[arg(default_value = "/")]
    path: OsString,
    /// Show mode, owner, size and time
    #[arg(short, long)]
    long: bool,
}

/// A directory's entries, or a file alone.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Listing {
    /// What was listed.
    path: String,
    /// The entries, by name.
    entries: Vec<Entry>,
    #[serde(skip)]
    long: bool,
}

/// Something with a name in the pool.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Entry {
    /// Its name; what is not UTF-8 or a control character is escaped.
    pub(crate) name: String,
    /// The name's bytes in hexadecimal, where `name` does not tell them exactly.
    #[serde(skip_serializing_if = "Option::is_none")]
    name_hex: Option<String>,
    /// What it is.
    pub(crate) kind: Kind,
    /// The object's number.
    pub(crate) object: u64,
    /// Bytes of a file or link; entries of a directory.
    pub(crate) size: u64,
    /// Permission bits, in octal.
    pub(crate) mode: String,
    /// Names that the object has.
    pub(crate) links: u32,
    /// The owner.
    pub(crate) uid: u32,
    /// The group.
    pub(crate) gid: u32,
    /// Last change of the contents, RFC 3339 in UTC.
    pub(crate) modified: String,
    /// Where a symbolic link points.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) target: Option<String>,
}

/// What an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// A byte sequence.
    File,
    /// Names of objects.
    Directory,
    /// A path to something else.
    Symlink,
    /// A device, pipe or socket.
    Special,
}

impl From<ObjectKind> for Kind {
    fn from(kind: ObjectKind) -> Self {
        match kind {
            ObjectKind::File => Self::File,
            ObjectKind::Directory => Self::Directory,
            ObjectKind::Symlink => Self::Symlink,
            _ => Self::Special,
        }
    }
}

impl Entry {
    pub(crate) fn new(contents: &mut Contents<'_>, name: &[u8], node: &Node) -> Self {
        let inode = &node.inode;
        let target = (inode.kind == ObjectKind::Symlink)
            .then(|| path::link_target(contents, node.object).unwrap_or_default());
        Self {
            name: names::show(name),
            name_hex: names::exact(name),
            kind: inode.kind.into(),
            object: node.object.0,
            size: inode.size,
            mode: format!("{:04o}", inode.mode),
            links: inode.links,
            uid: inode.uid,
            gid: inode.gid,
            modified: rfc3339(inode.modified),
            target: target.map(|target| names::show(&target)),
        }
    }

    /// The name as lists show it.
    pub(crate) fn shown(&self) -> String {
        match (&self.target, self.kind) {
            (Some(target), _) => format!("{} -> {target}", self.name),
            (None, Kind::Directory) if !self.name.ends_with('/') => format!("{}/", self.name),
            (None, Kind::Special) => format!("{}|", self.name),
            _ => self.name.clone(),
        }
    }

    /// The type and permissions as `ls -l` shows them.
    pub(crate) fn mode_letters(&self) -> String {
        let mode = u32::from_str_radix(&self.mode, 8).unwrap_or(0);
        let kind = match self.kind {
            Kind::File => '-',
            Kind::Directory => 'd',
            Kind::Symlink => 'l',
            Kind::Special => 's',
        };
        let bits = (0..9).map(|i| if mode >> (8 - i) & 1 == 1 { ['r', 'w', 'x'][i % 3] } else { '-' });
        std::iter::once(kind).chain(bits).collect()
    }
}

impl Report for Listing {
    fn text(&self, text: &mut Text) {
        if !self.long {
            for entry in &self.entries {
                text.line(entry.shown());
            }
            return;
        }
        let row = |entry: &Entry| -> Vec<Cell> {
            let size = if entry.kind == Kind::Directory {
                format!("{} in it", entry.size)
            } else {
                text.size(entry.size)
            };
            let time = entry
                .modified
                .get(..19)
                .map_or_else(|| entry.modified.clone(), |time| time.replace('T', " "));
            vec![
                entry.mode_letters().into(),
                entry.links.to_string().into(),
                format!("{}:{}", entry.uid, entry.gid).into(),
                size.into(),
                time.into(),
                entry.shown().into(),
            ]
        };
        let rows: Vec<_> = self.entries.iter().map(row).collect();
        text.table(&["MODE", "LINKS", "OWNER", "SIZE", "MODIFIED (UTC)", "NAME"], &[1, 3], &rows);
    }
}

pub(crate) fn run(app: &App, options: &Options) -> Result<Exit, Failure> {
    let path = PoolPath::new(&options.path)?;
    with_pool(app, Access::Read, |session| {
        let contents = &mut *session.pool;
        let node = path::find(contents, &path, true)?;
        let mut entries = Vec::new();
        if node.is_directory() {
            let listed = children(contents, node.object).map_err(|error| Failure::object(error, &path))?;
            for child in listed {
                let inode = contents
                    .inode(child.object)
                    .map_err(|error| Failure::object(error, path.join(&child.name)))?;
                entries.push(Entry::new(contents, &child.name, &Node { object: child.object, inode }));
            }
        } else {
            entries.push(Entry::new(contents, path.as_bytes(), &node));
        }
        app.out.report(&Listing { path: path.to_string(), entries, long: options.long })?;
        Ok(Exit::Done)
    })
}
