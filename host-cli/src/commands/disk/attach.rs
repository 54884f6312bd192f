//! `disk online DISK PATH`: a disk of the pool is at another path now. `disk rename`.

use super::find::find;
use crate::app::App;
use crate::host::devices;
use crate::output::failure::{Code, Exit, Failure};
use crate::output::names::{self, ShowPath};
use crate::output::report::Report;
use crate::output::text::Text;
use crate::pool::config::{Config, absolute};
use crate::pool::discover::Found;
use crate::pool::labels::Labels;
use crate::pool::occupied;
use crate::pool::open::{Access, with_config, with_pool};
use crate::pool::session::Session;
use schemars::JsonSchema;
use serde::Serialize;
use std::path::Path;

/// A disk that has another name now.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct DiskRenamed {
    /// Nothing was done: `--dry-run`.
    dry_run: bool,
    /// What it was called.
    old: String,
    /// What it is called now.
    new: String,
}

impl Report for DiskRenamed {
    fn text(&self, text: &mut Text) {
        let done = if self.dry_run { "would be called" } else { "is called" };
        text.line(format_args!("{} {done} {}", self.old, self.new));
    }

    fn is_answer(&self) -> bool {
        self.dry_run
    }
}

/// The list of the pool's disks with a disk at another path, where the disk is what it is said to be; and its
/// number.
pub(super) fn at_path(app: &App, disk: &str, path: &Path) -> Result<(Config, String), Failure> {
    let mut config = Config::load_to_change(app)?;
    let meant = names::show(disk.as_bytes());
    let whole = absolute(path)?;
    occupied::refuse_unlistable(&whole)?;
    occupied::refuse_own_file(&config.folder, &whole)?;
    Labels::read(&whole).map_err(|error| Failure::host(format_args!("read {}", whole.shown()), &error))?;
    let found = Found::at(&whole).ok_or_else(|| {
        Failure::new(Code::InvalidArgument, format!("{} has no label of a pool", whole.shown())).hint(
            format!(
                "to put it in the place of {meant}: `dynamicfs disk replace {} {}`",
                names::typed(disk.as_bytes()),
                whole.typed()
            ),
        )
    })?;
    if found.pool_id() != config.pool {
        let message = format!("{} is a disk of another pool, {}", whole.shown(), found.pool_id());
        return Err(Failure::new(Code::InvalidArgument, message)
            .hint(format!("see it with `dynamicfs import --dry-run --disk {}`", whole.typed())));
    }
    let (id, number) = (found.id(), found.disk.member.0);
    let place = config.place_of(&found.disk);
    let name = place.map_or_else(|| format!("member-{number}"), |place| config.disks[place].name.clone());
    let is_meant = [&name, &number.to_string(), &id].contains(&&disk.to_owned())
        || place.is_some_and(|place| {
            config.path_of(&config.disks[place]) == absolute(Path::new(disk)).unwrap_or_default()
        });
    if !is_meant {
        return Err(Failure::new(
            Code::InvalidArgument,
            format!("{} is {name}, and not {meant}", whole.shown()),
        )
        .hint(format!("`dynamicfs disk online {name} {}`", whole.typed())));
    }
    match place {
        None => found.entry(&mut config, None)?,
        Some(place) => {
            let there = config.path_of(&config.disks[place]);
            if Found::at(&there).is_some_and(|other| other.id() == id) {
                occupied::refuse_shared(&[&there, &whole]).map_or(Ok(()), |()| {
                    let message =
                        format!("{} is a copy of {name}, which is at {}", whole.shown(), there.shown());
                    Err(Failure::new(Code::Cloned, message).hint("detach the copy"))
                })?;
            }
            let path = config.shortened(absolute(&devices::stable_path(&whole))?);
            let entry = &mut config.disks[place];
            (entry.path, entry.whereabouts) = (path, Default::default());
            (entry.id, entry.member) = (Some(id), Some(number));
        }
    }
    refuse_left(app, &config, number, (&name, place.is_some()), &whole)?;
    if !app.global.dry_run {
        config.save()?;
    }
    Ok((config, number.to_string()))
}

/// Refuses a disk of the pool that is no member any more, if the pool can be opened to find out. It was
/// removed, or left behind by an override.
fn refuse_left(
    app: &App,
    config: &Config,
    number: u16,
    (name, is_listed): (&str, bool),
    path: &Path,
) -> Result<(), Failure> {
    let is_member = |session: &mut Session<'_>| Ok(session.row_of(number).is_some());
    // A pool that needs several such disks is opened when the last of them is listed.
    let Ok(false) = with_config(app, config.clone(), Access::Read, is_member) else { return Ok(()) };
    let first = match is_listed {
        true => format!("`dynamicfs disk remove {name}` takes it off the list; then "),
        false => String::new(),
    };
    let message = format!("{} was {name} of this pool, and is not a member any more", path.shown());
    Err(Failure::new(Code::NotFound, message).hint(format!(
        "{first}`dynamicfs disk add --force {}` overwrites what is on it, and makes it a new member",
        path.typed()
    )))
}

/// Gives a disk another name in pool.toml.
pub(super) fn rename(app: &App, old: &str, new: &str) -> Result<Exit, Failure> {
    names::check_printable(new, "a disk")?;
    if new.bytes().all(|byte| byte.is_ascii_digit()) || new.starts_with("member-") {
        let message = format!("`{new}` would be taken for a number of a member");
        return Err(Failure::new(Code::InvalidName, message).hint("name it otherwise"));
    }
    // Only a list of names is changed: the pool may be without the disks that it needs to be opened.
    let mut config = Config::load_to_rename(app)?;
    let by_list = config.disks.iter().position(|disk| {
        disk.name == old
            || disk.id.as_deref() == Some(old)
            || disk.member.is_some_and(|number| number.to_string() == old)
    });
    let place = match by_list {
        Some(place) => place,
        None => {
            let meant = with_pool(app, Access::Read, |session| find(session, old))?;
            meant.place.ok_or_else(|| {
                Failure::new(Code::NotFound, format!("pool.toml does not list {}", meant.disk.name))
                    .hint(format!("`dynamicfs disk online {} PATH` lists it", meant.disk.name))
            })?
        }
    };
    if config.disks.iter().any(|disk| disk.name == new) {
        return Err(Failure::new(Code::Exists, format!("a disk is called {new} already"))
            .hint("see the names with `dynamicfs disk list`"));
    }
    let old = std::mem::replace(&mut config.disks[place].name, new.to_owned());
    if !app.global.dry_run {
        config.save()?;
    }
    app.out.report(&DiskRenamed { dry_run: app.global.dry_run, old, new: new.to_owned() })?;
    Ok(Exit::Done)
}
