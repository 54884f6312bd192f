//! What commands about disks tell where they are refused, or have done a part.

use super::{Row, row};
use crate::hints::Then::{Again, Done, Tells};

pub(crate) const DISK_COMMANDS: &[Row] = &[
    row(
        "pool 5 mirror:2; dynamicfs -q disk offline disk-1; dynamicfs -q mkdir /d; away disk-4",
        "dynamicfs disk online disk-1",
        "dynamicfs --force-degraded disk online disk-1",
        Again,
    ),
    // `disk fail` stood there without a disk.
    row(
        "pool 4 2+1; store /file 2000000; away disk-1",
        "dynamicfs disk drain disk-1",
        "dynamicfs disk fail disk-1",
        Done,
    ),
    row(
        "pool 4 2+1; store /file 2000000; away disk-1; dynamicfs -q --yes disk fail disk-1",
        "dynamicfs disk drain disk-1",
        "dynamicfs rebuild start",
        Done,
    ),
    row(
        "pool 4 2+1; store /file 2000000; dynamicfs -q disk offline disk-1",
        "dynamicfs disk drain disk-1",
        "dynamicfs disk online disk-1",
        Again,
    ),
    row(
        "pool 4 2+1; store /file 2000000",
        "dynamicfs --yes disk remove disk-1",
        "dynamicfs disk drain disk-1",
        Again,
    ),
    row(
        "pool 4 2+1; store /file 2000000; away disk-1; dynamicfs -q mkdir /d",
        "dynamicfs --yes disk remove disk-1",
        "dynamicfs disk fail disk-1",
        Done,
    ),
    row("pool 4 2+1", "dynamicfs disk drain disk-1", "dynamicfs disk remove disk-1", Done),
    row(
        "pool 2 mirror:2; store /file 2000000",
        "dynamicfs disk drain disk-1",
        "dynamicfs disk add NEW-DISK",
        Again,
    ),
    row("pool 4 2+1", "dynamicfs disk drain --cancel disk-1", "dynamicfs disk list", Tells("disk-1")),
    row("pool 3 2+1", "dynamicfs disk add pool/disks/disk-2.img", "dynamicfs disk list", Tells("disk-2")),
    row("pool 3 2+1", "dynamicfs disk rename disk-1 disk-2", "dynamicfs disk list", Tells("disk-2")),
    // Paths were told as they are, and not as a shell takes them.
    row(
        "pool 3 2+1; mv pool/disks/disk-1.img 'a disk.img'",
        "dynamicfs disk add 'a disk.img'",
        "dynamicfs disk online disk-1 'HERE/a disk.img'",
        Done,
    ),
    row(
        "pool 3 2+1; mv pool/disks/disk-1.img $'it\\'s a\\ndisk'",
        "dynamicfs disk add $'it\\'s a\\ndisk'",
        "dynamicfs disk online disk-1 $'HERE/it\\'s a\\x0adisk'",
        Done,
    ),
    row(
        "pool 3 2+1; unlist disk-2; mv pool/disks/disk-2.img 'a disk.img'",
        "dynamicfs disk add 'a disk.img'",
        "dynamicfs disk online member-2 'HERE/a disk.img'",
        Done,
    ),
    row(
        "pool 3 2+1; store /file 2000000; away disk-1; truncate -s 32M 'a disk.img'",
        "dynamicfs disk online disk-1 'a disk.img'",
        "dynamicfs disk replace disk-1 'HERE/a disk.img'",
        Done,
    ),
    row(
        "pool 3 2+1; dynamicfs -q init --pool other --disks 1 --disk-size 32MiB; mv other/disks/disk-0.img 'a disk'",
        "dynamicfs disk online disk-1 'a disk'",
        "dynamicfs import --dry-run --disk 'HERE/a disk'",
        Tells("1 disk found"),
    ),
    row(
        "pool 3 2+1; dynamicfs -q init --pool other --disks 1 --disk-size 32MiB; mv other/disks/disk-0.img 'a disk'",
        "dynamicfs disk add 'a disk'",
        "dynamicfs labels --disk 'HERE/a disk'",
        Tells("HERE/a disk"),
    ),
    row(
        "pool 3 2+1",
        "dynamicfs disk online disk-1 pool/disks/disk-2.img",
        "dynamicfs disk online disk-2 HERE/pool/disks/disk-2.img",
        Done,
    ),
    row(
        "pool 3 2+1; unlist disk-1; mv pool/disks/disk-1.img elsewhere",
        "dynamicfs disk rename member-1 new",
        "dynamicfs disk online member-1 PATH",
        Done,
    )
    .given(&[("PATH", "elsewhere")]),
    row(
        "pool 3 mirror:2; dynamicfs -q mkdir /d; dynamicfs -q policy set --scheme single /d
         store /d/1 900000; store /d/2 900000; store /d/3 900000",
        "dynamicfs disk offline disk-1",
        "dynamicfs whatif lose disk-1",
        Tells("loses contents /d/"),
    ),
    row(
        "pool 3 2+1; store /file 2000000; truncate -s 20M pool/disks/disk-1.img",
        "dynamicfs disk online disk-1",
        "dynamicfs disk replace disk-1 NEW-DISK",
        Done,
    ),
    row(
        "pool 3 2+1; printf '\n[[disk]]\nname = \"new\"\npath = \"../a disk\"\nadding = true\n' >> pool/pool.toml",
        "dynamicfs disk offline new",
        "dynamicfs labels",
        Tells("a disk"),
    ),
    row(
        "pool 3 2+1; printf '\n[[disk]]\nname = \"new\"\npath = \"../a disk\"\nadding = true\n' >> pool/pool.toml",
        "dynamicfs disk offline new",
        "dynamicfs disk add NEW-DISK",
        Done,
    ),
    row(
        "pool 3 2+1; store /file 2000000",
        "dynamicfs disk offline disk-1",
        "dynamicfs disk online disk-1",
        Done,
    ),
    row(
        "pool 3 2+1; store /file 2000000; away disk-1; dynamicfs -q mkdir /d; away disk-2",
        "dynamicfs --read-only ls",
        "dynamicfs salvage DEST",
        Tells("taken out"),
    ),
    row("pool 2 mirror:2", "dynamicfs ok-to-remove disk-0", "dynamicfs disk offline disk-0", Done),
    row(
        "pool 2 mirror:2; store /file 2000000; dynamicfs -q disk offline disk-1",
        "dynamicfs ok-to-remove disk-0",
        "dynamicfs health",
        Tells("DISK_OFFLINE"),
    ),
    row(
        "pool 2 mirror:2; store /file 2000000",
        "dynamicfs ok-to-remove disk-0",
        "dynamicfs disk add NEW-DISK",
        Done,
    ),
    row(
        "pool 4 2+1; store /file 2000000",
        "dynamicfs ok-to-remove disk-0",
        "dynamicfs disk drain disk-0",
        Done,
    ),
    row(
        "pool 4 2+1; store /file 2000000; away disk-0",
        "dynamicfs ok-to-remove disk-0",
        "dynamicfs disk fail disk-0",
        Done,
    ),
    row(
        "pool 4 2+1; store /file 2000000; dynamicfs -q disk drain disk-0",
        "dynamicfs ok-to-remove disk-0",
        "dynamicfs disk remove disk-0",
        Done,
    ),
    row(
        "pool 3 2+1; truncate -s 64M pool/disks/disk-1.img",
        "dynamicfs capacity",
        "dynamicfs disk grow disk-1",
        Done,
    ),
    // It has left the pool: each of `disk online` and `disk add` told the other.
    row(
        "pool 4 2+1; store /file 2000000; away disk-1; dynamicfs -q --yes disk fail disk-1; dynamicfs -q rebuild start
         dynamicfs -q --yes disk remove disk-1; unlist disk-1; back disk-1",
        "dynamicfs disk online member-1 pool/disks/disk-1.img",
        "dynamicfs disk add --force HERE/pool/disks/disk-1.img",
        Done,
    ),
    row(
        "pool 3 mirror:2; store /file 2000000",
        "dynamicfs --yes disk replace member-2 n --size 32MiB --disk pool/disks/disk-0.img pool/disks/disk-1.img",
        "dynamicfs disk online 3 n --pool FOLDER",
        Done,
    )
    .given(&[("FOLDER", "pool")]),
    row(
        "pool 3 mirror:2; truncate -s 32M s; dynamicfs -q disk add --spare s",
        "dynamicfs disk drain s",
        "dynamicfs disk remove s",
        Done,
    ),
];
