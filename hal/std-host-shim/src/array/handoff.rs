//! Handing the parts of a task to threads: offer, claim, finish, wait.
//!
//! One thread *offers* a task of several parts. It and any number of workers *claim* the parts, each part once, and
//! *finish* them; the offering thread waits until none is claimed and unfinished.
//!
//! 1. A part is claimed at most once: `next` only grows, under the lock.
//! 2. When an [`Offer`] is gone, no part of it is in flight and none can be claimed. Its drop takes back the
//!    unclaimed parts and waits for the unfinished ones. A [`Claim`] finishes when it is dropped, so a part
//!    that panics finishes too.
//! 3. No progress depends on a worker: the offering thread claims until nothing is left.
//!
//! The task itself is only ever copied to claimers, so nothing here knows what it is.

use std::any::Any;
use std::sync::PoisonError;

use super::sync::{Condvar, Mutex, MutexGuard};

/// What a part panicked with.
pub(super) type Panic = Box<dyn Any + Send>;

/// The place where one thread's task and the workers meet.
#[derive(Debug)]
pub(super) struct Handoff<T> {
    state: Mutex<State<T>>,
    /// There may be a part to claim, or no more ever.
    offered: Condvar,
    /// The last part in flight was finished.
    finished: Condvar,
}

#[derive(Debug)]
struct State<T> {
    /// The offered task; none between offers.
    task: Option<T>,
    /// The first part that is not claimed.
    next: usize,
    /// Parts of the task.
    parts: usize,
    /// Parts that are claimed and not finished.
    in_flight: usize,
    /// Workers that wait for an offer.
    idle: usize,
    /// The first panic of a part.
    panic: Option<Panic>,
    /// No offer will follow.
    closed: bool,
}

impl<T: Copy> Handoff<T> {
    pub(super) fn new() -> Self {
        let state =
            State { task: None, next: 0, parts: 0, in_flight: 0, idle: 0, panic: None, closed: false };
        Self { state: Mutex::new(state), offered: Condvar::new(), finished: Condvar::new() }
    }

    /// Offers a task; one at a time.
    pub(super) fn offer(&self, task: T, parts: usize) -> Offer<'_, T> {
        let mut state = self.lock();
        assert!(state.task.is_none() && state.in_flight == 0, "one offer at a time");
        (state.task, state.next, state.parts) = (Some(task), 0, parts);
        self.wake_one(&state);
        Offer { handoff: self }
    }

    /// Waits for a part to work on. `None` once the hand-off is closed.
    pub(super) fn next(&self) -> Option<Claim<'_, T>> {
        let mut state = self.lock();
        loop {
            if let Some(claim) = self.claim(&mut state) {
                return Some(claim);
            }
            if state.closed {
                return None;
            }
            state.idle += 1;
            state = self.offered.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.idle -= 1;
        }
    }

    /// Lets the workers go.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.offered.notify_all();
    }

    fn claim(&self, state: &mut State<T>) -> Option<Claim<'_, T>> {
        let task = state.task.filter(|_| state.next < state.parts)?;
        let part = state.next;
        state.next += 1;
        state.in_flight += 1;
        self.wake_one(state);
        Some(Claim { handoff: self, task, part })
    }

    /// Each claim wakes one more worker while parts are left. So many workers start when parts take long
    /// (they wait for disks), and few when the first ones finish before the others are awake.
    fn wake_one(&self, state: &State<T>) {
        if state.next < state.parts && state.idle > 0 {
            self.offered.notify_one();
        }
    }

    /// No code that can panic runs under the lock, so a poisoned one is as good as any.
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A part of a task in flight, until it is dropped.
pub(super) struct Claim<'h, T: Copy> {
    handoff: &'h Handoff<T>,
    pub(super) task: T,
    pub(super) part: usize,
}

impl<T: Copy> Claim<'_, T> {
    /// Finishes the part as one that panicked; the offering thread gets the first such panic.
    pub(super) fn panicked(self, panic: Panic) {
        let mut state = self.handoff.lock();
        if state.panic.is_none() {
            state.panic = Some(panic);
        }
    }
}

impl<T: Copy> Drop for Claim<'_, T> {
    fn drop(&mut self) {
        let mut state = self.handoff.lock();
        state.in_flight -= 1;
        let last = state.in_flight == 0;
        drop(state);
        if last {
            self.handoff.finished.notify_one();
        }
    }
}

/// A task on offer, until it is dropped.
pub(super) struct Offer<'h, T: Copy> {
    handoff: &'h Handoff<T>,
}

impl<T: Copy> Offer<'_, T> {
    /// Claims a part for the offering thread itself. `None` when all are claimed.
    pub(super) fn claim(&self) -> Option<Claim<'_, T>> {
        self.handoff.claim(&mut self.handoff.lock())
    }

    /// Waits until no part is in flight, and says what the first one panicked with.
    pub(super) fn wait(self) -> Option<Panic> {
        self.end()
    }

    fn end(&self) -> Option<Panic> {
        let mut state = self.handoff.lock();
        state.task = None;
        while state.in_flight > 0 {
            state = self.handoff.finished.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.panic.take()
    }
}

impl<T: Copy> Drop for Offer<'_, T> {
    fn drop(&mut self) {
        // After `wait` nothing is left to do; on a panic of the offering thread this is what holds it back.
        self.end();
    }
}
