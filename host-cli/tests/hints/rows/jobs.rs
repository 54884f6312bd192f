//! What jobs, checks and forecasts tell.

use super::{Row, row};
use crate::hints::Then::{Again, Done, Tells};

pub(crate) const JOBS: &[Row] = &[
    row("pool 3 2+1", "dynamicfs scrub resume", "dynamicfs scrub start", Done),
    row("pool 3 2+1", "dynamicfs scrub pause", "dynamicfs scrub status", Tells("no scrub yet")),
    row(
        "pool 3 2+1; store /file 20000000; interrupt scrub start",
        "dynamicfs scrub wait",
        "dynamicfs scrub resume",
        Again,
    ),
    row(
        "pool 3 2+1; store /file 2000000; away disk-1; dynamicfs -q mkdir /d",
        "dynamicfs rebuild start",
        "dynamicfs disk list",
        Tells("missing"),
    ),
    // No disks were named.
    row(
        "pool 3 2+1; store /file 2000000; away disk-1; dynamicfs -q mkdir /d",
        "dynamicfs rebuild start",
        "dynamicfs disk replace DISK NEW-DISK",
        Again,
    )
    .given(&[("DISK", "disk-1")]),
    row(
        "pool 4 2+1; store /file 2000000; away disk-1; dynamicfs -q mkdir /d",
        "dynamicfs rebuild start",
        "dynamicfs rebuild start --without-missing",
        Again,
    ),
    row(
        "pool 4 2+1; fill; away disk-1; dynamicfs -q --yes disk fail disk-1",
        "dynamicfs rebuild start",
        "dynamicfs disk add NEW-DISK",
        Again,
    ),
    row(
        "pool 3 mirror:2; store '/a file' 2000000; spoil '/a file' 9",
        "dynamicfs scrub start",
        "dynamicfs put FILE '/a file'",
        Again,
    ),
    row(
        "pool 3 mirror:2; store '/a file' 2000000; spoil '/a file' 9",
        "dynamicfs scrub start",
        "dynamicfs rm '/a file'",
        Again,
    ),
    row(
        "pool 3 mirror:2; store /file 2000000; spoil /file 9; dynamicfs -q scrub start || true",
        "dynamicfs salvage out",
        "dynamicfs rebuild status",
        Tells("rebuild"),
    ),
    // PATH stood there for a path that is known.
    row(
        "pool 3 mirror:2; store '/a file' 2000000; spoil '/a file' 1",
        "dynamicfs verify -r /",
        "dynamicfs verify --repair '/a file'",
        Again,
    ),
    row(
        "pool 3 mirror:2; store '/a file' 2000000; spoil '/a file' 1",
        "dynamicfs verify -r /",
        "dynamicfs scrub start",
        Again,
    ),
    row(
        "pool 3 2+1; store /file 2000000; away disk-1",
        "dynamicfs verify /file",
        "dynamicfs disk list",
        Tells("missing"),
    ),
    // Nothing was told.
    row("pool 3 mirror:2; store /file 2000000; spoil /file 1", "dynamicfs check", "dynamicfs repair", Again),
    row(
        "pool 3 mirror:2; store /file 2000000; dynamicfs -q disk offline disk-1; spoil /file 9",
        "dynamicfs check",
        "dynamicfs disk online disk-1",
        Done,
    ),
    row(
        "pool 3 mirror:2; store /file 2000000; spoil /file 1",
        "dynamicfs -n repair",
        "dynamicfs check",
        Tells("bad"),
    ),
    row(
        "pool 3 mirror:2; dynamicfs -q mkdir /d",
        "dynamicfs policy set --scheme single /d",
        "dynamicfs rebalance start --only policy",
        Done,
    ),
    row(
        "pool 3 mirror:2",
        "dynamicfs policy set --scheme mirror:3 /",
        "dynamicfs init --help",
        Tells("--tolerance"),
    ),
    row("pool 3 mirror:2", "dynamicfs policy set --scheme 3+1 /", "dynamicfs disk add NEW-DISK", Again),
];
