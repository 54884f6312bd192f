//! Opening a pool: its disks, the memory lent to it, the mount.

use super::below;
use super::config::Config;
use super::discover;
use super::disks;
use super::events;
use super::explain::explain;
use super::forced::Price;
use super::histories::{Choice, Survey};
use super::place::{self, OpenDisk, Opening, Place};
use super::session::Session;
use super::wait;
use crate::app::App;
use crate::host::activity::Activity;
use crate::host::confirm::confirm;
use crate::host::interrupt;
use crate::host::machine::Lack;
use crate::output::failure::{Code, Failure};
use crate::output::size;
use dynamicfs_core::error::MountError;
use dynamicfs_core::error::StorageError;
use dynamicfs_core::types::Uuid;
use dynamicfs_core::{
    CacheEntry, DiskState, Memory, MountMode, MountOptions, Pool, PoolParameters, Prefer, Services,
};
use dynamicfs_hal::Entropy;
use std::time::Duration;
use std_host_shim::{HostArray, NameLock, OpenError, OsClock, OsEntropy, crc32c};

/// Cache entries at most: they are numbered in 16 bits.
const ENTRIES_MAX: usize = 65_000;

/// Average time of a disk's reads from which on a slow one may be abandoned: handing it to a thread costs up
/// to this.
const HEDGED_FROM: Duration = Duration::from_micros(100);

/// Bytes that a command takes beside what is lent to the pool, about: buffers; stacks of the disks' threads.
const MEMORY_BESIDE: usize = 24 << 20;
const MEMORY_BESIDE_PER_DISK: usize = 1 << 20;

/// What a command wants of the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// To read. Nothing is written.
    Read,
    /// The same, before the command changes the pool: what that gives up is told then.
    Plan,
    /// To repair what a command found damaged that reads. Nothing is waited for, nothing is asked.
    Mend,
    /// To change it.
    Write,
    /// To read what can be read, whichever disks are missing. Nothing is written.
    Salvage,
}

/// Memory that is lent to a pool, and the clock that it reads.
pub(crate) struct Lent {
    bytes: Vec<u8>,
    entries: Vec<CacheEntry>,
    states: Vec<DiskState>,
    clock: OsClock,
}

impl Lent {
    /// `bytes` bytes, which the system gives when they are first touched.
    pub(crate) fn new(bytes: u64, node_bytes: usize, disks: usize) -> Result<Self, Failure> {
        let too_large = || {
            let message = format!("this process cannot have {} of memory", size::show(bytes, false));
            Failure::new(Code::HostLimit, message).hint(Lack::Memory.cure())
        };
        let length = usize::try_from(bytes).map_err(|_| too_large())?;
        // The rest of the program takes some, too.
        let more = MEMORY_BESIDE + disks * MEMORY_BESIDE_PER_DISK;
        let mut probe = Vec::<u8>::new();
        probe.try_reserve_exact(length.saturating_add(more)).map_err(|_| too_large())?;
        drop(probe);
        Ok(Self {
            bytes: vec![0; length],
            entries: vec![CacheEntry::NEW; (length / node_bytes).min(ENTRIES_MAX)],
            states: vec![DiskState::NEW; disks],
            clock: OsClock::new(),
        })
    }

    pub(crate) fn lend(&mut self) -> (Memory<'_>, Services<'_>) {
        let memory = Memory { bytes: &mut self.bytes, entries: &mut self.entries, disks: &mut self.states };
        (memory, Services::new(crc32c, &self.clock))
    }
}

/// A pool's disks, opened.
struct Opened {
    config: Config,
    places: Vec<Place>,
    disks: Vec<OpenDisk>,
    read_only: bool,
    /// Beside those on the disks: two names of one disk are locked apart.
    lock: Option<NameLock>,
    /// What the process does beside which the pool is looked at.
    beside: Option<Activity>,
}

/// Opens the pool that the arguments name, runs `f` on it, and leaves it in order.
pub(crate) fn with_pool<T>(
    app: &App,
    access: Access,
    f: impl FnOnce(&mut Session<'_>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    refuse_read_only(app, access)?;
    let config = match access {
        Access::Write | Access::Mend => Config::load_to_change(app)?,
        Access::Read | Access::Plan | Access::Salvage => Config::load(app)?,
    };
    with_config(app, config, access, f)
}

/// As [`with_pool`], for a command that takes a disk out of use. That it takes no writes is no obstacle.
pub(crate) fn with_pool_without<T>(
    app: &App,
    disk: &str,
    f: impl FnOnce(&mut Session<'_>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    refuse_read_only(app, Access::Write)?;
    with_config(app, Config::load_to_give_up(app, disk)?, Access::Write, f)
}

fn refuse_read_only(app: &App, access: Access) -> Result<(), Failure> {
    if access == Access::Write && app.global.read_only {
        return Err(Failure::new(Code::Usage, "this command changes the pool, and --read-only was given")
            .hint("leave --read-only out"));
    }
    Ok(())
}

/// As [`with_pool`], with disks where `config` says.
pub(crate) fn with_config<T>(
    app: &App,
    config: Config,
    access: Access,
    f: impl FnOnce(&mut Session<'_>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let wanted = access;
    let access = if app.global.read_only || access == Access::Write && app.global.dry_run {
        Access::Read
    } else {
        access
    };
    let choice =
        app.global.branch.as_ref().map(|typed| Survey::of(app, &config)?.choose(typed)).transpose()?;
    let access = confirm_choice(app, access, choice.as_ref())?;
    let (prefer, gives_up) =
        choice.map_or((None, Vec::new()), |choice| (Some(choice.prefer), choice.gives_up));
    let opened = open_disks_to_use(app, &config, access, prefer)?;
    let mode = match (access, opened.read_only) {
        (Access::Salvage, _) => MountMode::Salvage,
        (_, true) => MountMode::ReadOnly,
        (_, false) => MountMode::ReadWrite,
    };
    // A command that is only tried is refused where the pool takes no writes, too.
    let is_tried = wanted == Access::Write && app.global.dry_run;
    let must_write = app.global.force_degraded && (access == Access::Write || is_tried);
    let f = |session: &mut Session<'_>| {
        if is_tried {
            session.check_tried()?;
        }
        f(session)
    };
    let how = How { must_write, ..How::new(mode, prefer) };
    let (refused, f) = match attempt(app, opened, how, f)? {
        Attempt::Done(result) => return result,
        Attempt::Refused(refused, f) => (refused, f),
    };
    match refused.cause {
        MountError::Missing { .. }
        | MountError::Truncated { .. }
        | MountError::LargeSectors { .. }
        | MountError::Storage(StorageError::TooFewDisks { .. })
            if app.global.force_degraded =>
        {
            go_on_without(app, &config, (access, wanted), (prefer, &gives_up), f)
        }
        _ => Err(refused.failure),
    }
}

/// Goes on without members that are missing, as `--force-degraded` says: only to read, unless what is wanted
/// is to write.
fn go_on_without<T>(
    app: &App,
    config: &Config,
    (access, wanted): (Access, Access),
    (prefer, others): (Option<Prefer>, &[String]),
    f: impl FnOnce(&mut Session<'_>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let to_read = How::new(MountMode::Salvage, prefer);
    if access != Access::Write {
        let f = |session: &mut Session<'_>| {
            let price = Price::of(session)?;
            match wanted {
                Access::Write => price.warn_writer(app)?,
                Access::Plan => {}
                _ => price.warn_reader(app),
            }
            f(session)
        };
        return attempt(app, open_disks(app, config, Access::Salvage)?, to_read, f)?.finish();
    }
    let price = attempt(app, open_disks(app, config, Access::Salvage)?, to_read, Price::of)?.finish()?;
    price.confirm(app, others)?;
    let mut branch = [0; 8];
    let drawn = OsEntropy.fill(&mut branch);
    drawn.map_err(|error| Failure::new(Code::Host, error.to_string()))?;
    let mode = MountMode::AssumeMissingDead { branch: u64::from_le_bytes(branch) };
    let opened = open_disks(app, config, Access::Write)?;
    // One that only takes no writes is not given up for that.
    if let Some(place) = opened.places.iter().find(|place| place.is_in_the_way()) {
        return Err(place.takes_no_writes());
    }
    attempt(app, opened, How::new(mode, prefer), f)?.finish()
}

/// Asks before a choice between histories gives something up for good, which the first write does: what only reads is content
/// with reading.
fn confirm_choice(app: &App, access: Access, choice: Option<&Choice>) -> Result<Access, Failure> {
    let Some(choice) = choice.filter(|choice| !choice.gives_up.is_empty()) else { return Ok(access) };
    if access == Access::Write {
        let warning = format!(
            "what is left out will be given up for good, and its disks will come back only wiped: {}",
            choice.gives_up.join("; ")
        );
        confirm(app, &warning, "yes")?;
    }
    Ok(access)
}

/// As [`open_disks`]. A member that takes no writes counts as absent where it is out of use already, or the
/// command takes it out. Else the command is refused before a mount writes down that it was away.
fn open_disks_to_use(
    app: &App,
    config: &Config,
    access: Access,
    prefer: Option<Prefer>,
) -> Result<Opened, Failure> {
    let opened = open_disks(app, config, access)?;
    if opened.read_only || !opened.places.iter().any(Place::is_in_the_way) {
        return Ok(opened);
    }
    drop(opened);
    let judge = |session: &mut Session<'_>| disks::check_protected(&mut session.pool, &session.places);
    let opened = open_disks(app, config, Access::Read)?;
    attempt(app, opened, How::new(MountMode::ReadOnly, prefer), judge)?.finish()?;
    open_disks(app, config, access)
}

/// Opens the disks for what is wanted. Readers share them with one another.
fn open_disks(app: &App, config: &Config, access: Access) -> Result<Opened, Failure> {
    let read_only = matches!(access, Access::Read | Access::Plan | Access::Salvage);
    let opening = if read_only { Opening::Read } else { Opening::Write };
    wait::patiently(app, || {
        discover::refuse_listed_twice(config)?;
        let (places, disks) = place::open_all(config, opening)?;
        let lock = lock_name(config, read_only)?;
        Ok(Opened { config: config.clone(), places, disks, read_only, lock, beside: None })
    })
}

/// How often a look is taken at a pool that another process writes to, until nothing was committed meanwhile.
const LOOKS: usize = 8;

/// What was seen of a pool, and the process that has it, if one does.
pub(crate) struct Seen<T> {
    pub(crate) value: T,
    pub(crate) activity: Option<Activity>,
}

/// Runs `f` on the pool, to read. This also works beside a process that writes. A committed state stays whole
/// until the next commit, and the read bytes count only if there was none.
pub(crate) fn look<T>(
    app: &App,
    mut f: impl FnMut(&mut Session<'_>) -> Result<T, Failure>,
) -> Result<Seen<T>, Failure> {
    let busy = match with_pool(app, Access::Read, &mut f) {
        Err(failure) if failure.code() == Code::Busy => failure,
        done => return Ok(Seen { value: done?, activity: None }),
    };
    for _ in 0..LOOKS {
        let config = Config::load(app)?;
        let (places, disks) = place::open_all(&config, Opening::Look)?;
        let activity = busy.body().activity.map(|known| Activity::of(&config.folder, known.pid));
        let beside = activity.clone();
        let opened = Opened { config: config.clone(), places, disks, read_only: true, lock: None, beside };
        let before = Survey::beside_a_writer(app, &config)?.newest_state();
        let done =
            attempt(app, opened, How::new(MountMode::ReadOnly, None), &mut f).and_then(Attempt::finish);
        interrupt::check()?;
        if Survey::beside_a_writer(app, &config)?.newest_state() == before {
            return Ok(Seen { value: done?, activity });
        }
    }
    Err(busy)
}

/// Takes the lock on the pool's name.
fn lock_name(config: &Config, read_only: bool) -> Result<Option<NameLock>, Failure> {
    let Some(pool) = parse_uuid(&config.pool) else { return Ok(None) };
    NameLock::take(&pool.to_string(), read_only).map_err(|error| {
        if let OpenError::System { operation, source } = &error {
            let what = format!("{operation} the pool's name in /run/lock");
            return Failure::host(what, source);
        }
        let busy = matches!(error, OpenError::Busy { .. });
        let message = format!("the pool is {error}, perhaps under other names of its disks; a copy of a pool has its identity, and counts as the same");
        let code = if busy { Code::Busy } else { Code::Host };
        Failure::new(code, message).hint("wait for it, or stop it")
    })
}

/// How a pool is to be mounted.
#[derive(Clone, Copy)]
struct How {
    mode: MountMode,
    prefer: Option<Prefer>,
    /// A pool that serves, and cannot write without members that are missing, is refused too.
    must_write: bool,
}

impl How {
    const fn new(mode: MountMode, prefer: Option<Prefer>) -> Self {
        Self { mode, prefer, must_write: false }
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
fn attempt<T, F>(
    app: &App,
    opened: Opened,
    How { mode, prefer, must_write }: How,
    f: F,
) -> Result<Attempt<T, F>, Failure>
where
    F: FnOnce(&mut Session<'_>) -> Result<T, Failure>,
{
    let Opened { config, places, disks, read_only, lock: _lock, beside } = opened;
    let pool = parse_uuid(&config.pool);
    let parameters = parameters_of(&config, &places);
    let mut lent = Lent::new(app.global.memory, node_bytes_of(&config, &places), disks.len())?;
    let (memory, services) = lent.lend();
    let mut options = MountOptions::new().mode(mode);
    (options.pool, options.prefer) = (pool, prefer);
    let array = HostArray::new(disks).hedging_from(HEDGED_FROM);
    let mounted = match Pool::mount(array, memory, services, &options) {
        Ok(mounted) => mounted,
        Err(unmounted) => {
            let cause = unmounted.error;
            let failure = explain(app, cause, &config, &places);
            return Ok(Attempt::Refused(Refused { cause, failure }, f));
        }
    };
    let online = mounted.members().sound;
    let takes_writes = if read_only { mounted.may_be_written() } else { mounted.health().writable };
    if must_write && !takes_writes && !mounted.members().table.is_subset_of(online) {
        let cause = MountError::Storage(StorageError::TooFewDisks { online });
        return Ok(Attempt::Refused(Refused { cause, failure: cause.into() }, f));
    }
    let mut session = Session::new(app, config, places, parameters, mounted, read_only)?;
    session.beside = beside;
    session.is_forced = matches!(mode, MountMode::Salvage) && app.global.force_degraded;
    if !read_only {
        below::hold(&session.places);
        events::note_overrides(&session, app, matches!(mode, MountMode::AssumeMissingDead { .. }));
    }
    let done = f(&mut session).map_err(|failure| {
        let name = |disk: usize| session.places.get(disk).map(Place::to_string);
        let failure = failure.naming(name);
        let failure = below::explain(&mut session, failure);
        place::name_absent(failure, &session.config.pool, &session.places)
    });
    session.leave();
    if !read_only {
        below::hold(&session.places);
    }
    Ok(Attempt::Done(done))
}

/// Bytes of a tree node of the pool, as its labels say.
pub(super) fn node_bytes_of(config: &Config, places: &[Place]) -> usize {
    parameters_of(config, places).map_or(4096, |parameters| parameters.node_bytes())
}

fn parameters_of(config: &Config, places: &[Place]) -> Option<PoolParameters> {
    let pool = parse_uuid(&config.pool);
    let found = places.iter().filter_map(|place| place.labels?.identity()).map(|(parameters, _)| parameters);
    found.into_iter().find(|found| pool.is_none_or(|pool| pool == found.pool))
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
