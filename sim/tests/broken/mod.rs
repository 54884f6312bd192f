//! The checkers are checked: worlds that are broken so that a correct core behaves as a broken one. Each must be
//! noticed within so many seeds, and called what it is.
//!
//! `cargo test -p dynamicfs-sim --test suite -- broken --nocapture` prints the table: bug, seeds needed, what
//! was reported.

mod ways;

use dynamicfs_sim::simulation::{Breakage, FailureKind, FaultKind, Faults, Setup, Simulation};
use dynamicfs_sim::{Rng, Sabotage, SimArray};
use ways::{
    blind, breaks, commit_early, cut_off, empty_disks, forge_quorum, forget_replicas, forget_what_was_missed,
    give_away, go_back, hardly_looks, hide_pool, hide_the_copy, leak, let_a_stranger_in, lose_a_piece,
    lose_cursors, lose_labels, lose_what_is_new, pause_rebuild, put_on_one_member, repair_wrongly, resize,
    reuse_early, rot, tell_by_place, write_nothing, write_somewhere,
};

/// One way to be broken.
struct Bug {
    what: &'static str,
    breakage: Breakage,
    faults: Faults,
    /// What may be reported.
    called: &'static [FailureKind],
    /// Seeds within which it must be.
    seeds: u64,
}

use FailureKind::{
    Health, Lost, NotRefused, Panic, Redundancy, Restless, Space, Unavailable, WrongAnswer, WrongState,
};

/// What was acknowledged is not there any more.
const LOST: &[FailureKind] = &[WrongState, Lost, Unavailable];
/// What was written is not what is read.
const DAMAGED: &[FailureKind] = &[WrongState, WrongAnswer, Lost, Unavailable, Health];

/// What is read is not what is there, and no checksum tells.
const UNREAD: &[FailureKind] = &[WrongState, WrongAnswer, Lost, Unavailable, Health, Space];
/// A disk holds bytes that were never written to it, and the atlas knows of no damage.
const STRANGE: &[FailureKind] = &[WrongState, Lost, Space, Unavailable];

fn sabotage(sabotage: Sabotage) -> Breakage {
    Breakage { sabotage: Some(sabotage), ..Breakage::default() }
}

/// Reads that lie, to a pool that compares no checksums.
fn unread(lie: Sabotage) -> Breakage {
    Breakage { crc32c: Some(blind), ..sabotage(lie) }
}

fn meddle(meddle: fn(&mut SimArray, &mut Rng)) -> Breakage {
    Breakage { meddle: Some(meddle), ..Breakage::default() }
}

fn bugs() -> Vec<Bug> {
    let crashes = Faults::crashes();
    let split = Faults::only([FaultKind::Override]);
    let none = Faults::none();
    let bug = |what, breakage, faults, called, seeds| Bug { what, breakage, faults, called, seeds };
    vec![
        bug("no flush is done", sabotage(Sabotage::FlushesLie), crashes, LOST, 5),
        bug("no flush before the superblocks", sabotage(Sabotage::DataFlushSkipped), crashes, LOST, 40),
        bug("superblocks before the data", sabotage(Sabotage::SuperblockFirst), crashes, LOST, 40),
        bug(
            "acknowledged before the superblocks are durable",
            sabotage(Sabotage::AcknowledgedEarly),
            crashes,
            DAMAGED,
            20,
        ),
        bug(
            "a failed flush is retried and trusted",
            sabotage(Sabotage::FailedFlushTrusted),
            crashes,
            LOST,
            40,
        ),
        bug("a failed write is trusted", sabotage(Sabotage::FailedWriteTrusted), none, DAMAGED, 20),
        bug("a lack of room below is ignored", sabotage(Sabotage::FullTrusted), none, DAMAGED, 20),
        bug("writes are lost", sabotage(Sabotage::WritesLost), none, DAMAGED, 20),
        bug("writes are misdirected", sabotage(Sabotage::WritesMisdirected), none, DAMAGED, 40),
        bug(
            "checksums are not compared",
            Breakage { crc32c: Some(hardly_looks), ..meddle(rot) },
            none,
            // A node may rot out of shape.
            &[WrongState, WrongAnswer, Lost],
            20,
        ),
        bug(
            "the checksum's code is broken",
            Breakage { crc32c: Some(breaks), ..Breakage::default() },
            none,
            &[Panic],
            20,
        ),
        bug("an older superblock is chosen", meddle(go_back), none, &[WrongState], 20),
        // Or half of it is too little to be read.
        bug("half a pool is let in", breaks_split(), split, &[NotRefused, Unavailable], 60),
        bug(
            "space is reused a generation early",
            Breakage { in_transaction: Some(reuse_early), ..Breakage::default() },
            crashes,
            &[WrongState, WrongAnswer, Lost, Space, Unavailable],
            60,
        ),
        bug(
            "a cursor is lost at a crash",
            meddle(lose_cursors),
            crashes,
            &[Space, Lost, WrongState, Unavailable],
            20,
        ),
        bug(
            "a repair writes wrong bytes",
            Breakage { before_repair: Some(repair_wrongly), ..Breakage::default() },
            Faults::only([FaultKind::Rot, FaultKind::RotBurst, FaultKind::Scattered]),
            &[Lost, Unavailable, Restless, WrongState],
            200,
        ),
        bug("a failed read is trusted", unread(Sabotage::FailedReadTrusted), none, UNREAD, 20),
        bug("a read is misdirected", unread(Sabotage::ReadsMisdirected), none, UNREAD, 20),
        bug("a block in use is discarded", sabotage(Sabotage::DiscardsTooMuch), none, DAMAGED, 60),
        bug("write protection is ignored", sabotage(Sabotage::RefusedWritesTrusted), none, DAMAGED, 20),
        bug("a timeout is ignored", sabotage(Sabotage::TimeoutTrusted), none, DAMAGED, 20),
        bug(
            "slow requests are abandoned",
            sabotage(Sabotage::SlowGivenUp),
            Faults::only([FaultKind::Stall, FaultKind::SlowDisk]),
            &[Health, Unavailable, Lost],
            60,
        ),
        bug(
            "the caches of a dead process are trusted",
            sabotage(Sabotage::DataFlushSkipped),
            Faults::only([FaultKind::ProcessCrash, FaultKind::PowerCut]),
            LOST,
            60,
        ),
        bug("a stale disk is taken for current", meddle(forget_what_was_missed), none, STRANGE, 20),
        bug(
            "data in new space is lost",
            meddle(lose_what_is_new),
            Faults::only([FaultKind::Enlarged]),
            &[Health, WrongState, Lost, Space, Unavailable],
            200,
        ),
        bug("a foreign disk is let in", meddle(let_a_stranger_in), none, STRANGE, 20),
        bug("members are identified by their places", meddle(tell_by_place), none, STRANGE, 20),
        bug(
            "a label's second copy is not read",
            meddle(lose_labels),
            none,
            &[Health, Unavailable, WrongState],
            20,
        ),
        bug(
            "a copied disk is let in",
            Breakage { before_clone: Some(hide_the_copy), ..Breakage::default() },
            Faults::only([FaultKind::Cloned]),
            &[NotRefused],
            60,
        ),
        bug("a block is leaked", meddle(leak), none, &[Space], 20),
        bug("a block is given away twice", meddle(give_away), none, &[Space, Lost, WrongState], 20),
        bug("an inode is not what was written", meddle(resize), none, &[WrongState, Lost, Space], 20),
        bug("two fragments are on one member", meddle(put_on_one_member), none, &[Redundancy], 20),
        bug("a node is on too few members", meddle(forget_replicas), none, &[Redundancy, Health], 20),
        bug(
            "failure domains are ignored",
            Breakage { hides_domains: true, ..Breakage::default() },
            none,
            &[Redundancy],
            300,
        ),
        bug(
            "a rebuild does not write the data that it reports",
            Breakage { before_rebuild: Some(write_nothing), ..Breakage::default() },
            Faults::only([FaultKind::Unplugged]),
            &[Redundancy, Lost, Restless],
            200,
        ),
        bug(
            "the debt of a member is forgotten",
            Breakage { at_rest: Some(pause_rebuild), ..Breakage::default() },
            Faults::only([FaultKind::Unplugged]),
            &[Restless],
            200,
        ),
        bug(
            "a pool that is called whole is not",
            Breakage { before_loss: Some(empty_disks), ..Breakage::default() },
            none,
            &[Lost, Unavailable, WrongState],
            40,
        ),
        bug("extents are left behind an object's end", meddle(cut_off), none, &[Space], 40),
        bug("a piece belongs to nothing", meddle(lose_a_piece), none, &[Space], 40),
        bug(
            "a mount's flushes are left out",
            sabotage(Sabotage::MountFlushSkipped),
            Faults::only([FaultKind::ProcessCrash, FaultKind::PowerCut, FaultKind::IdleMount]),
            // What only one disk shows any more is called tentative.
            &[WrongState, Lost, Unavailable, Health],
            400,
        ),
        bug(
            "superblocks that failed are trusted",
            sabotage(Sabotage::FailedSuperblockTrusted),
            Faults::only([FaultKind::SuperblockBatchFails, FaultKind::PowerCut]),
            &[WrongState, WrongAnswer, Lost, Unavailable, Health],
            60,
        ),
        bug(
            "an exchanged disk is written to",
            Breakage { on_stranger: Some(write_somewhere), ..Breakage::default() },
            Faults::only([FaultKind::ExchangedDisk]),
            &[WrongState],
            60,
        ),
        bug(
            "the commits of two users are both acknowledged",
            Breakage { apart: true, ..Breakage::default() },
            Faults::only([FaultKind::SecondWriter]),
            &[WrongState, Lost, Unavailable],
            60,
        ),
        bug(
            "an existing pool is formatted at a start",
            Breakage { before_start: Some(hide_pool), ..Breakage::default() },
            Faults::only([FaultKind::FirstFormatCut, FaultKind::PowerCut]),
            &[WrongState],
            60,
        ),
        bug(
            "a call inside a transaction commits it",
            Breakage { in_transaction: Some(commit_early), ..Breakage::default() },
            Faults::only([FaultKind::Misuse]),
            &[WrongState, WrongAnswer, Unavailable],
            20,
        ),
    ]
}

/// What is checked beside the faults, and the broken world that shows it.
const CHECKS: [(&str, &str); 8] = [
    ("fragments on distinct members", "two fragments are on one member"),
    ("replicas on distinct members", "a node is on too few members"),
    ("failure domains kept", "failure domains are ignored"),
    ("a cleared member is proved", "a rebuild does not write the data that it reports"),
    ("at rest nothing is owed", "the debt of a member is forgotten"),
    ("whole means whole", "a pool that is called whole is not"),
    ("nothing behind an object's end", "extents are left behind an object's end"),
    ("no stray pieces", "a piece belongs to nothing"),
];

fn breaks_split() -> Breakage {
    Breakage { before_split: Some(forge_quorum), ..Breakage::default() }
}

#[test]
fn every_broken_world_is_noticed() {
    let mut missed = Vec::new();
    println!("| bug | seeds needed | reported |");
    println!("|---|---|---|");
    for bug in bugs() {
        let found = (0..bug.seeds).find_map(|seed| {
            let run = Simulation::new(seed).faults(bug.faults).broken(bug.breakage).run();
            run.err().map(|failure| (seed + 1, failure))
        });
        match found {
            Some((seeds, failure)) => {
                let what: String = failure.what.lines().next().unwrap_or_default().chars().take(90).collect();
                println!("| {} | {seeds} | {}: {what} |", bug.what, failure.kind.name());
                if !bug.called.contains(&failure.kind) {
                    missed.push(format!("{} is called {:?}", bug.what, failure.kind));
                }
            }
            None => missed.push(format!("{} is not noticed within {} seeds", bug.what, bug.seeds)),
        }
    }
    assert!(missed.is_empty(), "{missed:#?}");
}

/// Which broken world shows that a fault would be noticed if it were not borne.
fn broken_world_of(kind: FaultKind) -> &'static str {
    match kind {
        FaultKind::PowerCut | FaultKind::FlushLie => "no flush is done",
        FaultKind::TornWrite => "superblocks before the data",
        FaultKind::ProcessCrash => "the caches of a dead process are trusted",
        FaultKind::NestedCrash => "no flush before the superblocks",
        FaultKind::Rot | FaultKind::RotBurst => "checksums are not compared",
        FaultKind::Scattered | FaultKind::Correlated => "a repair writes wrong bytes",
        FaultKind::RotSuperblock | FaultKind::RolledBack => "an older superblock is chosen",
        FaultKind::RotLabel => "a label's second copy is not read",
        FaultKind::LatentSector | FaultKind::ReadError | FaultKind::ReadNoise => "a failed read is trusted",
        FaultKind::MisdirectedRead => "a read is misdirected",
        FaultKind::WriteError => "a failed write is trusted",
        FaultKind::NoSpaceBelow => "a lack of room below is ignored",
        FaultKind::LostWrite => "writes are lost",
        FaultKind::MisdirectedWrite => "writes are misdirected",
        FaultKind::FlushError => "a failed flush is retried and trusted",
        FaultKind::Timeout => "a timeout is ignored",
        FaultKind::Stall | FaultKind::SlowDisk => "slow requests are abandoned",
        FaultKind::WriteProtected => "write protection is ignored",
        FaultKind::Unplugged | FaultKind::RegionRolledBack | FaultKind::SetBack => {
            "a stale disk is taken for current"
        }
        FaultKind::Replaced | FaultKind::ReplacedSmaller | FaultKind::Foreign | FaultKind::Wiped => {
            "a foreign disk is let in"
        }
        FaultKind::Cloned => "a copied disk is let in",
        FaultKind::Swapped => "members are identified by their places",
        FaultKind::NoSpace => "a block is leaked",
        FaultKind::Override => "half a pool is let in",
        FaultKind::WellFormedLie => "an inode is not what was written",
        FaultKind::LostInRecovery => "a stale disk is taken for current",
        FaultKind::SuperblockBatchFails => "superblocks that failed are trusted",
        FaultKind::IdleMount => "a mount's flushes are left out",
        FaultKind::ExchangedDisk => "an exchanged disk is written to",
        FaultKind::SecondWriter => "the commits of two users are both acknowledged",
        FaultKind::FirstFormatCut => "an existing pool is formatted at a start",
        FaultKind::ChoiceCut => "half a pool is let in",
        FaultKind::Enlarged => "data in new space is lost",
        FaultKind::Misuse => "a call inside a transaction commits it",
        other => panic!("{other:?} has no broken world yet"),
    }
}

/// Each fault has a broken world, and the document has the table of them.
#[test]
fn every_fault_has_a_broken_world() {
    let document = include_str!("../../../docs/SIMULATION.md");
    let bugs = bugs();
    for &kind in FaultKind::ALL {
        let world = broken_world_of(kind);
        assert!(bugs.iter().any(|bug| bug.what == world), "{kind:?}: there is no world in which {world}");
        let row = format!("| {} | {world} |", kind.name());
        assert!(document.contains(&row), "docs/SIMULATION.md lacks\n{row}");
    }
}

/// Each check has a broken world, and the document has the table of them.
#[test]
fn every_check_has_a_broken_world() {
    let document = include_str!("../../../docs/SIMULATION.md");
    let bugs = bugs();
    for (check, world) in CHECKS {
        assert!(bugs.iter().any(|bug| bug.what == world), "{check}: there is no world in which {world}");
        let row = format!("| {check} | {world} |");
        assert!(document.contains(&row), "docs/SIMULATION.md lacks\n{row}");
    }
}

/// The same seeds in a world that is not broken: whatever is noticed above is noticed for its own sake.
#[test]
fn sound_worlds_with_the_same_seeds_are_called_sound() {
    for bug in bugs() {
        for seed in 0..bug.seeds.min(20) {
            let run = Simulation::new(seed).faults(bug.faults).run();
            run.unwrap_or_else(|failure| panic!("without {}: {failure}", bug.what));
        }
    }
}

/// A workload that does not depend on the seed alone is noticed by running it twice.
#[test]
fn what_is_not_deterministic_is_noticed() {
    use dynamicfs_sim::simulation::Workload;
    use std::hash::{BuildHasher, RandomState};
    let random: dynamicfs_sim::simulation::NextOperation = |model, scale, rng| {
        let mut other = Rng::new(RandomState::new().hash_one(rng.next_u64()));
        dynamicfs_sim::workload::random(model, scale, &mut |n| other.below(n.max(1)))
    };
    let run = |next| {
        let workload = Workload { next, ..Workload::steps(20) };
        let pool = Setup::small(dynamicfs_core::types::Scheme::mirror(2), 3);
        let report = Simulation::new(1).pool(pool).faults(Faults::none()).workload(workload).run();
        report.unwrap_or_else(|failure| panic!("{failure}")).trace_hash
    };
    let plain = Workload::default().next;
    assert_eq!(run(plain), run(plain));
    assert_ne!(run(random), run(random));
}
