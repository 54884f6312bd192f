//! `disk`: the pool's disks.

use super::status::disk_table;
use crate::app::App;
use crate::host::confirm::confirm;
use crate::output::failure::{Code, Exit, Failure};
use crate::output::report::Report;
use crate::output::size;
use crate::output::text::Text;
use crate::pool::config::Config;
use crate::pool::judge::{self, Disk, DiskState, Extents};
use crate::pool::open::{Access, with_pool};
use crate::pool::session::Session;
use schemars::JsonSchema;
use serde::Serialize;

/// What to do with disks.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// List the disks
    List,
    /// Take a disk out of use: it is not opened any more
    Fail(Chosen),
}

/// Which disk.
#[derive(Debug, clap::Args)]
pub(crate) struct Chosen {
    /// Its name, path, number or identity
    disk: String,
    /// Do it although data cannot be read without the disk
    #[arg(long)]
    force_data_loss: bool,
}

/// The pool's disks.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct DiskList {
    /// The disks, in the order of pool.toml.
    disks: Vec<Disk>,
}

impl Report for DiskList {
    fn text(&self, text: &mut Text) {
        disk_table(text, &self.disks);
    }
}

/// A disk that was taken out of use.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct DiskFailed {
    /// Nothing was done: `--dry-run`.
    dry_run: bool,
    /// The disk.
    disk: String,
    /// Extents, counted without it.
    extents: Extents,
}

impl Report for DiskFailed {
    fn text(&self, text: &mut Text) {
        let done = if self.dry_run { "would be taken" } else { "is" };
        text.line(format_args!("{} {done} out of use", self.disk));
        let Extents { total, readable, unreadable, .. } = self.extents;
        let owed = readable + unreadable;
        text.line(format_args!(
            "{owed} of {} now lack redundancy, {unreadable} cannot be read",
            size::count(total, "extent")
        ));
    }
}

pub(crate) fn run(app: &App, command: &Command) -> Result<Exit, Failure> {
    match command {
        Command::List => with_pool(app, Access::Read, |session| {
            let disks = judge::disks(session);
            app.out.report(&DiskList { disks })?;
            Ok(Exit::Done)
        }),
        Command::Fail(chosen) => fail(app, chosen),
    }
}

fn fail(app: &App, chosen: &Chosen) -> Result<Exit, Failure> {
    if app.global.read_only {
        return Err(Failure::new(Code::Usage, "this command changes the pool, and --read-only was given")
            .hint("leave --read-only out"));
    }
    let config = Config::load(app)?;
    let place = with_pool(app, Access::Read, |session| find(session, &chosen.disk))?;
    let name = config.disks[place].name.clone();
    let mut without = config;
    without.disks[place].excluded = true;
    // Looked at as it would be, before it is so.
    let extents = crate::pool::open::with_config(app, without.clone(), Access::Read, |session| {
        Ok(session.pool.count_extents()?.into())
    });
    let extents: Extents = match extents {
        Ok(extents) => extents,
        Err(failure) if failure.code() == Code::MembersMissing => {
            let failure = Failure::new(
                Code::WouldLoseData,
                format!("without {name} the pool could not be opened: too few members would be left"),
            );
            return Err(failure.hint("bring other disks back first; see `dynamicfs disk list`"));
        }
        Err(failure) => return Err(failure),
    };
    if extents.unreadable > 0 && !chosen.force_data_loss {
        let lost = size::count(extents.unreadable, "extent");
        return Err(Failure::new(Code::WouldLoseData, format!("without {name} {lost} could not be read"))
            .hint("bring other disks back first; --force-data-loss takes it out of use all the same"));
    }
    if !app.global.dry_run {
        confirm(app, &format!("{name} is taken out of use"), &name)?;
        without.save()?;
        // From now on the others count among themselves.
        let counted =
            crate::pool::open::with_config(app, without, Access::Write, |session| session.change(|_| Ok(())));
        if let Err(failure) = counted {
            app.out.warn(failure.message());
        }
    }
    app.out.report(&DiskFailed { dry_run: app.global.dry_run, disk: name, extents })?;
    Ok(Exit::Done)
}

/// The place of the disk that someone means.
fn find(session: &mut Session<'_>, meant: &str) -> Result<usize, Failure> {
    let disks = judge::disks(session);
    let is_meant = |disk: &Disk| {
        disk.name == meant
            || disk.path.as_deref() == Some(meant)
            || disk.id.as_deref() == Some(meant)
            || disk.member.is_some_and(|member| member.to_string() == meant)
    };
    let places = session.places.len();
    let found: Vec<usize> = (0..places).filter(|&place| is_meant(&disks[place])).collect();
    match found[..] {
        [place] if disks[place].state == DiskState::Excluded => {
            Err(Failure::new(Code::Exists, format!("{meant} is out of use already")))
        }
        [place] => Ok(place),
        [] => {
            let names: Vec<&str> = disks.iter().take(places).map(|disk| disk.name.as_str()).collect();
            Err(Failure::new(Code::NotFound, format!("the pool has no disk `{meant}`"))
                .hint(format!("its disks are {}", names.join(", "))))
        }
        _ => Err(Failure::new(Code::InvalidArgument, format!("`{meant}` means several disks"))
            .hint("name it by its path or identity")),
    }
}
