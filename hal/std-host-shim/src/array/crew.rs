//! Long-lived threads that work on borrowed tasks.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use super::handoff::Handoff;
use super::sync::{Arc, Builder, DRIVER_STACK_BYTES, JoinHandle};

/// A fixed number of threads, asleep between two tasks.
#[derive(Debug)]
pub(super) struct Crew {
    handoff: Arc<Handoff<Task>>,
    workers: Vec<JoinHandle<()>>,
}

impl Crew {
    /// Starts `workers` threads, or as many as the system allows: a crew works with any number of them, also none.
    pub(super) fn new(workers: usize) -> Self {
        let handoff = Arc::new(Handoff::new());
        let workers = (0..workers)
            .map_while(|index| {
                let handoff = Arc::clone(&handoff);
                Builder::new()
                    .name(format!("disk-io-{index}"))
                    .stack_size(DRIVER_STACK_BYTES)
                    .spawn(move || worker(&handoff))
                    .ok()
            })
            .collect();
        Self { handoff, workers }
    }

    /// Runs `run(0)` to `run(parts - 1)`, each once, in any order, on threads of the crew and on this one.
    /// Meanwhile runs `work` once on this thread. When this returns or unwinds, none of them is running.
    ///
    /// # Panics
    /// When `work` or a part panics, with the same payload. After a panic of `work`, or of a part on this thread,
    /// parts that had not begun are not run.
    #[allow(unsafe_code)]
    pub(super) fn run(&mut self, parts: usize, run: &(dyn Fn(usize) + Sync), work: &mut dyn FnMut()) {
        let run: *const (dyn Fn(usize) + Sync + '_) = run;
        // SAFETY: only the lifetime changes. The pointer is used by claims of the offer below alone, and the
        // offer does not end before they have. It is dropped in this function, on return and on unwinding
        // alike (nothing can leak it), and its drop waits for them. So `run` outlives all use of the pointer.
        let task = Task(unsafe {
            std::mem::transmute::<*const (dyn Fn(usize) + Sync + '_), *const (dyn Fn(usize) + Sync + 'static)>(
                run,
            )
        });
        let offer = self.handoff.offer(task, parts);
        work();
        while let Some(claim) = offer.claim() {
            claim.task.run(claim.part);
        }
        if let Some(panic) = offer.wait() {
            resume_unwind(panic);
        }
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        self.handoff.close();
        for worker in self.workers.drain(..) {
            // A worker catches its panics, and a destructor is no place to pass one on.
            let _ = worker.join();
        }
    }
}

fn worker(handoff: &Handoff<Task>) {
    while let Some(claim) = handoff.next() {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| claim.task.run(claim.part))) {
            claim.panicked(panic);
        }
    }
}

/// A borrowed function that is shared between threads, without its lifetime.
#[derive(Clone, Copy, Debug)]
struct Task(*const (dyn Fn(usize) + Sync + 'static));

// SAFETY: the function is `Sync`, so any thread may call it.
#[allow(unsafe_code)]
unsafe impl Send for Task {}

impl Task {
    #[allow(unsafe_code)]
    fn run(self, part: usize) {
        // SAFETY: a task is made in `Crew::run` alone, which keeps the function alive while claims of it exist; both
        // callers hold one.
        unsafe { (*self.0)(part) }
    }
}
