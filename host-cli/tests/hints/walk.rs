//! From broken states to healthy ones: what `health` tells first is typed, again and again.

use super::{in_state, said};
use crate::common::hinted::{hints_in, type_hint};
use crate::common::{Answer, TestPool};
use serde_json::Value;
use std::fs;

/// Where a way ends.
enum End {
    Healthy,
    /// Only the operator has what is wanted: something else says this.
    Wanted(&'static str),
}
use End::{Healthy, Wanted};

/// So many commands lead to health.
const STEPS_MAX: usize = 12;

const STATES: &[(&str, End)] = &[
    ("pool 3 2+1; store /file 2000000; away disk-1", Healthy),
    ("pool 6 4+2; store /file 2000000; away disk-1 disk-4", Healthy),
    // More are away than the pool bears: it takes no writes.
    ("pool 5 mirror:2; store /file 900000; away disk-1; dynamicfs -q mkdir /d; away disk-4", Healthy),
    // Fewer than half are here: it is not opened.
    ("pool 3 mirror:3; store /file 2000000; away disk-1 disk-2", Healthy),
    ("pool 2 mirror:2; store /file 2000000; away disk-1", Healthy),
    ("pool 3 2+1; store /file 2000000; dynamicfs -q disk offline disk-1", Healthy),
    ("pool 3 2+1; store /file 2000000; dynamicfs -q disk offline disk-1; store /more 2000000", Healthy),
    ("pool 3 2+1; store /file 2000000; dynamicfs -q disk offline disk-1; away disk-1", Healthy),
    (
        "pool 5 mirror:2; store /file 2000000; dynamicfs -q disk offline disk-1; dynamicfs -q mkdir /d; away disk-4",
        Healthy,
    ),
    ("pool 3 2+1; store /file 2000000; away disk-1; truncate -s 32M pool/disks/disk-1.img", Healthy),
    (
        "pool 3 2+1; store /file 2000000; dynamicfs -q init --pool other --disks 2 --disk-size 32MiB --scheme mirror:2
         cp other/disks/disk-0.img pool/disks/disk-1.img",
        Healthy,
    ),
    ("pool 3 2+1; store /file 2000000; truncate -s 20M pool/disks/disk-1.img", Healthy),
    (
        "pool 3 2+1; store /file 2000000; cp pool/disks/disk-1.img old; store /more 2000000; cp old pool/disks/disk-1.img",
        Healthy,
    ),
    (
        "pool 3 2+1; store /file 2000000; truncate -s 32M s; dynamicfs -q disk add --spare s; away disk-1",
        Healthy,
    ),
    ("pool 3 2+1; store /file 20000000; interrupt scrub start", Healthy),
    ("pool 3 2+1; fill", Healthy),
    ("pool 4 2+1; fill; away disk-1; dynamicfs -q --yes disk fail disk-1; dynamicfs -q rebuild start || true", Healthy),
    (
        "pool 6 4+2; dynamicfs -q mkdir /weak; dynamicfs -q policy set --scheme single /weak; fill weak/
         dynamicfs -q --yes rm '/weak/fill-200000-*' '/weak/fill-3000000-[0-3]'
         dynamicfs -q policy set -r --scheme 4+2 /weak",
        Healthy,
    ),
    ("pool 3 2+1; store /file 2000000; rm pool/pool.toml", Healthy),
    ("pool 3 2+1; store /file 2000000; echo broken > pool/pool.toml", Healthy),
    ("pool 3 2+1; store /file 2000000; unlist disk-1", Healthy),
    ("pool 3 2+1; store /file 2000000; unlist disk-1; unlist disk-2", Healthy),
    (
        "pool 3 2+1; store /file 2000000
         sed -i 's/disk-0.img/X/; s/disk-1.img/disk-0.img/; s/X/disk-1.img/' pool/pool.toml",
        Healthy,
    ),
    ("pool 4 2+1; store /file 40000000; rot disk-0; dynamicfs -q scrub start", Healthy),
    (
        "pool 2 mirror:2; store /file 2000000; away disk-1; dynamicfs -q --force-degraded --yes mkdir /0; away disk-0
         back disk-1; dynamicfs -q --force-degraded --yes mkdir /1; back disk-0; dynamicfs -q --branch disk-0 --yes mkdir /2",
        Healthy,
    ),
    ("pool 2 mirror:2; store /file 2000000; truncate -s 32M w; dynamicfs -q disk add --witness w; rm w", Healthy),
    // What is lost is taken from a backup.
    ("pool 3 mirror:2; store /file 2000000; spoil /file 9; dynamicfs cat /file > out || true", Healthy),
    ("pool 3 mirror:2; store /file 2000000; dynamicfs -q disk offline disk-0; spoil /file 9", Healthy),
    // What is lost is on a disk that is away, and nowhere else.
    (
        "pool 3 mirror:2; dynamicfs -q mkdir /d; dynamicfs -q policy set --scheme single /d
         store /d/1 900000; store /d/2 900000; store /d/3 900000; away disk-0",
        Wanted("disk-0"),
    ),
];

#[test]
fn what_health_tells_first_leads_to_health() {
    let mut failed = Vec::new();
    for (state, end) in STATES {
        let Some(pool) = in_state(state) else { continue };
        if let Err(why) = walk(&pool, end) {
            failed.push(format!("from `{state}`:\n{why}"));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
}

/// Types what is told until the pool is healthy. A command that only tells something leads on by what it
/// tells.
fn walk(pool: &TestPool, end: &End) -> Result<(), String> {
    let mut way = String::new();
    let mut typed = Vec::new();
    let mut seen = state_of(pool, &health(pool));
    for _ in 0..STEPS_MAX {
        let health = health(pool);
        if health["status"] == "healthy" && matches!(end, Healthy) {
            return Ok(());
        }
        let state = state_of(pool, &health);
        if state != seen {
            typed.clear();
            seen = state;
        }
        let told = told_by(&health);
        let Some(answer) = follow(pool, told, &mut typed, &mut way) else {
            let is_wanted = matches!(end, Wanted(word) if way.contains(word));
            return if is_wanted { Ok(()) } else { Err(format!("{way}and so on in a circle: {health}")) };
        };
        if state_of(pool, &self::health(pool)) == seen {
            // Nothing has changed: what it told leads on.
            while let Some(more) = follow(pool, hints_in(&answer), &mut typed, &mut way) {
                if state_of(pool, &self::health(pool)) != seen || hints_in(&more).is_empty() {
                    break;
                }
            }
        }
    }
    Err(format!("{way}and it is not over: {}", health(pool)))
}

/// Types the first of these commands that was not typed yet.
fn follow(pool: &TestPool, told: Vec<String>, typed: &mut Vec<String>, way: &mut String) -> Option<Answer> {
    let next = told.into_iter().find(|hint| !typed.contains(hint))?;
    let answer = type_hint(pool, &next, &[]);
    *way += &format!("`{next}`: {}\n", said(&answer));
    typed.push(next);
    Some(answer)
}

fn health(pool: &TestPool) -> Value {
    pool.run(["--json", "health"]).json()
}

/// What `health` tells to type: of a pool that is not opened all that it says, else the first of it.
fn told_by(health: &Value) -> Vec<String> {
    match health["cause"]["hint"].as_str() {
        Some(hint) => crate::common::hinted::in_text(hint),
        None => health["reasons"][0]["next"].as_str().map(ToOwned::to_owned).into_iter().collect(),
    }
}

/// A verdict without what differs from one look to the next, and how many disks are listed.
fn state_of(pool: &TestPool, health: &Value) -> (Value, usize) {
    let mut state = health.clone();
    state.as_object_mut().unwrap().remove("timestamp");
    let list = fs::read_to_string(pool.path().join("pool.toml")).unwrap_or_default();
    (state, list.matches("[[disk]]").count())
}
