//! Names whose hashes are equal.

use super::*;
use dynamicfs_core::ReadObjects;
use dynamicfs_sim::colliding::{Meeting, NAMES};

fn world() -> World {
    let mut array = SimArray::new(1, vec![Geometry::new(512, 4096); 2]);
    let mut lent = Lent::new(MEMORY);
    let options = FormatOptions::portable(Scheme::mirror(2));
    let mut entropy = Meeting::new(Rng::new(9));
    Pool::format(&mut array, lent.lend(), SERVICES, &mut entropy, &options, &[]).expect("formatted");
    World { array, lent }
}

/// Two attributes are set in turn, each of several pieces. Each was put behind the other, until there was no
/// place left behind, though all but one was free.
#[test]
fn attributes_of_one_hash_are_replaced_again_and_again() {
    let mut world = world();
    world.put("file", 100);
    let mut pool = world.mount();
    let file = pool.resolve(b"file").expect("there");
    for n in 0..300_usize {
        let mut transaction = pool.begin().expect("begun");
        let name = NAMES[0][n % 2].as_bytes();
        transaction
            .set_attribute(file, name, &[n as u8; 1000])
            .unwrap_or_else(|error| panic!("set {n}: {error}"));
        transaction.commit().expect("committed");
    }
    for n in [298_usize, 299] {
        let mut value = [0; 1001];
        assert_eq!(pool.attribute(file, NAMES[0][n % 2].as_bytes(), &mut value), Ok(1000));
        assert_eq!(value[..1000], [n as u8; 1000]);
    }
}

/// Two files are saved in turn as programs save files: written under another name and renamed.
#[test]
fn files_of_one_hash_are_saved_again_and_again() {
    let mut world = world();
    let mut pool = world.mount();
    for n in 0..600_usize {
        put(&mut pool, "saved", 10).expect("written");
        let mut transaction = pool.begin().expect("begun");
        let to = (ObjectId::ROOT, NAMES[0][n % 2].as_bytes());
        let renamed = transaction.rename((ObjectId::ROOT, b"saved"), to, true);
        renamed.unwrap_or_else(|error| panic!("save {n}: {error}"));
        transaction.commit().expect("committed");
    }
    assert_eq!(NAMES[0].map(|name| pool.resolve(name.as_bytes()).is_ok()), [true; 2]);
}
