//! An open pool.

use super::config::{Config, Whereabouts};
use super::counters;
use super::disks;
use super::events;
use super::open::parse_uuid;
use super::place::{HostDisk, Place};
use crate::app::App;
use crate::host::activity::Activity;
use crate::host::interrupt;
use crate::host::storage::WriteProtection;
use crate::output::failure::{Code, Failure};
use crate::output::report::Output;
use dynamicfs_core::error::StorageError;
use dynamicfs_core::maintenance::Work;
use dynamicfs_core::types::{DiskIndex, MemberNumber, Row};
use dynamicfs_core::{Pool, PoolParameters, Transaction};
use std_host_shim::HostArray;

/// The disks of a pool on this machine.
pub(crate) type Disks = HostArray<HostDisk>;

/// Bytes of contents of a transaction of several files, at most, and their share of the room there is.
const BATCH_BYTES_MAX: u64 = 64 << 20;
const BATCH_SHARE: u64 = 8;

/// Bytes that are copied at once: whole extents of any size.
pub(crate) const BUFFER_BYTES: usize = 4 << 20;

/// A transaction of a pool on this machine.
pub(crate) type Changes<'p, 'm> = Transaction<'p, 'm, Disks>;

/// An open pool, and what is known of its places.
pub(crate) struct Session<'m> {
    pub(crate) pool: Pool<'m, Disks>,
    pub(crate) config: Config,
    /// One for each disk of the array, in its order.
    pub(crate) places: Vec<Place>,
    pub(crate) parameters: PoolParameters,
    pub(crate) out: Output,
    /// Something was changed.
    changed: bool,
    /// Rebuilds since the pool was opened.
    pub(crate) rebuilds: counters::Rebuilds,
    /// The members when the pool was opened.
    members: Vec<u16>,
    /// It was opened only to read.
    is_looking: bool,
    /// What would change the pool is only judged.
    is_dry_run: bool,
    /// It was opened to read, without members that could hold a newer state.
    pub(super) is_forced: bool,
    /// What the process does that has the pool, while this one looks at it.
    pub(crate) beside: Option<Activity>,
}

impl<'m> Session<'m> {
    pub(crate) fn new(
        app: &App,
        config: Config,
        places: Vec<Place>,
        parameters: Option<PoolParameters>,
        mut pool: Pool<'m, Disks>,
        is_looking: bool,
    ) -> Result<Self, Failure> {
        let parameters =
            parameters.ok_or_else(|| Failure::new(Code::BadPool, "no disk has a readable label"))?;
        if parse_uuid(&config.pool).is_none() {
            app.out.warn(format_args!("pool.toml does not name the pool; the disks say {}", parameters.pool));
        }
        pool.set_thresholds(config.thresholds.unwrap_or_default().into());
        let members = pool.members().table.iter().filter_map(|row| pool.member_in(row));
        let members = members.map(|member| member.number.0).collect();
        let mut session = Self {
            pool,
            config,
            places,
            parameters,
            out: app.out,
            changed: false,
            rebuilds: counters::Rebuilds::default(),
            members,
            is_looking,
            is_dry_run: app.global.dry_run && !app.global.read_only,
            is_forced: false,
            beside: None,
        };
        events::record(&mut session);
        Ok(session)
    }

    /// Whether the pool was opened only to read.
    pub(crate) const fn is_looking(&self) -> bool {
        self.is_looking
    }

    /// What a member is called in pool.toml; "member-N" if that does not list it.
    pub(crate) fn name_of(&self, member: MemberNumber) -> String {
        let is_it = |place: &usize| {
            let found = self.pool.member_health(DiskIndex(*place)).member.map(|found| found.0);
            found.or(self.places[*place].entry.member) == Some(member.0)
        };
        let place = (0..self.places.len()).find(is_it);
        place.map_or_else(|| format!("member-{}", member.0), |place| self.places[place].entry.name.clone())
    }

    /// Begins a transaction.
    pub(crate) fn begin(&mut self) -> Result<Transaction<'_, 'm, Disks>, Failure> {
        self.writable()?;
        Ok(self.pool.begin()?)
    }

    /// What comes next changes the pool; fails if that cannot be.
    pub(crate) fn writable(&mut self) -> Result<(), Failure> {
        self.changed = true;
        self.check_writable()
    }

    /// Fails where a command that is only tried could not change the pool: it was opened to read.
    pub(super) fn check_tried(&mut self) -> Result<(), Failure> {
        for place in &self.places {
            if let Some(why) = &place.write_protection {
                place.fault_of(&why.error(), (&self.config.folder, false))?;
            }
        }
        disks::check_protected(&mut self.pool, &self.places)?;
        self.check_writable()
    }

    /// Fails if the pool cannot be changed. Nothing is noted: a command that is refused for another reason
    /// has changed nothing.
    pub(crate) fn check_writable(&self) -> Result<(), Failure> {
        // Only looked at, it takes no writes now: whether it would is asked.
        let writable = match self.is_dry_run {
            true => (self.is_forced || self.pool.may_be_written()) && self.read_only_features().is_none(),
            false => self.pool.health().writable,
        };
        match (writable, self.read_only_features()) {
            (true, _) => Ok(()),
            (false, Some(why)) => {
                let message = format!("the pool takes no writes from this version: {why}");
                Err(Failure::new(Code::ReadOnly, message)
                    .hint("use the version that made the pool, or a newer one"))
            }
            (false, None) => Err(StorageError::ReadOnly.into()),
        }
    }

    /// The row of a member in the pool's table.
    pub(crate) fn row_of(&self, member: u16) -> Option<Row> {
        self.pool.row_of(MemberNumber(member))
    }

    /// Which disk has features that a writer would have to know, and this version does not.
    pub(crate) fn read_only_features(&self) -> Option<String> {
        self.places.iter().find_map(|place| {
            let features = place.labels?.read_only_features;
            (features != 0).then(|| format!("{place} has features {features:#x} that it may only read"))
        })
    }

    /// Whether this user may only read, as a monitor does: that says nothing of the pool.
    pub(crate) fn is_for_a_reader(&self) -> bool {
        let mut files = self.places.iter().filter(|place| place.fault.is_none()).peekable();
        files.peek().is_some() && files.all(|place| place.write_protection == Some(WriteProtection::ThisUser))
    }

    /// Whether this command has changed something.
    pub(crate) const fn is_changed(&self) -> bool {
        self.changed
    }

    /// Notes that something was changed.
    pub(crate) const fn note_change(&mut self) {
        self.changed = true;
    }

    /// Runs `f` in a transaction of its own.
    pub(crate) fn change<T>(
        &mut self,
        f: impl FnOnce(&mut Changes<'_, 'm>) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let mut transaction = self.begin()?;
        let done = f(&mut transaction)?;
        transaction.commit()?;
        Ok(done)
    }

    /// Bytes of contents after which a transaction is committed. With less room they are fewer, so that a
    /// file that does not fit takes little along.
    pub(crate) fn batch_bytes(&self) -> u64 {
        let health = self.pool.health();
        let free = (health.free_blocks + health.dead_blocks) * u64::from(health.block_bytes);
        (free / health.scheme.width() as u64 * u64::from(health.scheme.data) / BATCH_SHARE)
            .min(BATCH_BYTES_MAX)
    }

    /// Rewrites what reading found damaged and frees what was deleted, unless a stop was asked for. Jobs are
    /// not continued: how long those take is for the operator to choose.
    pub(crate) fn tidy(&mut self) -> u64 {
        let mut repaired = 0;
        loop {
            let health = self.pool.health();
            let owed = health.repairs_waiting > 0 || health.orphans > 0;
            if !health.writable || !owed || interrupt::requested() {
                return repaired;
            }
            match self.pool.upkeep(false) {
                Ok(Work::Repaired) => repaired += 1,
                Ok(Work::Reaped) => {}
                // What is left finds no space, or no disk.
                _ => return repaired,
            }
            events::record(self);
            self.changed = true;
        }
    }

    /// Takes disks out of use that have failed by their errors: what this process saw of them goes with it. Rebuilding what they
    /// held is for the operator to start.
    fn fail_disks(&mut self) {
        while !self.is_looking {
            match self.pool.fail_member() {
                Ok(true) => self.changed = true,
                Ok(false) => return,
                Err(error) => {
                    self.out
                        .warn(format_args!("a disk that has failed could not be taken out of use: {error}"));
                    return;
                }
            }
        }
    }

    /// Leaves the pool in order. What fails here is found again by the next command.
    pub(crate) fn leave(&mut self) {
        self.tidy();
        self.fail_disks();
        events::record(self);
        if self.changed {
            counters::save(self);
            self.settle_list();
        }
    }

    /// Brings pool.toml up to date with new members and those that left. One that an override continued
    /// without stays listed: should it come back, its other history is to be noticed.
    fn settle_list(&mut self) {
        if self.config.disks.len() != self.places.len() {
            // The command has listed the disks itself.
            return;
        }
        let is_member = |number: u16| self.pool.row_of(MemberNumber(number)).is_some();
        let mut disks = Vec::new();
        for (number, mut entry) in self.config.disks.iter().cloned().enumerate() {
            let health = self.pool.member_health(DiskIndex(number));
            let here = health.member.filter(|member| is_member(member.0)).map(|member| member.0);
            if let (Some(member), Some(id)) = (here, health.disk) {
                (entry.member, entry.id, entry.adding) = (Some(member), Some(id.to_string()), false);
                (entry.witness, entry.joins) = (false, None);
            }
            if let Whereabouts::MovedTo(path) = std::mem::take(&mut entry.whereabouts) {
                entry.path = self.config.shortened(path);
            }
            let is_begun = entry.adding || self.pool.health().is_short;
            entry.replaces = entry.replaces.filter(|&member| is_begun || is_member(member));
            let has_left =
                entry.member.is_some_and(|member| self.members.contains(&member) && !is_member(member));
            if !has_left || entry.adding {
                disks.push(entry);
            }
        }
        let is_same = disks.len() == self.config.disks.len()
            && disks.iter().zip(&self.config.disks).all(|(new, old)| {
                (new.member, &new.id, new.adding, new.replaces, &new.path)
                    == (old.member, &old.id, old.adding, old.replaces, &old.path)
            });
        if is_same {
            return;
        }
        self.config.disks = disks;
        if let Err(failure) = self.config.save() {
            self.out.warn(failure.message());
        }
    }
}
