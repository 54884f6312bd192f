//! Choices of disks that are lost, and come back.

use crate::SimArray;

/// Each choice of 1 to `most` of so many disks.
pub(crate) fn choices(disks: usize, most: usize) -> Vec<Vec<usize>> {
    let chosen = |set: u32| (0..disks).filter(move |disk| set >> disk & 1 == 1);
    let sets = (1..1_u32 << disks).filter(|set| set.count_ones() as usize <= most);
    sets.map(|set| chosen(set).collect()).collect()
}

/// Takes disks away, or brings them back.
pub(crate) fn plug(world: &mut SimArray, disks: &[usize], there: bool) {
    for &disk in disks {
        let disk = world.disk_mut(disk);
        if there { disk.plug() } else { disk.unplug() }
    }
}
