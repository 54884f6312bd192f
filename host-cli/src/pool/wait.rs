//! A pool that another process has: which one, and waiting for it.

use crate::app::App;
use crate::host::activity::Activity;
use crate::host::interrupt;
use crate::output::failure::{Code, Failure};
use std::fmt::Display;
use std::path::Path;
use std::time::{Duration, Instant};

/// How often a waiting command looks whether the pool is free. Nothing tells when a lock is let go of.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Something is locked by a process, as far as the system tells: what that does, and since when.
pub(crate) fn busy(folder: &Path, what: impl Display, pid: Option<u32>) -> Failure {
    let activity = pid.map(|pid| Activity::of(folder, pid));
    let holder = activity.as_ref().map_or("another process".into(), Activity::words);
    let failure = Failure::new(Code::Busy, format!("{what} is in use by {holder}"))
        .hint("wait until it has finished with --wait DURATION, or stop it");
    activity.into_iter().fold(failure, Failure::activity)
}

/// Tries something until no other process is in its way, as long as `--wait` says.
pub(crate) fn patiently<T>(app: &App, f: impl Fn() -> Result<T, Failure>) -> Result<T, Failure> {
    let started = Instant::now();
    let patience = app.global.wait.unwrap_or_default();
    loop {
        match f() {
            Err(failure) if failure.code() == Code::Busy && started.elapsed() < patience => {
                if interrupt::wait(LOOK_EVERY.min(patience - started.elapsed().min(patience))) {
                    return Err(interrupt::interrupted());
                }
            }
            done => return done,
        }
    }
}
