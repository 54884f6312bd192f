//! What `health` tells about a disk.

use super::{HEALTH, Row, row};
use crate::hints::Then::{Gone, Tells};

pub(crate) const DISKS: &[Row] = &[
    row(
        "pool 3 2+1; store /file 2000000; away disk-1",
        HEALTH,
        "dynamicfs disk replace disk-1 NEW-DISK",
        Gone("DISK_MISSING"),
    ),
    // A spare waits: it takes the place of a disk that is marked as failed.
    row(
        "pool 3 2+1; store /file 2000000; truncate -s 32M s; dynamicfs -q disk add --spare s; away disk-1",
        HEALTH,
        "dynamicfs disk fail disk-1",
        Gone("DISK_MISSING"),
    ),
    row(
        "pool 3 2+1; store /file 2000000; truncate -s 32M s; dynamicfs -q disk add --spare s; away disk-1
         dynamicfs -q --yes disk fail disk-1",
        HEALTH,
        "dynamicfs rebuild start",
        Gone("DISK_FAILED"),
    ),
    row(
        "pool 3 2+1; store /file 2000000; dynamicfs -q disk offline disk-1",
        HEALTH,
        "dynamicfs disk online disk-1",
        Gone("DISK_OFFLINE"),
    ),
    // It cannot be taken into use before it is back: `disk online` was told, and failed.
    row(
        "pool 3 2+1; store /file 2000000; dynamicfs -q disk offline disk-1; away disk-1",
        HEALTH,
        "dynamicfs disk replace disk-1 NEW-DISK",
        Gone("DISK_OFFLINE"),
    ),
    // The pool takes no writes: `disk online` alone was told, which is refused, and `disk list`, which led
    // nowhere.
    row(
        "pool 5 mirror:2; store /file 2000000; dynamicfs -q disk offline disk-1; dynamicfs -q mkdir /d; away disk-4",
        HEALTH,
        "dynamicfs --force-degraded disk online disk-1",
        Gone("WRITES_REFUSED"),
    ),
    row(
        "pool 5 mirror:2; store /file 2000000; away disk-1; dynamicfs -q mkdir /d; away disk-4",
        HEALTH,
        "dynamicfs --force-degraded disk replace disk-1 NEW-DISK",
        Gone("WRITES_REFUSED"),
    ),
    row(
        "pool 3 2+1; store /file 2000000; away disk-1; truncate -s 32M pool/disks/disk-1.img",
        HEALTH,
        "dynamicfs disk replace disk-1 NEW-DISK",
        Gone("DISK_UNUSABLE"),
    ),
    // The number on a disk of another pool was taken for one of this pool's: `disk remove disk-1` was told,
    // and meant disk-0.
    row(
        "pool 3 2+1; store /file 2000000; dynamicfs -q init --pool other --disks 2 --disk-size 32MiB --scheme mirror:2
         cp other/disks/disk-0.img pool/disks/disk-1.img",
        HEALTH,
        "dynamicfs disk replace disk-1 NEW-DISK",
        Gone("DISK_FOREIGN"),
    ),
    row(
        "pool 3 2+1; store /file 2000000; truncate -s 20M pool/disks/disk-1.img",
        HEALTH,
        "dynamicfs disk replace disk-1 NEW-DISK",
        Gone("DISK_TRUNCATED"),
    ),
    // It is no member of the history that the pool continues with. The path was not quoted.
    row(
        "pool 2 mirror:2; store /file 2000000; mv pool/disks/disk-1.img 'a disk.img'
         sed -i 's|disks/disk-1.img|../a disk.img|' pool/pool.toml
         mv 'a disk.img' gone; dynamicfs -q --force-degraded --yes mkdir /0; away disk-0; mv gone 'a disk.img'
         dynamicfs -q --force-degraded --yes mkdir /1; back disk-0; dynamicfs -q --branch disk-0 --yes mkdir /2",
        HEALTH,
        "dynamicfs disk add --force 'HERE/pool/../a disk.img'",
        Gone("DISK_DIVERGED"),
    ),
    // A member of both histories.
    row(
        "pool 3 mirror:3; store /file 2000000; branch=$(dynamicfs --json labels | grep -m 1 -o '\"branch\": \"[^\"]*' | cut -d '\"' -f 4)
         away disk-1 disk-2; dynamicfs -q --force-degraded --yes mkdir /mistake; back disk-1 disk-2
         dynamicfs -q --branch $branch --yes mkdir /right",
        HEALTH,
        "dynamicfs disk replace --force disk-0 HERE/pool/disks/disk-0.img",
        Gone("DISK_DIVERGED"),
    ),
    row(
        "pool 3 2+1; store /file 2000000; cp pool/disks/disk-1.img old; store /more 2000000; cp old pool/disks/disk-1.img",
        HEALTH,
        "dynamicfs rebuild start",
        Gone("DISK_BEHIND"),
    ),
    row(
        "pool 4 2+1; store /file 40000000; rot disk-0; dynamicfs -q scrub start",
        HEALTH,
        "dynamicfs disk replace disk-0 NEW-DISK",
        Gone("DISK_DEGRADED"),
    ),
    row(
        "pool 4 2+1; store /file 2000000; spoil /file 1; dynamicfs -q scrub start",
        HEALTH,
        "dynamicfs metrics",
        Tells("CHECKSUM"),
    ),
    row(
        "pool 3 2+1; truncate -s 64M pool/disks/disk-1.img",
        HEALTH,
        "dynamicfs disk grow disk-1",
        Gone("DISK_GROWN"),
    ),
    row(
        "pool 4 2+1; store /file 2000000; dynamicfs -q disk drain disk-1",
        HEALTH,
        "dynamicfs disk remove disk-1",
        Gone("DISK_DRAINED"),
    ),
    row(
        "pool 4 2+1; cp pool/pool.toml old; dynamicfs -q disk drain disk-1; dynamicfs -q --yes disk remove disk-1
         cp old pool/pool.toml",
        HEALTH,
        "dynamicfs disk remove disk-1",
        Gone("DISK_LEFT"),
    ),
    // PATH stood there for a path that is known.
    row(
        "pool 3 2+1; truncate -s 32M 'a disk'
         printf '\n[[disk]]\nname = \"new\"\npath = \"../a disk\"\nadding = true\n' >> pool/pool.toml",
        HEALTH,
        "dynamicfs disk add 'HERE/pool/../a disk'",
        Gone("DISK_ADDING"),
    ),
    row(
        "pool 3 2+1; printf '\n[[disk]]\nname = \"new\"\npath = \"../a disk\"\nadding = true\n' >> pool/pool.toml",
        HEALTH,
        "dynamicfs disk remove new",
        Gone("DISK_ADDING"),
    ),
    // What it was to take the place of was to be replaced once more, by another disk.
    row(
        "pool 3 2+1; store /file 2000000; away disk-1; truncate -s 32M 'a disk'
         printf '\n[[disk]]\nname = \"new\"\npath = \"../a disk\"\nadding = true\nreplaces = 1\n' >> pool/pool.toml",
        HEALTH,
        "dynamicfs disk replace 1 'HERE/pool/../a disk'",
        Gone("DISK_MISSING"),
    ),
    row(
        "pool 2 mirror:2; store /file 2000000; truncate -s 32M w; dynamicfs -q disk add --witness w; rm w",
        HEALTH,
        "dynamicfs disk replace w NEW-DISK",
        Gone("WITNESS_MISSING"),
    ),
    row(
        "pool 2 mirror:2; store /file 2000000; truncate -s 32M w; dynamicfs -q disk add --witness w
         dynamicfs -q disk offline w",
        HEALTH,
        "dynamicfs disk online w",
        Gone("WITNESS_MISSING"),
    ),
    row(
        "pool 4 2+1; dynamicfs -q --yes disk fail disk-1; dynamicfs -q rebuild start",
        HEALTH,
        "dynamicfs disk remove disk-1",
        Gone("DISK_UNNEEDED"),
    ),
    // It is in the folder, and only not listed: `disk replace` was told, which would have taken a new disk.
    row(
        "pool 3 2+1; store /file 2000000; unlist disk-1",
        HEALTH,
        "dynamicfs disk online member-1 HERE/pool/disks/disk-1.img",
        Gone("DISK_MISSING"),
    ),
    // The right image lies where disks usually do: `disk replace` was told, which gave a sound disk up.
    row(
        "pool 3 2+1; store /file 2000000; dynamicfs -q init --pool other --disks 2 --disk-size 32MiB --scheme mirror:2
         sed -i 's|disks/disk-1.img|../other/disks/disk-0.img|' pool/pool.toml",
        HEALTH,
        "dynamicfs disk online disk-1 HERE/pool/disks/disk-1.img",
        Gone("DISK_FOREIGN"),
    ),
    row(
        "pool 3 2+1; store /file 2000000; truncate -s 32M s; dynamicfs -q disk add --spare s
         mv pool/disks/disk-1.img pool/moved.img",
        HEALTH,
        "dynamicfs disk online disk-1 HERE/pool/moved.img",
        Gone("DISK_MISSING"),
    ),
    row(
        "pool 2 mirror:2; store /file 2000000; truncate -s 32M pool/w; dynamicfs -q disk add --witness pool/w
         mv pool/w pool/disks/w",
        HEALTH,
        "dynamicfs disk online w HERE/pool/disks/w",
        Gone("WITNESS_MISSING"),
    ),
];
