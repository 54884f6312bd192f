//! Disks of a newer format: an upgrade may have stopped between two labels or two disks, and what it needs is not known
//! here.

use dynamicfs_core::error::{FormatError, MountError};
use dynamicfs_core::format::label::{LABEL_BYTES, Label};
use dynamicfs_core::types::{DiskIndex, Scheme};
use dynamicfs_core::{FormatOptions, MountOptions, Pool};
use dynamicfs_hal::Geometry;
use dynamicfs_sim::world::{Lent, SERVICES};
use dynamicfs_sim::{Rng, SimArray};

const DISKS: usize = 3;
const FEATURE: u32 = 0x20;

type Change = fn(&mut Label<&mut [u8]>);

fn pool(lent: &mut Lent) -> SimArray {
    let mut array = SimArray::new(1, [Geometry::new(512, 2048); DISKS]);
    let options = FormatOptions::portable(Scheme::mirror(2));
    Pool::format(&mut array, lent.lend(), SERVICES, &mut Rng::new(1), &options, &[]).expect("formatted");
    array
}

/// Changes one of the two labels of a disk, its checksum included.
fn relabel(array: &mut SimArray, disk: usize, second: bool, change: Change) {
    let at = if second { 2047 * 512 } else { 0 };
    let mut bytes = [0; LABEL_BYTES];
    array.disk(disk).pristine(at, &mut bytes);
    change(&mut Label::new(&mut bytes[..]).expect("a label"));
    let crc = (SERVICES.crc32c)(0, &bytes[4..]);
    Label::new(&mut bytes[..]).expect("a label").set_crc(crc);
    array.disk_mut(disk).overwrite(at, &bytes);
}

#[test]
fn one_label_of_one_disk_is_enough_to_refuse_the_pool() {
    let mut lent = Lent::new(1 << 20);
    let changes: [(&str, Change); 3] = [
        ("features 0x20", |label| label.set_incompat(FEATURE)),
        ("format 3", |label| label.set_version(3)),
        ("checksum algorithm 7", |label| label.set_algorithm(7)),
    ];
    for (what, change) in changes {
        for (disk, second) in (0..DISKS).flat_map(|disk| [(disk, false), (disk, true)]) {
            let mut array = pool(&mut lent);
            relabel(&mut array, disk, second, change);
            let before = array.disk(disk).counters().writes;
            let refused = Pool::mount(&mut array, lent.lend(), SERVICES, &MountOptions::default());
            let error = refused
                .map_err(|failure| failure.error)
                .err()
                .unwrap_or_else(|| panic!("{what} on disk {disk} was mounted"));
            assert!(
                matches!(error, MountError::Unsupported { disk: named, .. } if named == DiskIndex(disk)),
                "{error}"
            );
            assert!(error.to_string().contains(what), "{error}");
            assert_eq!(array.disk(disk).counters().writes, before);
        }
    }
}

#[test]
fn a_feature_for_writers_in_either_label_keeps_writers_out() {
    let mut lent = Lent::new(1 << 20);
    for second in [false, true] {
        let mut array = pool(&mut lent);
        relabel(&mut array, 1, second, |label| label.set_ro_compat(FEATURE));
        let pool = Pool::mount(&mut array, lent.lend(), SERVICES, &MountOptions::default()).expect("mounted");
        assert!(!pool.health().writable);
    }
}

#[test]
fn a_newer_disk_of_another_pool_is_not_in_the_way() {
    let mut lent = Lent::new(1 << 20);
    let mut array = pool(&mut lent);
    let mut other = SimArray::new(2, [Geometry::new(512, 2048); DISKS]);
    let options = FormatOptions::portable(Scheme::mirror(2));
    Pool::format(&mut other, lent.lend(), SERVICES, &mut Rng::new(2), &options, &[]).expect("formatted");
    relabel(&mut other, 0, false, |label| label.set_incompat(FEATURE));
    array.add(other.take(0));
    Pool::mount(&mut array, lent.lend(), SERVICES, &MountOptions::default()).expect("mounted");
}

/// What was not understood, or damaged, was taken for no label at all, and formatted over.
#[test]
fn a_disk_with_any_label_is_formatted_only_when_that_is_forced() {
    let mut lent = Lent::new(1 << 20);
    let changes: [Change; 3] = [
        |label| label.set_incompat(FEATURE),
        |label| label.set_version(3),
        |label| label.set_block_shift(77),
    ];
    for (second, change) in
        [false, true].into_iter().flat_map(|second| changes.map(|change| (second, change)))
    {
        let mut array = pool(&mut lent);
        for disk in 0..DISKS {
            // The other label is gone.
            array.disk_mut(disk).overwrite(if second { 0 } else { 2047 * 512 }, &[0; 512]);
            relabel(&mut array, disk, second, change);
        }
        let mut options = FormatOptions::portable(Scheme::mirror(2));
        let refused = Pool::format(&mut array, lent.lend(), SERVICES, &mut Rng::new(3), &options, &[]);
        assert!(matches!(
            refused.map_err(|failure| failure.error).err(),
            Some(FormatError::InUse { disk: DiskIndex(0), .. })
        ));
        options.force = true;
        Pool::format(&mut array, lent.lend(), SERVICES, &mut Rng::new(3), &options, &[]).expect("forced");
    }
}
