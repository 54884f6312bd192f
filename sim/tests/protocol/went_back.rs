//! A disk that was set back is given nothing either, before it has a newer state.

use super::*;

/// Two disks. The second is set back to an image of it. The mount's own commit writes its nodes to that disk,
/// too, before a superblock: over what the disk's own, older state refers to. The power goes, the other disk
/// dies, and there is no state left. Files are gone that were there all the time, and on this disk. A disk
/// that was away is spared (`stale.rs`); so is one that was set back.
#[test]
fn what_a_disk_holds_that_went_back_stays_until_it_has_something_newer() {
    let mut world = small_mirror(SMALL);
    let kept = ["file-0", "file-1"].map(String::from);
    (0..12).for_each(|n| world.put(&format!("file-{n}"), 20_000));
    (0..2).for_each(|n| world.put(&format!("tiny-{n}"), 100));
    let image = world.array.disk(1).clone();
    {
        // The first two stay.
        let mut pool = world.mount();
        (2..12).for_each(|n| unlink(&mut pool, &format!("file-{n}")));
        rest(&mut pool);
        (0..10).for_each(|n| put(&mut pool, &format!("later-{n}"), 20_000).expect("committed"));
        rest(&mut pool);
    }
    let (mut tried, mut bad) = (0, Vec::new());
    for age in 0..150 {
        {
            // Each time the next nodes go somewhere else.
            let mut pool = world.mount();
            let name = format!("churn-{}", age % 7);
            if put(&mut pool, &name, 100).is_err() {
                unlink(&mut pool, &name);
            }
            if age % 3 == 0 {
                rest(&mut pool);
            }
        }
        let mut back = world.fork(MEMORY);
        back.array.put(1, image.clone());
        let old = order(&back, 1);
        cut_each_mount(&back, |at, mut cut| {
            if order(&cut, 1) != old {
                return;
            }
            tried += 1;
            let what = wrong_without(&mut cut, &[0], &kept);
            bad.extend(what.map(|what| (age, at, what)));
        });
    }
    assert!(tried > 100, "{tried} cuts leave the disk as it was");
    assert!(bad.is_empty(), "of {tried} cuts {}: {:?}", bad.len(), &bad[..bad.len().min(5)]);
}
