//! How each fault is done to the disks.

use super::fault::{FaultKind, Harm};
use super::probe::Probe;
use super::report::{EventKind, Failure, FailureKind};
use super::run::{Mounted, Run, counted};
use crate::clock::Latency;
use crate::states;
use crate::{IoKind, Mishap, Rng, SimArray, SimDisk};
use dynamicfs_core::types::{DiskIndex, Set};
use dynamicfs_hal::{BlockDevice, Geometry, IoError};

/// How long it takes at least to put another disk into a place, in microseconds.
const EXCHANGE_US: u64 = 1_000_000;

/// How much slower a slow disk is, in microseconds a request.
pub(super) const SLOW_US: u32 = 200_000;

impl Run {
    /// Does this fault to a disk that may suffer it; nothing happens when none may.
    pub(super) fn inject(&mut self, array: &mut SimArray, kind: FaultKind, rng: &mut Rng) {
        // Where more disks may fail at once than is borne, nothing else is damaged beside that.
        let is_too_much = self.is_excused() && kind.harm() != Harm::None && !self.atlas.is_beyond();
        if kind == FaultKind::Cloned || is_too_much {
            return;
        }
        match kind {
            FaultKind::Correlated => return self.correlate(array, rng),
            FaultKind::Scattered => return self.scatter(array, rng),
            FaultKind::SuperblockBatchFails => return self.fail_superblocks(array, rng),
            FaultKind::FlushError if self.setup.tolerance() == 0 && !self.atlas.is_beyond() => {
                return self.fail_a_flush(array, rng);
            }
            _ => {}
        }
        let Some(member) = self.atlas.victim(kind.harm(), rng) else { return };
        if self.shelf[member].is_some() && kind.harm() != Harm::None {
            // What stands in the disk's place is not the pool's.
            return;
        }
        if spoils(kind) {
            self.atlas.spoil(member);
        }
        if kind == FaultKind::SetBack {
            return self.set_back(array, member);
        }
        let image = self.images[member].clone();
        let other = *rng.pick(&self.active());
        match kind {
            FaultKind::Swapped => {
                array.swap(self.places[member], self.places[other]);
                self.places.swap(member, other);
            }
            FaultKind::Replaced
            | FaultKind::ReplacedSmaller
            | FaultKind::Foreign
            | FaultKind::ExchangedDisk => {
                self.replace(array, kind, member, rng);
            }
            _ => {
                let is_set_back = kind == FaultKind::RolledBack;
                let before = is_set_back.then(|| self.disk(array, member).clone());
                if !afflict(self.disk(array, member), kind, image.as_ref(), rng) {
                    return;
                }
                self.before_set_back.extend(before.map(|before| (member, before)));
            }
        }
        self.counts.faults.hit(kind);
        self.tell(array, EventKind::Fault, Some(member), || kind.name().into());
    }

    /// The same addresses rot on as many disks as may be damaged.
    fn correlate(&mut self, array: &mut SimArray, rng: &mut Rng) {
        let mut hit = false;
        let sectors = array.disk(0).geometry().sectors;
        let lba = draw_lba(sectors, rng);
        for member in self.active() {
            if self.shelf[member].is_none() && self.atlas.admit(member, Harm::Contents) {
                self.atlas.spoil(member);
                burst(self.disk(array, member), lba, rng);
                hit = true;
            }
        }
        if hit {
            self.counts.faults.hit(FaultKind::Correlated);
            self.tell(array, EventKind::Fault, None, || FaultKind::Correlated.name().into());
        }
    }

    /// Places all over the disks rot, in every extent and node no more than it bears.
    fn scatter(&mut self, array: &mut SimArray, rng: &mut Rng) {
        let Some(map) = self.map(array) else { return };
        let most = *rng.pick(&[1, 4, 16, 64]);
        let mut places = 0;
        for _ in 0..most {
            let group = &map.groups[rng.index(map.groups.len())];
            let Some(address) = self.atlas.scatter(group, rng) else { continue };
            let member = usize::from(address.member.0);
            // The first bytes of a block are always of use.
            let at = (address.block << map.parameters.block_shift) + rng.below(32);
            self.disk(array, member).flip_bits(at, 1 << rng.below(8));
            places += 1;
        }
        if places > 0 {
            self.counts.faults.hit(FaultKind::Scattered);
            self.tell(array, EventKind::Fault, None, || {
                format!("{} in {}", FaultKind::Scattered.name(), counted(places, "place"))
            });
        }
    }

    /// A disk is set back while nothing is written to it, by so much that its superblocks tell of it.
    fn set_back(&mut self, array: &mut SimArray, member: usize) {
        let place = self.places[member];
        let kept = array.disk(place).clone();
        let is_older = |image: &&SimDisk| {
            image.geometry() == kept.geometry() && states::newest_of(image) < states::newest_of(&kept)
        };
        let Some(image) = self.images[member].as_ref().filter(is_older) else {
            self.images[member] = Some(kept);
            return;
        };
        array.disk_mut(place).roll_back(image);
        if self.looks_current(array, member) {
            array.put(place, kept);
            return;
        }
        self.before_set_back.push((member, kept));
        // Longer than a pool is busy with the disk.
        array.wait(EXCHANGE_US);
        self.gone_back = self.gone_back.with(member);
        self.counts.faults.hit(FaultKind::SetBack);
        self.tell(array, EventKind::Fault, Some(member), || FaultKind::SetBack.name().into());
    }

    /// Whether a disk was set back so far that it could be a copy's, and at most half of the members know the
    /// newest state. A mount cannot find out which of them is right.
    pub(super) fn may_be_copied(&self, array: &SimArray) -> bool {
        // What stands in a member's place is not that member, though it be a copy of it that was cut short.
        let newest_on = |member: &usize| {
            let is_itself = self.shelf[*member].is_none();
            is_itself.then(|| states::newest_of(array.disk(self.places[*member]))).flatten()
        };
        let members = self.active();
        let newest = members.iter().filter_map(newest_on).max();
        let knowing = members.iter().filter(|&member| {
            let disk = array.disk(self.places[*member]);
            // One that is hurt may have answered the mount with something else.
            let is_sure = disk.is_sound() && disk.is_calm() && !self.atlas.is_hurt(*member);
            is_sure && newest.is_some() && newest_on(member) == newest
        });
        let is_back = |member: usize| newest_on(&member) < newest;
        let went_back =
            self.before_set_back.iter().map(|(member, _)| *member).chain(self.atlas.hurt().iter());
        2 * knowing.count() <= members.len() && went_back.into_iter().any(is_back)
    }

    /// Puts the right disks back in the places of those that were set back; whether there were such.
    pub(super) fn puts_back(&mut self, array: &mut SimArray) -> bool {
        let mut any = false;
        for (member, mut disk) in core::mem::take(&mut self.before_set_back) {
            let there = array.disk_mut(self.places[member]);
            let label = |disk: &SimDisk| states::label_of(disk).map(|(_, identity)| identity.disk);
            let is_newer =
                label(&disk) == label(there) && states::newest_of(&disk) > states::newest_of(there);
            // Also one that was wiped before.
            if !is_newer && label(&disk).is_some() {
                continue;
            }
            if disk.geometry() == there.geometry() {
                there.roll_back(&disk);
            } else {
                disk.reopen();
                array.put(self.places[member], disk);
            }
            self.gone_back = self.gone_back.without(member);
            any = true;
        }
        any
    }

    /// Whether a mount that was cut short has noted already that the members lack something that were set
    /// back.
    pub(super) fn is_owed_already(&self, pool: &Mounted<'_>) -> bool {
        self.gone_back.iter().all(|member| pool.member_health(DiskIndex(self.places[member])).owed)
    }

    /// After a commit: what members lack that were set back and take part is owed to them.
    pub(super) fn owe_what_went_back(&mut self, pool: &Mounted<'_>) {
        let back = self.gone_back.and(self.atlas.members()).minus(self.offline(pool));
        self.gone_back = self.gone_back.minus(back);
        // Nothing is owed to one on which nothing lies.
        let is_used = |member: usize| {
            let health = pool.member_health(DiskIndex(self.places[member]));
            health.free_blocks < health.blocks
        };
        let holding = back.iter().filter(|&member| self.may_hold(member) && is_used(member));
        self.atlas.missed(holding.collect::<Set<usize>>());
        if !back.is_empty() {
            self.hit(Probe::SetBackNoticed);
        }
    }

    fn replace(&mut self, array: &mut SimArray, kind: FaultKind, member: usize, rng: &mut Rng) {
        let place = self.places[member];
        let geometry = array.disk(place).geometry();
        let stranger = match kind {
            FaultKind::Replaced => SimDisk::new(geometry, rng.next_u64()),
            FaultKind::ReplacedSmaller => array.disk(place).shortened(just_too_short(array.disk(place))),
            FaultKind::ExchangedDisk if rng.chance(1, 4) => SimDisk::new(geometry, rng.next_u64()),
            _ => foreign(geometry, rng),
        };
        if kind == FaultKind::ExchangedDisk {
            // No disk is exchanged faster than that.
            array.wait(EXCHANGE_US);
        }
        let is_of_a_pool = states::newest_of(&stranger).is_some();
        if kind == FaultKind::ExchangedDisk && is_of_a_pool {
            let counters = stranger.counters();
            self.strangers.push((member, counters.writes, counters.discards));
        }
        self.shelf[member] = Some(array.put(place, stranger));
    }

    /// Another pool's disk that was put into a place in use holds what it held: nothing was written to it.
    pub(super) fn check_strangers(&mut self, array: &mut SimArray) -> Result<(), Failure> {
        for (member, writes, discards) in std::mem::take(&mut self.strangers) {
            if self.shelf[member].is_none() {
                continue;
            }
            let disk = self.disk(array, member);
            if let Some(break_it) = self.breakage.on_stranger {
                break_it(disk);
            }
            let now = disk.counters();
            if (now.writes, now.discards) != (writes, discards) {
                let (writes, discards) = (now.writes - writes, now.discards - discards);
                let what = format!(
                    "{writes} writes and {discards} discards reached another pool's disk in the place of member {member}"
                );
                return Err(self.fail(FailureKind::WrongState, what));
            }
            self.hit(Probe::StrangerSpared);
        }
        Ok(())
    }

    /// Every disk that is away comes back, and no request is in for a mishap any more.
    pub(super) fn bring_back(&mut self, array: &mut SimArray) {
        for member in 0..self.members() {
            if let Some(disk) = self.shelf[member].take() {
                // A copy of it may have taken part meanwhile.
                let stood_in = array.put(self.places[member], disk);
                self.before_set_back.push((member, stood_in));
                self.tell(array, EventKind::Heal, Some(member), || "back in its place".into());
            }
            let latency = self.setup.latencies.get(member).copied().unwrap_or(Latency::NONE);
            let disk = self.disk(array, member);
            disk.plug();
            disk.calm();
            disk.set_latency(latency);
        }
    }

    /// Keeps images of the disks, to set them back to later.
    pub(super) fn take_images(&mut self, array: &SimArray) {
        for member in 0..self.members() {
            if self.shelf[member].is_none() {
                self.images[member] = Some(array.disk(self.places[member]).clone());
            }
        }
    }
}

/// Whether a fault changes what a disk holds without a trace in its superblocks: it is not known before it is
/// read.
const fn spoils(kind: FaultKind) -> bool {
    matches!(
        kind,
        FaultKind::Rot
            | FaultKind::RotBurst
            | FaultKind::LatentSector
            | FaultKind::LostWrite
            | FaultKind::MisdirectedWrite
            | FaultKind::FlushLie
            | FaultKind::Wiped
            // Under a running pool, which writes the next superblock over what would tell.
            | FaultKind::RolledBack
            | FaultKind::RegionRolledBack
            | FaultKind::WellFormedLie
    )
}

/// Why a disk's system takes no writes: half of the time it has no room.
const fn lacking(drawn: u64) -> IoError {
    if drawn.is_multiple_of(2) { IoError::NoSpace } else { IoError::Refused }
}

/// Does a fault to one disk; false when it could not be done.
fn afflict(disk: &mut SimDisk, kind: FaultKind, image: Option<&SimDisk>, rng: &mut Rng) -> bool {
    let geometry = disk.geometry();
    if geometry.sectors < 64 {
        return false;
    }
    let lba = draw_lba(geometry.sectors, rng);
    let some = *rng.pick(&[1, 1, 2, 5, 20]);
    match kind {
        FaultKind::Rot => {
            let at = lba * u64::from(geometry.sector_bytes) + rng.below(geometry.sector_bytes.into());
            disk.flip_bits(at, 1 << rng.below(8));
        }
        FaultKind::RotBurst => burst(disk, lba, rng),
        FaultKind::RotSuperblock => rot_superblocks(disk, rng),
        FaultKind::RotLabel => {
            let places = states::label_of(disk).map_or([0; 3], |(_, identity)| identity.label_places());
            disk.flip_bits(*rng.pick(&places) + rng.below(256), 0x10);
        }
        FaultKind::LatentSector => {
            disk.make_unreadable(lba..(lba + 1 + rng.below(16)).min(geometry.sectors));
        }
        FaultKind::ReadError => disk.fail_next(IoKind::Read, some, IoError::Media),
        FaultKind::ReadNoise => disk.mishap_next(IoKind::Read, some, Mishap::Lie),
        FaultKind::MisdirectedRead => disk.mishap_next(IoKind::Read, some, Mishap::Misdirect(lba)),
        FaultKind::WriteError => disk.fail_after(IoKind::Write, rng.below(30), IoError::Media),
        FaultKind::NoSpaceBelow if rng.chance(1, 4) => {
            disk.fail_after(IoKind::Flush, rng.below(4), lacking(lba));
        }
        FaultKind::NoSpaceBelow => {
            disk.mishap_after(IoKind::Write, rng.below(30), some, Mishap::Fail(lacking(lba)));
        }
        FaultKind::LostWrite => disk.mishap_after(IoKind::Write, rng.below(30), some, Mishap::Lie),
        FaultKind::MisdirectedWrite => {
            disk.mishap_after(IoKind::Write, rng.below(30), 1, Mishap::Misdirect(lba));
        }
        FaultKind::FlushError => disk.fail_after(IoKind::Flush, rng.below(4), IoError::Media),
        FaultKind::FlushLie => disk.mishap_next(IoKind::Flush, some * 4, Mishap::Lie),
        FaultKind::Timeout => {
            let kind = *rng.pick(&[IoKind::Read, IoKind::Write, IoKind::Flush]);
            disk.fail_after(kind, rng.below(10), IoError::Timeout);
        }
        FaultKind::Stall => disk.mishap_next(IoKind::Read, some, Mishap::Stall(3_000_000)),
        FaultKind::SlowDisk => {
            disk.set_latency(Latency { request_us: SLOW_US, ..disk.latency() });
        }
        FaultKind::WriteProtected => disk.set_read_only(true),
        FaultKind::Unplugged => disk.unplug(),
        FaultKind::Wiped => disk.wipe(),
        FaultKind::Enlarged => disk.resize(geometry.sectors + 1 + rng.below(geometry.sectors / 4)),
        FaultKind::RolledBack => match image {
            Some(image) if image.geometry() == geometry => disk.roll_back(image),
            _ => return false,
        },
        FaultKind::RegionRolledBack => match image {
            Some(image) if image.geometry() == geometry => {
                disk.roll_back_region(image, lba..(lba + 1 + rng.below(64)).min(geometry.sectors));
            }
            _ => return false,
        },
        FaultKind::WellFormedLie => return super::lies::tell(disk, rng),
        _ => return false,
    }
    true
}

/// An address: anywhere, or where things are.
fn draw_lba(sectors: u64, rng: &mut Rng) -> u64 {
    let reach = (sectors >> rng.below(6)).max(1);
    let lba = rng.below(reach);
    // The second ring and label are at the end.
    if rng.chance(1, 10) { sectors - 1 - lba } else { lba }
}

/// Turns up to four sectors to noise.
fn burst(disk: &mut SimDisk, lba: u64, rng: &mut Rng) {
    let geometry = disk.geometry();
    let sector = u64::from(geometry.sector_bytes);
    let end = (lba + 1 + rng.below(4)).min(geometry.sectors) * sector;
    let mut at = lba.min(geometry.sectors) * sector + rng.below(sector);
    while at < end {
        disk.flip_bits(at, 1 << rng.below(8));
        at += 1 + rng.below(64);
    }
}

/// Sectors of a copy that is a sector too short for what is on the disk.
fn just_too_short(disk: &SimDisk) -> u64 {
    let Geometry { sectors, sector_bytes, .. } = disk.geometry();
    let needed = states::label_of(disk)
        .map_or(sectors, |(pool, identity)| identity.bytes_needed(&pool) / u64::from(sector_bytes));
    needed.min(sectors) - 1
}

/// Rots the newest superblock in one ring or both, or some of the newest.
fn rot_superblocks(disk: &mut SimDisk, rng: &mut Rng) {
    let count = *rng.pick(&[1, 2, 2, 4, 6]);
    for slot in states::slots_of(disk).into_iter().take(count) {
        disk.flip_bits(slot.at + rng.below(slot.bytes.min(384)), 1 << rng.below(8));
    }
}

/// A disk of some other pool.
fn foreign(geometry: Geometry, rng: &mut Rng) -> SimDisk {
    use crate::world::{Lent, SERVICES};
    use dynamicfs_core::types::Scheme;
    use dynamicfs_core::{FormatOptions, Pool};
    let mut array = SimArray::new(rng.next_u64(), [geometry]);
    let options = FormatOptions::portable(Scheme::SINGLE)
        .node_bytes(geometry.sector_bytes)
        .block_bytes(geometry.sector_bytes.max(geometry.tear_unit))
        .chunk_bytes(geometry.sector_bytes);
    let mut lent = Lent::new(1 << 20);
    // A disk too small for a pool of its own is an empty one.
    let _ = Pool::format(&mut array, lent.lend(), SERVICES, rng, &options, &[]);
    array.take(0)
}
