//! `ls`: what is in a directory.

use crate::app::App;
use crate::host::times::rfc3339;
use crate::output::failure::{Exit, Failure};
use crate::output::names::{self, ToldPath};
use crate::output::report::Report;
use crate::output::text::{BAD, BOLD, Cell, Text};
use crate::pool::files::FailedPath;
use crate::pool::glob;
use crate::pool::open::{Access, with_pool};
use crate::pool::path::{self, Node, PoolPath};
use crate::pool::tree::{Visit, walk};
use dynamicfs_core::ReadObjects;
use dynamicfs_core::files::ObjectKind;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::HashMap;
use std::ffi::OsString;
use std::rc::Rc;

/// What to list.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Directories or files in the pool; a name may be a pattern, as `*.txt`
    #[arg(default_value = "/", value_name = "PATH")]
    paths: Vec<OsString>,
    /// Show mode, owner, size and time
    #[arg(short, long)]
    long: bool,
    /// List directories below them too
    #[arg(short = 'R', long, visible_short_alias = 'r')]
    recursive: bool,
}

/// Directories' entries, and files.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Listing {
    /// The entries: directory by directory, by name.
    entries: Vec<ListedEntry>,
    /// What could not be read, and why.
    failed: Vec<FailedPath>,
    #[serde(skip)]
    long: bool,
    /// Several directories are listed, each under its path.
    #[serde(skip)]
    titled: bool,
}

/// An entry of a listing.
#[derive(Debug, Serialize, JsonSchema)]
struct ListedEntry {
    #[serde(flatten)]
    path: ToldPath,
    #[serde(flatten)]
    entry: Entry,
    /// The path of the directory that it is listed under; none for a file that was named.
    #[serde(skip)]
    directory: Option<Rc<str>>,
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
    /// The target's bytes in hexadecimal, where `target` does not tell them exactly.
    #[serde(skip_serializing_if = "Option::is_none")]
    target_hex: Option<String>,
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
    pub(crate) fn new(contents: &mut impl ReadObjects, name: &[u8], node: &Node) -> Self {
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
            target_hex: target.as_deref().and_then(names::exact),
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

impl Listing {
    /// Lists some entries, all of one directory.
    fn lines(&self, entries: &[&ListedEntry], text: &mut Text) {
        if !self.long {
            for listed in entries {
                text.line(listed.entry.shown());
            }
            return;
        }
        let row = |ListedEntry { entry, .. }: &&ListedEntry| -> Vec<Cell> {
            let size = if entry.kind == Kind::Directory {
                format!("{} in it", entry.size)
            } else {
                text.size(entry.size)
            };
            // Without the fraction of a second.
            let time = entry.modified.trim_end_matches('Z');
            let time = time.split_once('.').map_or(time, |(time, _)| time).replace('T', " ");
            vec![
                entry.mode_letters().into(),
                entry.links.to_string().into(),
                format!("{}:{}", entry.uid, entry.gid).into(),
                size.into(),
                time.into(),
                entry.shown().into(),
            ]
        };
        let rows: Vec<_> = entries.iter().map(row).collect();
        text.table(&["MODE", "LINKS", "OWNER", "SIZE", "MODIFIED (UTC)", "NAME"], &[1, 3], &rows);
    }

    /// Lists what is in a directory, and with `down` in those below it.
    fn directory(
        &mut self,
        contents: &mut impl ReadObjects,
        path: &PoolPath,
        node: Node,
        down: bool,
    ) -> Result<(), Failure> {
        let mut open: Vec<Rc<str>> = Vec::new();
        walk(contents, path, node, &mut |contents, visit| {
            match visit {
                Visit::Enter(at, node) => {
                    if let Some(directory) = open.last() {
                        let entry = Entry::new(contents, at.name().unwrap_or_default(), node);
                        let directory = Some(directory.clone());
                        self.entries.push(ListedEntry { path: at.into(), entry, directory });
                    }
                    let is_entered = node.is_directory() && (down || open.is_empty());
                    if is_entered {
                        open.push(at.to_string().into());
                    }
                    return Ok(is_entered);
                }
                Visit::Leave(..) => _ = open.pop(),
                Visit::Failed(at, failure) => self.failed.push(FailedPath::new(at, &failure)),
            }
            Ok(true)
        })
    }
}

impl Report for Listing {
    fn text(&self, text: &mut Text) {
        if !self.titled {
            self.lines(&self.entries.iter().collect::<Vec<_>>(), text);
        } else {
            // The entries of a directory are together here, which with those below it they are not in a walk.
            let mut sorted: Vec<(usize, &ListedEntry)> = self.entries.iter().enumerate().collect();
            let mut order: HashMap<Option<&str>, usize> = HashMap::new();
            for (number, entry) in &sorted {
                order.entry(entry.directory.as_deref()).or_insert(*number);
            }
            sorted.sort_by_key(|(number, entry)| (order[&entry.directory.as_deref()], *number));
            let sorted: Vec<&ListedEntry> = sorted.into_iter().map(|(_, entry)| entry).collect();
            let groups = sorted.chunk_by(|a, b| a.directory == b.directory);
            for (number, group) in groups.enumerate() {
                if number > 0 {
                    text.line("");
                }
                if let Some(Some(directory)) = group.first().map(|entry| &entry.directory) {
                    text.line(format_args!("{BOLD}{directory}{BOLD:#}:"));
                }
                self.lines(group, text);
            }
        }
        for failed in &self.failed {
            text.line(format_args!("{BAD}not read{BAD:#} {}", failed.error.message));
        }
    }
}

pub(crate) fn run(app: &App, options: &Options) -> Result<Exit, Failure> {
    let paths = PoolPath::all(&options.paths)?;
    with_pool(app, Access::Read, |session| {
        let contents = &mut session.pool;
        let paths = glob::expand_all(contents, &paths)?;
        let titled = options.recursive || paths.len() > 1;
        let mut listing = Listing { entries: Vec::new(), failed: Vec::new(), long: options.long, titled };
        for path in &paths {
            let node = path::find(contents, path, true)?;
            if node.is_directory() {
                listing.directory(contents, path, node, options.recursive)?;
            } else {
                let entry = Entry::new(contents, path.as_bytes(), &node);
                listing.entries.push(ListedEntry { path: path.into(), entry, directory: None });
            }
        }
        app.out.report(&listing)?;
        Ok(if listing.failed.is_empty() { Exit::Done } else { Exit::Damaged })
    })
}
