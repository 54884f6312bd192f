//! A disk of this very pool that is given as if it were a new one.

use super::config::{Config, is_same};
use super::discover::Found;
use crate::output::failure::{Code, Failure};
use crate::output::names::ShowPath;
use dynamicfs_core::inspect::DiskIdentity;
use std::path::Path;

/// Refuses a disk of the pool, and says what it is and how it comes back. Forced, only a disk is refused that
/// pool.toml has elsewhere and that is not there: its place is to be corrected, not the disk overwritten.
pub(crate) fn refuse(
    config: &Config,
    path: &Path,
    identity: &DiskIdentity,
    force: bool,
) -> Result<(), Failure> {
    let shown = path.shown();
    let Some(place) = config.place_of(identity) else {
        if force {
            return Ok(());
        }
        let name = format!("member-{}", identity.member.0);
        return Err(Failure::new(
            Code::Exists,
            format!("{shown} is {name} of this pool, which pool.toml does not list"),
        )
        .hint(format!("`dynamicfs disk online {name} {}` lists it again", path.typed())));
    };
    let entry = &config.disks[place];
    let (name, place) = (&entry.name, config.path_of(entry));
    if is_same(&place, path) {
        return match force {
            true => Ok(()),
            false => {
                Err(Failure::new(Code::Exists, format!("{shown} is a disk of this pool already: {name}"))
                    .hint(format!(
                        "see it with `dynamicfs disk list`; one that has left the pool comes back as a new member, with nothing \
                         on it: `dynamicfs disk add --force {}`",
                        path.typed()
                    )))
            }
        };
    }
    let is_there = Found::at(&place).is_some_and(|there| there.disk.disk == identity.disk);
    let failure = match is_there {
        true => Failure::new(
            Code::Exists,
            format!("{shown} is a copy of {name} of this pool, which is at {}", place.shown()),
        )
        .hint("name another disk"),
        false => Failure::new(
            Code::Exists,
            format!("{shown} is {name} of this pool, which pool.toml has at {}", place.shown()),
        )
        .hint(format!("`dynamicfs disk online {name} {}` takes it from there", path.typed())),
    };
    if force && is_there { Ok(()) } else { Err(failure) }
}
