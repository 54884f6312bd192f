//! What is told where a pool is not opened, or not found.

use super::{HEALTH, Row, row};
use crate::hints::Then::{Again, Done, Tells};

pub(crate) const OPENING: &[Row] = &[
    row("true", "dynamicfs ls", "dynamicfs init --pool HERE/pool --disks 6 --disk-size 1GiB --scheme 4+2", Again),
    row(
        "pool 3 2+1; mkdir drawer; mv pool/disks/* drawer; rm -r pool",
        "dynamicfs ls",
        "dynamicfs import --pool HERE/pool --scan FOLDER",
        Again,
    )
    .given(&[("FOLDER", "drawer")]),
    row("pool 3 2+1; rm pool/pool.toml", "dynamicfs ls", "dynamicfs import POOL --pool HERE/pool", Again),
    // The folder's name was told as it is, and not as a shell takes it.
    row(
        "dynamicfs -q init --pool \"it's a pool\" --disks 1 --disk-size 32MiB; rm \"it's a pool/pool.toml\"",
        "dynamicfs ls --pool \"it's a pool\"",
        "dynamicfs import POOL --pool 'it'\\''s a pool'",
        Again,
    ),
    row("pool 3 2+1; echo broken > pool/pool.toml", "dynamicfs ls", "dynamicfs import POOL --pool HERE/pool", Again),
    // Not text at all, or no file: it was read, and refused without a way out.
    row(
        "pool 3 2+1; head -c 999 /dev/zero | tr '\\0' '\\377' > pool/pool.toml",
        "dynamicfs ls",
        "dynamicfs import POOL --pool HERE/pool",
        Again,
    ),
    row("pool 3 2+1; rm pool/pool.toml; mkdir pool/pool.toml", "dynamicfs ls", "dynamicfs import POOL --pool HERE/pool", Again),
    row("pool 3 2+1; rm pool/pool.toml; mkfifo pool/pool.toml", "dynamicfs ls", "dynamicfs import POOL --pool HERE/pool", Again),
    row("pool 3 2+1; rm pool/pool.toml", "dynamicfs init --disks 2 --disk-size 32MiB", "dynamicfs import POOL --pool HERE/pool", Done),
    row(
        "pool 3 2+1; store /file 2000000; mv pool/pool.toml pool/pool.toml.unfinished",
        "dynamicfs init --disks 2 --disk-size 32MiB",
        "dynamicfs import POOL --pool HERE/pool",
        Done,
    ),
    row("pool 3 2+1", "dynamicfs init --disks 2 --disk-size 32MiB", "dynamicfs status", Tells("HEALTHY")),
    row(
        "pool 1 single; mv pool/disks/disk-0.img 'a disk'; rm -r pool",
        "dynamicfs init --disk 'a disk'",
        "dynamicfs labels --disk 'HERE/a disk'",
        Tells("HERE/a disk"),
    ),
    row(
        "truncate -s 32M 'a disk'",
        "dynamicfs ls --disk 'a disk'",
        "dynamicfs labels --disk 'a disk'",
        Tells("absent"),
    ),
    row(
        "pool 3 2+1; mkdir drawer; mv pool/disks/* drawer",
        "dynamicfs ls",
        "dynamicfs import --pool HERE/pool --scan FOLDER",
        Again,
    )
    .given(&[("FOLDER", "drawer")]),
    row("pool 3 2+1; away disk-1 disk-2", HEALTH, "dynamicfs salvage DEST", Tells("taken out")),
    row(
        "pool 3 mirror:3; store /file 2000000; away disk-1 disk-2",
        "dynamicfs ls",
        "dynamicfs --force-degraded disk replace disk-1 NEW-DISK",
        Tells("`dynamicfs disk add NEW-DISK"),
    ),
    // They are in the folder, and only not listed.
    row("pool 3 2+1; unlist disk-1; unlist disk-2", "dynamicfs ls", "dynamicfs import POOL --pool HERE/pool", Again),
    row(
        "pool 6 4+2; store /file 2000000; away disk-0 disk-3 disk-5",
        "dynamicfs --force-degraded --yes mkdir /d",
        "dynamicfs --force-degraded check",
        Tells("lost contents /file"),
    ),
    row(
        "pool 6 4+2; store /file 2000000; away disk-0 disk-3 disk-5",
        "dynamicfs --force-degraded --yes mkdir /d",
        "dynamicfs salvage DEST",
        Tells("lost /file"),
    ),
    // No node of the pool's tree can be read: `disk list` and `check` were told, which are refused for the
    // same.
    row(
        "pool 3 mirror:2; store /file 2000000; cp pool/disks/disk-1.img 1; cp pool/disks/disk-2.img 2
         store /more 2000000; store /most 2000000; cp 1 pool/disks/disk-1.img; cp 2 pool/disks/disk-2.img",
        "dynamicfs ls",
        "dynamicfs labels",
        Tells("disk-2.img"),
    ),
    row(
        "pool 3 mirror:2; store /file 2000000; cp pool/disks/disk-1.img 1; cp pool/disks/disk-2.img 2
         store /more 2000000; store /most 2000000; cp 1 pool/disks/disk-1.img; cp 2 pool/disks/disk-2.img",
        "dynamicfs ls",
        "dynamicfs salvage DEST",
        Tells("taken out"),
    ),
    row(
        "pool 1 single; dynamicfs -q init --pool other --disks 1 --disk-size 32MiB; mkdir 'a drawer'
         mv pool/disks/disk-0.img 'a drawer/1'; mv other/disks/disk-0.img 'a drawer/2'; rm -r pool
         dynamicfs --json labels --disk 'a drawer/1' | grep -m 1 -o '\"pool\": \"[^\"]*' | cut -d '\"' -f 4 > id",
        "dynamicfs import --scan 'a drawer'",
        // Where to look was left out, and nothing was found.
        "dynamicfs import ID --pool HERE/pool --scan 'a drawer'",
        Done,
    )
    .given(&[("ID", "$(cat id)")]),
    row(
        "pool 1 single; mkdir 'a drawer'; mv pool/disks/disk-0.img 'a drawer'; rm -r pool",
        "dynamicfs import --dry-run --scan 'a drawer'",
        "dynamicfs import --pool HERE/pool --scan 'a drawer'",
        Done,
    ),
    row(
        "pool 1 single; mkdir 'a drawer'; mv pool/disks/disk-0.img 'a drawer'; rm -r pool",
        "dynamicfs import ffff --scan 'a drawer'",
        "dynamicfs import --dry-run --scan 'a drawer'",
        Tells("1 disk found"),
    ),
    row("true", "dynamicfs import --scan .", "dynamicfs labels --disk PATH", Tells("absent"))
        .given(&[("PATH", "$(truncate -s 32M n; echo n)")]),
    row("pool 3 2+1; rm pool/pool.toml", "dynamicfs import", "dynamicfs health --pool HERE/pool", Done),
    row(
        "pool 2 mirror:2; dynamicfs -q init --pool other --disks 1 --disk-size 32MiB",
        "dynamicfs ls --disk pool/disks/disk-0.img other/disks/disk-0.img",
        "dynamicfs labels --disk pool/disks/disk-0.img other/disks/disk-0.img",
        Done,
    ),
    row(
        "true",
        "dynamicfs init --pool \"it's\" --disks 2 --disk-size 32MiB --scheme mirror:2",
        "dynamicfs put FILE / --pool 'it'\\''s'",
        Done,
    ),
    row(
        "true",
        "dynamicfs init --disks 2 --disk-size 32MiB --scheme mirror:2",
        "dynamicfs disk add --witness NEW-DISK",
        Done,
    ),
    // It was in use by the very process that said so, and after --wait still.
    row(
        "pool 3 2+1; sed -i s/disk-1.img/disk-0.img/ pool/pool.toml",
        "dynamicfs mkdir /d --wait 1s",
        "dynamicfs disk online disk-1 HERE/pool/disks/disk-1.img",
        Again,
    ),
    row(
        "pool 3 2+1; mv pool/disks/disk-1.img disk-1.img; sed -i s/disk-1.img/disk-0.img/ pool/pool.toml",
        "dynamicfs ls",
        "dynamicfs import POOL --pool HERE/pool",
        Again,
    ),
];
