//! The first format, cut short, and what a machine does at every start: it mounts, or else it formats. It is never told to
//! force anything.

use super::engine::Engine;
use super::fault::FaultKind;
use super::probe::Probe;
use super::report::{EventKind, Failure, FailureKind};
use crate::{CrashPolicy, Halt, Rng, states};
use dynamicfs_core::error::FormatError;
use dynamicfs_core::types::{Scheme, Uuid};
use dynamicfs_core::{MountMode, MountOptions, Pool, Services};
use dynamicfs_hal::DiskArray;

/// Starts that may be cut short.
const CUTS_MAX: u64 = 3;

/// What a start came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Started {
    Mounted,
    Formatted,
    Halted,
}

impl Engine {
    /// Starts of a machine whose disks are new, until one is not cut short: there is a pool then, and it stays.
    pub(super) fn first_starts(&mut self) -> Result<(), Failure> {
        let mut rng = self.run.root.fork("first-starts");
        let cuts = 1 + rng.below(CUTS_MAX);
        for start in 0..=cuts {
            let mut rng = rng.fork_at("start", start);
            if start < cuts {
                let within = *rng.pick(&[10, 40, 150, 400]);
                self.array.halt_at(self.array.steps() + rng.below(within), Halt::PowerCut);
            } else {
                self.array.disarm();
            }
            let started = self.start(&mut rng)?;
            self.array.disarm();
            match started {
                Started::Halted => {
                    self.run.counts.faults.hit(FaultKind::FirstFormatCut);
                    self.array.power_cycle(*rng.pick(&CrashPolicy::ALL), &mut rng);
                    self.run.tell(&self.array, EventKind::Crash, None, || {
                        "the power went during the first format".into()
                    });
                    continue;
                }
                Started::Mounted if start > 0 => self.run.hit(Probe::CutFormatMounted),
                Started::Formatted if start > 0 => self.run.hit(Probe::FormattedAnew),
                _ => {}
            }
            break;
        }
        self.stays()
    }

    /// Mounts, or else formats without force.
    fn start(&mut self, rng: &mut Rng) -> Result<Started, Failure> {
        if let Some(break_it) = self.run.breakage.before_start {
            break_it(&mut self.array);
        }
        let Self { array, lent, run, crc32c, .. } = self;
        let clock = array.clock();
        let services = Services::new(*crc32c, &clock);
        let mounted = Pool::mount(&mut *array, lent.lend(), services, &MountOptions::default())
            .map(|_| ())
            .map_err(|failure| failure.error);
        let refusal = match mounted {
            // Also where it went with the last request of a mount, which could do without what that was for.
            _ if array.halted().is_some() => return Ok(Started::Halted),
            Ok(()) => return Ok(Started::Mounted),
            Err(error) => error,
        };
        // A board whose random numbers are the same at every start is one too.
        let mut entropy = if rng.coin() { run.root.fork("format") } else { rng.fork("format") };
        let (options, members) = (&run.setup.format, run.disk_options());
        let made = Pool::format(&mut *array, lent.lend(), services, &mut entropy, options, &members);
        match made.map(|_| ()).map_err(|failure| failure.error) {
            _ if array.halted().is_some() => Ok(Started::Halted),
            Ok(()) => Ok(Started::Formatted),
            Err(error) => {
                let what = format!(
                    "a first format that was cut short: not mounted ({refusal}), not formatted ({error})"
                );
                Err(run.fail(FailureKind::Unavailable, what))
            }
        }
    }

    /// The pool that there is is mounted at the next start too, and none of its disks is formatted without force.
    fn stays(&mut self) -> Result<(), Failure> {
        let pool = self.pool_on_disks();
        let mut rng = self.run.root.fork("stays");
        if self.start(&mut rng)? != Started::Mounted || self.pool_on_disks() != pool {
            return Err(self
                .run
                .fail(FailureKind::WrongState, "a pool that was there is formatted at a start"));
        }
        self.run.pool = pool;
        // With a commit after the first it cannot be an unfinished format, whichever of its disks is there.
        let committed = self.try_mount(MountMode::ReadWrite, None, |_, pool| {
            pool.begin().and_then(|transaction| transaction.commit().map(|_| ()))
        });
        if !matches!(committed, Ok(Ok(()))) {
            let what = format!("a new pool takes no commit: {committed:?}");
            return Err(self.run.fail(FailureKind::Unavailable, what));
        }
        let Self { array, lent, run, crc32c, .. } = self;
        let mut one = array.clone();
        while one.disks() > 1 {
            one.remove_last();
        }
        let services = Services::new(*crc32c, &crate::world::NoClock);
        let mut options = run.setup.format.scheme(Scheme::SINGLE);
        options.tolerance = None;
        match Pool::format(&mut one, lent.lend(), services, &mut rng, &options, &[])
            .map(|_| ())
            .map_err(|failure| failure.error)
        {
            Err(FormatError::InUse { .. }) => Ok(()),
            Err(error) => {
                let what =
                    format!("a disk of a pool that is there is not formatted for a wrong reason: {error}");
                Err(run.fail(FailureKind::Unavailable, what))
            }
            Ok(()) => Err(run.fail(
                FailureKind::NotRefused,
                "one disk of a pool that is there is formatted without force",
            )),
        }
    }

    fn pool_on_disks(&self) -> Option<Uuid> {
        (0..self.array.disks()).find_map(|disk| Some(states::label_of(self.array.disk(disk))?.0.pool))
    }
}
