//! `disk grow`: a disk that was enlarged is used to its end.

use super::find::find;
use crate::app::App;
use crate::output::failure::{Exit, Failure};
use crate::output::report::Report;
use crate::output::text::Text;
use crate::pool::disks::Disk;
use crate::pool::open::{Access, with_pool};
use dynamicfs_core::error::MemberError;
use dynamicfs_core::types::DiskIndex;
use schemars::JsonSchema;
use serde::Serialize;

/// A disk with more space in use now.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct DiskGrown {
    /// Nothing was done: `--dry-run`.
    dry_run: bool,
    /// The disk, as it is now.
    disk: Disk,
    /// Bytes for contents and the pool's own records that it has gained; with `--dry-run`, that it would gain.
    gained_bytes: u64,
}

impl Report for DiskGrown {
    fn text(&self, text: &mut Text) {
        let (name, gained) = (&self.disk.name, text.size(self.gained_bytes));
        let gains = if self.dry_run { "would gain" } else { "has gained" };
        text.line(format_args!("{name} {gains} {gained}"));
    }

    fn is_answer(&self) -> bool {
        self.dry_run
    }
}

pub(super) fn run(app: &App, disk: &str) -> Result<Exit, Failure> {
    with_pool(app, Access::Write, |session| {
        let meant = find(session, disk)?;
        let name = meant.disk.name.clone();
        let failed = |error: MemberError| Failure::disk(error, &name);
        if !meant.disk.state.takes_part() {
            return Err(meant.away());
        }
        let gained_bytes = meant.disk.growable_bytes;
        if gained_bytes == 0 {
            return Err(failed(MemberError::NotGrown));
        }
        if !app.global.dry_run {
            session.writable()?;
            let place = session.places.iter().position(|place| place.entry.name == name);
            let place = place.ok_or_else(|| failed(MemberError::NotAMember))?;
            session.pool.grow_disk(DiskIndex(place)).map_err(failed)?;
        }
        let disk = find(session, &name)?.disk;
        app.out.report(&DiskGrown { dry_run: app.global.dry_run, disk, gained_bytes })?;
        Ok(Exit::Done)
    })
}
