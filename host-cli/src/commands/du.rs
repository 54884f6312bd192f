//! `du`: how much is in directories.

use crate::app::App;
use crate::output::failure::{Exit, Failure};
use crate::output::names::ToldPath;
use crate::output::report::Report;
use crate::output::text::{BAD, Cell, Text};
use crate::pool::files::FailedPath;
use crate::pool::glob;
use crate::pool::open::{Access, with_pool};
use crate::pool::path::{self, Node, PoolPath};
use crate::pool::tree::{Visit, walk};
use dynamicfs_core::ReadObjects;
use dynamicfs_core::error::Error;
use dynamicfs_core::files::ObjectKind;
use dynamicfs_core::types::ObjectId;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::HashSet;
use std::ffi::OsString;

/// What to count.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Directories or files in the pool; a name may be a pattern, as `*.txt`
    #[arg(default_value = "/", value_name = "PATH")]
    paths: Vec<OsString>,
    /// Tell only the sum of each path
    #[arg(short, long, conflicts_with = "depth")]
    summarize: bool,
    /// Tell directories down so many levels at most
    #[arg(short, long, value_name = "LEVELS")]
    depth: Option<usize>,
}

/// How much is in directories.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Usage {
    /// Directories, each after those in it, and files that were named.
    entries: Vec<Used>,
    /// What could not be read, and why.
    failed: Vec<FailedPath>,
}

/// How much is at a path and below it. Contents with several names count once.
#[derive(Debug, Serialize, JsonSchema)]
struct Used {
    #[serde(flatten)]
    path: ToldPath,
    /// Files and links.
    files: u64,
    /// Directories below it.
    directories: u64,
    /// Bytes of the files.
    bytes: u64,
    /// Bytes of them that were written: without holes, before redundancy.
    written_bytes: u64,
}

/// What was counted so far.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    files: u64,
    directories: u64,
    bytes: u64,
    written_bytes: u64,
}

impl Sum {
    fn add(&mut self, more: Self) {
        self.files += more.files;
        self.directories += more.directories;
        self.bytes += more.bytes;
        self.written_bytes += more.written_bytes;
    }

    fn at(self, path: &PoolPath) -> Used {
        let Self { files, directories, bytes, written_bytes } = self;
        Used { path: path.into(), files, directories, bytes, written_bytes }
    }
}

pub(crate) fn run(app: &App, options: &Options) -> Result<Exit, Failure> {
    let paths = PoolPath::all(&options.paths)?;
    let depth = if options.summarize { 0 } else { options.depth.unwrap_or(usize::MAX) };
    with_pool(app, Access::Read, |session| {
        let contents = &mut session.pool;
        let mut usage = Usage { entries: Vec::new(), failed: Vec::new() };
        let mut counted = HashSet::new();
        for path in &glob::expand_all(contents, &paths)? {
            let node = path::find(contents, path, true)?;
            usage.count(contents, path, node, depth, &mut counted)?;
        }
        app.out.report(&usage)?;
        Ok(if usage.failed.is_empty() { Exit::Done } else { Exit::Damaged })
    })
}

impl Usage {
    fn count(
        &mut self,
        contents: &mut impl ReadObjects,
        path: &PoolPath,
        node: Node,
        depth: usize,
        counted: &mut HashSet<ObjectId>,
    ) -> Result<(), Failure> {
        let mut open: Vec<Sum> = Vec::new();
        walk(contents, path, node, &mut |contents, visit| {
            match visit {
                Visit::Enter(_, node) if node.is_directory() => open.push(Sum::default()),
                Visit::Enter(at, node) => {
                    let sum = match counted.insert(node.object) {
                        true => of_file(contents, node).map_err(|error| Failure::object(error, at)),
                        false => Ok(Sum { files: 1, ..Sum::default() }),
                    };
                    match (sum, open.last_mut()) {
                        (Ok(sum), Some(above)) => above.add(sum),
                        (Ok(sum), None) => self.entries.push(sum.at(at)),
                        (Err(failure), _) => self.failed.push(FailedPath::new(at, &failure)),
                    }
                }
                Visit::Leave(at, _) => {
                    let sum = open.pop().unwrap_or_default();
                    if open.len() <= depth {
                        self.entries.push(sum.at(at));
                    }
                    if let Some(above) = open.last_mut() {
                        above.add(Sum { directories: sum.directories + 1, ..sum });
                    }
                }
                Visit::Failed(at, failure) => self.failed.push(FailedPath::new(at, &failure)),
            }
            Ok(true)
        })
    }
}

/// How much one file is.
fn of_file(contents: &mut impl ReadObjects, node: &Node) -> Result<Sum, Error> {
    let mut sum = Sum { files: 1, ..Sum::default() };
    if node.inode.kind != ObjectKind::File {
        return Ok(sum);
    }
    sum.bytes = node.inode.size;
    let mut at = 0;
    while let Some(written) = contents.next_written(node.object, at)? {
        sum.written_bytes += written.end - written.start;
        at = written.end;
    }
    Ok(sum)
}

impl Report for Usage {
    fn text(&self, text: &mut Text) {
        let row = |used: &Used| -> Vec<Cell> {
            vec![
                text.size(used.bytes).into(),
                text.size(used.written_bytes).into(),
                used.files.to_string().into(),
                used.path.path.clone().into(),
            ]
        };
        let rows: Vec<_> = self.entries.iter().map(row).collect();
        text.table(&["SIZE", "WRITTEN", "FILES", "PATH"], &[0, 1, 2], &rows);
        for failed in &self.failed {
            text.line(format_args!("{BAD}not read{BAD:#} {}", failed.error.message));
        }
    }
}
