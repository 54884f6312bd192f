//! Rewriting what a command found damaged that only reads.
//!
//! Reading takes the pool with other readers, and changes nothing. Where it met wrong bytes or failed reads,
//! a mount that writes reads the objects once more, if no other process has the pool. It rewrites the wrong
//! bytes. Errors count when they are repaired, so that no place counts twice. What is lost is kept in the
//! counters.

use super::counters;
use super::open::{Access, with_pool};
use super::session::{BUFFER_BYTES, Session};
use crate::app::App;
use crate::host::interrupt;
use crate::output::failure::Failure;
use crate::output::size;
use crate::output::typed::addressed;
use dynamicfs_core::ReadObjects;
use dynamicfs_core::maintenance::Work;
use dynamicfs_core::types::ObjectId;

/// Objects that were met damaged.
#[derive(Debug, Default)]
pub(crate) struct Damaged(Vec<ObjectId>);

impl Damaged {
    /// Reads something of an object with `read`, and notes the object where disks answered wrong.
    pub(crate) fn noting<R: ReadObjects, T>(
        &mut self,
        contents: &mut R,
        object: ObjectId,
        read: impl FnOnce(&mut R) -> T,
    ) -> T {
        let before = contents.bad_reads();
        let done = read(contents);
        if contents.bad_reads() > before && self.0.last() != Some(&object) {
            self.0.push(object);
        }
        done
    }

    /// Rewrites what is wrong with them, if that can be done now. What is left is named in a warning: it
    /// costs the command nothing.
    pub(crate) fn mend(self, app: &App) {
        let global = &app.global;
        let is_asked_not_to =
            global.read_only || global.dry_run || global.force_degraded || global.branch.is_some();
        if self.0.is_empty() || is_asked_not_to || interrupt::requested() {
            return;
        }
        let mended = with_pool(app, Access::Mend, |session| {
            session.check_writable()?;
            self.0.iter().try_for_each(|&object| reread(session, object))?;
            // Where something was rewritten all counters are saved when the pool is left.
            if session.pool.health().counters.unreadable > 0 && !session.is_changed() {
                counters::save_lost_read(session)?;
            }
            Ok(())
        });
        if let Err(failure) = mended {
            let what = size::count(self.0.len() as u64, "object");
            app.out.warn(format_args!(
                "damage in {what} was found and is left for a scrub: {}; next: {}",
                failure.message(),
                addressed("dynamicfs scrub start")
            ));
        }
    }
}

/// Reads an object to its end, and rewrites what is found wrong while it is known: few places are remembered.
/// Jobs are not continued: how much of the disks those may take is for the operator to say.
fn reread(session: &mut Session<'_>, object: ObjectId) -> Result<(), Failure> {
    // It may have gone meanwhile.
    let Ok(inode) = session.pool.inode(object) else { return Ok(()) };
    let mut buffer = vec![0; BUFFER_BYTES];
    for at in (0..inode.size).step_by(BUFFER_BYTES) {
        interrupt::check()?;
        // What cannot be read was told by the command; the rest can be repaired all the same.
        let _ = session.pool.read(object, at, &mut buffer);
        while matches!(session.pool.upkeep(false), Ok(Work::Repaired)) {
            session.note_change();
        }
    }
    Ok(())
}
