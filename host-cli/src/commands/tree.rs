//! `tree`: a directory and all below it.

use super::ls::{Entry, Kind};
use crate::app::App;
use crate::output::failure::{Exit, Failure};
use crate::output::names::ToldPath;
use crate::output::report::Report;
use crate::output::size;
use crate::output::text::{BAD, BOLD, DIM, Text};
use crate::pool::files::FailedPath;
use crate::pool::glob;
use crate::pool::open::{Access, with_pool};
use crate::pool::path::{self, PoolPath};
use crate::pool::tree::{Visit, walk};
use schemars::JsonSchema;
use serde::Serialize;
use std::ffi::OsString;

/// What to show.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// A directory in the pool
    #[arg(default_value = "/")]
    path: OsString,
    /// Go down so many levels at most
    #[arg(short = 'L', long, value_name = "LEVELS")]
    depth: Option<usize>,
}

/// A directory and all below it.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Tree {
    #[serde(flatten)]
    path: ToldPath,
    /// What is there, each directory before what is in it.
    entries: Vec<TreeEntry>,
    /// Files below it.
    files: u64,
    /// Directories below it.
    directories: u64,
    /// Bytes of the files' contents.
    bytes: u64,
    /// What could not be read, and why.
    failed: Vec<FailedPath>,
}

/// Something below a directory.
#[derive(Debug, Serialize, JsonSchema)]
struct TreeEntry {
    #[serde(flatten)]
    path: ToldPath,
    /// Levels below the directory that was walked; 1 for what is in it.
    depth: usize,
    #[serde(flatten)]
    entry: Entry,
}

pub(crate) fn run(app: &App, options: &Options) -> Result<Exit, Failure> {
    let path = PoolPath::new(&options.path)?;
    with_pool(app, Access::Read, |session| {
        let path = glob::expand_one(&mut session.pool, &path)?;
        let node = path::find(&mut session.pool, &path, true)?;
        let mut tree = Tree {
            path: (&path).into(),
            entries: Vec::new(),
            files: 0,
            directories: 0,
            bytes: 0,
            failed: Vec::new(),
        };
        let mut depth = 0;
        let deepest = options.depth.unwrap_or(usize::MAX);
        walk(&mut session.pool, &path, node, &mut |contents, visit| {
            match visit {
                Visit::Enter(at, node) if depth > 0 || at != &path => {
                    let entry = Entry::new(contents, at.name().unwrap_or_default(), node);
                    tree.take(at, depth, entry);
                    let down = node.is_directory() && depth < deepest;
                    depth += usize::from(down);
                    return Ok(down);
                }
                Visit::Enter(_, node) => depth += usize::from(node.is_directory()),
                Visit::Leave(..) => depth -= 1,
                Visit::Failed(at, failure) => tree.failed.push(FailedPath::new(at, &failure)),
            }
            Ok(deepest > 0)
        })?;
        app.out.report(&tree)?;
        Ok(if tree.failed.is_empty() { Exit::Done } else { Exit::Damaged })
    })
}

impl Tree {
    fn take(&mut self, path: &PoolPath, depth: usize, entry: Entry) {
        match entry.kind {
            Kind::Directory => self.directories += 1,
            Kind::File => {
                self.files += 1;
                self.bytes += entry.size;
            }
            _ => {}
        }
        self.entries.push(TreeEntry { path: path.into(), depth, entry });
    }
}

impl Report for Tree {
    fn text(&self, text: &mut Text) {
        text.line(format_args!("{BOLD}{}{BOLD:#}", self.path));
        // Whether something follows on each level, seen from the end.
        let mut follows: Vec<bool> = Vec::new();
        let mut lines = Vec::with_capacity(self.entries.len());
        for TreeEntry { depth, entry, .. } in self.entries.iter().rev() {
            follows.truncate(*depth);
            follows.resize(*depth, false);
            let mut line: String =
                follows[..depth - 1].iter().map(|&more| if more { "│   " } else { "    " }).collect();
            line += if follows[depth - 1] { "├── " } else { "└── " };
            follows[depth - 1] = true;
            line += &entry.shown();
            if entry.kind == Kind::File {
                line += &format!("  {DIM}{}{DIM:#}", text.size(entry.size));
            }
            lines.push(line);
        }
        for line in lines.iter().rev() {
            text.line(line);
        }
        let (directories, files) =
            (size::count(self.directories, "directory"), size::count(self.files, "file"));
        text.line(format_args!("{directories}, {files}, {}", text.size(self.bytes)));
        for failed in &self.failed {
            text.line(format_args!("{BAD}not read{BAD:#} {}", failed.error.message));
        }
    }
}
