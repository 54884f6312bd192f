//! What `health` tells about the pool as a whole: its room, what is lost, and jobs that wait.

use super::{HEALTH, Row, row};
use crate::hints::Then::{Done, Gone, Tells};

pub(crate) const POOL: &[Row] = &[
    row("pool 2 mirror:2; store /file 2000000", HEALTH, "dynamicfs disk add --witness NEW-DISK", Gone("QUORUM_LIMIT")),
    row(
        "pool 3 mirror:2; dynamicfs -q mkdir '/it'\\''s'; dynamicfs -q policy set --scheme single '/it'\\''s'
         store '/it'\\''s/weak' 2000000; dynamicfs -q policy set --scheme mirror:2 '/it'\\''s'",
        HEALTH,
        "dynamicfs policy set --scheme mirror:2 '/it'\\''s/weak'",
        Done,
    ),
    row(
        "pool 3 mirror:2; dynamicfs -q mkdir /d; dynamicfs -q policy set --scheme single /d; store /d/weak 2000000
         dynamicfs -q policy set -r --scheme mirror:2 /d",
        HEALTH,
        "dynamicfs rebalance start --only policy",
        Gone("POLICY_LIMIT"),
    ),
    // `disk list` was told.
    row(
        "pool 3 2+1; store /file 2000000; away disk-1",
        HEALTH,
        "dynamicfs disk replace disk-1 NEW-DISK",
        Gone("NO_TOLERANCE"),
    ),
    row("pool 3 2+1; fill", HEALTH, "dynamicfs disk add NEW-DISK", Gone("NO_REBUILD_ROOM")),
    // What a new disk has is of no use before contents are spread over it: another disk was told.
    row(
        "pool 3 2+1; fill; truncate -s 64M n; dynamicfs -q disk add n",
        HEALTH,
        "dynamicfs rebalance start",
        Gone("FULL"),
    ),
    row(
        "pool 4 2+1; fill; away disk-1; dynamicfs -q --yes disk fail disk-1; dynamicfs -q rebuild start || true",
        HEALTH,
        "dynamicfs disk add NEW-DISK",
        Done,
    ),
    // The same was told for ever.
    row(
        "pool 4 2+1; fill; away disk-1; dynamicfs -q --yes disk fail disk-1
         dynamicfs -q rebuild start || true; truncate -s 64M n; dynamicfs -q disk add n",
        HEALTH,
        "dynamicfs rebuild start",
        Gone("REBUILD_INCOMPLETE"),
    ),
    row(
        "pool 3 mirror:2; store /file 2000000; spoil /file 9; dynamicfs cat /file > out || true",
        HEALTH,
        "dynamicfs scrub start",
        Tells("lost contents /file"),
    ),
    row(
        "pool 3 mirror:2; store '/a file' 2000000; spoil '/a file' 9; dynamicfs -q scrub start || true",
        HEALTH,
        "dynamicfs scrub status",
        Tells("dynamicfs put FILE '/a file'"),
    ),
    // What was lost is gone: `scrub status` was told, and told the same for ever.
    row(
        "pool 3 mirror:2; store /file 2000000; spoil /file 9; dynamicfs -q scrub start || true
         dynamicfs -q --yes rm /file",
        HEALTH,
        "dynamicfs scrub start",
        Gone("DATA_LOST"),
    ),
    // A disk that is here and out of use has it.
    row(
        "pool 3 mirror:2; store /file 2000000; dynamicfs -q disk offline disk-0; spoil /file 9
         dynamicfs -q scrub start || true",
        HEALTH,
        "dynamicfs disk online disk-0",
        Done,
    ),
    row(
        "pool 3 mirror:2; dynamicfs -q mkdir /d; dynamicfs -q policy set --scheme single /d
         store /d/1 900000; store /d/2 900000; store /d/3 900000; away disk-0",
        HEALTH,
        "dynamicfs check",
        Tells("lost contents /d/"),
    ),
    row(
        "pool 3 2+1; store /file 20000000; interrupt scrub start",
        HEALTH,
        "dynamicfs scrub resume",
        Gone("SCRUB_WAITING"),
    ),
    row(
        "pool 3 2+1; store /file 20000000; away disk-1; truncate -s 32M n
         interrupt --yes disk replace disk-1 n",
        HEALTH,
        "dynamicfs rebuild resume",
        Gone("REBUILD_WAITING"),
    ),
    row(
        "limited 40M; pool 3 mirror:2 64MiB; store /file 3000000; store /other 3000000; dynamicfs -q --yes rm /other
         cat /dev/zero > pool/more 2> said || true",
        HEALTH,
        "dynamicfs trim",
        Gone("HOST_FULL"),
    ),
    row(
        "limited 40M; pool 3 mirror:2 64MiB; store /file 6000000; cat /dev/zero > pool/more 2> said || true",
        HEALTH,
        "dynamicfs rm PATH",
        Gone("HOST_FULL"),
    )
    .given(&[("PATH", "/file --pool pool && dynamicfs -q trim")]),
];
