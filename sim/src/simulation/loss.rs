//! What is called whole is put to the test: some of the disks are lost at once, and everything must be there.
//!
//! The world is forked for it, and continues as if nothing had been lost.

use super::engine::Engine;
use super::probe::Probe;
use super::report::{Failure, FailureKind};
use super::run::{Mounted, Run};
use crate::Rng;
use crate::build::FULL;
use crate::model::{self, Contents, Model};
use dynamicfs_core::MountMode;
use dynamicfs_core::ReadObjects;
use dynamicfs_core::error::Error;
use dynamicfs_core::types::{ObjectId, Set};
use std::collections::BTreeMap;
use std::sync::Arc;

impl Engine {
    /// Takes as many disks away as the pool bears, or fewer, mounts what is left and reads everything. The pool was at rest, and
    /// nothing was owed.
    pub(super) fn lose_at_rest(&mut self) -> Result<(), Failure> {
        let mut rng = self.run.root.fork("loss");
        let bears = self.run.bears();
        if bears == 0 {
            return Ok(());
        }
        let kept = self.array.clone();
        if let Some(break_it) = self.run.breakage.before_loss {
            break_it(&mut self.array);
        }
        let lost = self.run.draw_loss(1 + rng.index(bears), &mut rng);
        for member in lost.iter() {
            self.run.disk(&mut self.array, member).unplug();
        }
        let parities = self.run.parities(&kept);
        let is_majority = 2 * self.run.atlas.members().minus(lost).len() > self.run.atlas.members().len();
        let mode = match (is_majority, rng.coin()) {
            (true, true) => MountMode::ReadWrite,
            (true, false) => MountMode::ReadOnly,
            // No override can declare the others dead.
            (false, _) if !FULL => {
                self.array = kept;
                return Ok(());
            }
            (false, _) => MountMode::AssumeMissingDead { branch: rng.next_u64() },
        };
        let state = self.run.oracle.current().clone();
        let found = self.try_mount(mode, None, |run, pool| run.read_all(pool, &state, lost, &parities));
        let names = format!("at rest, with members {:?} lost", lost.iter().collect::<Vec<_>>());
        match found {
            Ok(Ok(())) => self.run.hit(Probe::LostAtRest),
            Ok(Err((kind, what))) => return Err(self.run.fail(kind, format!("{names}: {what}"))),
            Err(error) => {
                return Err(self
                    .run
                    .fail(FailureKind::Unavailable, format!("{names}, not mounted: {error}")));
            }
        }
        self.array = kept;
        Ok(())
    }
}

impl Run {
    /// Disks whose loss the tree bears.
    pub(super) fn bears(&self) -> usize {
        let tree = self.setup.format.tolerance.map_or(0, usize::from);
        tree.max(self.setup.tolerance())
    }

    /// So many of the members with data, and a witness now and then.
    fn draw_loss(&self, count: usize, rng: &mut Rng) -> Set<usize> {
        let (mut witnesses, mut holders): (Vec<_>, Vec<_>) =
            self.active().into_iter().partition(|&member| self.atlas.is_witness(member));
        rng.shuffle(&mut holders);
        rng.shuffle(&mut witnesses);
        let witness = witnesses.first().filter(|_| rng.chance(1, 3));
        holders.iter().take(count).chain(witness).copied().collect()
    }

    /// How many disks each object's contents bear to lose.
    fn parities(&self, array: &crate::SimArray) -> BTreeMap<u64, usize> {
        let mut parities = BTreeMap::new();
        for stored in self.map(array).iter().flat_map(|map| &map.records.extents) {
            let parity = usize::from(stored.extent.scheme.parity);
            let least = parities.entry(stored.object).or_insert(parity);
            *least = parity.min(*least);
        }
        parities
    }

    /// Reads everything with these members lost: what bears it is there, and nothing is wrong.
    fn read_all(
        &mut self,
        pool: &mut Mounted<'_>,
        state: &Arc<Model>,
        lost: Set<usize>,
        parities: &BTreeMap<u64, usize>,
    ) -> Result<(), (FailureKind, String)> {
        if lost.len() <= self.setup.tolerance() {
            return match model::observe(pool) {
                Ok(found) => match state.difference(&found) {
                    None => Ok(()),
                    Some(difference) => Err((FailureKind::WrongState, difference)),
                },
                Err(error) => Err((FailureKind::Lost, error.to_string())),
            };
        }
        // The tree bears more than the contents of most objects.
        for (&number, node) in &state.nodes {
            let object = ObjectId(number);
            let lost_of = |error: Error| (FailureKind::Lost, format!("object {number}: {error}"));
            let differs = |what: String| (FailureKind::WrongState, what);
            pool.inode(object).map_err(lost_of)?;
            if super::beyond::attributes_agree(pool, object, node).map_err(differs)? > 0 {
                return Err((FailureKind::Lost, format!("attributes of object {number}")));
            }
            let Contents::File(bytes) = &node.contents else { continue };
            let mut found = vec![0; bytes.len()];
            match model::read_whole(pool, object, &mut found) {
                Ok(_) if found == *bytes => {}
                Ok(_) => return Err(differs(format!("object {number} has other bytes"))),
                Err(error) if parities.get(&number).is_none_or(|&parity| parity >= lost.len()) => {
                    return Err(lost_of(error));
                }
                Err(_) => {}
            }
        }
        Ok(())
    }
}
