//! Names whose hashes are equal.

use super::*;
use dynamicfs_core::{DirectoryCursor, ReadObjects, Transaction};
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
            .set_attribute(file, name, &[n as u8; 1000], AttributeMode::CreateOrReplace)
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
        let renamed = transaction.rename((ObjectId::ROOT, b"saved"), to, RenameMode::Replace);
        renamed.unwrap_or_else(|error| panic!("save {n}: {error}"));
        transaction.commit().expect("committed");
    }
    assert_eq!(NAMES[0].map(|name| pool.resolve(name.as_bytes()).is_ok()), [true; 2]);
}

/// What changes a directory between two calls of a cursor: names that stay keep their objects or are given
/// others.
fn change(transaction: &mut Transaction<'_, '_, &mut SimArray>, staying: &[Vec<u8>], rng: &mut Rng) {
    let root = ObjectId::ROOT;
    let passing = |n: u64| match n {
        0..3 => NAMES[n as usize][0].as_bytes().to_vec(),
        n => format!("passing {n}").into_bytes(),
    };
    let (one, other) = (passing(rng.below(8)), passing(rng.below(8)));
    // Mostly those whose places others may take.
    let stays = staying[rng.below(*rng.clone().pick(&[3, 3, 12])) as usize].clone();
    let too = rng.pick(staying).clone();
    let done = match rng.below(6) {
        0 | 1 => transaction.create(root, &one, &MakeRequest::File, &PLAIN).map(drop),
        2 => transaction.unlink(root, &one),
        3 => transaction.rename((root, &one), (root, &other), RenameMode::Replace),
        4 => transaction.rename((root, &one), (root, &stays), RenameMode::Replace),
        _ => transaction.rename((root, &too), (root, &stays), RenameMode::Exchange),
    };
    assert!(matches!(done, Ok(()) | Err(Error::NotFound | Error::Exists)), "{done:?}");
}

/// A name that was given another object moved to the first free place of its hash. A listing that had passed
/// that place missed it.
#[test]
fn a_cursor_meets_each_name_that_stays_once() {
    let mut moved = 0;
    for seed in 0..60 {
        let mut world = world();
        let mut pool = world.mount();
        let mut rng = Rng::new(seed);
        let mut transaction = pool.begin().expect("begun");
        let staying: Vec<Vec<u8>> = (0..12_usize)
            .map(|n| match NAMES.get(n) {
                Some(pair) => pair[1].as_bytes().to_vec(),
                None => vec![b'a' + n as u8; 20 * n],
            })
            .collect();
        // What collides with them may have the places before theirs.
        for pair in &NAMES[..rng.below(4) as usize] {
            transaction.create(ObjectId::ROOT, pair[0].as_bytes(), &MakeRequest::File, &PLAIN).expect("made");
        }
        for name in &staying {
            transaction.create(ObjectId::ROOT, name, &MakeRequest::File, &PLAIN).expect("made");
        }
        transaction.commit().expect("committed");
        let (mut cursor, mut name) = (DirectoryCursor::new(ObjectId::ROOT), [0; 255]);
        let mut met = Vec::new();
        loop {
            let mut transaction = pool.begin().expect("begun");
            let before = cursor.position();
            let Some(entry) = cursor.next(&mut transaction, &mut name).expect("listed") else { break };
            assert!(entry.next > before && entry.next > 2 && i64::try_from(entry.next).is_ok());
            met.push(entry.name.to_vec());
            for _ in 0..rng.below(24) {
                change(&mut transaction, &staying, &mut rng);
            }
            transaction.commit().expect("committed");
        }
        for name in &staying {
            let times = met.iter().filter(|met| *met == name).count();
            assert_eq!(times, 1, "seed {seed}: {}", String::from_utf8_lossy(name));
        }
        moved += usize::from(met.len() != staying.len());
        account(&mut pool, "after all");
    }
    assert!(moved > 10, "other names come and go");
}

/// A position that a cursor told is where another continues, in another mount too; a buffer that is too short
/// changes nothing.
#[test]
fn a_cursor_goes_on_where_another_was() {
    let mut world = world();
    let mut names = vec![];
    for n in 0..9 {
        let name = format!("{n:0width$}", width = 1 + 30 * n);
        world.put(&name, 10);
        names.push(name.into_bytes());
    }
    let (mut cursor, mut name, mut met) = (DirectoryCursor::new(ObjectId::ROOT), [0; 255], vec![]);
    loop {
        let mut pool = world.mount();
        assert_eq!(
            cursor.next(&mut pool, &mut []),
            if met.len() < 9 { Err(Error::TooLarge) } else { Ok(None) }
        );
        cursor = DirectoryCursor::at(cursor.directory(), cursor.position());
        let Some(entry) = cursor.next(&mut pool, &mut name).expect("listed") else { break };
        assert_eq!(pool.resolve(entry.name), Ok(entry.object));
        met.push(entry.name.to_vec());
    }
    met.sort();
    names.sort();
    assert_eq!(met, names);
    let mut pool = world.mount();
    let file = pool.resolve(b"0").expect("there");
    assert_eq!(DirectoryCursor::new(file).next(&mut pool, &mut name), Err(Error::NotADirectory));
    assert_eq!(DirectoryCursor::new(ObjectId(999)).next(&mut pool, &mut name), Err(Error::NotFound));
}
