//! A pool that is full and then loses a member: deleting goes on, with what was kept back for it.
//!
//! (A member that is left alone holds two replicas of each node. What was kept back doubled when that came
//! about, in a pool that had nothing left to keep back. Of full pools on two disks, every fifth could delete
//! nothing any more once one of them was away.)

use dynamicfs_core::error::{Error, StorageError};
use dynamicfs_core::maintain::Work;
use dynamicfs_core::pool::DiskOptions;
use dynamicfs_core::types::{ObjectId, Scheme};
use dynamicfs_core::{FormatOptions, MountOptions, Pool};
use dynamicfs_hal::{DiskArray, Geometry};
use dynamicfs_sim::world::{Lent, SERVICES, put_file};
use dynamicfs_sim::{Rng, SimArray};

const NO_SPACE: Error = Error::Storage(StorageError::NoSpace);

/// Files that find no space, each shorter than the one before, until a pool counts as full.
const REFUSED: usize = 6;

/// Steps of upkeep after which a pool that finds no space is asked to delete again.
const UPKEEP: usize = 200;

/// Files of random lengths until there is no space: their names.
fn fill<A: DiskArray>(pool: &mut Pool<'_, A>, most: u64, rng: &mut Rng) -> Vec<String> {
    let (mut names, mut refused) = (Vec::new(), 0);
    while refused < REFUSED {
        let length = (most / 20 + rng.below(most)) as usize >> refused;
        let name = format!("file-{}-{refused}", names.len());
        match put_file(pool, &name, &vec![names.len() as u8; length]) {
            Ok(_) => names.push(name),
            Err(NO_SPACE) => refused += 1,
            Err(error) => panic!("{name}: {error}"),
        }
    }
    names
}

fn unlink<A: DiskArray>(pool: &mut Pool<'_, A>, name: &str) -> Result<(), Error> {
    let mut transaction = pool.begin()?;
    transaction.unlink(ObjectId::ROOT, name.as_bytes())?;
    transaction.commit().map(|_| ())
}

/// Fills a pool on these disks, loses one, and deletes everything.
fn run(options: &FormatOptions, sectors: u64, members: &[DiskOptions], most: u64) {
    let what = format!("one of {} disks away of {sectors} sectors, files up to {most}", members.len());
    let mut rng = Rng::new(sectors);
    let mut lent = Lent::new(1 << 20);
    let mut world = SimArray::new(sectors, vec![Geometry::new(512, sectors); members.len()]);
    let mut pool =
        Pool::format(&mut world, lent.lend(), SERVICES, &mut rng, options, members).expect("formatted");
    let names = fill(&mut pool, most, &mut rng);
    while pool.maintain(true).unwrap_or_else(|error| panic!("{what}: maintain: {error}")) != Work::Nothing {}
    drop(pool);
    world.disk_mut(1).unplug();
    pool = Pool::mount(&mut world, lent.lend(), SERVICES, &MountOptions::default())
        .unwrap_or_else(|error| panic!("{what}: {error}"));
    for name in &names {
        while let Err(error) = unlink(&mut pool, name) {
            assert_eq!(error, NO_SPACE, "{what}: {name}");
            let worked =
                (0..UPKEEP).filter(|_| matches!(pool.maintain(true), Ok(work) if work != Work::Nothing));
            assert!(worked.count() > 0, "{what}: {name} cannot be deleted, and nothing makes room");
        }
    }
    while pool.maintain(true).unwrap_or_else(|error| panic!("{what}: {error}")) != Work::Nothing {}
    assert_eq!(pool.health().objects, 1, "{what}");
}

#[test]
fn a_full_pool_deletes_although_one_of_its_two_disks_is_away() {
    let options = FormatOptions::portable(Scheme::mirror(2)).members_max(8);
    let witness = DiskOptions::new().witness(true);
    let members = [DiskOptions::default(), DiskOptions::default(), witness];
    for sectors in (2400..12_000).step_by(800) {
        run(&options, sectors, &members, 6000);
    }
}
