//! What the disks of a pool hold, without opening it: which histories, on which disks, which are missing; and
//! the choice of one.

use super::config::Config;
use super::open::{Lent, node_bytes_of, parse_uuid};
use super::place::{self, Opening, Place};
use crate::app::App;
use crate::host::times::rfc3339_of;
use crate::output::failure::{Code, Failure};
pub(crate) use crate::output::histories::{Fork, History, HistoryDisk, MissingDisk};
use crate::output::names::ShowPath;
use crate::output::size;
use dynamicfs_core::inspect::{
    Ancestor, Relation, StateName, Superblock, end_of, is_newer_under, may_be_copied, name_of, relation,
    without_say,
};
use dynamicfs_core::planning::members_wanting;
use dynamicfs_core::types::{DiskIndex, Row, Set};
use dynamicfs_core::{Pool, Prefer};
use dynamicfs_hal::Entropy;
use std::fs;
use std_host_shim::{HostArray, OsEntropy};

/// Digits of a branch that are shown, where they tell it from all others.
const DIGITS: usize = 8;

impl Fork {
    fn new(ancestor: Ancestor) -> Self {
        let (epoch, generation) = ancestor.fork;
        Self { branch: digits(ancestor.branch), epoch: epoch.0, generation: generation.0 }
    }
}

impl MissingDisk {
    /// The member of this number, which should be at this place.
    pub(crate) fn new(place: Option<&Place>, member: u16) -> Self {
        Self {
            name: place.map(|place| place.entry.name.clone()),
            path: place.map(|place| place.path.shown().to_string()),
            member,
            id: place.and_then(|place| place.entry.id.clone()),
            is_unlabelled: place.is_some_and(Place::is_unlabelled),
        }
    }
}

impl MissingDisk {
    /// What is typed for it.
    pub(crate) fn handle(&self) -> String {
        self.name.clone().unwrap_or_else(|| format!("member-{}", self.member))
    }
}

impl std::fmt::Display for MissingDisk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (&self.name, &self.path) {
            (Some(name), Some(path)) if self.is_unlabelled => {
                write!(f, "{name} ({path}, which is there and has no label)")
            }
            (Some(name), Some(path)) => write!(f, "{name} ({path})"),
            _ => write!(f, "member {}", self.member),
        }
    }
}

/// A disk's newest state, and those before it that its rings still have.
struct Seen {
    place: usize,
    image: Vec<u8>,
    before: Vec<StateName>,
    has_damaged_slot: bool,
}

impl Seen {
    fn view(&self) -> Superblock<&[u8]> {
        Superblock::new(&self.image[..]).expect("a survey gives whole superblocks")
    }

    fn name(&self) -> StateName {
        name_of(&self.view())
    }
}

/// What the disks that are here hold.
pub(crate) struct Survey {
    places: Vec<Place>,
    seen: Vec<Seen>,
    /// The newest states: each ends a history that holds none of the others.
    newest: Vec<usize>,
}

impl Survey {
    /// Looks at the disks. Nothing is written.
    pub(crate) fn of(app: &App, config: &Config) -> Result<Self, Failure> {
        Self::as_opened(app, config, Opening::Read)
    }

    /// The same, where another process may write to them.
    pub(crate) fn beside_a_writer(app: &App, config: &Config) -> Result<Self, Failure> {
        Self::as_opened(app, config, Opening::Look)
    }

    fn as_opened(app: &App, config: &Config, opening: Opening) -> Result<Self, Failure> {
        let (places, disks) = place::open_all(config, opening)?;
        let mut lent = Lent::new(app.global.memory, node_bytes_of(config, &places), disks.len())?;
        let (memory, services) = lent.lend();
        let mut seen: Vec<Seen> = Vec::new();
        let array = HostArray::new(disks);
        Pool::survey(array, memory, services, parse_uuid(&config.pool), |at, state| {
            match seen.last_mut().filter(|_| !at.is_newest) {
                Some(disk) => disk.before.push(name_of(state)),
                None => seen.push(Seen {
                    place: at.disk.0,
                    image: state.bytes().to_vec(),
                    before: Vec::new(),
                    has_damaged_slot: at.has_damaged_slot,
                }),
            }
        })?;
        seen.sort_by_key(|seen| std::cmp::Reverse(seen.view().order()));
        let mut survey = Self { places, seen, newest: Vec::new() };
        for (number, state) in survey.seen.iter().enumerate() {
            let is_another = |&other: &usize| survey.relation(state, &survey.seen[other]) == Relation::Other;
            if survey.newest.iter().all(is_another) {
                survey.newest.push(number);
            }
        }
        Ok(survey)
    }

    /// What a disk's state is to the history that ends with the state of another, as a mount sees it.
    fn relation(&self, state: &Seen, newest: &Seen) -> Relation {
        let found = self.relation_by_name(state, newest);
        if found != Relation::Unconfirmed {
            return found;
        }
        let rows = |is_wanted: &dyn Fn(&Seen, Relation) -> bool| {
            let there = self.seen.iter().filter(|seen| is_wanted(seen, self.relation_by_name(seen, newest)));
            there.filter_map(|seen| self.row(seen, newest)).collect()
        };
        let present = rows(&|_, found| matches!(found, Relation::Part | Relation::Unconfirmed));
        let perhaps_copied = rows(&|seen, found| {
            found == Relation::Unconfirmed
                && may_be_copied(&newest.view(), seen.view().claim_root_crc(), seen.has_damaged_slot)
        });
        let others = without_say(&newest.view(), present, perhaps_copied);
        match self.row(state, newest) {
            Some(row) if others.contains(row) => Relation::Other,
            _ => Relation::Part,
        }
    }

    fn relation_by_name(&self, state: &Seen, newest: &Seen) -> Relation {
        let StateName { order, branch, .. } = state.name();
        let twins = self.seen.iter().filter(|seen| seen.name() == newest.name());
        relation(&newest.view(), state.name(), || {
            let mut before = twins.flat_map(|twin| &twin.before);
            before.find(|known| (known.order, known.branch) == (order, branch)).map(|known| known.root_crc)
        })
    }

    /// The row of a disk's member in the table of a state.
    fn row(&self, disk: &Seen, state: &Seen) -> Option<Row> {
        let (_, identity) = self.places[disk.place].labels?.identity()?;
        state.view().row_of(identity.member)
    }

    fn is_in(&self, state: &Seen, newest: &Seen) -> bool {
        self.relation(state, newest) == Relation::Part
    }

    /// The histories, the newest first.
    pub(crate) fn histories(&self) -> Vec<History> {
        self.newest.iter().map(|&newest| self.history(&self.seen[newest])).collect()
    }

    /// The history whose newest state a disk holds, or the only one that it is part of.
    fn history(&self, newest: &Seen) -> History {
        let view = newest.view();
        let of_it: Vec<&Seen> = self.seen.iter().filter(|seen| self.is_in(seen, newest)).collect();
        let members = of_it.iter().filter_map(|seen| self.row(seen, newest));
        let present = members.collect::<Set<Row>>();
        let lists = view.lists();
        let all = lists.members.or(lists.settled);
        let wanting = members_wanting(present, lists.members).max(members_wanting(present, lists.settled));
        let fork = view.ancestry().find(|ancestor| !ancestor.given_up);
        let at_newest = of_it.iter().filter(|seen| seen.view().order() == view.order());
        let written = at_newest.filter_map(|seen| self.modified(seen.place)).max();
        let disk = |seen: &&Seen| HistoryDisk {
            name: self.places[seen.place].entry.name.clone(),
            path: self.places[seen.place].path.shown().to_string(),
            generation: seen.view().generation().0,
        };
        History {
            branch: digits(view.branch()),
            fork: fork.map(Fork::new),
            epoch: view.epoch().0,
            generation: view.generation().0,
            written,
            members: all.len(),
            present: present.and(all).len(),
            wanting,
            disks: of_it.iter().map(disk).collect(),
            missing: all.minus(present).iter().map(|row| self.missing(view.row(row).number())).collect(),
        }
    }

    fn missing(&self, member: u16) -> MissingDisk {
        MissingDisk::new(self.places.iter().find(|place| place.entry.member == Some(member)), member)
    }

    /// When a disk file was last written to.
    fn modified(&self, place: usize) -> Option<String> {
        let metadata = fs::metadata(&self.places[place].path).ok().filter(fs::Metadata::is_file)?;
        metadata.modified().ok().map(rfc3339_of)
    }

    /// What was typed after `--branch`: a disk's name, or the beginning of a branch.
    pub(crate) fn choose(&self, typed: &str) -> Result<Choice, Failure> {
        let named = self.seen.iter().position(|seen| self.places[seen.place].entry.name == typed);
        if let Some(named) = named {
            let mut random = [0; 8];
            let drawn = OsEntropy.fill(&mut random);
            drawn.map_err(|error| Failure::new(Code::Host, error.to_string()))?;
            let prefer =
                Prefer::Disk { disk: DiskIndex(self.seen[named].place), branch: u64::from_le_bytes(random) };
            return Ok(self.choice(prefer, self.newest_after(named)));
        }
        let typed = typed.to_ascii_lowercase();
        let mut meant: Vec<&Seen> =
            self.seen.iter().filter(|seen| digits(seen.view().branch()).starts_with(&typed)).collect();
        meant.dedup_by_key(|seen| seen.view().branch());
        meant.sort_by_key(|seen| seen.view().branch());
        meant.dedup_by_key(|seen| seen.view().branch());
        let [meant] = meant[..] else {
            let what = if meant.is_empty() { "names no history of" } else { "means several histories of" };
            return Err(
                Failure::new(Code::NotFound, format!("--branch {typed} {what} the pool")).hint(self.hint())
            );
        };
        let newest = self.newest_of(meant);
        let view = newest.view();
        let is_twin = |seen: &&Seen| seen.view().branch() == view.branch() && !self.is_in(seen, newest);
        if let Some(twin) = self.seen.iter().find(is_twin) {
            let names = [newest, twin].map(|seen| self.places[seen.place].entry.name.as_str());
            let message = format!("{} and {} hold different histories of the same name", names[0], names[1]);
            return Err(Failure::new(Code::Diverged, message)
                .hint(format!("name one of them by its disk: --branch {}", names[0])));
        }
        Ok(self.choice(Prefer::Branch(view.branch()), newest))
    }

    /// The newest state of the history of a disk, under its name.
    fn newest_after(&self, named: usize) -> &Seen {
        let end = end_of(named, self.seen.len(), |from, next| {
            let [from, next] = [from, next].map(|number| &self.seen[number]);
            is_newer_under(next.name(), from.name()) && self.relation_by_name(from, next) == Relation::Part
        });
        &self.seen[end]
    }

    /// The newest state that bears the same name, the given one if there is none newer.
    fn newest_of<'s>(&'s self, seen: &'s Seen) -> &'s Seen {
        let (branch, order) = (seen.view().branch(), seen.view().order());
        let newer = self.seen.iter().find(|other| other.view().branch() == branch);
        newer.filter(|newer| newer.view().order() > order).unwrap_or(seen)
    }

    fn choice(&self, prefer: Prefer, newest: &Seen) -> Choice {
        let others = self.seen.iter().filter(|seen| self.relation(seen, newest) == Relation::Other);
        let gives_up = others.map(|seen| {
            let view = seen.view();
            let name = &self.places[seen.place];
            format!("{name} with branch {} up to generation {}", digits(view.branch()), view.generation().0)
        });
        Choice { prefer, gives_up: gives_up.collect() }
    }

    /// What can be typed after `--branch`.
    pub(crate) fn hint(&self) -> String {
        let histories = self.histories();
        let (mut names, mut are_copies) = (Vec::new(), false);
        for history in &histories {
            let is_twin = histories.iter().filter(|other| other.branch == history.branch).count() > 1;
            are_copies |= is_twin;
            match history.disks.first() {
                Some(disk) if is_twin => names.push(disk.name.clone()),
                _ => names.push(self.prefix(&history.branch).to_owned()),
            }
        }
        let detach = if are_copies { "detach the disks that are a copy's or went back, or " } else { "" };
        format!(
            "{detach}choose one with --branch {}, on commands that read first: with the first that changes the pool the \
             others are given up",
            names.join(" or --branch ")
        )
    }

    /// As many digits of a branch as tell it from all others.
    fn prefix<'b>(&self, branch: &'b str) -> &'b str {
        let others: Vec<String> = self.seen.iter().map(|seen| digits(seen.view().branch())).collect();
        let is_enough = |&length: &usize| {
            others.iter().all(|other| other == branch || !other.starts_with(&branch[..length]))
        };
        &branch[..(DIGITS..branch.len()).find(is_enough).unwrap_or(branch.len())]
    }

    /// The name of the newest state of all.
    pub(super) fn newest_state(&self) -> Option<StateName> {
        self.seen.iter().map(Seen::name).max_by_key(|state| state.order)
    }

    /// The branch and the newest commit on a disk, by its place.
    pub(crate) fn state_of(&self, place: usize) -> Option<(String, u64)> {
        let seen = self.seen.iter().find(|seen| seen.place == place)?;
        Some((digits(seen.view().branch()), seen.view().generation().0))
    }
}

/// A history that was chosen.
pub(crate) struct Choice {
    pub(crate) prefer: Prefer,
    /// Disks that it leaves out.
    pub(crate) gives_up: Vec<String>,
}

impl History {
    /// A line about it.
    pub(crate) fn line(&self) -> String {
        let names: Vec<String> =
            self.disks.iter().map(|disk| format!("{} ({})", disk.name, disk.path)).collect();
        let fork = self.fork.as_ref().map_or_else(String::new, |fork| {
            format!(", which left {} at generation {}", fork.branch, fork.generation)
        });
        let written = self.written.as_ref().map_or_else(String::new, |when| format!(", written {when}"));
        format!(
            "branch {}{fork}: newest generation {} in epoch {}{written}; {} of {} here: {}",
            self.branch,
            self.generation,
            self.epoch,
            self.present,
            size::count(self.members as u64, "member"),
            names.join(", ")
        )
    }
}

/// A branch as it is shown and typed.
pub(crate) fn digits(branch: u64) -> String {
    format!("{branch:016x}")
}
