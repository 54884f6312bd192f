//! Work that may have no end, with an eye on the clock on the wall.
//!
//! The simulated world stops a run that does I/O for ever. A loop without I/O is seen only from outside, and
//! no thread can be stopped. So the thread is left alone, and its seed is reported before the process ends.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

/// The source of jobs, which gets their results.
pub(super) trait Jobs {
    /// Something to do.
    type Job: Clone + Send + 'static;
    /// What comes of it.
    type Outcome: Send + 'static;

    /// The next job, or `None` when no more are to be begun.
    fn next(&mut self) -> Option<Self::Job>;

    /// A job is done, or had no end within the limit.
    fn done(&mut self, job: Self::Job, outcome: Option<Self::Outcome>);
}

/// A thread that does jobs.
struct Worker<J> {
    jobs: Sender<J>,
    /// What it is doing, and when that must be done: never, where time knows no such moment.
    current: Option<(J, Option<Instant>)>,
}

/// Does jobs on so many threads, each within the limit, until there are no more.
///
/// After one that has no end no more are begun; those that other threads are doing then get their time.
pub(super) fn watch<S: Jobs>(
    jobs: &mut S,
    threads: usize,
    limit: Duration,
    work: impl Fn(S::Job) -> S::Outcome + Send + Sync + 'static,
) {
    let (finished, outcomes) = mpsc::channel();
    let work = Arc::new(work);
    let start = |index| {
        let (jobs, waiting) = mpsc::channel::<S::Job>();
        let (work, finished) = (Arc::clone(&work), finished.clone());
        thread::spawn(move || {
            for job in waiting {
                let outcome = catch_unwind(AssertUnwindSafe(|| work(job)));
                if finished.send((index, outcome)).is_err() {
                    return;
                }
            }
        });
        Worker { jobs, current: None }
    };
    let mut workers: Vec<_> = (0..threads.max(1)).map(start).collect();
    let mut begin_more = true;
    loop {
        for worker in workers.iter_mut().filter(|worker| worker.current.is_none()) {
            let Some(job) = begin_more.then(|| jobs.next()).flatten() else {
                begin_more = false;
                break;
            };
            worker.current = Some((job.clone(), Instant::now().checked_add(limit)));
            worker.jobs.send(job).expect("a worker waits until there are no more jobs");
        }
        if workers.iter().all(|worker| worker.current.is_none()) {
            return;
        }
        let deadlines = workers.iter().filter_map(|worker| worker.current.as_ref()?.1);
        let left = match deadlines.min() {
            Some(deadline) => deadline.saturating_duration_since(Instant::now()),
            None => Duration::MAX,
        };
        match outcomes.recv_timeout(left) {
            Ok((index, outcome)) => {
                let outcome = outcome.unwrap_or_else(|panic| resume_unwind(panic));
                // One that was given up may be done after all; that is too late.
                if let Some((job, _)) = workers[index].current.take() {
                    jobs.done(job, Some(outcome));
                }
            }
            Err(RecvTimeoutError::Timeout) => {
                let now = Instant::now();
                let is_over =
                    |&mut (_, deadline): &mut (_, Option<Instant>)| deadline.is_some_and(|at| at <= now);
                for worker in &mut workers {
                    if let Some((job, _)) = worker.current.take_if(is_over) {
                        begin_more = false;
                        jobs.done(job, None);
                    }
                }
            }
            Err(RecvTimeoutError::Disconnected) => unreachable!("a sender is kept for all workers"),
        }
    }
}

/// Does one thing within the limit; `None` when it has no end.
pub(super) fn within<R: Send + 'static>(
    limit: Duration,
    work: impl FnOnce() -> R + Send + 'static,
) -> Option<R> {
    let (finished, outcome) = mpsc::channel();
    thread::spawn(move || {
        let done = catch_unwind(AssertUnwindSafe(work));
        // Where no thread waits any more, it was given up.
        finished.send(done).ok();
    });
    match outcome.recv_timeout(limit) {
        Ok(done) => Some(done.unwrap_or_else(|panic| resume_unwind(panic))),
        Err(RecvTimeoutError::Timeout) => None,
        Err(RecvTimeoutError::Disconnected) => unreachable!("a thread says how its work ended"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};

    /// Time enough for what has an end, also on a machine that is busy.
    const LONG: Duration = Duration::from_secs(60);
    const SHORT: Duration = Duration::from_millis(100);

    /// Numbers from 0 on, and what came of each.
    struct Numbers {
        left: std::ops::Range<u32>,
        seen: Vec<(u32, Option<u32>)>,
    }

    impl Jobs for Numbers {
        type Job = u32;
        type Outcome = u32;

        fn next(&mut self) -> Option<u32> {
            self.left.next()
        }

        fn done(&mut self, job: u32, outcome: Option<u32>) {
            self.seen.push((job, outcome));
        }
    }

    fn numbers(count: u32) -> Numbers {
        Numbers { left: 0..count, seen: Vec::new() }
    }

    #[test]
    fn every_job_is_done_once_however_many_threads_there_are() {
        for threads in [1, 2, 7] {
            let mut jobs = numbers(50);
            watch(&mut jobs, threads, LONG, |job| job * 2);
            jobs.seen.sort_unstable();
            assert!(jobs.seen.into_iter().eq((0..50).map(|job| (job, Some(job * 2)))), "{threads} threads");
        }
    }

    #[test]
    fn a_limit_may_be_longer_than_time_goes() {
        let mut jobs = numbers(3);
        watch(&mut jobs, 2, Duration::MAX, |job| job);
        assert_eq!(jobs.seen.len(), 3);
        assert_eq!(within(Duration::MAX, || 7), Some(7));
    }

    /// Two ways to have no end: to wait for what never comes, and to turn in a circle.
    #[test]
    fn what_has_no_end_is_given_up_and_nothing_else_is_begun() {
        let stop = Arc::new(AtomicBool::new(false));
        let (never, waiting) = mpsc::channel::<u32>();
        let waiting = std::sync::Mutex::new(waiting);
        let spins = Arc::clone(&stop);
        let mut jobs = numbers(1000);
        watch(&mut jobs, 2, SHORT, move |job| match job {
            0 => waiting.lock().expect("nobody else waits").recv().unwrap_or(job),
            _ => {
                while !spins.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
                job
            }
        });
        stop.store(true, Ordering::Relaxed);
        drop(never);
        assert_eq!(jobs.seen.len(), 2, "one for each thread: {:?}", jobs.seen);
        assert!(jobs.seen.contains(&(0, None)) && jobs.seen.contains(&(1, None)), "{:?}", jobs.seen);
        assert_eq!(jobs.left, 2..1000);
    }

    /// While one has no end, another thread continues; what it is doing when the first is given up is heard
    /// of as well.
    #[test]
    fn what_others_are_doing_is_waited_for() {
        let (never, waiting) = mpsc::channel::<u32>();
        let waiting = std::sync::Mutex::new(waiting);
        let mut jobs = numbers(u32::MAX);
        watch(&mut jobs, 2, Duration::from_secs(1), move |job| match job {
            0 => waiting.lock().expect("nobody else waits").recv().unwrap_or(job),
            _ => job,
        });
        drop(never);
        let given_up = jobs.seen.iter().position(|seen| seen.1.is_none()).expect("the first one");
        assert_eq!(jobs.seen.remove(given_up), (0, None));
        assert!(given_up > 100, "the other thread went on: {given_up}");
        assert!(jobs.seen.iter().copied().eq((1..jobs.left.start).map(|job| (job, Some(job)))));
    }

    #[test]
    #[should_panic(expected = "job 3 is broken")]
    fn a_panic_of_a_worker_is_everyones() {
        watch(&mut numbers(9), 2, LONG, |job| {
            assert!(job != 3, "job 3 is broken");
            job
        });
    }

    #[test]
    fn one_thing_is_done_or_given_up() {
        assert_eq!(within(LONG, || 7), Some(7));
        let (never, waiting) = mpsc::channel::<()>();
        assert_eq!(within(SHORT, move || waiting.recv().is_ok()), None);
        drop(never);
    }
}
