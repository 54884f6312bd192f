//! An open pool.

use super::config::Config;
use super::counters;
use super::meter::Metered;
use super::open::parse_uuid;
use super::place::Place;
use crate::app::App;
use crate::host::interrupt;
use crate::output::failure::{Code, Failure};
use crate::output::report::Output;
use dynamicfs_core::error::{Error, StorageError};
use dynamicfs_core::format::label::PoolParameters;
use dynamicfs_core::maintain::Work;
use dynamicfs_core::object::Objects;
use dynamicfs_core::{Pool, Transaction};
use std_host_shim::{FileDisk, HostArray};

/// The disks of a pool on this machine.
pub(crate) type Disks = HostArray<Metered<FileDisk>>;

/// Bytes of contents of a transaction of several files, at most, and their share of the room there is.
const BATCH_BYTES_MAX: u64 = 64 << 20;
const BATCH_SHARE: u64 = 8;

/// What a pool offers, in a transaction and outside.
pub(crate) type Contents<'m> = Objects<'m, Disks>;

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
}

impl<'m> Session<'m> {
    pub(crate) fn new(
        app: &App,
        config: Config,
        places: Vec<Place>,
        parameters: Option<PoolParameters>,
        pool: Pool<'m, Disks>,
    ) -> Result<Self, Failure> {
        let parameters =
            parameters.ok_or_else(|| Failure::new(Code::BadPool, "no disk has a readable label"))?;
        if parse_uuid(&config.pool).is_none() {
            app.out.warn(format_args!("pool.toml does not name the pool; the disks say {}", parameters.pool));
        }
        Ok(Self { pool, config, places, parameters, out: app.out, changed: false })
    }

    /// Begins a transaction.
    pub(crate) fn begin(&mut self) -> Result<Transaction<'_, 'm, Disks>, Failure> {
        self.changed = true;
        let refused = self.read_only_features();
        self.pool.begin().map_err(|error| match (error, refused) {
            (Error::Storage(StorageError::ReadOnly), Some(why)) => {
                Failure::new(Code::ReadOnly, format!("the pool takes no writes from this version: {why}"))
                    .hint("use the version that made the pool, or a newer one")
            }
            _ => error.into(),
        })
    }

    /// Which disk has features that a writer would have to know, and this version does not.
    pub(crate) fn read_only_features(&self) -> Option<String> {
        self.places.iter().find_map(|place| {
            let features = place.labels?.read_only_features;
            (features != 0).then(|| format!("{place} has features {features:#x} that it may only read"))
        })
    }

    /// Runs `f` in a transaction of its own.
    pub(crate) fn change<T>(
        &mut self,
        f: impl FnOnce(&mut Contents<'m>) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let mut transaction = self.begin()?;
        let done = f(&mut transaction)?;
        transaction.commit()?;
        Ok(done)
    }

    /// Bytes of contents after which a transaction is committed: the less room there is the fewer, so that the file that
    /// does not fit takes little along.
    pub(crate) fn batch_bytes(&self) -> u64 {
        let health = self.pool.health();
        let free = (health.free_blocks + health.dead_blocks) * u64::from(health.block_bytes);
        (free / health.scheme.width() as u64 * u64::from(health.scheme.data) / BATCH_SHARE)
            .min(BATCH_BYTES_MAX)
    }

    /// Rewrites what reading found damaged and frees what was deleted, as far as nobody wants to stop.
    pub(crate) fn tidy(&mut self) -> u64 {
        let mut repaired = 0;
        while self.pool.health().writable && !interrupt::requested() {
            match self.pool.maintain(false) {
                Ok(Work::Nothing) | Err(_) => break,
                Ok(work) => repaired += u64::from(work == Work::Repaired),
            }
            self.changed = true;
        }
        repaired
    }

    /// Leaves the pool in order. What fails here is found again by the next command.
    pub(crate) fn leave(&mut self) {
        let reads = self.pool.health().counters;
        self.tidy();
        if self.changed || reads.fragment_failures > 0 {
            counters::save(self);
        }
    }
}
