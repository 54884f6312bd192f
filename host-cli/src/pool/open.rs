//! Opening a pool: its disks, the memory lent to it, the mount.

use super::config::Config;
use super::place::{self, OpenDisk, Place, Refusal};
use super::session::Session;
use crate::app::App;
use crate::host::confirm::confirm;
use crate::output::failure::{Code, Failure};
use dynamicfs_core::disks::DiskState;
use dynamicfs_core::error::{MountError, StorageError};
use dynamicfs_core::types::Uuid;
use dynamicfs_core::{Memory, MountMode, MountOptions, Pool, Services, Slot};
use dynamicfs_hal::Entropy;
use std_host_shim::{HostArray, OsClock, OsEntropy, crc32c};

/// Cache slots at most: they are numbered in 16 bits.
const SLOTS_MAX: usize = 65_000;

/// What a command wants of the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// To read. Nothing is written.
    Read,
    /// To read, and to put right what reading finds damaged, if the pool can be written to.
    Repair,
    /// To change it.
    Write,
}

/// Memory that is lent to a pool, and the clock that it reads.
pub(crate) struct Lent {
    bytes: Vec<u8>,
    slots: Vec<Slot>,
    states: Vec<DiskState>,
    clock: OsClock,
}

impl Lent {
    /// `bytes` bytes, which the system gives when they are first touched.
    pub(crate) fn new(bytes: u64, node_bytes: usize, disks: usize) -> Result<Self, Failure> {
        let too_large = || {
            Failure::new(
                Code::InvalidArgument,
                format!("--memory: {bytes} bytes are more than this machine has"),
            )
        };
        let length = usize::try_from(bytes).map_err(|_| too_large())?;
        let mut probe = Vec::<u8>::new();
        probe.try_reserve_exact(length).map_err(|_| too_large())?;
        drop(probe);
        Ok(Self {
            bytes: vec![0; length],
            slots: vec![Slot::NEW; (length / node_bytes).min(SLOTS_MAX)],
            states: vec![DiskState::NEW; disks],
            clock: OsClock::new(),
        })
    }

    pub(crate) fn lend(&mut self) -> (Memory<'_>, Services<'_>) {
        let memory = Memory { bytes: &mut self.bytes, slots: &mut self.slots, disks: &mut self.states };
        (memory, Services { crc32c, clock: &self.clock })
    }
}

/// A pool's disks, opened.
struct Opened {
    config: Config,
    places: Vec<Place>,
    disks: Vec<OpenDisk>,
    read_only: bool,
}

/// Opens the pool that the arguments name, runs `f` on it, and leaves it in order.
pub(crate) fn with_pool<T>(
    app: &App,
    access: Access,
    f: impl FnOnce(&mut Session<'_>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    if access == Access::Write && app.global.read_only {
        return Err(Failure::new(Code::Usage, "this command changes the pool, and --read-only was given")
            .hint("leave --read-only out"));
    }
    with_config(app, Config::load(app)?, access, f)
}

/// As [`with_pool`], with disks where `config` says.
pub(crate) fn with_config<T>(
    app: &App,
    config: Config,
    access: Access,
    f: impl FnOnce(&mut Session<'_>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let access = if app.global.read_only || access == Access::Write && app.global.dry_run {
        Access::Read
    } else {
        access
    };
    let opened = open_disks(&config, access)?;
    let mode = if opened.read_only { MountMode::ReadOnly } else { MountMode::ReadWrite };
    let (refused, f) = match attempt(app, opened, mode, f)? {
        Attempt::Done(result) => return result,
        Attempt::Refused(refused, f) => (refused, f),
    };
    match refused.cause {
        MountError::Missing { .. } if app.global.force_degraded => {
            confirm(
                app,
                "members that are missing could hold a newer state; it is given up, and they can come back only wiped",
                "yes",
            )?;
            let mut branch = [0; 8];
            let drawn = OsEntropy.fill(&mut branch);
            drawn.map_err(|error| Failure::new(Code::Host, error.to_string()))?;
            let mode = MountMode::AssumeMissingDead { branch: u64::from_le_bytes(branch) };
            attempt(app, open_disks(&config, Access::Write)?, mode, f)?.finish()
        }
        // Reading is possible where repairing is not.
        MountError::Storage(
            StorageError::TooFewDisks { .. }
            | StorageError::ReadOnly
            | StorageError::NoSpace
            | StorageError::NeedsMemory { .. },
        ) if access == Access::Repair => {
            attempt(app, open_disks(&config, Access::Read)?, MountMode::ReadOnly, f)?.finish()
        }
        _ => Err(refused.failure),
    }
}

/// Opens the disks for what is wanted; where that is repairing, reading will do.
fn open_disks(config: &Config, access: Access) -> Result<Opened, Failure> {
    let open = |read_only| {
        let (places, disks) = place::open_all(config, read_only)?;
        Ok::<_, Refusal>(Opened { config: config.clone(), places, disks, read_only })
    };
    match (access, open(access == Access::Read)) {
        // Readers share the disks with one another.
        (Access::Repair, Err(Refusal::Busy(_) | Refusal::WriteProtected(_))) => Ok(open(true)?),
        (_, opened) => Ok(opened?),
    }
}

/// A refused mount.
struct Refused {
    cause: MountError,
    failure: Failure,
}

/// What came of an attempt to mount; a refused one gives back what was to be done.
enum Attempt<T, F> {
    Done(Result<T, Failure>),
    Refused(Refused, F),
}

impl<T, F> Attempt<T, F> {
    fn finish(self) -> Result<T, Failure> {
        match self {
            Self::Done(result) => result,
            Self::Refused(refused, _) => Err(refused.failure),
        }
    }
}

/// Mounts the pool and runs `f` on it.
fn attempt<T, F>(app: &App, opened: Opened, mode: MountMode, f: F) -> Result<Attempt<T, F>, Failure>
where
    F: FnOnce(&mut Session<'_>) -> Result<T, Failure>,
{
    let Opened { config, places, disks, .. } = opened;
    let pool = parse_uuid(&config.pool);
    let parameters =
        places.iter().filter_map(|place| place.labels?.identity()).map(|(parameters, _)| parameters);
    let parameters = parameters.into_iter().find(|found| pool.is_none_or(|pool| pool == found.pool));
    let node_bytes = parameters.map_or(4096, |parameters| parameters.node_bytes());
    let mut lent = Lent::new(app.global.memory, node_bytes, disks.len())?;
    let (memory, services) = lent.lend();
    let options = MountOptions { pool, mode };
    let mounted = match Pool::mount(HostArray::new(disks), memory, services, &options) {
        Ok(mounted) => mounted,
        Err(cause) => {
            let failure = explain(cause, &config, &places);
            return Ok(Attempt::Refused(Refused { cause, failure }, f));
        }
    };
    let mut session = Session::new(app, config, places, parameters, mounted)?;
    let done = f(&mut session);
    session.leave();
    Ok(Attempt::Done(done))
}

/// Names the disks that a refused mount is about.
fn explain(cause: MountError, config: &Config, places: &[Place]) -> Failure {
    let failure = Failure::from(cause);
    let name = |disk: usize| places.get(disk).map_or_else(|| format!("disk {disk}"), Place::to_string);
    let code = failure.code();
    let hint = failure.hint_text().unwrap_or_default().to_owned();
    let message = match cause {
        MountError::Missing { present, list } => {
            let away: Vec<String> =
                places.iter().filter(|place| place.fault.is_some()).map(Place::to_string).collect();
            format!(
                "refused to open the pool: {} of {} members are here, and the others could hold a newer state; missing: {}",
                present.and(list).len(),
                list.len(),
                if away.is_empty() {
                    "disks that pool.toml does not list".to_owned()
                } else {
                    away.join(", ")
                }
            )
        }
        MountError::Diverged { first, second } => {
            format!(
                "refused to open the pool: {} and {} hold different histories of it",
                name(first),
                name(second)
            )
        }
        MountError::Cloned { first, second } => {
            format!(
                "refused to open the pool: {} and {} carry the same identity, one is a copy of the other",
                name(first),
                name(second)
            )
        }
        MountError::LabelsDisagree { disk } => {
            format!("the label of {} contradicts the other disks'", name(disk))
        }
        MountError::NoPool => format!("no disk carries a label of pool {}", config.pool),
        MountError::Unsupported { disk, .. } => format!("{}: {}", name(disk), failure.message()),
        _ => format!("cannot open the pool: {}", failure.message()),
    };
    Failure::new(code, message).hint(hint)
}

/// Reads an identity as it is shown.
pub(crate) fn parse_uuid(text: &str) -> Option<Uuid> {
    let digits: Vec<u8> = text.bytes().filter(|&byte| byte != b'-').collect();
    let digits = std::str::from_utf8(&digits).ok().filter(|digits| digits.len() == 32)?;
    u128::from_str_radix(digits, 16).ok().map(|number| Uuid(number.to_be_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identities_are_read_as_they_are_shown() {
        let id = Uuid(*b"0123456789abcdef");
        assert_eq!(parse_uuid(&id.to_string()), Some(id));
        for text in ["", "12", "zz23456789abcdef0123456789abcdef"] {
            assert_eq!(parse_uuid(text), None, "{text}");
        }
    }
}
