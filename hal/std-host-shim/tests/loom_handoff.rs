//! The interleavings of the hand-off between threads, by model checking.
//!
//! ```text
//! RUSTFLAGS="--cfg loom" cargo test -p std-host-shim --test suite --release
//! ```
//!
//! The sources of the hand-off are compiled into this test, with loom's locks and threads in place of the
//! standard library's. Loom fails a model in which a thread waits for ever, so each of these also shows that
//! no thread is left waiting.

#[path = "../src/array/crew.rs"]
mod crew;
#[path = "../src/array/handoff.rs"]
mod handoff;
#[path = "../src/array/sync.rs"]
mod sync;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use loom::cell::UnsafeCell;

use crew::Crew;

/// How often each part ran, in cells in which loom finds an access that another thread's does not happen before.
struct Parts<const N: usize>([UnsafeCell<u32>; N]);

// SAFETY: loom checks the accesses.
unsafe impl<const N: usize> Sync for Parts<N> {}

impl<const N: usize> Parts<N> {
    fn new() -> Self {
        Self(std::array::from_fn(|_| UnsafeCell::new(0)))
    }

    fn run(&self, part: usize) {
        // SAFETY: loom fails the test when this is a race.
        self.0[part].with_mut(|count| unsafe { *count += 1 });
    }

    /// To be called when no part is in flight: else it is a race.
    fn runs(&self) -> [u32; N] {
        // SAFETY: loom fails the test when this is a race.
        std::array::from_fn(|part| self.0[part].with(|count| unsafe { *count }))
    }
}

/// A crew and its thread run a task: each part runs once, and has ended on return.
fn each_part_runs_once<const WORKERS: usize, const PARTS: usize>() {
    run_all::<PARTS>(&mut Crew::new(WORKERS));
}

/// The same twice, with the same crew.
fn one_task_after_the_other<const WORKERS: usize, const PARTS: usize>() {
    let mut crew = Crew::new(WORKERS);
    run_all::<PARTS>(&mut crew);
    run_all::<PARTS>(&mut crew);
}

fn run_all<const PARTS: usize>(crew: &mut Crew) {
    let parts = Parts::<PARTS>::new();
    let mut worked = 0;
    crew.run(PARTS, &|part| parts.run(part), &mut || worked += 1);
    assert_eq!(parts.runs(), [1; PARTS]);
    assert_eq!(worked, 1);
}

/// The work panics: what is in flight ends before that gets out, what had not begun never runs, and the crew
/// continues.
fn a_panic_of_the_work_waits<const WORKERS: usize, const PARTS: usize>() {
    let mut crew = Crew::new(WORKERS);
    let parts = Parts::<PARTS>::new();
    let panic = catch_unwind(AssertUnwindSafe(|| {
        crew.run(PARTS, &|part| parts.run(part), &mut || resume_unwind(Box::new("work")));
    }));
    assert_eq!(message(panic), "work");
    assert!(parts.runs().iter().all(|runs| *runs <= 1));
    run_all::<1>(&mut crew);
}

/// A part panics, on whatever thread: what is in flight ends before that gets out.
fn a_panic_of_a_part_waits<const WORKERS: usize, const PARTS: usize>() {
    let mut crew = Crew::new(WORKERS);
    let parts = Parts::<PARTS>::new();
    let panic = catch_unwind(AssertUnwindSafe(|| {
        let run = |part| {
            parts.run(part);
            if part == 0 {
                resume_unwind(Box::new("part"));
            }
        };
        crew.run(PARTS, &run, &mut || {});
    }));
    assert_eq!(message(panic), "part");
    let runs = parts.runs();
    assert_eq!(runs[0], 1);
    assert!(runs.iter().all(|runs| *runs <= 1));
}

fn message(result: std::thread::Result<()>) -> &'static str {
    result.expect_err("a panic").downcast_ref::<&str>().expect("its message")
}

/// With one worker: every interleaving.
mod every_interleaving {
    fn model(check: fn()) {
        loom::model::Builder::new().check(check);
    }

    #[test]
    fn each_part_runs_once() {
        model(super::each_part_runs_once::<1, 3>);
    }

    #[test]
    fn one_task_after_the_other() {
        model(super::one_task_after_the_other::<1, 1>);
    }

    #[test]
    fn a_panic_of_the_work_waits() {
        model(super::a_panic_of_the_work_waits::<1, 3>);
    }

    #[test]
    fn a_panic_of_a_part_waits() {
        model(super::a_panic_of_a_part_waits::<1, 3>);
    }
}

/// With two workers: every interleaving in which threads are interrupted at most four times, not counting where they
/// wait. Without that bound there are too many.
mod up_to_four_interruptions {
    fn model(check: fn()) {
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = Some(4);
        builder.check(check);
    }

    #[test]
    fn each_part_runs_once() {
        model(super::each_part_runs_once::<2, 3>);
    }

    #[test]
    fn one_task_after_the_other() {
        model(super::one_task_after_the_other::<2, 1>);
    }

    #[test]
    fn a_panic_of_the_work_waits() {
        model(super::a_panic_of_the_work_waits::<2, 3>);
    }

    #[test]
    fn a_panic_of_a_part_waits() {
        model(super::a_panic_of_a_part_waits::<2, 3>);
    }
}
