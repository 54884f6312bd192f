//! What commands about files tell where they are refused.

use super::{Row, row};
use crate::hints::Then::{Again, Done, Tells};

pub(crate) const FILES: &[Row] = &[
    row("true", "dynamicfs --json bogus", "dynamicfs --help", Tells("Usage")),
    row("true", "dynamicfs man bogus", "dynamicfs help", Tells("Usage")),
    row("true", "dynamicfs schema bogus", "dynamicfs schema", Tells("disk-add")),
    row("pool 1 single; store /a1 10; store /a2 10", "dynamicfs ls '/a*/x'", "dynamicfs ls", Tells("a1")),
    // Paths were told as they are, and not as a shell takes them.
    row(
        "pool 1 single; dynamicfs -q mkdir \"/it's\"; store \"/it's/a1\" 10; store \"/it's/a2\" 10",
        "dynamicfs stat \"/it's/a*\"",
        "dynamicfs ls '/it'\\''s/a*'",
        Tells("a2"),
    ),
    row("pool 1 single", "dynamicfs mkdir '/a b/c'", "dynamicfs mkdir -p '/a b/c'", Done),
    row(
        "pool 1 single; echo > file",
        "dynamicfs put file \"/it's/new\"",
        "dynamicfs mkdir -p '/it'\\''s'",
        Again,
    ),
    row("pool 1 single; echo > file", "dynamicfs put file '/a b/'", "dynamicfs mkdir -p '/a b/'", Again),
    row("pool 1 single; echo > 1; echo > 2", "dynamicfs put 1 2 '/a b'", "dynamicfs mkdir -p '/a b'", Again),
    row("pool 1 single", "dynamicfs put /dev/null /x", "dynamicfs put - PATH < /dev/null", Done)
        .given(&[("PATH", "/x")]),
    row(
        "pool 1 single; echo > 'a file'",
        "dynamicfs sync 'a file' '/a b'",
        "dynamicfs put 'a file' '/a b'",
        Done,
    ),
    row("pool 1 single; echo > -x", "dynamicfs sync -- -x /b", "dynamicfs put ./-x /b", Done),
    row(
        "pool 1 single; store '/a b' 10; ln -s /dev/null ln",
        "dynamicfs get '/a b' /dev/null",
        "dynamicfs cat '/a b' > /dev/null",
        Done,
    ),
    row(
        "pool 3 mirror:2; store /file 2000000; spoil /file 9",
        "dynamicfs cat /file",
        "dynamicfs disk list",
        Tells("disk-1"),
    ),
    row(
        "pool 3 2+1; fill; yes | head -c 3000000 > more",
        "dynamicfs put more /more",
        "dynamicfs status",
        Tells("room for"),
    ),
    row(
        "pool 3 2+1; fill; yes | head -c 3000000 > more",
        "dynamicfs put more /more",
        "dynamicfs rm PATH",
        Again,
    )
    .given(&[("PATH", "/fill-3000000-0 /fill-3000000-1 /fill-3000000-2")]),
    row(
        "pool 3 2+1; yes | head -c 100000000 > more",
        "dynamicfs -n put more /more",
        "dynamicfs capacity",
        Tells("room for"),
    ),
    row(
        "pool 3 2+1; yes | head -c 100000000 > more",
        "dynamicfs -n put more /more",
        "dynamicfs disk add NEW-DISK",
        Done,
    ),
    row(
        "pool 5 mirror:2; away disk-1; dynamicfs -q mkdir /d; away disk-4",
        "dynamicfs mkdir /e",
        "dynamicfs health",
        Tells("WRITES_REFUSED"),
    ),
    row(
        "limited 40M; pool 3 mirror:2 64MiB; store /file 3000000; cat /dev/zero > pool/more 2> said || true
         yes | head -c 3000000 > more",
        "dynamicfs put more /more",
        "dynamicfs rm PATH",
        Done,
    )
    .given(&[("PATH", "/file")]),
];
