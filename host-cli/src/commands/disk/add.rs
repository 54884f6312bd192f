//! `disk add`: a file or device becomes a member.
//!
//! pool.toml lists the place before anything is written there, marked as being added; the mark goes when it is a member. So a
//! crash in between leaves a place without a member, which the same command finishes, and never a member that nobody lists.

use crate::app::App;
use crate::commands::init::layout::explain_open;
use crate::host::confirm::confirm;
use crate::output::failure::{Code, Exit, Failure};
use crate::output::names::ShowPath;
use crate::output::report::Report;
use crate::output::size;
use crate::output::text::Text;
use crate::pool::config::{Config, absolute, is_same, name_of};
use crate::pool::labels::Labels;
use crate::pool::occupied;
use crate::pool::open::{Access, with_config};
use dynamicfs_core::AddOptions;
use dynamicfs_core::disks::DiskStatus;
use dynamicfs_core::error::MemberError;
use schemars::JsonSchema;
use serde::Serialize;
use std::fs;
use std::path::{Path, PathBuf};
use std_host_shim::{FileDiskOptions, OsEntropy};

/// What to add.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Options {
    /// Files or block devices
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// Make each a file of this size if there is none
    #[arg(long, value_name = "SIZE", value_parser = size::parse)]
    pub(crate) size: Option<u64>,
    /// Hold it in reserve: it takes the place of a disk that fails
    #[arg(long)]
    pub(crate) spare: bool,
    /// Use disks that hold something: a pool, which loses them, or a filesystem
    #[arg(long)]
    pub(crate) force: bool,
}

/// Disks that were added.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Added {
    /// Nothing was done: `--dry-run`.
    dry_run: bool,
    /// The disks.
    disks: Vec<AddedDisk>,
}

/// A disk that was added.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct AddedDisk {
    /// What it is called.
    pub(crate) name: String,
    /// Where it is.
    path: String,
    /// Its number; null where nothing was done.
    member: Option<u16>,
    /// Its size in bytes.
    bytes: u64,
    /// It is held in reserve.
    spare: bool,
}

impl Report for Added {
    fn text(&self, text: &mut Text) {
        for disk in &self.disks {
            let what = if disk.spare { "spare member" } else { "member" };
            let done = disk
                .member
                .map_or_else(|| format!("would become a {what}"), |member| format!("is {what} {member}"));
            text.line(format_args!("{} ({}, {}) {done}", disk.name, disk.path, text.size(disk.bytes)));
        }
    }
}

pub(super) fn run(app: &App, options: &Options) -> Result<Exit, Failure> {
    if options.force && !app.global.dry_run {
        confirm(
            app,
            "what is on these disks is lost, filesystems too, for the pools that they belong to as well",
            "yes",
        )?;
    }
    let mut added = Added { dry_run: app.global.dry_run, disks: Vec::new() };
    for path in &options.paths {
        match add(app, path, options, None) {
            Ok(disk) => added.disks.push(disk),
            Err(failure) if added.disks.is_empty() => return Err(failure),
            Err(failure) => return app.out.finish(&added, Some(&failure)),
        }
    }
    app.out.report(&added)?;
    Ok(Exit::Done)
}

/// Makes the disk at a path a member, which is to take the place of another, if one is named.
pub(super) fn add(
    app: &App,
    path: &Path,
    options: &Options,
    replaces: Option<u16>,
) -> Result<AddedDisk, Failure> {
    let config = if app.global.dry_run { Config::load(app)? } else { Config::load_to_change(app)? };
    let whole = absolute(path)?;
    occupied::refuse_unlistable(&whole)?;
    let known = config.disks.iter().position(|disk| is_same(&config.path_of(disk), &whole));
    let exists = whole.exists();
    let labels = Labels::read(&whole).ok();
    if let Some((pool, disk)) = labels.and_then(|labels| labels.identity()) {
        let is_ours = pool.pool.to_string() == config.pool;
        let is_known = known.is_some_and(|place| config.disks[place].id == Some(disk.disk.to_string()));
        if is_known && is_ours && !options.force {
            return Err(Failure::new(
                Code::Exists,
                format!("{} is a disk of this pool already", whole.shown()),
            )
            .hint("see it with `dynamicfs disk list`; with --force what is on it counts as lost"));
        }
        let is_half_done = is_ours && known.is_some_and(|place| config.disks[place].adding);
        if !options.force && !is_half_done {
            return Err(Failure::new(Code::InUse, format!("{} belongs to a pool", whole.shown()))
                .hint("see what is on it with `dynamicfs labels --disk PATH`; --force overwrites it"));
        }
    }
    if !exists && options.size.is_none() {
        return Err(Failure::new(Code::NotFound, format!("{} does not exist", whole.shown()))
            .hint("add --size to make a file there"));
    }
    let others = config.disks.iter().enumerate().filter(|(place, _)| Some(*place) != known);
    for other in others.map(|(_, disk)| config.path_of(disk)) {
        occupied::refuse_shared(&[&other, &whole])?;
    }
    let is_begun = known.is_some_and(|place| config.disks[place].adding);
    let foreign = if exists && !is_begun { occupied::look(&whole, options.force)? } else { Vec::new() };
    if app.global.dry_run {
        let bytes = labels.map(|labels| labels.bytes).or(options.size).unwrap_or(0);
        let path = whole.shown().to_string();
        return Ok(AddedDisk { name: name_of(&whole), path, member: None, bytes, spare: options.spare });
    }
    let made = if exists { None } else { Some(Made::new(&whole, options.size.unwrap_or(0))?) };
    if !foreign.is_empty() {
        // Not while something else has it.
        let opened = FileDiskOptions::new().open(&whole).map_err(|error| explain_open(&error, &whole))?;
        occupied::wipe(&whole, &foreign)?;
        drop(opened);
    }
    let added = join(app, &config, &whole, known, (options, replaces))?;
    if let Some(made) = made {
        made.keep();
    }
    Ok(added)
}

/// A file that was made, and goes again unless it is kept, or has become a disk of a pool meanwhile.
struct Made(PathBuf);

impl Made {
    fn new(path: &Path, bytes: u64) -> Result<Self, Failure> {
        let created = FileDiskOptions::new().create(path, bytes);
        drop(created.map_err(|error| explain_open(&error, path))?);
        let made = Self(path.to_owned());
        std_host_shim::sync_parent_directory(path)
            .map_err(|error| Failure::host(format_args!("flush {}", path.shown()), &error))?;
        Ok(made)
    }

    fn keep(self) {
        std::mem::forget(self);
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        // Another pool may have it by now, or be about to.
        let Ok(alone) = FileDiskOptions::new().open(&self.0) else { return };
        let is_used = Labels::read(&self.0).map_or(true, |labels| labels.identity().is_some());
        if !is_used {
            // It holds nothing; one that stays is in nobody's way.
            let _ = fs::remove_file(&self.0);
        }
        drop(alone);
    }
}

/// Lists the place, mounts the pool with it, and makes what is there a member.
fn join(
    app: &App,
    before: &Config,
    whole: &Path,
    known: Option<usize>,
    (options, replaces): (&Options, Option<u16>),
) -> Result<AddedDisk, Failure> {
    let mut config = before.clone();
    let folder = absolute(&config.folder)?;
    let path = whole.strip_prefix(folder).unwrap_or(whole).to_owned();
    // Files are as those that the pool has; a device says itself what its sectors are.
    let sector = before.disks.iter().find_map(|disk| disk.sector).filter(|_| whole.is_file());
    let place = known.unwrap_or_else(|| config.list(&name_of(whole), path, sector));
    (config.disks[place].adding, config.disks[place].replaces) = (true, replaces);
    config.save()?;
    let options = AddOptions { spare: options.spare, force: options.force, ..AddOptions::default() };
    // One that holds another history bears the number of a member, and is none.
    let is_member = |session: &crate::pool::session::Session<'_>| {
        let health = session.pool.member_health(place);
        health.status != DiskStatus::Diverged
            && health.member.is_some_and(|member| session.row_of(member.0).is_some())
    };
    let was_begun = known.is_some_and(|place| before.disks[place].adding);
    let mut half_done = false;
    let added = with_config(app, config, Access::Write, |session| {
        session.writable()?;
        // What is a member already is refused, unless it became one when this command was cut short.
        if !is_member(session) || !was_begun {
            let done = session.pool.add_disk(place, &mut OsEntropy, &options);
            half_done = is_member(session) && !matches!(done, Err(MemberError::TakesPart));
            done.map_err(|error| Failure::from(error).while_doing(whole.shown()))?;
        }
        let health = session.pool.member_health(place);
        Ok(AddedDisk {
            name: session.places[place].entry.name.clone(),
            path: whole.shown().to_string(),
            member: health.member.map(|member| member.0),
            bytes: health.blocks * u64::from(session.pool.health().block_bytes),
            spare: options.spare,
        })
    });
    if added.is_err() && !half_done {
        before.save()?;
    }
    added
}
