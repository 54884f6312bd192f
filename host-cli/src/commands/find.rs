//! `find`: paths by name, kind, size and time.

use super::ls::{Entry, Kind};
use crate::app::App;
use crate::host::look::Look;
use crate::output::failure::{Code, Exit, Failure};
use crate::output::names::{ShowPath, ToldPath};
use crate::output::report::Report;
use crate::output::size;
use crate::output::text::{BAD, Text};
use crate::pool::files::FailedPath;
use crate::pool::glob::{self, NamePattern};
use crate::pool::open::{Access, with_pool};
use crate::pool::path::{self, Node, PoolPath};
use crate::pool::tree::{Visit, walk};
use dynamicfs_hal::UnixTime;
use schemars::JsonSchema;
use serde::Serialize;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// What to look for.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Directories in the pool, in which and below which to look
    #[arg(default_value = "/", value_name = "PATH")]
    paths: Vec<OsString>,
    /// Only names that match, as `*.txt`; a name may begin with a dot
    #[arg(long, value_name = "GLOB")]
    name: Option<OsString>,
    /// Only entries of this kind
    #[arg(long = "type", value_name = "KIND", value_enum)]
    kind: Option<KindWanted>,
    /// Only files of at least this size, with + or nothing before it, or at most this size, with -
    #[arg(long, value_name = "[+-]SIZE", value_parser = parse_size, allow_hyphen_values = true)]
    size: Option<SizeWanted>,
    /// Only entries changed after this: a time in RFC 3339, as 2026-01-31T00:00:00Z, a day, or the time of a
    /// file of this machine
    #[arg(long, value_name = "TIME|FILE")]
    newer: Option<OsString>,
}

/// Kinds that can be looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum KindWanted {
    #[value(alias = "f")]
    File,
    #[value(alias = "d")]
    Directory,
    #[value(alias = "l")]
    Symlink,
}

/// A bound of sizes.
#[derive(Clone, Copy, Debug)]
enum SizeWanted {
    Least(u64),
    Most(u64),
}

fn parse_size(text: &str) -> Result<SizeWanted, String> {
    match (text.strip_prefix('-'), text.strip_prefix('+')) {
        (Some(most), _) => size::parse(most).map(SizeWanted::Most),
        (None, least) => size::parse(least.unwrap_or(text)).map(SizeWanted::Least),
    }
}

/// What was found.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(crate) struct Found {
    /// What was found, each directory before what is in it.
    entries: Vec<FoundEntry>,
    /// What could not be read, and why.
    failed: Vec<FailedPath>,
}

/// Something that was found.
#[derive(Debug, Serialize, JsonSchema)]
struct FoundEntry {
    #[serde(flatten)]
    path: ToldPath,
    #[serde(flatten)]
    entry: Entry,
}

/// What is wanted, ready to be held against things.
struct Wanted {
    name: Option<NamePattern>,
    kind: Option<Kind>,
    size: Option<SizeWanted>,
    newer: Option<UnixTime>,
}

impl Wanted {
    fn new(options: &Options) -> Result<Self, Failure> {
        let name = options.name.as_ref().map(|name| NamePattern::new(name.as_bytes())).transpose()?;
        Ok(Self {
            name: name.map(NamePattern::with_hidden),
            kind: options.kind.map(|kind| match kind {
                KindWanted::File => Kind::File,
                KindWanted::Directory => Kind::Directory,
                KindWanted::Symlink => Kind::Symlink,
            }),
            size: options.size,
            newer: options.newer.as_ref().map(|time| time_of(Path::new(time))).transpose()?,
        })
    }

    fn takes(&self, name: &[u8], node: &Node) -> bool {
        let inode = &node.inode;
        let is_of_size = match self.size {
            None => true,
            Some(_) if Kind::from(inode.kind) != Kind::File => false,
            Some(SizeWanted::Least(least)) => inode.size >= least,
            Some(SizeWanted::Most(most)) => inode.size <= most,
        };
        is_of_size
            && self.name.as_ref().is_none_or(|pattern| pattern.takes(name))
            && self.kind.is_none_or(|kind| kind == inode.kind.into())
            && self.newer.is_none_or(|time| inode.modified > time)
    }
}

/// A time that is written out, or that of a file.
fn time_of(typed: &Path) -> Result<UnixTime, Failure> {
    let text = typed.to_str().unwrap_or_default();
    let day =
        || text.parse::<jiff::civil::Date>().ok()?.at(0, 0, 0, 0).to_zoned(jiff::tz::TimeZone::UTC).ok();
    let time = text.parse::<jiff::Timestamp>().ok().or_else(|| Some(day()?.timestamp()));
    if let Some(time) = time {
        let nanoseconds = time.as_nanosecond().rem_euclid(1_000_000_000) as u32;
        let seconds = time.as_nanosecond().div_euclid(1_000_000_000) as i64;
        return Ok(UnixTime { seconds, nanoseconds });
    }
    let look = Look::of_path(typed, true).map_err(|_| {
        let message = format!("`{}` is neither a time nor an existing file", typed.shown());
        Failure::new(Code::InvalidArgument, message).hint("write 2026-01-31, or 2026-01-31T12:00:00Z")
    })?;
    Ok(look.modified)
}

pub(crate) fn run(app: &App, options: &Options) -> Result<Exit, Failure> {
    let paths = PoolPath::all(&options.paths)?;
    let wanted = Wanted::new(options)?;
    with_pool(app, Access::Read, |session| {
        let contents = &mut session.pool;
        let mut found = Found::default();
        for path in &glob::expand_all(contents, &paths)? {
            let node = path::find(contents, path, true)?;
            walk(contents, path, node, &mut |contents, visit| {
                match visit {
                    Visit::Enter(at, node) => {
                        let name = at.name().unwrap_or(b"/");
                        if wanted.takes(name, node) {
                            let entry = Entry::new(contents, name, node);
                            found.entries.push(FoundEntry { path: at.into(), entry });
                        }
                    }
                    Visit::Failed(at, failure) => found.failed.push(FailedPath::new(at, &failure)),
                    Visit::Leave(..) => {}
                }
                Ok(true)
            })?;
        }
        app.out.report(&found)?;
        Ok(if found.failed.is_empty() { Exit::Done } else { Exit::Damaged })
    })
}

impl Report for Found {
    fn text(&self, text: &mut Text) {
        for found in &self.entries {
            text.line(&found.path);
        }
        for failed in &self.failed {
            text.line(format_args!("{BAD}not read{BAD:#} {}", failed.error.message));
        }
    }
}
