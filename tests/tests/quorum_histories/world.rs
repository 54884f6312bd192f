//! The world that the decisions are about: disks that keep a superblock each, and what can happen to them.

use std::cmp::Reverse;

use dynamicfs_core::transaction::quorum::MemberLists;
use dynamicfs_core::types::{Row, Set};

use super::rules::{Blocks, Rules};

/// Events of one random history.
pub(crate) const WALK_EVENTS: u32 = 14;

/// Most contents of one history: the first, and one for each commit that was begun. Where blocks are part of
/// the world, a mount writes some too, and makes a content of its own.
const CONTENTS: usize = 1 + WALK_EVENTS as usize;

/// How often disks fail in one commit: any number of them at once, this many times.
const FAILURES_PER_COMMIT: u8 = 2;

/// The content that a new pool has.
const FIRST_CONTENT: u8 = 0;

/// A member list in the eight bits that a state keeps of it.
fn packed(members: Set<Row>) -> u8 {
    u8::try_from(members.bits()).expect("a modelled pool has at most eight disks")
}

/// Every subset, the empty one first and the whole last.
fn subsets(whole: Set<Row>) -> impl Iterator<Item = Set<Row>> {
    let next = move |part: &Set<Row>| part.bits().wrapping_sub(whole.bits()) & whole.bits();
    let after = move |part: &Set<Row>| (*part != whole).then(|| Set::of_bits(next(part)));
    std::iter::successors(Some(Set::EMPTY), after)
}

/// The root record of a generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Superblock {
    epoch: u8,
    generation: u8,
    settled: u8,
    members: u8,
    content: u8,
    /// The disks that took part in it, and have all that it refers to. Later states leave it empty where
    /// blocks are no part of the world.
    online: u8,
}

impl Superblock {
    /// What makes one superblock newer than another.
    fn age(self) -> (u8, u8) {
        (self.epoch, self.generation)
    }

    /// Which one a mount takes of equally new ones, the least first. Only without a claim can they differ (in
    /// their lists). Then any would do, and this is the model's choice: the lists that have the lowest slot.
    fn tie_break(self) -> Reverse<(u8, u8)> {
        Reverse((self.settled.reverse_bits(), self.members.reverse_bits()))
    }

    fn members(self) -> Set<Row> {
        Set::of_bits(self.members.into())
    }

    fn online(self) -> Set<Row> {
        Set::of_bits(self.online.into())
    }

    fn lists(self) -> MemberLists {
        MemberLists { settled: Set::of_bits(self.settled.into()), members: self.members() }
    }
}

/// What a disk keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Disk {
    newest: Superblock,
    /// The highest epoch that a mount has reserved on it.
    claim: u8,
    /// Contents with overwritten blocks on this disk, a bit for each.
    overwritten: u16,
}

type Disks<const N: usize> = [Disk; N];

/// The disks with this superblock written on some of them.
fn with_written<const N: usize>(mut disks: Disks<N>, superblock: Superblock, on: Set<Row>) -> Disks<N> {
    for slot in on.iter() {
        let claim = disks[slot.0].claim.max(superblock.epoch);
        disks[slot.0] = Disk { newest: superblock, claim, ..disks[slot.0] };
    }
    disks
}

/// The disks with this epoch claimed on some of them.
fn with_claimed<const N: usize>(mut disks: Disks<N>, epoch: u8, on: Set<Row>) -> Disks<N> {
    for slot in on.iter() {
        disks[slot.0].claim = epoch;
    }
    disks
}

/// The disks with blocks of these contents overwritten on some of them.
fn with_overwritten<const N: usize>(mut disks: Disks<N>, contents: u16, on: Set<Row>) -> Disks<N> {
    on.iter().for_each(|slot| disks[slot.0].overwritten |= contents);
    disks
}

/// What happened between two states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// A mount ended while it claimed its epoch.
    ClaimCrashed { present: Set<Row> },
    /// A mount ended while it wrote its steps.
    MountCrashed { present: Set<Row> },
    /// A mount serves what it found.
    Mounted { present: Set<Row> },
    /// A commit ended before it was acknowledged.
    CommitCrashed,
    /// A commit was acknowledged, with these disks left.
    Committed { online: Set<Row> },
    /// The running pool stopped between commits.
    PowerOff,
}

/// What must never be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Violation {
    /// A mount has found a content that does not descend from the acknowledged one.
    Rollback { present: Set<Row>, mounted: u8, acknowledged: u8 },
    /// Two disks carry different contents in the same epoch and generation.
    TwoContents { present: Set<Row>, epoch: u8, generation: u8 },
    /// Every disk is present, and still nothing may mount.
    RefusedWithAll,
    /// A mount continues from a state whose blocks were overwritten on a disk that took part in it.
    Overwritten { present: Set<Row>, content: u8 },
}

/// What each content was made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Contents {
    /// By content; the first is its own parent.
    parents: [u8; CONTENTS],
    count: u8,
}

impl Contents {
    /// The content of a new pool.
    const NEW: Self = Self { parents: [FIRST_CONTENT; CONTENTS], count: 1 };

    /// A new content, made from `parent`.
    fn begin(&mut self, parent: u8) -> u8 {
        let content = self.count;
        self.parents[usize::from(content)] = parent;
        self.count += 1;
        content
    }

    /// Those that a content was not made from: their blocks are free to one that continues from it.
    fn unknown_to(&self, content: u8) -> u16 {
        (0..self.count).filter(|&other| !self.descends(content, other)).fold(0, |set, other| set | 1 << other)
    }

    /// Whether a content is this ancestor or was made from it, by any number of commits.
    fn descends(&self, mut content: u8, ancestor: u8) -> bool {
        while content != ancestor && content != FIRST_CONTENT {
            content = self.parents[usize::from(content)];
        }
        content == ancestor
    }
}

/// One state of a pool of `N` disks, with what its users know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct World<const N: usize> {
    disks: Disks<N>,
    /// The content that was last acknowledged by a commit or served by a mount.
    acknowledged: u8,
    /// The superblock that a running pool stands on; `None` at rest.
    running: Option<Superblock>,
    contents: Contents,
}

impl<const N: usize> World<N> {
    /// A new pool at rest: all disks are members and have the first content.
    pub(crate) fn new() -> Self {
        let everyone = packed(Set::first(N));
        let newest = Superblock {
            epoch: 1,
            generation: 1,
            settled: everyone,
            members: everyone,
            content: FIRST_CONTENT,
            online: everyone,
        };
        Self {
            disks: [Disk { newest, claim: 1, overwritten: 0 }; N],
            acknowledged: FIRST_CONTENT,
            running: None,
            contents: Contents::NEW,
        }
    }

    /// Hands every event that is possible here, and the state that it leads to, to `emit`; or says what is wrong here.
    pub(crate) fn step(&self, rules: &Rules, emit: &mut dyn FnMut(Event, Self)) -> Result<(), Violation> {
        if let Some(running) = self.running {
            self.commit(running, rules, emit);
            emit(Event::PowerOff, Self { running: None, ..*self });
            return Ok(());
        }
        for present in subsets(Set::first(N)).skip(1) {
            if let Some(found) = self.find(present, rules)? {
                self.mount(present, found, rules, emit);
            }
        }
        Ok(())
    }

    /// The superblock that a mount with these disks goes on from, or `None` if it is refused.
    fn find(&self, present: Set<Row>, rules: &Rules) -> Result<Option<Superblock>, Violation> {
        let seen = || present.iter().map(|slot| self.disks[slot.0].newest);
        let (epoch, generation) = seen().map(Superblock::age).max().expect("a mount has a disk");
        let tied = || seen().filter(|superblock| superblock.age() == (epoch, generation));
        let newest = tied().min_by_key(|superblock| superblock.tie_break()).expect("one is the newest");

        if !tied().all(|superblock| (rules.may_mount)(present, superblock.lists())) {
            let all_present = present == Set::first(N);
            return if all_present { Err(Violation::RefusedWithAll) } else { Ok(None) };
        }
        if tied().any(|superblock| superblock.content != newest.content) {
            return Err(Violation::TwoContents { present, epoch, generation });
        }
        if !self.contents.descends(newest.content, self.acknowledged) {
            let acknowledged = self.acknowledged;
            return Err(Violation::Rollback { present, mounted: newest.content, acknowledged });
        }
        let is_overwritten = |row: Row| self.disks[row.0].overwritten >> newest.content & 1 != 0;
        // Also where it is away: it will be given what it missed after this state, and trusted with the rest.
        if newest.online().iter().any(is_overwritten) {
            return Err(Violation::Overwritten { present, content: newest.content });
        }
        Ok(Some(newest))
    }

    /// A mount: the claim, the found state once more in the new epoch, blocks, the pair that was found, the
    /// members that are present. The second step is left out where all that took part in the found state are
    /// here and have it. Nothing is written after the claim where too few can have it.
    fn mount(&self, present: Set<Row>, found: Superblock, rules: &Rules, emit: &mut dyn FnMut(Event, Self)) {
        let mut disks = self.disks;
        let mut epoch = found.epoch + 1;
        if rules.claims {
            epoch = 1 + present.iter().map(|slot| disks[slot.0].claim).max().expect("a mount has a disk");
            for claimed in subsets(present).filter(|claimed| *claimed != present) {
                let disks = with_claimed(disks, epoch, claimed);
                emit(Event::ClaimCrashed { present }, Self { disks, ..*self });
            }
            disks = with_claimed(disks, epoch, present);
        }
        let begin = Progress {
            disks,
            online: present,
            durable: found.lists(),
            named: if rules.blocks.is_some() { found.online() } else { Set::first(N) },
            generation: found.generation + 1,
            must_write: true,
            failures: rules.failures_in_mount,
        };
        let named = present.and(found.online());
        let is_everywhere =
            named == found.online() && named.iter().all(|slot| self.disks[slot.0].newest == found);
        let is_enough = is_everywhere || (rules.may_continue)(named, found.lists(), found.lists());
        if rules.blocks == Some(Blocks::StateFirst) && !is_enough {
            return;
        }
        if matches!(rules.blocks, None | Some(Blocks::AtOnce)) || is_everywhere {
            self.go_on(present, found, epoch, begin, rules, emit);
            return;
        }
        let generation = found.generation + 1;
        let state = Superblock { epoch, generation, online: packed(named), ..found };
        for reached in subsets(named) {
            let disks = with_written(disks, state, reached);
            let online = present.minus(named).or(reached);
            let then = Progress { disks, online, generation: generation + 1, ..begin };
            if reached == named {
                self.go_on(present, found, epoch, then, rules, emit);
                continue;
            }
            emit(Event::MountCrashed { present }, Self { disks, ..*self });
            if begin.failures > 0 && (rules.may_continue)(reached, found.lists(), found.lists()) {
                let then = Progress { failures: begin.failures - 1, ..then };
                self.go_on(present, found, epoch, then, rules, emit);
            }
        }
    }

    /// The steps of a mount, from where its epoch is its own.
    fn go_on(
        &self,
        present: Set<Row>,
        found: Superblock,
        epoch: u8,
        mut start: Progress<N>,
        rules: &Rules,
        emit: &mut dyn FnMut(Event, Self),
    ) {
        let (mut contents, mut content) = (self.contents, found.content);
        if rules.blocks.is_some() {
            // One that comes back is given nothing before it has a state that names it.
            let online = start.online.and(found.online());
            start.disks = with_overwritten(start.disks, contents.unknown_to(content), online);
            content = contents.begin(content);
        }
        let mut end = |disks, served: Option<Superblock>| match served {
            // What was served may have been observed, so it counts as acknowledged.
            Some(running) => {
                let acknowledged = running.content;
                let world = Self { disks, acknowledged, running: Some(running), contents };
                emit(Event::Mounted { present }, world);
            }
            None => emit(Event::MountCrashed { present }, Self { disks, contents, ..*self }),
        };
        Steps { rules, epoch, content, end: &mut end }.go(start);
    }

    /// A commit of a new content, with disks that fail in it.
    fn commit(&self, running: Superblock, rules: &Rules, emit: &mut dyn FnMut(Event, Self)) {
        let mut begun = *self;
        if rules.blocks.is_some() {
            let unknown = self.contents.unknown_to(running.content);
            begun.disks = with_overwritten(self.disks, unknown, running.members());
        }
        let content = begun.contents.begin(running.content);

        let start = Progress {
            disks: begun.disks,
            online: running.members(),
            durable: running.lists(),
            named: running.members(),
            generation: running.generation + 1,
            must_write: true,
            failures: FAILURES_PER_COMMIT,
        };
        let mut end = |disks, served: Option<Superblock>| match served {
            Some(running) => {
                let online = running.members();
                let world = Self { disks, acknowledged: content, running: Some(running), ..begun };
                emit(Event::Committed { online }, world);
            }
            None => emit(Event::CommitCrashed, Self { disks, running: None, ..begun }),
        };
        Steps { rules, epoch: running.epoch, content, end: &mut end }.go(start);
    }
}

/// How far a mount or a commit has come.
#[derive(Clone, Copy)]
struct Progress<const N: usize> {
    disks: Disks<N>,
    /// The disks that have not failed; each has the durable pair.
    online: Set<Row>,
    durable: MemberLists,
    /// Those that the durable state names as taking part. The others come back: they get a superblock after
    /// these, so that none of them has it alone.
    named: Set<Row>,
    /// The generation that the next step gets.
    generation: u8,
    /// Nothing has been written yet.
    must_write: bool,
    /// How often disks may still fail.
    failures: u8,
}

/// The steps of one mount or commit, in every way that they can go.
///
/// ```text
/// durable pair -- some disks fail --> may the others go on? -- write the next pair --> on all: it is durable
///                                                               |
///                                                               on a part: a crash, and also:
///                                                               the rest has failed, the part goes on if it may
/// ```
struct Steps<'a, const N: usize> {
    rules: &'a Rules,
    epoch: u8,
    content: u8,
    /// Takes the disks after a crash (`None`), or with the superblock that is now served.
    end: &'a mut dyn FnMut(Disks<N>, Option<Superblock>),
}

impl<const N: usize> Steps<'_, N> {
    fn go(&mut self, at: Progress<N>) {
        let may_fail = if at.failures > 0 { at.online } else { Set::EMPTY };
        for lost in subsets(may_fail) {
            let left = at.online.minus(lost);
            let Some(next) = (self.rules.next_step)(at.durable, left, at.must_write) else {
                let served = self.superblock(at.generation - 1, MemberLists::both(left), at.online);
                (self.end)(at.disks, Some(served));
                continue;
            };
            if lost.is_empty() {
                self.write(at, next);
            } else if (self.rules.may_continue)(left, at.durable, next) {
                self.write(Progress { online: left, failures: at.failures - 1, ..at }, next);
            }
        }
    }

    /// Writes `next` to all that are online, and to each part of them.
    fn write(&mut self, at: Progress<N>, next: MemberLists) {
        let superblock = self.superblock(at.generation, next, at.online);
        let (first, last) = (at.online.and(at.named), at.online.minus(at.named));
        for reached in subsets(at.online) {
            let (begun, all) = (!reached.and(last).is_empty(), first.is_subset_of(reached));
            let goes_on =
                at.failures > 0 && (self.rules.may_continue)(reached.and(first).or(last), at.durable, next);
            let in_order = self.rules.blocks != Some(Blocks::ReturningWithTheOthers);
            if in_order && begun && !all && !goes_on {
                continue;
            }
            let disks = with_written(at.disks, superblock, reached);
            let then = Progress {
                disks,
                online: reached,
                durable: next,
                named: if self.rules.blocks.is_some() { at.online } else { at.named },
                generation: at.generation + 1,
                must_write: false,
                failures: at.failures,
            };
            if reached == at.online {
                self.go(then);
                continue;
            }
            (self.end)(disks, None);
            if at.failures > 0 && (self.rules.may_continue)(reached, at.durable, next) {
                self.go(Progress { failures: at.failures - 1, ..then });
            }
        }
    }

    fn superblock(&self, generation: u8, lists: MemberLists, online: Set<Row>) -> Superblock {
        let (settled, members) = (packed(lists.settled), packed(lists.members));
        let online = if self.rules.blocks.is_some() { packed(online) } else { 0 };
        Superblock { epoch: self.epoch, generation, settled, members, content: self.content, online }
    }
}
