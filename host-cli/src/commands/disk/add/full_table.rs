//! A pool that has as many members as it can have. There the new disk takes the old one's place in the table.
//! The old one leaves before the new one holds anything, and cannot come back. All that could stand in the
//! way of the new one is asked before.

use super::super::find::find;
use super::super::shut::extents_without;
use crate::app::App;
use crate::host::confirm::confirm;
use crate::output::failure::{Code, Failure};
use crate::output::names::ShowPath;
use crate::output::size;
use crate::pool::room;
use crate::pool::session::Session;
use dynamicfs_core::types::{MemberNumber, Row};
use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Bytes of a disk that are read and written back to see that it takes writes.
const TRIAL_BYTES: usize = 4096;

/// A member that has to leave first.
struct Leaving {
    member: MemberNumber,
    is_empty: bool,
}

/// Sees to it that the table has room for the disks at these places. Where it has none, the disk that is
/// replaced leaves first, whose name is given then.
pub(super) fn make_rows(
    app: &App,
    session: &mut Session<'_>,
    new: &[usize],
    replaces: Option<u16>,
) -> Result<Option<String>, Failure> {
    let bytes = |&place: &usize| session.places[place].labels.map_or(0, |labels| labels.bytes);
    let bytes: Vec<u64> = new.iter().map(bytes).collect();
    let Some(old) = leaving(app, session, &bytes, replaces)? else { return Ok(None) };
    let name = session.name_of(old.member);
    if !old.is_empty {
        for &place in new {
            let path = session.places[place].path.clone();
            takes_writes(&path)
                .map_err(|error| Failure::host(format_args!("write to {}", path.shown()), &error))?;
        }
        let warning = format!(
            "{name} leaves the pool for good before the new disk holds anything, as the pool can have no more members; its data comes from the others"
        );
        confirm(app, &warning, &name)?;
    }
    session.pool.remove_member(old.member, !old.is_empty)?;
    Ok(Some(name))
}

/// What is said where the new disk failed after the old one had left.
pub(super) fn has_left(failure: Failure, old: &str) -> Failure {
    failure.and(format_args!("{old} has left the pool, which has no disk in its place yet")).hint(
        "give it another one with `dynamicfs disk add NEW-DISK`, then `dynamicfs rebuild start` puts back what the \
         old one held",
    )
}

/// Whether disks of so many bytes could become members.
pub(super) fn foresee(
    app: &App,
    session: &mut Session<'_>,
    bytes: &[u64],
    replaces: Option<u16>,
) -> Result<(), Failure> {
    leaving(app, session, bytes, replaces).map(|_| ())
}

/// The member that has to leave before disks of so many bytes can come, if one has to, and may.
fn leaving(
    app: &App,
    session: &mut Session<'_>,
    bytes: &[u64],
    replaces: Option<u16>,
) -> Result<Option<Leaving>, Failure> {
    let most = usize::from(session.pool.parameters().members_max);
    if bytes.len() + session.pool.members().table.len() <= most {
        return Ok(None);
    }
    let too_many = || Failure::new(Code::InvalidArgument, format!("the pool has {most} members at most"));
    let old = replaces.and_then(|old| Some((old, session.row_of(old)?)));
    let (Some((old, row)), &[bytes]) = (old, bytes) else {
        return Err(too_many().hint("replace one by a larger one: `dynamicfs disk replace DISK NEW-DISK`"));
    };
    let member = MemberNumber(old);
    let is_empty = session.pool.roster().vacant.contains(row);
    if is_empty {
        return Ok(Some(Leaving { member, is_empty }));
    }
    if session.pool.members().online.contains(row) {
        return Err(too_many().hint(format!(
            "empty the old one first with `dynamicfs disk drain {0}`, or, where the others have no room for that, \
             take it out of use with `dynamicfs disk fail {0}`; then do this again",
            session.name_of(member)
        )));
    }
    // In this mount: it may have gone away since it was named.
    let meant = find(session, &old.to_string())?;
    extents_without(session, &meant, app.global.force_data_loss)?;
    has_room(session, (member, row.0), bytes)?;
    Ok(Some(Leaving { member, is_empty }))
}

/// Whether a new disk of so many bytes has room for all that the old one held.
fn has_room(session: &mut Session<'_>, (old, row): (MemberNumber, usize), bytes: u64) -> Result<(), Failure> {
    // Its record tells what it had: it takes no part.
    let mut had = 0;
    session.pool.each_member(|member, _, blocks| {
        if member == old {
            had = blocks;
        }
    })?;
    let free = session.pool.member_in(Row(row)).map_or(0, |member| member.free_blocks);
    let held = had.saturating_sub(free);
    let block = u64::from(session.pool.health().block_bytes);
    let needed = (held + session.pool.reserved_blocks()) * block;
    if bytes.saturating_sub(room::overhead(session, block)) >= needed.min(had * block) {
        return Ok(());
    }
    let held = size::show(held * block, false);
    Err(Failure::new(Code::NoSpace, format!("the new disk has no room for the {held} that the old one held"))
        .hint("give one that is as large as the old one, or remove files"))
}

/// Reads the beginning and the end of a disk, and writes the same back.
fn takes_writes(path: &Path) -> io::Result<()> {
    let mut disk = File::options().read(true).write(true).open(path)?;
    let mut bytes = [0; TRIAL_BYTES];
    let end = disk.seek(SeekFrom::End(0))?.saturating_sub(TRIAL_BYTES as u64);
    for at in [0, end] {
        disk.read_exact_at(&mut bytes, at)?;
        disk.write_all_at(&bytes, at)?;
    }
    disk.sync_data()
}
