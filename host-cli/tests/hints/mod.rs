//! Every command that the program tells to type is typed here, and works or leads on. The environment names
//! another pool then: what is told must mean the one that it is about.
//!
//! `rows` has the states in which hints appear, and `literals` compares the program's sources with them.
//! `walk` follows the first command that `health` prints from broken states to healthy ones.

mod literals;
mod rows;
mod walk;

use crate::common::hinted::{hints_in, type_hint_where, type_line, type_line_where};
use crate::common::{Answer, TestPool};

/// What the lines of a state may call beside all that a shell has.
const WORDS: &str = r#"
set -e
# A pool of so many disks: SCHEME is next, then the size of each.
pool() { dynamicfs -q init --disks "$1" --disk-size "${3:-32MiB}" --scheme "$2"; }
# A file of so many bytes in the pool.
store() { yes "$1" | head -c "$2" | dynamicfs -q put - "$1"; }
# Disks go away, and come back.
away() { for disk; do mv "pool/disks/$disk.img" "away-$disk"; done; }
back() { for disk; do mv "away-$disk" "pool/disks/$disk.img"; done; }
# Bytes of the first COUNT fragments of a file become wrong.
spoil() {
    dynamicfs locate "$1" | grep -o 'disk-[0-9]*:[0-9]*' | head -n "$2" | while IFS=: read -r disk block; do
        printf rotten | dd of="pool/disks/$disk.img" bs=1 seek=$((block * 4096 + 77)) conv=notrunc status=none
    done
}
# A disk is not in pool.toml any more.
unlist() {
    awk -v name="\"$1\"" 'BEGIN { RS = "\\[\\[disk\\]\\]" } NR == 1 { printf "%s", $0 } NR > 1 && index($0, name) == 0 { printf "[[disk]]%s", $0 }' \
        pool/pool.toml > list && mv list pool/pool.toml
}
# Some places of a disk become wrong.
rot() {
    for block in $(seq 256 32 5000); do
        printf rotten | dd of="pool/disks/$1.img" bs=1 seek=$((block * 4096 + 77)) conv=notrunc status=none
    done
}
# Files until nothing more fits.
fill() {
    for size in 3000000 200000; do
        number=0
        while store "/${1:-}fill-$size-$number" $size 2> refused; do number=$((number + 1)); done
        grep -q 'no space' refused
    done
}
# Starts a job, and stops it when it says how far it is.
interrupt() {
    dynamicfs "$@" --throttle 100kB > said 2>&1 & job=$!
    until grep -q 'continues in' said; do kill -0 $job; done
    kill -TERM $job; wait $job || [ $? -eq 6 ]
}
# The pool's folder is a filesystem of this size, which only the superuser can make.
limited() { mkdir pool; mount -t tmpfs -o "size=$1" none pool 2> /dev/null || exit 77; }
"#;

/// The pool is named with each command.
const NAMED: &str = r#"
dynamicfs() {
    case " $* " in
        *" --pool "* | *" --disk "*) command dynamicfs "$@" ;;
        *) command dynamicfs --pool "$PWD/pool" "$@" ;;
    esac
}
"#;

/// What is said where a state cannot be made on this machine.
const CANNOT_BE_MADE: i32 = 77;

/// A command that is told, and what comes of typing it.
pub(crate) struct Row {
    /// How the pool comes to be as it is, beside its folder `pool`.
    state: &'static str,
    /// What is typed then.
    typed: &'static str,
    /// What that tells to type; HERE is the folder that everything is in, POOL a pool's identity.
    hint: &'static str,
    /// What stands for words that the operator is to fill in, where that is not made anew.
    given: &'static [(&'static str, &'static str)],
    then: Then,
}

/// What a command must achieve that was told.
pub(crate) enum Then {
    /// It is done.
    Done,
    /// It is done, and what was refused goes through now.
    Again,
    /// It is done, and `health` has this reason no more.
    Gone(&'static str),
    /// It says this, which leads on. It may fail for what it finds; what was typed is right.
    Tells(&'static str),
}

/// A pool in this state; `None`, and said so, where it cannot be made here.
pub(crate) fn in_state(state: &str) -> Option<TestPool> {
    let pool = TestPool::none();
    let made = type_line(&pool, &format!("{WORDS}\n{state}"));
    if made.code == CANNOT_BE_MADE {
        println!("not the superuser: `{state}` is not tested here");
        return None;
    }
    assert_eq!(made.code, 0, "{state}: {} {}", made.text_lossy(), made.stderr);
    Some(pool)
}

impl Row {
    /// Makes the state, types the command, and what it tells to type.
    fn run(&self) {
        let Some(pool) = in_state(self.state) else { return };
        self.run_in(&pool);
        drop(type_line(&pool, "umount pool 2> /dev/null"));
    }

    fn run_in(&self, pool: &TestPool) {
        let other = pool.beside("another-pool");
        let typed = format!("{NAMED}\n{}", self.typed);
        let told = type_line_where(pool, &other, &typed);
        let hint = self.hint.replace("HERE", pool.folder.path().to_str().unwrap());
        let hints = hints_in(&told);
        let what = format!("after `{}`, `{}`", self.state, self.typed);
        let address = format!(" --pool {}", pool.path().to_str().unwrap());
        let unaddressed = |command: &str| command.strip_suffix(&address).unwrap_or(command).to_owned();
        let is_told = |told: &&String| unaddressed(&named(told)) == unaddressed(&hint);
        let Some(hint) = hints.iter().find(is_told) else {
            panic!("{what} does not tell `{hint}`: {hints:#?}\n{}", said(&told));
        };
        let answer = type_hint_where(pool, &other, hint, self.given);
        let what = format!("{what} tells `{hint}`, which says {}", said(&answer));
        assert!(!answer.stderr.contains("panicked"), "{what}");
        match self.then {
            Then::Tells(word) => {
                let word = word.replace("HERE", pool.folder.path().to_str().unwrap());
                assert!(!answer.stderr.contains("For more information, try"), "{what}");
                assert!(said(&answer).contains(&word), "{what}\n... and not `{word}`");
            }
            _ => assert_eq!(answer.code, 0, "{what}"),
        }
        match self.then {
            Then::Again => {
                let again = type_line_where(pool, &other, &typed);
                assert_eq!(again.code, 0, "{what}\n... and is refused all the same: {}", said(&again));
            }
            Then::Gone(code) => {
                let health = type_line(pool, "dynamicfs health");
                let is_told =
                    |health: &Answer| health.text_lossy().lines().any(|line| line.starts_with(code));
                assert!(is_told(&told), "{what}\n... and there was no {code}");
                assert!(!is_told(&health), "{what}\n... and leaves {}", said(&health));
            }
            Then::Done | Then::Tells(_) => {}
        }
    }
}

/// A command with POOL for the identity of a pool.
fn named(hint: &str) -> String {
    let is_identity = |word: &str| word.len() == 36 && word.split('-').count() == 5;
    let words = hint.split(' ').map(|word| if is_identity(word) { "POOL" } else { word });
    words.collect::<Vec<_>>().join(" ")
}

fn said(answer: &Answer) -> String {
    format!("(exit code {}) {}{}", answer.code, answer.text_lossy(), answer.stderr)
}

/// Names of tests, each with the rows that it runs.
macro_rules! tables {
    ($($name:ident: $rows:expr;)*) => {
        $(#[test]
        fn $name() {
            // All of them, whatever comes of the first.
            let failed = $rows.iter().filter(|row| std::panic::catch_unwind(|| row.run()).is_err()).count();
            assert!(failed == 0, "{failed} of {} rows failed", $rows.len());
        })*
    };
}

tables! {
    what_health_tells_about_disks: rows::DISKS;
    what_health_tells_about_room_and_losses: rows::POOL;
    what_refusals_tell_about_disks: rows::DISK_COMMANDS;
    what_is_told_where_a_pool_is_not_opened: rows::OPENING;
    what_jobs_and_forecasts_tell: rows::JOBS;
    what_refusals_tell_about_files: rows::FILES;
}
