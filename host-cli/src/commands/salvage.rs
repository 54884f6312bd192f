//! `salvage`: everything that can still be read is taken out, of a pool that cannot be opened otherwise.
//!
//! ```text
//! catalog.rs  what the tree still tells, read from end to end without following names
//! extract.rs  that, written to a folder
//! report.rs   what was taken out, and what is lost
//! ```
//!
//! The pool's disks are opened for reading. Members may be missing, more than the pool bears to lose and more than half; what
//! is lost is left out and named, and everything else goes on.

mod catalog;
mod extract;
mod report;

pub(crate) use report::Salvaged;

use crate::app::App;
use crate::output::failure::{Code, Exit, Failure};
use crate::output::names;
use crate::output::names::ShowPath;
use crate::output::progress::{Progress, Unit};
use crate::pool::histories::{MissingDisk, digits};
use crate::pool::open::{Access, with_pool};
use crate::pool::path::PoolPath;
use crate::pool::session::Session;
use catalog::Catalog;
use dynamicfs_core::format::inode::ObjectKind;
use dynamicfs_core::format::key::Kind;
use dynamicfs_core::object::split_path;
use dynamicfs_core::types::ObjectId;
use extract::{Extractor, Item};
use report::{Lost, What};
use std::collections::{BTreeSet, HashMap};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Where things go that have no name any more.
const LOST_AND_FOUND: &str = "lost+found";

/// The file that the report is written to as well.
const REPORT: &str = "salvage-report.json";

/// What to take out, and where to.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// A folder; it is made if it is not there
    dest: PathBuf,
    /// Files and directories in the pool; by default everything, what has lost its name too
    #[arg(value_name = "PATH")]
    paths: Vec<OsString>,
}

pub(crate) fn run(app: &App, options: &Options) -> Result<Exit, Failure> {
    let started = Instant::now();
    let paths: Vec<PoolPath> =
        options.paths.iter().map(|path| PoolPath::new(path)).collect::<Result<_, _>>()?;
    let dry_run = app.global.dry_run;
    if !dry_run {
        make_folder(&options.dest)?;
    }
    let mut report = Salvaged { dry_run, dest: options.dest.shown().to_string(), ..Salvaged::default() };
    let mut file = REPORT.to_owned();
    let ended = with_pool(app, Access::Salvage, |session| {
        file = salvage(app, session, &options.dest, &paths, &mut report)?;
        Ok(())
    });
    if let Err(failure) = &ended
        && report.generation == 0
    {
        return Err(failure.clone());
    }
    report.seconds = started.elapsed().as_secs_f64();
    report.complete = ended.is_ok() && report.lost.is_empty() && report.failed.is_empty();
    let path = options.dest.join(file);
    if !dry_run {
        write_report(&path, &report)?;
    }
    app.out.finish(&report, ended.err().or_else(|| shortfall(&report, &path)).as_ref())
}

/// Why not everything came out whole, if it did not.
fn shortfall(report: &Salvaged, path: &Path) -> Option<Failure> {
    let (code, message) = match (report.lost.is_empty(), report.failed.is_empty()) {
        (true, true) => return None,
        (false, _) => (Code::Unreadable, "not everything could be read"),
        (true, false) => (Code::Partial, "not everything could be written"),
    };
    let failure = Failure::new(code, message);
    Some(match report.dry_run {
        true => failure.hint("--json names all of it"),
        false => failure.hint(format!("{} names all of it", path.shown())),
    })
}

fn make_folder(folder: &Path) -> Result<(), Failure> {
    fs::create_dir_all(folder).map_err(|error| Failure::host(format_args!("make {}", folder.shown()), &error))
}

fn write_report(path: &Path, report: &Salvaged) -> Result<(), Failure> {
    let mut bytes =
        serde_json::to_vec_pretty(report).map_err(|error| Failure::host("write JSON", &error.into()))?;
    bytes.push(b'\n');
    fs::write(path, bytes).map_err(|error| Failure::host(format_args!("write {}", path.shown()), &error))
}

/// Takes out what is wanted; the name of the report's file.
fn salvage(
    app: &App,
    session: &mut Session<'_>,
    dest: &Path,
    paths: &[PoolPath],
    report: &mut Salvaged,
) -> Result<String, Failure> {
    let health = session.pool.health();
    (report.generation, report.epoch) = (health.generation.0, health.epoch.0);
    (report.branch, report.missing) = (digits(health.branch), missing(session));
    let catalog = Catalog::of(&mut session.pool)?;
    let total = paths.is_empty().then(|| catalog.content_bytes());
    let mut extractor = Extractor {
        catalog: &catalog,
        report,
        progress: Progress::new(&app.out, "taking out", Unit::Bytes, total),
        reached: BTreeSet::new(),
        links: HashMap::new(),
    };
    for path in paths {
        let (item, parent) = named(&catalog, dest, path)?;
        if !app.global.dry_run {
            make_folder(&parent)?;
        }
        extractor.take_out(&mut session.pool, item)?;
    }
    let root = Item {
        object: ObjectId::ROOT,
        kind: ObjectKind::Directory,
        path: Some(PoolPath::root()),
        dest: dest.to_owned(),
    };
    if paths.is_empty() {
        extractor.take_out(&mut session.pool, root)?;
        take_nameless(&mut extractor, session, &dest.join(free_name(&catalog, LOST_AND_FOUND)))?;
        if catalog.lacks_objects() {
            let unknown = Lost {
                path: None,
                object: 0,
                what: What::Unknown,
                size: 0,
                lost_bytes: 0,
                ranges: Vec::new(),
            };
            extractor.report.lost.push(unknown);
        }
    }
    Ok(free_name(&catalog, REPORT))
}

/// Takes out what was not reached by any name.
fn take_nameless(
    extractor: &mut Extractor<'_>,
    session: &mut Session<'_>,
    folder: &Path,
) -> Result<(), Failure> {
    for object in extractor.catalog.unreached(&extractor.reached) {
        if extractor.reached.contains(&object) {
            continue;
        }
        let is_directory = !extractor.catalog.names(object).is_empty();
        let kind = if is_directory { ObjectKind::Directory } else { ObjectKind::File };
        let kind = extractor.catalog.inode(object).map_or(kind, |inode| inode.kind);
        if !extractor.report.dry_run {
            make_folder(folder)?;
        }
        let dest = folder.join(object.0.to_string());
        extractor.take_out(&mut session.pool, Item { object, kind, path: None, dest })?;
        extractor.report.nameless += 1;
    }
    Ok(())
}

/// A name in the folder that nothing of the pool's root has.
fn free_name(catalog: &Catalog, name: &str) -> String {
    let is_taken =
        |name: &String| catalog.names(ObjectId::ROOT).iter().any(|entry| entry.name == name.as_bytes());
    let mut names = std::iter::once(name.to_owned()).chain((1..).map(|number| format!("{name}.{number}")));
    names.find(|name| !is_taken(name)).unwrap_or_else(|| name.to_owned())
}

/// What is at a path, and the folder that it goes into.
fn named(catalog: &Catalog, dest: &Path, path: &PoolPath) -> Result<(Item, PathBuf), Failure> {
    let (mut object, mut kind) = (ObjectId::ROOT, ObjectKind::Directory);
    let (mut at, mut parent) = (dest.to_owned(), dest.to_owned());
    for name in split_path(path.as_bytes()) {
        let Some(found) = catalog.names(object).iter().find(|entry| entry.name == name) else {
            let shown = names::show(name);
            return Err(match catalog.may_lack(object, Kind::Entry) {
                true => Failure::new(
                    Code::Damaged,
                    format!("{path}: `{shown}` is not there, or its name is lost"),
                )
                .hint("leave the path out: what has lost its name is put into lost+found"),
                false => Failure::new(Code::NotFound, format!("{path}: `{shown}` is not there")),
            });
        };
        (object, kind) = (found.object, found.kind);
        parent = at.clone();
        at.push(OsStr::from_bytes(name));
    }
    Ok((Item { object, kind, path: Some(path.clone()), dest: at }, parent))
}

/// Members that do not take part.
fn missing(session: &Session<'_>) -> Vec<MissingDisk> {
    let superblock = session.pool.store.committed();
    let away = superblock.table().minus(session.pool.store.tree.disks.online());
    let member = |row| {
        let member = superblock.row(row).number();
        let place = session.places.iter().find(|place| place.entry.member == Some(member));
        MissingDisk::new(place, member)
    };
    away.iter().map(member).collect()
}
