//! Why a pool was not opened: which disks that is about, what they hold, and what can be done.

use super::config::Config;
use super::discover;
use super::histories::{History, MissingDisk, Survey};
use super::place::{self, Place};
use crate::app::App;
use crate::output::failure::Failure;
use crate::output::size;
use dynamicfs_core::error::MountError;

/// Names the disks that a refused mount is about.
pub(super) fn explain(app: &App, cause: MountError, config: &Config, places: &[Place]) -> Failure {
    let failure = Failure::from(cause);
    let name = |disk: usize| places.get(disk).map_or_else(|| format!("disk {disk}"), Place::to_string);
    let message = match cause {
        // Another process may have the disks by now: then less can be said.
        MountError::Missing { .. } | MountError::Diverged { .. } => match Survey::of(app, config) {
            Ok(survey) => return refused(app, cause, &survey, config),
            Err(_) => format!("refused to open the pool: {}", failure.message()),
        },
        MountError::Cloned { first, second } => {
            format!(
                "refused to open the pool: {} and {} carry the same identity, one is a copy of the other",
                name(first.0),
                name(second.0)
            )
        }
        MountError::LabelsDisagree { disk } => {
            format!("the label of {} contradicts the other disks'", name(disk.0))
        }
        MountError::Truncated { disk, bytes, needed } => {
            let [bytes, needed] = [bytes, needed].map(|bytes| size::show(bytes, false));
            format!("{} is needed, and shorter than its label says: it has {bytes} of {needed}", name(disk.0))
        }
        MountError::LargeSectors { disk, sector_bytes } => format!(
            "{} has sectors of {sector_bytes} bytes here, more than the pool's layout allows",
            name(disk.0)
        ),
        MountError::LabelUnreadable { disk } => {
            format!("no pool was found, and places of labels cannot be read on {}", name(disk.0))
        }
        MountError::NoPool => format!("no disk carries a label of pool {}", config.pool),
        MountError::Unsupported { disk, .. } => format!("{}: {}", name(disk.0), failure.message()),
        _ => format!("cannot open the pool: {}", failure.message()),
    };
    place::name_absent(failure.reworded(message), &config.pool, places)
}

/// A mount that was refused for safety, with all that is known of the sides.
fn refused(app: &App, cause: MountError, survey: &Survey, config: &Config) -> Failure {
    let code = Failure::from(cause).code();
    let histories = survey.histories();
    let failure = match cause {
        MountError::Missing { .. } => {
            let history = histories.iter().find(|history| history.wanting > 0);
            let (message, hint) = history.map_or_else(
                || (Failure::from(cause).message().to_owned(), "run the command again".into()),
                |history| missing(app, history, config),
            );
            Failure::new(code, message).hint(hint)
        }
        _ => {
            let lines: Vec<String> =
                histories.iter().map(|history| format!("\n  {}", history.line())).collect();
            let message = format!(
                "refused to open the pool: its disks hold {} histories, and none contains another{}",
                histories.len(),
                lines.concat()
            );
            Failure::new(code, message).hint(survey.hint())
        }
    };
    failure.histories(histories)
}

/// Too few members are here: what to say, and what to do.
fn missing(app: &App, history: &History, config: &Config) -> (String, String) {
    let names: Vec<String> = history.missing.iter().map(ToString::to_string).collect();
    let written = history.written.as_ref().map_or_else(String::new, |when| format!(", written {when}"));
    let do_ = match (history.wanting, history.missing.len()) {
        (1, 1) => "it is needed".to_owned(),
        (wanting, all) if wanting == all => "all of them are needed".to_owned(),
        (wanting, _) => format!("any {wanting} of them would do"),
    };
    let message = format!(
        "refused to open the pool: {} of {} members are here, and the others could hold a newer commit than generation {} \
         (epoch {}{written}), which is the newest here; missing: {}; {do_}",
        history.present,
        history.members,
        history.generation,
        history.epoch,
        names.join(", ")
    );
    // One that pool.toml does not list, or has elsewhere, may be there all the same.
    let found = discover::elsewhere(config);
    let is_found =
        |disk: &&MissingDisk| discover::of_member(&found, disk.id.as_deref(), disk.member).is_some();
    let found = history.missing.iter().filter(is_found).count();
    let is_unlisted = history.missing.iter().any(|disk| disk.name.is_none());
    let folder =
        app.global.pool.as_ref().filter(|_| app.global.disk.is_empty() && (found > 0 || is_unlisted));
    let listed = folder.map_or_else(String::new, |folder| {
        format!("`{}` lists the present disks again", discover::import_of(Some(&config.pool), folder))
    });
    if found >= history.wanting && !listed.is_empty() {
        return (message, listed);
    }
    let listed = if listed.is_empty() { listed } else { listed + "; " };
    let hint = format!(
        "{listed}attach them; to copy out what is here without changing anything: `dynamicfs salvage DEST`; only if they \
         are gone for good: --force-degraded, which continues from generation {} and gives up everything newer on them, as \
         in `dynamicfs --force-degraded disk replace {} NEW-DISK`",
        history.generation,
        history.missing.first().map_or_else(|| "DISK".to_owned(), MissingDisk::handle),
    );
    (message, hint)
}
