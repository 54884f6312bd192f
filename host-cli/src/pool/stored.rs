//! What is stored in a pool, counted by what is left of it.

use super::readable::readable;
use super::reasons::{Reason, ReasonCode};
use super::session::Session;
use crate::output::failure::Failure;
use crate::output::size;
use dynamicfs_core::maintenance::{ExtentCounts, LossForecast};
use dynamicfs_core::types::Set;
use schemars::JsonSchema;
use serde::Serialize;

/// Extents by what is left of them.
#[derive(Clone, Copy, Debug, Default, Serialize, JsonSchema)]
pub(crate) struct Extents {
    /// All of them.
    pub(crate) total: u64,
    /// With full redundancy.
    pub(crate) complete: u64,
    /// Degraded and readable.
    pub(crate) readable: u64,
    /// Lost, as far as the disks that are here tell.
    pub(crate) unreadable: u64,
}

/// What is stored, as far as it can be counted.
pub(crate) struct Stored {
    /// None where nodes of the tree cannot be read: what is below them is not counted.
    pub(crate) extents: Option<Extents>,
    /// Those that a look at all others met.
    pub(crate) nodes_unreadable: u64,
}

impl Stored {
    /// Of a pool as it is.
    pub(crate) fn of(session: &mut Session<'_>) -> Result<Self, Failure> {
        match readable(session.pool.count_extents())? {
            Some(counted) => Ok(Self { extents: Some(counted.into()), nodes_unreadable: 0 }),
            None => Ok(Self::told(readable(session.pool.forecast_loss(Set::EMPTY))?.as_ref())),
        }
    }

    /// As a forecast says; without one not even the members' records can be read.
    pub(crate) fn told(forecast: Option<&LossForecast>) -> Self {
        let nodes_unreadable = forecast.map_or(1, |told| told.nodes_unreadable + told.nodes_lost);
        let counted = forecast.filter(|_| nodes_unreadable == 0);
        Self { extents: counted.map(|told| told.extents.into()), nodes_unreadable }
    }

    /// Counts extents that a job found to be lost: their records call them complete.
    pub(super) fn lose(&mut self, lost: u64) {
        if let Some(extents) = &mut self.extents {
            extents.lose(lost);
        }
    }

    /// What of it cannot be read, or lacks redundancy.
    pub(super) fn reasons(&self) -> Vec<Reason> {
        let Some(Extents { total, readable, unreadable, .. }) = self.extents else {
            let nodes = size::count(self.nodes_unreadable, "tree node");
            let message = format!("{nodes} cannot be read with the disks that are here, nor the parts below");
            return vec![Reason::new(ReasonCode::DataUnreadable, None, self.nodes_unreadable, message)];
        };
        let total = size::count(total, "extent");
        let unreadable = (unreadable > 0).then(|| {
            let message = format!("{unreadable} of {total} cannot be read with the disks that are here");
            Reason::new(ReasonCode::DataUnreadable, None, unreadable, message)
        });
        let readable = (readable > 0).then(|| {
            let message = format!("{readable} of {total} have less redundancy than was asked for");
            Reason::new(ReasonCode::ExtentsDegraded, None, readable, message)
        });
        unreadable.into_iter().chain(readable).collect()
    }
}

impl From<ExtentCounts> for Extents {
    fn from(counts: ExtentCounts) -> Self {
        Self {
            total: counts.total,
            complete: counts.complete,
            readable: counts.readable,
            unreadable: counts.unreadable,
        }
    }
}

impl Extents {
    /// Counts extents that a job found to be lost: their records call them complete.
    fn lose(&mut self, lost: u64) {
        let more = lost.saturating_sub(self.unreadable).min(self.complete + self.readable);
        let complete = more.min(self.complete);
        self.complete -= complete;
        self.readable -= more - complete;
        self.unreadable += more;
    }
}
