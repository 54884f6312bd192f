//! What a mount found is written once more on enough disks, before a block is written.

use super::*;

/// A commit reached disk 2 alone. Disk 1 went back to an older image. A mount without disk 2 writes what it
/// found once more on disk 0 alone. Disk 1 keeps its own, and was counted all the same, as if half of the
/// list had it. The mount writes over the blocks of that commit, and is cut. Disks 1 and 2 are mounted
/// without disk 0: the commit is the newest state that they know, and is gone on from. Then disk 0 is back.
/// It is called whole, and lacks what lay in the blocks that were written over. At no time was more than one
/// disk away and one behind, of three copies.
#[test]
fn a_disk_that_went_back_does_not_count_for_what_was_written_once_more() {
    let (mut tried, mut bad) = (0, Vec::new());
    for files in 22..26 {
        let mut world = World::new(Scheme::mirror(3), 3, MEMORY);
        (0..3).for_each(|n| world.put(&format!("file-{n}"), 20_000));
        let image = world.array.disk(1).clone();
        (3..files).for_each(|n| world.put(&format!("file-{n}"), 9000));
        let mut back = newest_on_one_disk(&world, 2, |world| {
            if let Ok(mut pool) = world.try_mount(MountMode::ReadWrite) {
                // It may be cut anywhere.
                let _ = put(&mut pool, "ahead", 9000);
            }
        });
        back.array.put(1, image);
        back.unplug(&[2]);
        cut_each_mount(&back, |at, mut cut| {
            cut.plug(&[2]);
            cut.unplug(&[0]);
            {
                // Where the first mount got further, disk 0 is needed.
                let Ok(mut pool) = cut.try_mount(MountMode::ReadWrite) else { return };
                if wrong(&mut pool, "ahead", 9000).is_some() {
                    return;
                }
            }
            tried += 1;
            cut.plug(&[0]);
            expect_called_whole(&mut cut);
            cut.unplug(&[1, 2]);
            let mode = MountMode::AssumeMissingDead { branch: 9 };
            let mut pool = cut.try_mount(mode).unwrap_or_else(|error| panic!("{files} files, {at}: {error}"));
            let names = (0..files).map(|n| (format!("file-{n}"), if n < 3 { 20_000 } else { 9000 }));
            let names = names.chain([("ahead".into(), 9000)]);
            let what = names.filter_map(|(name, length)| wrong(&mut pool, &name, length));
            bad.extend(what.map(|what| format!("{files} files, cut at {at}: {what}")));
        });
    }
    assert!(tried > 0);
    assert!(bad.is_empty(), "{} of {tried}: {:#?}", bad.len(), &bad[..bad.len().min(5)]);
}
