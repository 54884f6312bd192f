//! `import`: pools are found by the labels of their disks, and pool.toml is written anew.

use crate::app::App;
use crate::output::failure::{Code, Exit, Failure};
use crate::output::names::{self, ShowPath, ToldPath};
use crate::output::report::Report;
use crate::output::size;
use crate::output::text::{BOLD, Cell, Text, WARN};
use crate::pool::config::{self, Config, FILE};
use crate::pool::discover::{self, Found};
use crate::pool::histories::{History, Survey};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// What an old pool.toml is called that could not be read.
const OLD_FILE: &str = "pool.toml.old";

/// What a pool.toml may be called that is of another pool.
const OTHER_FILE: &str = "pool.toml.other";

/// Which pool, and where to look for it.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The pool's identity, or the beginning of it; needed where the disks of several pools are found
    #[arg(value_name = "ID")]
    id: Option<String>,
    /// Look at the files and devices in this folder and below it; repeat it for more. Without it, and without
    /// --disk: all block devices, and the files in the pool's folder
    #[arg(long, value_name = "FOLDER")]
    scan: Vec<PathBuf>,
}

/// Pools that were found.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Imported {
    /// Nothing was written: `--dry-run`, or no pool's folder was named.
    dry_run: bool,
    /// The folder that pool.toml was written to; null where it was not.
    folder: Option<String>,
    /// The next command to type; null where nothing is found.
    next: Option<String>,
    /// The pools.
    pools: Vec<FoundPool>,
    /// What this user may not look at, and why.
    refused: Vec<String>,
}

/// A pool, by the labels of its disks.
#[derive(Debug, Serialize, JsonSchema)]
struct FoundPool {
    /// Its identity.
    pool: String,
    /// When it was made, RFC 3339 in UTC.
    created: String,
    /// Its disks that were found, in the order of their numbers.
    disks: Vec<FoundDisk>,
    /// The histories that they hold, the newest first, with the members that are missing; empty while another
    /// process has the pool.
    histories: Vec<History>,
}

/// A disk of a pool.
#[derive(Debug, Serialize, JsonSchema)]
struct FoundDisk {
    /// What pool.toml calls it.
    name: String,
    /// Where it is.
    #[serde(flatten)]
    path: ToldPath,
    /// Its number in the pool.
    member: u16,
    /// Its own identity.
    id: String,
    /// It holds no data.
    witness: bool,
}

impl Report for Imported {
    fn text(&self, text: &mut Text) {
        if self.pools.is_empty() {
            text.line("no disk of a pool was found");
        }
        for refused in &self.refused {
            text.line(format_args!("{WARN}not looked at{WARN:#} {refused}"));
        }
        for pool in &self.pools {
            let disks = size::count(pool.disks.len() as u64, "disk");
            text.line(format_args!("{BOLD}pool {}{BOLD:#}, made {}, {disks} found", pool.pool, pool.created));
            let row = |disk: &FoundDisk| -> Vec<Cell> {
                let what = if disk.witness { "witness: holds no data" } else { "" };
                vec![
                    disk.name.clone().into(),
                    disk.member.to_string().into(),
                    disk.path.path.clone().into(),
                    what.into(),
                ]
            };
            let rows: Vec<_> = pool.disks.iter().map(row).collect();
            text.table(&["DISK", "MEMBER", "PATH", "NOTE"], &[1], &rows);
            for history in &pool.histories {
                text.line(history.line());
                let missing: Vec<String> = history.missing.iter().map(ToString::to_string).collect();
                if !missing.is_empty() {
                    text.line(format_args!("{WARN}missing{WARN:#} {}", missing.join(", ")));
                }
            }
        }
        if let Some(next) = &self.next {
            match &self.folder {
                Some(folder) => text.line(format_args!("{folder}/{FILE} lists them; next: {next}")),
                None => text.line(format_args!("nothing is written; `{next}` writes {FILE} to a folder")),
            }
        }
    }

    fn is_answer(&self) -> bool {
        self.dry_run
    }
}

pub(crate) fn run(app: &App, options: &Options) -> Result<Exit, Failure> {
    let (pools, refused) = find(app, options)?;
    let listed = app.global.pool.as_deref().and_then(|folder| Config::read(folder.to_owned()).ok());
    let listed = listed.map(|config| config.pool).filter(|pool| pools.contains_key(pool));
    // The list that is there says which pool is meant, unless that is typed.
    let typed = options.id.as_deref().or(listed.as_deref());
    let chosen = choose(&pools, typed, &places(app, options))?;
    let (Some(folder), Some(id)) = (app.global.pool.as_deref(), chosen) else {
        let folder = app.global.pool.as_deref().map(ShowPath::typed);
        return list_all(app, options, &pools, refused, folder);
    };
    let _lock = (!app.global.dry_run).then(|| config::lock(folder)).transpose()?;
    let old = match old_list(folder, &id) {
        // Nothing is written over it.
        Err(_) if app.global.dry_run => return list_all(app, options, &pools, refused, None),
        old => old?,
    };
    let disks = &pools[&id];
    let config = list(folder, &id, disks, old.config.as_ref())?;
    let mut report = Imported {
        dry_run: true,
        folder: None,
        next: Some(to_folder(app, options, &folder.typed())),
        pools: vec![FoundPool::of(app, &config, disks)?],
        refused,
    };
    if !app.global.dry_run {
        write(folder, &config, old.is_broken)?;
        (report.dry_run, report.folder) = (false, Some(folder.shown().to_string()));
        report.next = Some(format!("dynamicfs health --pool {}", folder.typed()));
    }
    app.out.report(&report)?;
    Ok(Exit::Done)
}

/// Says which pools there are, where none is chosen.
fn list_all(
    app: &App,
    options: &Options,
    pools: &Pools,
    refused: Vec<String>,
    folder: Option<String>,
) -> Result<Exit, Failure> {
    let (places, folder) = (places(app, options), folder.unwrap_or_else(|| "FOLDER".to_owned()));
    let next = match pools.len() {
        0 => None,
        1 => Some(to_folder(app, options, &folder)),
        _ => Some(format!("dynamicfs import ID --pool {folder}{places}")),
    };
    let mut report = Imported { dry_run: true, folder: None, next, pools: Vec::new(), refused };
    for (id, disks) in pools {
        let config = list(Path::new(""), id, disks, None)?;
        report.pools.push(FoundPool::of(app, &config, disks)?);
    }
    let is_listed_only = app.global.pool.is_none() || app.global.dry_run;
    let failure = match pools.len() {
        0 => Some(Failure::new(Code::NoPool, "no disk of a pool was found").hint(
            "look elsewhere with --scan FOLDER, or name the disks with --disk PATH...; `dynamicfs labels --disk PATH` \
             says what is on one",
        )),
        2.. if !is_listed_only => Some(
            Failure::new(Code::Usage, "the disks of several pools were found")
                .hint(format!("name one of them: `dynamicfs import ID --pool {folder}{places}`")),
        ),
        _ => None,
    };
    app.out.finish(&report, failure.as_ref())
}

/// The same command, writing to this folder.
fn to_folder(app: &App, options: &Options, folder: &str) -> String {
    let id = options.id.as_ref().map_or_else(String::new, |id| format!(" {}", names::typed(id.as_bytes())));
    format!("dynamicfs import{id} --pool {folder}{}", places(app, options))
}

/// Where was looked, as it is typed.
fn places(app: &App, options: &Options) -> String {
    let scanned = options.scan.iter().map(|folder| format!(" --scan {}", folder.typed()));
    let named = app.global.disk.iter().map(|disk| format!(" --disk {}", disk.typed()));
    scanned.chain(named).collect()
}

/// Pools by their identities, with their disks.
type Pools = BTreeMap<String, Vec<Found>>;

/// The pools of the disks that are found, and what may not be looked at.
fn find(app: &App, options: &Options) -> Result<(Pools, Vec<String>), Failure> {
    let named = !app.global.disk.is_empty() || !options.scan.is_empty();
    let mut paths = app.global.disk.clone();
    for folder in &options.scan {
        paths.extend(discover::scan(folder)?);
    }
    if !named {
        paths = discover::usual_places(app.global.pool.as_deref());
    }
    let folder = app.global.pool.as_deref().filter(|_| !named);
    Ok((discover::by_pool(&paths)?, discover::refused(folder, &paths)))
}

/// The pool that is meant, if one is, or there is only one.
fn choose(pools: &Pools, typed: Option<&str>, places: &str) -> Result<Option<String>, Failure> {
    let Some(typed) = typed else {
        return Ok(pools.keys().next().filter(|_| pools.len() == 1).cloned());
    };
    let shown = names::show(typed.as_bytes());
    let mut meant = pools.keys().filter(|id| id.starts_with(&typed.to_ascii_lowercase()));
    match (meant.next(), meant.next()) {
        (Some(id), None) => Ok(Some(id.clone())),
        (None, _) => Err(Failure::new(Code::NotFound, format!("no disk of a pool `{shown}` was found"))
            .hint(format!("see which are found with `dynamicfs import --dry-run{places}`"))),
        _ => Err(Failure::new(Code::InvalidArgument, format!("`{shown}` means several pools"))
            .hint("type more of its identity")),
    }
}

/// A pool.toml that is there already.
struct OldList {
    config: Option<Config>,
    /// It is there and cannot be read.
    is_broken: bool,
}

/// What a folder's pool.toml says; refused if that is another pool.
fn old_list(folder: &Path, id: &str) -> Result<OldList, Failure> {
    match Config::read(folder.to_owned()) {
        Ok(config) if config.pool == id => Ok(OldList { config: Some(config), is_broken: false }),
        Ok(config) => {
            let message = format!("{} lists the disks of another pool, {}", folder.shown(), config.pool);
            let (path, other) = (folder.join(FILE), folder.join(OTHER_FILE));
            Err(Failure::new(Code::InUse, message).hint(format!(
                "name another folder with --pool; or where that list is wrong, move it away with `mv {} {}`, and run this \
                 command again",
                path.typed(),
                other.typed()
            )))
        }
        Err(failure) if failure.code() == Code::BadPool => Ok(OldList { config: None, is_broken: true }),
        Err(failure) if failure.code() == Code::NoPool => Ok(OldList { config: None, is_broken: false }),
        Err(failure) => Err(failure),
    }
}

/// The list of a pool's disks. Those that the old list has keep their names, and stay listed where they were
/// not found.
fn list(folder: &Path, id: &str, disks: &[Found], old: Option<&Config>) -> Result<Config, Failure> {
    let mut config = Config::new(folder.to_owned(), id.to_owned(), Vec::new());
    config.thresholds = old.and_then(|old| old.thresholds);
    config.name = old.and_then(|old| old.name.clone());
    let listed = |found: &Found| old.and_then(|old| Some(&old.disks[old.place_of(&found.disk)?]));
    for found in disks.iter().filter(|found| listed(found).is_some()) {
        found.entry(&mut config, listed(found).map(|disk| disk.name.as_str()))?;
    }
    let found_ids: Vec<String> = disks.iter().map(Found::id).collect();
    let is_missing = |disk: &config::DiskEntry| disk.id.as_ref().is_some_and(|id| !found_ids.contains(id));
    if let Some(old) = old {
        // Where another one was found it is not.
        let is_taken = |disk| disks.iter().any(|found| config::is_same(&found.path, &old.path_of(disk)));
        config.disks.extend(old.disks.iter().filter(|disk| is_missing(disk) && !is_taken(disk)).cloned());
    }
    for found in disks.iter().filter(|found| listed(found).is_none()) {
        found.entry(&mut config, None)?;
    }
    config.disks.sort_by_key(|disk| disk.member);
    Ok(config)
}

/// Writes pool.toml to a folder, which is made if it is not there.
fn write(folder: &Path, config: &Config, is_broken: bool) -> Result<(), Failure> {
    let refused = |error| Failure::host(format_args!("make the folder {}", folder.shown()), &error);
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(refused)?;
    if is_broken {
        let (path, old) = (folder.join(FILE), folder.join(OLD_FILE));
        fs::rename(&path, &old)
            .map_err(|error| Failure::host(format_args!("rename {}", path.shown()), &error))?;
    }
    config.save()?;
    config::remove_unfinished(folder);
    Ok(())
}

impl FoundPool {
    fn of(app: &App, config: &Config, disks: &[Found]) -> Result<Self, Failure> {
        let disk = |found: &Found| {
            let id = found.id();
            let entry = config.disks.iter().find(|disk| disk.id.as_ref() == Some(&id));
            FoundDisk {
                name: entry.map_or_else(String::new, |disk| disk.name.clone()),
                path: found.path.as_path().into(),
                member: found.disk.member.0,
                id,
                witness: found.disk.witness,
            }
        };
        let histories = match Survey::of(app, config) {
            Ok(survey) => survey.histories(),
            // The labels alone tell, while another process has the pool.
            Err(failure) if failure.exit() == Exit::Busy => Vec::new(),
            Err(failure) => return Err(failure),
        };
        let created = disks.first().map_or(0, |found| found.pool.created);
        let created = dynamicfs_hal::UnixTime { seconds: created, nanoseconds: 0 };
        Ok(Self {
            pool: config.pool.clone(),
            created: crate::host::times::rfc3339(created),
            disks: disks.iter().map(disk).collect(),
            histories,
        })
    }
}
