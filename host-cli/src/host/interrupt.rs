//! Ctrl-C: what is open is dropped, what was committed stays.

use crate::output::failure::{Code, Exit, Failure};
use crate::output::report::Output;
use signal_hook::consts::SIGXFSZ;
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

static REQUESTED: AtomicBool = AtomicBool::new(false);

/// Whoever waits is told at once.
static WAITING: (Mutex<()>, Condvar) = (Mutex::new(()), Condvar::new());

/// Calls to the system that may never return, begun and ended: an odd number while one goes on.
static OUTSIDE: AtomicU64 = AtomicU64::new(0);

/// How long such a call may still take when the process is asked to stop.
const GRACE: Duration = Duration::from_millis(500);

/// Catches SIGINT, SIGTERM and SIGHUP. The second one ends the process at once, which a pool bears as well as a crash.
pub(crate) fn install(out: Output) {
    // Without a handler the system's own ends the process, which is safe too.
    let _ = ctrlc::set_handler(move || {
        if REQUESTED.swap(true, Ordering::SeqCst) {
            process::exit(Exit::Interrupted as i32);
        }
        let _waiting = WAITING.0.lock().unwrap_or_else(PoisonError::into_inner);
        WAITING.1.notify_all();
        thread::spawn(move || end_what_waits_outside(out));
    });
    // A write beyond the limit on the size of files (`ulimit -f`) then fails, and with it the transaction
    // that asked for it. By default it ends the process. Nothing looks at the flag: the write's own error
    // tells.
    let _ = signal_hook::flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)));
}

/// Makes a call to the system that may wait for ever: for a file on a server that went away, for the reader of a pipe.
/// A process that is asked to stop meanwhile ends all the same.
pub(crate) fn while_waiting<T>(call: impl FnOnce() -> T) -> T {
    OUTSIDE.fetch_add(1, Ordering::SeqCst);
    let done = call();
    OUTSIDE.fetch_add(1, Ordering::SeqCst);
    done
}

/// Ends the process where it waits in such a call for too long. A pool bears that as well as a crash.
fn end_what_waits_outside(out: Output) {
    loop {
        let call = OUTSIDE.load(Ordering::SeqCst);
        thread::park_timeout(GRACE);
        if call % 2 == 1 && OUTSIDE.load(Ordering::SeqCst) == call {
            out.failure(&interrupted());
            process::exit(Exit::Interrupted as i32);
        }
    }
}

/// Whether someone asked this process to stop.
pub(crate) fn requested() -> bool {
    REQUESTED.load(Ordering::Relaxed)
}

/// Lets time pass; someone who asks this process to stop ends that at once. Whether someone did.
pub(crate) fn wait(time: Duration) -> bool {
    let waiting = WAITING.0.lock().unwrap_or_else(PoisonError::into_inner);
    let waited = WAITING.1.wait_timeout_while(waiting, time, |()| !requested());
    drop(waited.unwrap_or_else(PoisonError::into_inner));
    requested()
}

/// Fails once someone asked this process to stop.
pub(crate) fn check() -> Result<(), Failure> {
    if requested() { Err(interrupted()) } else { Ok(()) }
}

/// The failure of a command that was interrupted.
pub(crate) fn interrupted() -> Failure {
    Failure::new(Code::Interrupted, "interrupted; what was committed before is kept, the rest was dropped")
        .hint("run the same command again to finish")
}
