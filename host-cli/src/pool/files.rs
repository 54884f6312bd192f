//! The files that paths mean.

use super::glob;
use super::path::{self, Node, PoolPath};
use super::session::Session;
use super::tree::{Visit, walk};
use crate::output::failure::{Code, ErrorBody, Failure};
use crate::output::names::ToldPath;
use dynamicfs_core::error::Error;
use schemars::JsonSchema;
use serde::Serialize;
use std::ffi::OsString;

/// Which files.
#[derive(Debug, clap::Args)]
pub(crate) struct Chosen {
    /// Files in the pool, or directories with -r; a name may be a pattern, as `*.txt`, and a symbolic link is
    /// taken itself
    #[arg(required = true)]
    paths: Vec<OsString>,
    /// Take directories and all that is in them
    #[arg(short, long)]
    recursive: bool,
}

/// A path that could not be looked at.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct FailedPath {
    #[serde(flatten)]
    pub(crate) path: ToldPath,
    /// Why.
    pub(crate) error: ErrorBody,
}

impl FailedPath {
    pub(crate) fn new(path: &PoolPath, failure: &Failure) -> Self {
        Self { path: path.into(), error: failure.body() }
    }

    /// Whether something is lost there.
    pub(crate) const fn is_loss(&self) -> bool {
        matches!(self.error.code, Code::Unreadable | Code::Damaged)
    }
}

/// Files and symbolic links in the order of their names, and what could not be looked at.
pub(crate) struct Files {
    pub(crate) found: Vec<(PoolPath, Node)>,
    pub(crate) failed: Vec<FailedPath>,
}

impl Files {
    /// Bytes of their contents.
    pub(crate) fn bytes(&self) -> u64 {
        self.found.iter().map(|(_, node)| node.inode.size).sum()
    }
}

impl Chosen {
    /// Looks the files up. A path that is not there fails the whole; what cannot be read below one does not.
    pub(crate) fn find(&self, session: &mut Session<'_>) -> Result<Files, Failure> {
        let paths = PoolPath::all(&self.paths)?;
        let mut files = Files { found: Vec::new(), failed: Vec::new() };
        for path in &glob::expand_all(&mut session.pool, &paths)? {
            let node = path::find(&mut session.pool, path, false)?;
            if node.is_directory() && !self.recursive {
                return Err(
                    Failure::object(Error::IsADirectory, path).hint("add -r to take all that is in it")
                );
            }
            walk(&mut session.pool, path, node, &mut |_, visit| {
                match visit {
                    Visit::Enter(path, node) if !node.is_directory() => {
                        files.found.push((path.clone(), *node))
                    }
                    Visit::Failed(path, failure) => files.failed.push(FailedPath::new(path, &failure)),
                    _ => {}
                }
                Ok(true)
            })?;
        }
        Ok(files)
    }
}
