//! `policy`: how the contents of a file are stored, or of what is made in a directory.

use super::init::parse_scheme;
use super::transfer::BATCH_FILES;
use crate::app::App;
use crate::output::failure::{Code, Exit, Failure};
use crate::output::names::ToldPath;
use crate::output::report::Report;
use crate::output::size;
use crate::output::text::Text;
use crate::output::typed::all_addressed;
use crate::pool::events;
use crate::pool::journal::{Event, EventKind, Severity};
use crate::pool::open::{Access, with_pool};
use crate::pool::path::{self, Node, PoolPath};
use crate::pool::session::Session;
use crate::pool::tree::{Visit, walk};
use dynamicfs_core::files::{Change, ObjectKind};
use dynamicfs_core::types::Scheme;
use schemars::JsonSchema;
use serde::Serialize;
use std::ffi::OsString;

/// What to do.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Show it
    Get(Get),
    /// Change it; `dynamicfs rebalance start` changes stored contents
    Set(Set),
}

/// What to look at.
#[derive(Debug, clap::Args)]
pub(crate) struct Get {
    /// Files and directories in the pool
    #[arg(required = true)]
    paths: Vec<OsString>,
    /// Directories with all that is in them
    #[arg(short, long)]
    recursive: bool,
}

/// What to change.
#[derive(Debug, clap::Args)]
pub(crate) struct Set {
    /// Files and directories in the pool
    #[arg(required = true)]
    paths: Vec<OsString>,
    /// The scheme: 4+2, mirror:3, single
    #[arg(long, value_parser = parse_scheme, allow_hyphen_values = true)]
    scheme: Scheme,
    /// Directories with all that is in them
    #[arg(short, long)]
    recursive: bool,
}

/// How things are stored.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct PolicyList {
    /// Nothing was changed: `--dry-run`.
    dry_run: bool,
    /// Objects whose scheme was changed, or would be.
    changed: u64,
    /// Each of them, or what was asked for.
    policies: Vec<Policy>,
}

/// How one thing is stored.
#[derive(Debug, Serialize, JsonSchema)]
struct Policy {
    #[serde(flatten)]
    path: ToldPath,
    /// The scheme of what is written to it from now on, or of what is made in it.
    scheme: String,
    /// Disks that may be lost without losing it.
    tolerance: u8,
    /// The largest extent of what is written to it, in bytes.
    extent_bytes: u64,
}

impl Policy {
    fn new(path: &PoolPath, scheme: Scheme, extent_shift: u8) -> Self {
        Self {
            path: path.into(),
            scheme: scheme.to_string(),
            tolerance: scheme.parity,
            extent_bytes: 1 << extent_shift,
        }
    }
}

impl Report for PolicyList {
    fn text(&self, text: &mut Text) {
        for policy in &self.policies {
            let bears = size::count(policy.tolerance.into(), "lost disk");
            let extent = text.size(policy.extent_bytes);
            text.line(format_args!(
                "{:<10} bears {bears}, extents of up to {extent}  {}",
                policy.scheme, policy.path
            ));
        }
        if self.dry_run {
            text.line(format_args!("{} would be changed: --dry-run", size::count(self.changed, "object")));
        } else if self.changed > 0 {
            text.line(format_args!("{} changed", size::count(self.changed, "object")));
            text.line(all_addressed(
                "stored contents stay as they are until `dynamicfs rebalance start --only policy`",
            ));
        }
    }

    fn is_answer(&self) -> bool {
        self.dry_run || self.changed == 0
    }
}

pub(crate) fn run(app: &App, command: &Command) -> Result<Exit, Failure> {
    match command {
        Command::Get(options) => with_pool(app, Access::Read, |session| {
            let found = find_all(session, &options.paths, options.recursive)?;
            let policy =
                |(path, node): &(_, Node)| Policy::new(path, node.inode.scheme, node.inode.extent_shift);
            let policies = found.iter().map(policy).collect();
            app.out.report(&PolicyList { dry_run: false, changed: 0, policies })?;
            Ok(Exit::Done)
        }),
        Command::Set(options) => with_pool(app, Access::Write, |session| {
            session.check_writable()?;
            let report = set(app, session, options)?;
            app.out.report(&report)?;
            Ok(Exit::Done)
        }),
    }
}

fn set(app: &App, session: &mut Session<'_>, options: &Set) -> Result<PolicyList, Failure> {
    may_have(session, options.scheme)?;
    let mut found = find_all(session, &options.paths, options.recursive)?;
    found.retain(|(_, node)| node.inode.scheme != options.scheme);
    let dry_run = app.global.dry_run;
    for batch in found.chunks(BATCH_FILES as usize).filter(|_| !dry_run) {
        crate::host::interrupt::check()?;
        session.change(|contents| {
            for (path, node) in batch {
                let change = Change::new().scheme(options.scheme);
                let changed = contents.change_attributes(node.object, &change);
                changed.map_err(|error| Failure::object(error, path))?;
            }
            Ok(())
        })?;
    }
    if let Some((first, _)) = found.first().filter(|_| !dry_run) {
        let more = match found.len() - 1 {
            0 => String::new(),
            more => format!(", and that of {} more", size::count(more as u64, "object")),
        };
        let is_weak = options.scheme.parity < session.pool.health().tolerance;
        let severity = if is_weak { Severity::Warning } else { Severity::Info };
        let message = format!("the policy of {first}{more} is {} now", options.scheme);
        events::note(session, Event::now(severity, EventKind::PolicyChanged, message));
    }
    let policy = |(path, node): &(_, Node)| Policy::new(path, options.scheme, node.inode.extent_shift);
    Ok(PolicyList { dry_run, changed: found.len() as u64, policies: found.iter().map(policy).collect() })
}

/// Whether the pool can hold contents in this scheme in full.
fn may_have(session: &Session<'_>, scheme: Scheme) -> Result<(), Failure> {
    let (health, disks) = (session.pool.health(), session.pool.members().given.len());
    if scheme.parity > health.tolerance {
        let message = format!(
            "scheme {scheme} bears the loss of {}, and the pool's own records only of {}",
            size::count(scheme.parity.into(), "disk"),
            health.tolerance
        );
        return Err(Failure::new(Code::InvalidArgument, message).hint(
            "what a pool's records bear is fixed when it is made: see --tolerance in `dynamicfs init --help`",
        ));
    }
    if scheme.width() > disks {
        let message = format!(
            "scheme {scheme} needs {}, and {disks} take data",
            size::count(scheme.width() as u64, "disk")
        );
        return Err(Failure::new(Code::InvalidArgument, message)
            .hint("add disks with `dynamicfs disk add NEW-DISK`, or give a scheme that needs fewer"));
    }
    Ok(())
}

/// What is at these paths, with all that is below them if that is wanted: what has contents, or hands its policy on.
fn find_all(
    session: &mut Session<'_>,
    paths: &[OsString],
    recursive: bool,
) -> Result<Vec<(PoolPath, Node)>, Failure> {
    let mut found = Vec::new();
    for path in paths {
        let path = PoolPath::new(path)?;
        let node = path::find(&mut session.pool, &path, true)?;
        walk(&mut session.pool, &path, node, &mut |_, visit| {
            match visit {
                Visit::Enter(path, node) => {
                    if matches!(node.inode.kind, ObjectKind::File | ObjectKind::Directory) {
                        found.push((path.clone(), *node));
                    }
                }
                Visit::Leave(..) => {}
                Visit::Failed(_, failure) => return Err(failure),
            }
            Ok(recursive)
        })?;
    }
    Ok(found)
}
