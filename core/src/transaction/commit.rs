//! Making a transaction durable.

use super::rings::REQUESTS_PER_SUPERBLOCK;
use super::{Mode, Store, quorum};
use crate::build::MULTI;
use crate::error::Code;
use crate::format::superblock;
use crate::logging::tell;
use crate::types::{Generation, MemberLists, Row, Set};
use dynamicfs_hal::{Batch, DiskArray, IoError};

impl<A: DiskArray> Store<'_, A> {
    /// Makes the transaction durable: it is there, whole, after every later crash.
    ///
    /// On an error the transaction was dropped and the last commit stands, except for
    /// [`OutcomeUnknown`](Code::OutcomeUnknown).
    pub fn commit(&mut self) -> Result<Generation, Code> {
        let done = self.check().and_then(|()| self.write_all()).and_then(|()| self.publish(self.durable));
        self.end(done)?;
        self.tree.counters.note(|counters| counters.commits += 1);
        Ok(self.generation())
    }

    /// Lets members go: they are in no list afterwards. A commit of its own, of the tree as it is.
    ///
    /// The superblocks that change the lists are written to those members too, whose word counts meanwhile. A
    /// state with a tree of its own would refer to nodes that they are not given any more. They may be all
    /// that is left.
    pub(crate) fn let_go(&mut self, rows: Set<Row>) -> Result<(), Code> {
        self.begin()?;
        self.letting_go = rows;
        let done = self.look_at_slots(true).and_then(|()| self.publish(self.durable));
        self.letting_go = Set::EMPTY;
        self.end(done)?;
        self.withhold();
        Ok(())
    }

    /// The transaction is over: it is durable, or it is dropped.
    fn end(&mut self, done: Result<(), Code>) -> Result<(), Code> {
        if let Err(error) = done.map_err(|error| self.cause(error)) {
            tell!(error, "generation {} is not committed: {:?}", self.tree.generation.0, error);
            self.abort();
            if error == Code::OutcomeUnknown {
                self.mode = Mode::OutcomeUnknown;
            }
            return Err(error);
        }
        self.tree.disks.settle_counters(true);
        Ok(())
    }

    /// Steps 1 and 2: everything but the superblocks is written and flushed. Nothing refers to it yet. That the disks are
    /// still ours is seen beside the flush.
    fn write_all(&mut self) -> Result<(), Code> {
        self.record_members()?;
        self.close_groups_of_absent()?;
        self.sweep_when_due()?;
        self.settle()?;
        self.tree.write_dirty()?;
        self.look_at_slots(true)?;
        self.tree.disks.take_refusal()
    }

    /// Steps 3 and 4: one superblock for each step of the member lists, from `durable` to all that are online.
    ///
    /// Until the first superblock is sent the transaction can be dropped. Afterwards it is never taken back: it goes
    /// on without disks that fail, or its outcome is unknown.
    pub(super) fn publish(&mut self, durable: MemberLists) -> Result<(), Code> {
        if MULTI { self.publish_steps(durable) } else { self.publish_one() }
    }

    /// The same on the only disk, whose list never changes.
    fn publish_one(&mut self) -> Result<(), Code> {
        let (online, generation) = (self.tree.disks.online(), self.tree.generation);
        if online.is_empty() {
            return Err(self.tree.disks.too_few());
        }
        self.describe(self.durable, online, generation);
        if !superblock::is_sound(&self.tree.space.superblock.view()) {
            return Err(Code::SystemRecordInvalid);
        }
        self.write_superblocks(online);
        if self.tree.disks.take_refusal().is_err() || self.tree.disks.online().is_empty() {
            return Err(Code::OutcomeUnknown);
        }
        self.published(self.durable, generation.next());
        Ok(())
    }

    /// The same, one step of the lists after the other.
    fn publish_steps(&mut self, mut durable: MemberLists) -> Result<(), Code> {
        let mut sent = false;
        let mut generation = self.tree.generation;
        // Those that came back, or went back, get one after the others: none of them has it alone, and says
        // that it lacks nothing.
        let mut named = self.committed().online().minus(self.rows_behind());
        loop {
            let online = self.tree.disks.online();
            let target = online.minus(self.letting_go);
            let Some(next) = quorum::next_step(durable, target, !sent) else { break };
            if !self.may_go_on(online, durable, next) {
                let too_few = self.tree.disks.about.too_few(online);
                return Err(if sent { Code::OutcomeUnknown } else { too_few });
            }
            self.describe(next, online, generation);
            if !superblock::is_sound(&self.tree.space.superblock.view()) {
                // Written, it would be no state to any mount.
                return Err(if sent { Code::OutcomeUnknown } else { Code::SystemRecordInvalid });
            }
            self.write_superblocks(online.and(named));
            sent = true;
            let returning = online.minus(named);
            if !returning.is_empty() && self.may_go_on(self.tree.disks.online(), durable, next) {
                self.write_superblocks(returning);
            }
            named = online;
            self.tree.counters.note(|counters| counters.superblock_steps += 1);
            let reached = self.tree.disks.online();
            if self.tree.disks.take_refusal().is_err()
                || reached != online && !self.may_go_on(reached, durable, next)
            {
                return Err(Code::OutcomeUnknown);
            }
            durable = next;
            generation = generation.next();
        }
        self.published(durable, generation);
        Ok(())
    }

    /// What was being made is the last commit now.
    fn published(&mut self, durable: MemberLists, next: Generation) {
        self.durable = durable;
        self.committed.copy_from_slice(self.tree.space.superblock.bytes());
        self.note_newest(self.tree.disks.online());
        tell!(debug, "generation {} committed", self.tree.generation.0);
        self.tree.generation = next;
        (self.open, self.restated) = (false, Set::EMPTY);
        (self.mode, self.owes_commit) = (Mode::Writable, false);
    }

    /// These members have the committed state as their newest now.
    pub(super) fn note_newest(&mut self, rows: Set<Row>) {
        let (order, root_crc) = (self.committed().order(), self.committed().root_crc());
        self.tree.disks.set_newest(rows, order, root_crc);
    }

    /// Whether the pool may continue with these members. It needs half of every list, no more unhealed
    /// members than it tolerates, and no more failures in this transaction than its writes can spare.
    fn may_go_on(&self, online: Set<Row>, durable: MemberLists, next: MemberLists) -> bool {
        quorum::may_continue(online, durable, next)
            && self.bears_without(Set::EMPTY)
            && self.tree.margin.bears(online)
    }

    /// The cause of an error where too many disks were lost. Without them nothing has space, and what is
    /// there cannot be read: deleting something, or giving something up, would be wrong.
    #[inline(never)]
    pub(crate) fn cause(&mut self, error: Code) -> Code {
        let online = self.tree.disks.online();
        let are_enough = !online.is_empty()
            && (!MULTI || !self.open || self.may_go_on(online, self.durable, self.durable));
        match error {
            Code::NoSpace | Code::Unreadable | Code::NodeUnreadable if !are_enough => {
                self.tree.disks.too_few()
            }
            error => error,
        }
    }

    /// Sets what the superblocks of a step say.
    #[inline(never)] // Once, and not in each of its callers.
    pub(super) fn describe(&mut self, lists: MemberLists, online: Set<Row>, generation: Generation) {
        let (root, level) = (self.tree.root, self.tree.level);
        let stay = online.minus(self.letting_go);
        let gone = if MULTI {
            let gone = self.committed().online().minus(stay).minus(self.roster.vacant);
            self.holders(gone.and(self.tree.space.superblock.table()))
        } else {
            Set::EMPTY
        };
        let found = self.committed().root_crc();
        let superblock = &mut self.tree.space.superblock;
        let owed = superblock.owed().or(gone);
        if root.crc != found {
            superblock.set_previous_root_crc(found);
        }
        if superblock.epoch() != self.epoch {
            superblock.set_epoch_began(generation.0);
            superblock.set_found_root_crc(found);
            superblock.set_first_root_crc(0);
            superblock.set_claim_root_crc(found);
        }
        if superblock.first_root_crc() == 0 && root.crc != superblock.found_root_crc() {
            superblock.set_first_root_crc(root.crc);
        }
        superblock.set_order(self.epoch, generation);
        superblock.set_rolled_back(false);
        superblock.set_lists(lists);
        superblock.set_online_raw(stay.bits());
        superblock.set_owed_raw(owed.bits());
        superblock.set_root(&root, level);
    }

    /// Writes the superblock to both rings of every member of `rows` and flushes them; members that fail are out of
    /// use afterwards.
    #[inline(never)] // Once, and not in each of its callers.
    fn write_superblocks(&mut self, rows: Set<Row>) {
        let bytes = self.tree.space.superblock.bytes().len();
        let at_once = (self.stage.len() / bytes).min(A::Batch::capacity() / REQUESTS_PER_SUPERBLOCK).max(1);
        let mut left = rows.and(self.tree.disks.online());
        while !left.is_empty() {
            let some = left.iter().take(at_once).collect::<Set<Row>>();
            left = left.minus(some);
            for (image, row) in self.stage.chunks_exact_mut(bytes).zip(some.iter()) {
                let Some(disk) = self.tree.disks.disk_in_row(row) else { continue };
                image.copy_from_slice(self.tree.space.superblock.bytes());
                self.tree.disks.seal_superblock(disk, image, self.epoch);
            }
            let full = self.tree.disks.write_slots(some, &self.stage[..], bytes);
            // What its slot holds now is not known: it goes on with the next mount, if there is room by then.
            for row in full.iter() {
                if let Some(disk) = self.tree.disks.disk_in_row(row) {
                    let error = self.tree.disks.state(disk).last_error;
                    self.tree.disks.fail(disk, error.unwrap_or(IoError::NoSpace));
                }
            }
        }
        self.tree.disks.note_seen();
    }
}
