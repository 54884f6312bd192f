//! The promise of health is tested. At every moment of a job as many disks are lost as it says, whichever,
//! and everything can be read. Also after the power went in the middle.

use super::*;
use dynamicfs_core::ReadObjects;
use dynamicfs_core::types::DiskIndex;

const LITTLE: usize = 100 << 10;
const FILES_THERE: [(&str, usize); 4] =
    [("inline", 60), ("block", 4096), ("large", 40_000), ("again", 20_000)];

/// Pools that are as small as their schemes allow while half of the disks stay when as many are lost as are borne.
const POOLS: [(Scheme, usize); 5] = [
    (Scheme::mirror(2), 3),
    (Scheme::mirror(2), 4),
    (Scheme::mirror(3), 5),
    (Scheme { data: 2, parity: 1 }, 4),
    (FOUR_TWO, 7),
];

/// What is begun in a pool.
#[derive(Clone, Copy, Debug)]
enum Task {
    /// A disk is back that missed something.
    Return,
    /// Two disks were away, one after the other.
    ReturnOfTwo,
    /// A member is given up.
    GiveUp,
    /// A member is emptied, and leaves.
    Drain,
    /// Places are wrong on one disk.
    Scrub,
    /// Everything is to be stored as copies, or in stripes.
    OtherScheme,
    /// A new disk is filled.
    Spread,
}

const TASKS: [Task; 7] = [
    Task::Return,
    Task::ReturnOfTwo,
    Task::GiveUp,
    Task::Drain,
    Task::Scrub,
    Task::OtherScheme,
    Task::Spread,
];

fn put_rest(world: &mut World) {
    world.put("large", 40_000);
    world.put("again", 20_000);
}

fn world(task: Task, (scheme, disks): (Scheme, usize)) -> World {
    let mut world = World::new(scheme, disks, LITTLE);
    world.put("inline", 60);
    world.put("block", 4096);
    match task {
        Task::Return => {
            world.unplug(&[1]);
            put_rest(&mut world);
            world.plug(&[1]);
        }
        Task::ReturnOfTwo => {
            world.unplug(&[1]);
            world.put("large", 40_000);
            world.plug(&[1]);
            rest(&mut world.mount());
            world.unplug(&[0]);
            world.put("again", 20_000);
            world.plug(&[0]);
        }
        Task::Scrub => {
            put_rest(&mut world);
            let mut pool = world.mount();
            let (_, fragments) = first_extent(&mut pool, "large");
            drop(pool);
            let disk = world.array.disk_mut(fragments[0].address.member.0.into());
            disk.flip_bits(byte_of(&fragments[0]) + 100, 0x10);
        }
        Task::Spread => {
            put_rest(&mut world);
            new_disk(&mut world, 2048);
        }
        _ => put_rest(&mut world),
    }
    world
}

fn begin(task: Task, (scheme, disks): (Scheme, usize), pool: &mut Mounted<'_>) {
    match task {
        Task::Return | Task::ReturnOfTwo => {}
        Task::GiveUp => pool.shut_member(MemberNumber(1), true).expect("given up"),
        Task::Drain => pool.drain_member(MemberNumber(1), true).expect("begun"),
        Task::Scrub => _ = pool.start_job(JobKind::Scrub, JobOptions::default()).expect("started"),
        Task::OtherScheme => {
            let parity = scheme.parity;
            let data = if scheme.data == 1 && disks > usize::from(parity) + 1 { 2 } else { 1 };
            for (name, _) in FILES_THERE {
                let file = pool.resolve(name.as_bytes()).expect("it is there");
                let mut transaction = pool.begin().expect("begun");
                let change = Change::new().scheme(Scheme { data, parity });
                transaction.change_attributes(file, &change).expect("changed");
                transaction.commit().expect("committed");
            }
            pool.start_job(JobKind::Rebalance, JobOptions::default()).expect("started");
        }
        Task::Spread => {
            add(pool, disks, false);
            pool.start_job(JobKind::Rebalance, JobOptions::default()).expect("started");
        }
    }
}

/// All sets of so many of these.
fn subsets(of: &[usize], count: usize) -> Vec<Vec<usize>> {
    if count == 0 {
        return vec![Vec::new()];
    }
    let begin_with = |at: usize| {
        let rest = subsets(&of[at + 1..], count - 1);
        rest.into_iter().map(move |rest| [vec![of[at]], rest].concat())
    };
    (0..of.len()).flat_map(begin_with).collect()
}

/// As many disks are lost as health says.
fn expect_promise(pool: &mut Mounted<'_>, what: &str) -> usize {
    let borne = pool.health().read_tolerance;
    let count = pool.internals().store.tree.disks.count();
    let online: Vec<usize> =
        (0..count).filter(|&d| pool.member_health(DiskIndex(d)).status == DiskStatus::Online).collect();
    let array = pool.array().clone();
    for lost in subsets(&online, borne) {
        let mut world = World { array: array.clone(), lent: Lent::new(LITTLE) };
        world.unplug(&lost);
        // Half of them may be gone: an operator says so then.
        let refused = world.try_mount(MountMode::ReadWrite).is_err();
        let mode = if refused { MountMode::AssumeMissingDead { branch: 3 } } else { MountMode::ReadWrite };
        let mut pool =
            world.try_mount(mode).unwrap_or_else(|error| panic!("{what}, without {lost:?}: {error}"));
        for (name, length) in FILES_THERE {
            let file =
                pool.resolve(name.as_bytes()).unwrap_or_else(|error| panic!("{what}, {lost:?}: {error}"));
            let mut bytes = vec![0; length];
            let read = pool.read(file, 0, &mut bytes);
            assert_eq!(read, Ok(length), "{what}, without {lost:?}: {name}");
            assert!(bytes == contents(name, length), "{what}, without {lost:?}: {name}: wrong bytes");
        }
    }
    borne
}

/// A pool at rest is as redundant as it was made to be.
fn expect_rest(pool: &mut Mounted<'_>, tolerance: usize, what: &str) {
    rest(pool);
    assert_eq!(pool.health().owed, 0, "{what}");
    assert_eq!(expect_promise(pool, what), tolerance, "{what}");
}

#[test]
fn as_many_disks_as_health_says_may_be_lost_at_every_step_of_a_job() {
    for (task, pool_of) in TASKS.into_iter().flat_map(|task| POOLS.map(|pool| (task, pool))) {
        if matches!(task, Task::Drain | Task::GiveUp) && pool_of.1 <= usize::from(pool_of.0.parity) + 1 {
            continue;
        }
        let mut world = world(task, pool_of);
        let mut pool = world.mount();
        begin(task, pool_of, &mut pool);
        for step in 0..200 {
            let what = format!("{task:?} of {} on {}, step {step}", pool_of.0, pool_of.1);
            // Rot that no read has met is in no promise.
            if !matches!(task, Task::Scrub) {
                expect_promise(&mut pool, &what);
            }
            if pool.maintain(true).expect("maintained") == Work::Nothing {
                break;
            }
        }
        let what = format!("{task:?} of {} on {}, at rest", pool_of.0, pool_of.1);
        expect_rest(&mut pool, pool_of.0.parity.into(), &what);
    }
}

#[test]
fn as_many_disks_as_health_says_may_be_lost_after_the_power_went_in_a_job() {
    let mut rng = Rng::new(11);
    for (task, pool_of) in
        TASKS.into_iter().flat_map(|task| [POOLS[0], POOLS[2], POOLS[3]].map(|pool| (task, pool)))
    {
        if matches!(task, Task::Scrub) {
            continue;
        }
        let base = world(task, pool_of);
        for cut in (0..).step_by(29) {
            let mut world = base.fork(LITTLE);
            let mut pool = world.mount();
            begin(task, pool_of, &mut pool);
            let at = pool.array().steps() + cut;
            pool.array().halt_at(at, Halt::PowerCut);
            while matches!(pool.maintain(true), Ok(work) if work != Work::Nothing) {}
            let is_over = pool.array().halted().is_none();
            drop(pool);
            if is_over {
                break;
            }
            world.array.power_cycle(CrashPolicy::Torn, &mut rng);
            let what = format!("{task:?} of {} on {}, cut {cut}", pool_of.0, pool_of.1);
            let mut pool = world.mount();
            expect_promise(&mut pool, &what);
            expect_rest(&mut pool, pool_of.0.parity.into(), &what);
        }
    }
}

/// A member was removed with what it held, and two disks are too few for three replicas. The rebuild is over,
/// and something is short all the same. That is remembered, and a disk that is added later is given what is
/// missing.
#[test]
fn what_was_short_for_want_of_disks_is_made_up_for_when_there_is_one() {
    let mut world = filled(Scheme::mirror(3), 3);
    let place = new_disk(&mut world, 2048);
    let mut pool = world.mount();
    pool.remove_member(MemberNumber(2), true).expect("removed");
    rest(&mut pool);
    let extents = counts(&mut pool);
    assert!(extents.readable > 0 && extents.unreadable == 0, "{extents:?}");
    drop(pool);
    let mut pool = world.mount();
    add(&mut pool, place, false);
    rest(&mut pool);
    expect_whole(&mut pool, "on three disks again");
    expect_files(&mut pool);
}
