//! `salvage`: everything that can still be read is taken out, of a pool that cannot be opened otherwise.
//!
//! ```text
//! catalog.rs  what the tree still tells, read from end to end without following names
//! extract.rs  that, written to a folder
//! report.rs   what was taken out, and what is lost
//! ```
//!
//! The pool's disks are opened for reading. Members may be missing, more than the pool bears to lose and more
//! than half. Lost data is left out and named, and everything else is copied.

mod catalog;
mod extract;
mod report;

pub(crate) use report::Salvaged;

use crate::app::App;
use crate::host::attributes::narrow;
use crate::host::descent::Descent;
use crate::host::folder::Folder;
use crate::output::failure::{Code, Exit, Failure};
use crate::output::names;
use crate::output::names::ShowPath;
use crate::output::progress::{Progress, Unit};
use crate::output::report::to_json;
use crate::pool::histories::{MissingDisk, digits};
use crate::pool::open::{Access, with_pool};
use crate::pool::path::PoolPath;
use crate::pool::session::Session;
use catalog::Catalog;
use dynamicfs_core::files::{ObjectKind, split_path};
use dynamicfs_core::inspect::Kind;
use dynamicfs_core::maintenance::JobKind;
use dynamicfs_core::types::ObjectId;
use extract::{Extractor, Item};
use report::{Lost, What};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Where things go that have no name any more.
const LOST_AND_FOUND: &str = "lost+found";

/// The file that the report is written to as well.
const REPORT: &str = "salvage-report.json";

/// What to take out, and where to.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// A folder that does not exist yet, or is empty: nothing is replaced
    dest: PathBuf,
    /// Files and directories in the pool; by default everything, objects without a name too
    #[arg(value_name = "PATH")]
    paths: Vec<OsString>,
}

pub(crate) fn run(app: &App, options: &Options) -> Result<Exit, Failure> {
    let started = Instant::now();
    let paths = PoolPath::all(&options.paths)?;
    let (dry_run, dest) = (app.global.dry_run, options.dest.as_path());
    refuse_what_is_there(dest)?;
    let mut report = Salvaged { dry_run, dest: dest.into(), ..Salvaged::default() };
    let ended = with_pool(app, Access::Salvage, |session| {
        salvage(app, session, dest, &outermost(paths), &mut report, started)
    });
    match ended {
        Err(failure) if report.generation == 0 => Err(failure),
        ended => {
            let shortfall = ended.err().or_else(|| shortfall(&report));
            app.out.finish(&report, shortfall.as_ref())
        }
    }
}

/// Why not everything came out whole, if it did not.
fn shortfall(report: &Salvaged) -> Option<Failure> {
    let (code, message) = match (report.lost.is_empty(), report.failed.is_empty()) {
        (false, _) => (Code::Unreadable, "not everything could be read"),
        (true, false) => (Code::Partial, "not everything could be written"),
        (true, true) if report.lost_before > 0 => {
            (Code::Unreadable, "all that is left was taken out; some was lost for good before")
        }
        (true, true) => return None,
    };
    let failure = Failure::new(code, message);
    Some(match &report.report {
        None => failure.hint("--json names everything"),
        Some(path) => failure.hint(format!("{path} names everything")),
    })
}

/// Refuses a folder that something is in.
fn refuse_what_is_there(dest: &Path) -> Result<(), Failure> {
    let shown = dest.shown();
    let refused = |code, what: &str| {
        Failure::new(code, format!("{shown} {what}, and salvage replaces nothing"))
            .hint("name a folder that is not there yet")
    };
    match fs::read_dir(dest).map(|entries| entries.count()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            Err(refused(Code::NotADirectory, "is not a folder"))
        }
        Err(error) => Err(Failure::host(format_args!("read {shown}"), &error)),
        Ok(1..) => Err(refused(Code::Exists, "is not empty")),
        Ok(0) => Ok(()),
    }
}

/// Without what is below another of the paths, or named twice.
fn outermost(mut paths: Vec<PoolPath>) -> Vec<PoolPath> {
    let names = |path: &PoolPath| split_path(path.as_bytes()).map(<[u8]>::to_vec).collect::<Vec<_>>();
    paths.sort_by_key(names);
    let mut kept: Vec<PoolPath> = Vec::new();
    for path in paths {
        if !kept.last().is_some_and(|above| names(&path).starts_with(&names(above))) {
            kept.push(path);
        }
    }
    kept
}

/// Makes the destination folder; only its owner can read it until everything is there.
fn open_dest(dest: &Path) -> Result<Descent, Failure> {
    let opened = || {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(dest)?;
        let folder = Folder::open(dest)?;
        narrow(&folder.file, 0o700)?;
        Descent::new(folder, dest)
    };
    opened().map_err(|error| Failure::host(format_args!("make {}", dest.shown()), &error))
}

/// Takes out what is wanted, and writes the report beside it.
fn salvage(
    app: &App,
    session: &mut Session<'_>,
    dest: &Path,
    paths: &[PoolPath],
    report: &mut Salvaged,
    started: Instant,
) -> Result<(), Failure> {
    let health = session.pool.health();
    (report.generation, report.epoch) = (health.generation.0, health.epoch.0);
    (report.branch, report.missing) = (digits(health.branch), missing(session));
    report.lost_before = lost_before(session);
    let catalog = Catalog::of(&mut session.pool)?;
    let named = paths.iter().map(|path| named(&catalog, path)).collect::<Result<Vec<_>, _>>()?;
    let total = paths.is_empty().then(|| catalog.content_bytes());
    let descent = if report.dry_run { None } else { Some(open_dest(dest)?) };
    let written = !report.dry_run;
    let progress = Progress::new(&app.out, "taking out", Unit::Bytes, total);
    let mut extractor = Extractor::new(&catalog, report, progress, descent);
    let taken = if paths.is_empty() {
        take_everything(&mut extractor, session)
    } else {
        named.into_iter().try_for_each(|named| take_named(&mut extractor, session, named))
    };
    let root = if paths.is_empty() { extractor.root_attributes(&mut session.pool) } else { Vec::new() };
    let report = &mut *extractor.report;
    report.seconds = started.elapsed().as_secs_f64();
    report.complete =
        taken.is_ok() && report.lost.is_empty() && report.failed.is_empty() && report.lost_before == 0;
    if written {
        let file = free_name(&catalog, REPORT);
        write_report(dest, &file, report)?;
    }
    taken?;
    // Its attributes may let others see into it, and are the last.
    if paths.is_empty() {
        extractor.finish(&root)?;
    }
    Ok(())
}

/// Writes the report into the folder, for its owner alone.
fn write_report(dest: &Path, name: &str, report: &mut Salvaged) -> Result<(), Failure> {
    let path = dest.join(name);
    report.report = Some(path.shown().to_string());
    let json = to_json(report)?;
    let write = || {
        let made = Folder::open(dest)?.file()?;
        made.file().map_or(Ok(()), |mut file| file.write_all(&json))?;
        made.add(OsStr::new(name))
    };
    write().map_err(|error: io::Error| Failure::host(format_args!("write {}", path.shown()), &error))
}

/// Things that jobs found lost for good: what is left of the pool is whole without them.
fn lost_before(session: &mut Session<'_>) -> u64 {
    let kinds = [JobKind::Rebuild, JobKind::Scrub, JobKind::Rebalance, JobKind::Recount];
    // Where a record cannot be read that is a loss of its own, which is met later.
    let jobs = kinds.into_iter().filter_map(|kind| session.pool.job(kind).ok().flatten());
    jobs.map(|job| u64::from(job.failed)).max().unwrap_or(0)
}

/// Takes out the whole tree, and what is in it no more.
fn take_everything(extractor: &mut Extractor<'_>, session: &mut Session<'_>) -> Result<(), Failure> {
    let root = Item { object: ObjectId::ROOT, kind: ObjectKind::Directory, name: None };
    extractor.take_out(&mut session.pool, root, Some(PoolPath::root()))?;
    take_nameless(extractor, session)?;
    if extractor.catalog.lacks_objects() {
        extractor.report.lost.push(Lost {
            path: None,
            path_hex: None,
            object: 0,
            what: What::Unknown,
            size: 0,
            lost_bytes: 0,
            ranges: Vec::new(),
        });
    }
    Ok(())
}

/// Takes out what was not reached by any name.
fn take_nameless(extractor: &mut Extractor<'_>, session: &mut Session<'_>) -> Result<(), Failure> {
    let folder = free_name(extractor.catalog, LOST_AND_FOUND);
    let unreached = extractor.catalog.unreached(&extractor.reached);
    if unreached.is_empty() {
        return Ok(());
    }
    extractor.go_down(Some(OsStr::new(&folder)), false)?;
    for object in unreached {
        if extractor.reached.contains(&object) {
            continue;
        }
        let is_directory = !extractor.catalog.names(object).is_empty();
        let kind = if is_directory { ObjectKind::Directory } else { ObjectKind::File };
        let kind = extractor.catalog.inode(object).map_or(kind, |inode| inode.kind);
        let name = Some(OsString::from(object.0.to_string()));
        extractor.take_out(&mut session.pool, Item { object, kind, name }, None)?;
        extractor.report.nameless += 1;
    }
    extractor.go_up_from_a_folder_of_no_directory()
}

/// A name in the folder that nothing of the pool's root has.
fn free_name(catalog: &Catalog, name: &str) -> String {
    let is_taken =
        |name: &String| catalog.names(ObjectId::ROOT).iter().any(|entry| entry.name == name.as_bytes());
    let mut names = std::iter::once(name.to_owned()).chain((1..).map(|number| format!("{name}.{number}")));
    names.find(|name| !is_taken(name)).unwrap_or_else(|| name.to_owned())
}

/// Something that was named, and the directories on the way to it.
struct Named {
    above: Vec<Item>,
    item: Item,
}

/// Takes out what was named, in folders as deep as it is in the pool.
fn take_named(
    extractor: &mut Extractor<'_>,
    session: &mut Session<'_>,
    Named { above, item }: Named,
) -> Result<(), Failure> {
    extractor.begin_at_the_root();
    for directory in &above {
        extractor.go_down(directory.name.as_deref(), true)?;
    }
    extractor.take_out_here(&mut session.pool, item)?;
    above.iter().rev().try_for_each(|directory| extractor.leave(&mut session.pool, directory))
}

/// What is at a path.
fn named(catalog: &Catalog, path: &PoolPath) -> Result<Named, Failure> {
    let mut item = Item { object: ObjectId::ROOT, kind: ObjectKind::Directory, name: None };
    let mut above = Vec::new();
    for name in split_path(path.as_bytes()) {
        let Some(found) = catalog.names(item.object).iter().find(|entry| entry.name == name) else {
            let shown = names::show(name);
            return Err(match catalog.may_lack(item.object, Kind::Entry) {
                true => Failure::new(
                    Code::Damaged,
                    format!("{path}: `{shown}` is not there, or its name is lost"),
                )
                .hint("leave the path out: what has lost its name is put into lost+found"),
                false => Failure::new(Code::NotFound, format!("{path}: `{shown}` is not there")),
            });
        };
        above.push(std::mem::replace(&mut item, Item::from(found)));
    }
    Ok(Named { above, item })
}

/// Members that do not take part.
fn missing(session: &Session<'_>) -> Vec<MissingDisk> {
    let members = session.pool.members();
    let member = |row| {
        let member = session.pool.member_in(row)?.number.0;
        let place = session.places.iter().find(|place| place.entry.member == Some(member));
        Some(MissingDisk::new(place, member))
    };
    members.table.minus(members.online).iter().filter_map(member).collect()
}
