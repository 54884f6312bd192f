//! Free space given back to the disks, while faults and crashes continue.

use super::probe::Probe;
use super::report::{EventKind, Failure, FailureKind};
use super::run::{Doing, Flow, Mounted, Run, counted};
use crate::{Rng, states};
use dynamicfs_core::error::MemberError;
use dynamicfs_core::maintain::{Trim, TrimOptions};
use dynamicfs_core::types::{DiskIndex, MemberNumber};
use dynamicfs_hal::BlockDevice;

/// Steps after which a trim is whole: more than a disk of the simulation has runs for.
const STEPS_MAX: u64 = 1000;

impl Run {
    /// A trim of some members, as far as it comes: contents stay as they are, whatever becomes of it.
    pub(super) fn trim(&mut self, pool: &mut Mounted<'_>, rng: &mut Rng) -> Result<Flow, Failure> {
        self.doing = Doing::Trimming;
        if !pool.health().writable {
            return Ok(Flow::On);
        }
        let minimum_bytes = *rng.pick(&[0, 0, 5_000, 100_000]);
        let most = if rng.chance(3, 4) { STEPS_MAX } else { rng.below(4) };
        for member in self.active().into_iter().filter(|_| rng.chance(3, 4)) {
            let number = MemberNumber(member as u16);
            let counting = TrimOptions::new().minimum_bytes(minimum_bytes).only_count(true);
            let done = run_trim(pool, Trim::new(number, counting), STEPS_MAX).and_then(|counted| {
                let options = counting.only_count(false);
                Ok((counted, run_trim(pool, Trim::new(number, options), most)?))
            });
            if pool.array().halted().is_some() {
                return Ok(Flow::End);
            }
            let (counted, trimmed) = match done {
                Ok(done) => done,
                Err(MemberError::Pool(error)) => return self.refused_change(pool, error, "trim"),
                // It is away, or has left.
                Err(_) => continue,
            };
            self.trimmed(pool, member, minimum_bytes, most == STEPS_MAX, (&counted, &trimmed))?;
        }
        Ok(Flow::On)
    }

    /// What a trim says of itself: all that is free, if it was asked for, and what was counted before.
    fn trimmed(
        &mut self,
        pool: &mut Mounted<'_>,
        member: usize,
        minimum_bytes: u64,
        is_whole: bool,
        (expected, trimmed): (&Trim, &Trim),
    ) -> Result<(), Failure> {
        let place = self.places[member];
        if trimmed.runs() > 0 {
            self.hit(Probe::Trimmed);
            let array = pool.array();
            let runs = counted(trimmed.runs(), "run");
            self.tell(array, EventKind::Maintain, Some(member), || {
                format!("trimmed: {} bytes in {runs}", trimmed.discarded_bytes())
            });
        }
        if !is_whole || trimmed.refused().is_some() || self.atlas.has_lied() {
            return Ok(());
        }
        let free = pool.member_health(DiskIndex(place)).free_blocks * u64::from(pool.health().block_bytes);
        let (counted, bytes) = (expected.discarded_bytes(), trimmed.discarded_bytes());
        let order = pool.internals().store.committed().order();
        let disk = pool.array().disk(place);
        // What a disk holds that has nothing newer yet is left alone.
        let is_left_alone = bytes == 0 && states::newest_of(disk) < Some(order);
        let is_right = counted <= free
            && (minimum_bytes > 0 || counted == free)
            && (is_left_alone || bytes == if disk.geometry().discard { counted } else { 0 });
        if !is_right {
            let what = format!("member {member}: {bytes} bytes trimmed, {counted} counted, {free} free");
            return Err(self.fail(FailureKind::Space, what));
        }
        Ok(())
    }
}

fn run_trim(pool: &mut Mounted<'_>, mut trim: Trim, most: u64) -> Result<Trim, MemberError> {
    for _ in 0..most {
        if !pool.trim_step(&mut trim)? {
            break;
        }
    }
    Ok(trim)
}
