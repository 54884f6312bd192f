//! Ctrl-C, and the other signals that ask a process to stop: what is open is dropped, what was committed
//! stays.
//!
//! Whatever may wait for long asks here: work between its steps ([`check`]), rests ([`wait`]), and reads and
//! writes of terminals and pipes ([`until_ready`]).

use crate::output::failure::{Code, Exit, Failure};
use crate::output::report::Output;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::{flag, low_level};
use std::fs;
use std::io::{self, PipeReader};
use std::os::fd::AsFd;
use std::process;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Once, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

/// What a command leaves behind that is interrupted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Nothing: it only looks.
    None,
    /// Whatever was complete; the same command continues with the rest.
    Kept,
    /// Files in a folder that the same command does not take again.
    Folder,
}

/// Requests to stop.
struct Requests {
    /// Set by the signal's handler itself, so that nothing runs between the signal and this.
    made: Arc<AtomicBool>,
    /// Readable from the first one on: wakes what waits.
    waker: PipeReader,
    /// Where to say that a call was cut short.
    out: Output,
    effect: Effect,
}

static REQUESTS: OnceLock<Requests> = OnceLock::new();

/// Calls to the system that may never return, begun and ended: an odd number while one continues.
static OUTSIDE: AtomicU64 = AtomicU64::new(0);

/// How long such a call may still take when the process is asked to stop.
const GRACE: Duration = Duration::from_millis(500);

/// Watches over such calls, from the first one on.
static WATCH: Once = Once::new();

/// Catches SIGINT, SIGTERM and SIGHUP. The second one ends the process at once, which a pool bears as well as a crash.
pub(crate) fn install(out: Output, effect: Effect) -> io::Result<()> {
    let made = Arc::new(AtomicBool::new(false));
    let (waker, wakes) = io::pipe()?;
    // What the parent process wants ignored stays so, as `nohup` does.
    for signal in [SIGINT, SIGTERM, SIGHUP].into_iter().filter(|&signal| !is_ignored(signal)) {
        // In this order: the first signal finds the flag as it was.
        flag::register_conditional_shutdown(signal, Exit::Interrupted as i32, made.clone())?;
        flag::register(signal, made.clone())?;
        low_level::pipe::register(signal, wakes.try_clone()?)?;
    }
    // A write beyond the limit on the size of files (`ulimit -f`) then fails, and with it the transaction
    // that asked for it. By default it ends the process. Nothing looks at the flag: the write's own error
    // tells.
    flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)))?;
    REQUESTS.get_or_init(|| Requests { made, waker, out, effect });
    Ok(())
}

/// Whether a signal was ignored when this process began, as far as the system tells.
fn is_ignored(signal: i32) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    ignored
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}

/// Whether this process was asked to stop.
pub(crate) fn requested() -> bool {
    REQUESTS.get().is_some_and(|requests| requests.made.load(Ordering::SeqCst))
}

/// Lets time pass; a request to stop ends that at once. Whether there was one.
pub(crate) fn wait(time: Duration) -> bool {
    let started = Instant::now();
    while let Some(left) = time.checked_sub(started.elapsed()).filter(|left| !left.is_zero()) {
        // An error can only be that of a signal, or of an array that is empty: then the time is over soon.
        let woken = poll(&mut waker(), Timespec::try_from(left).ok().as_ref());
        if requested() || woken.is_err_and(|error| error != rustix::io::Errno::INTR) {
            break;
        }
    }
    requested()
}

/// What is polled beside other files.
fn waker() -> Vec<PollFd<'static>> {
    REQUESTS.get().map(|requests| PollFd::new(&requests.waker, PollFlags::IN)).into_iter().collect()
}

/// What a read or write of a file is to be able to do without waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ready {
    ToRead,
    ToWrite,
}

/// Waits until a file can be read or written without waiting: a few bytes at least. An error of the kind
/// `Interrupted` means that this process was asked to stop before that.
pub(crate) fn until_ready(file: impl AsFd, ready: Ready) -> io::Result<()> {
    let flags = match ready {
        Ready::ToRead => PollFlags::IN,
        Ready::ToWrite => PollFlags::OUT,
    };
    loop {
        let mut files = vec![PollFd::new(&file, flags)];
        files.extend(waker());
        match poll(&mut files, None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        // An error or a hang-up is for the read or write to find.
        if !files[0].revents().is_empty() {
            return Ok(());
        }
        if requested() {
            return Err(io::ErrorKind::Interrupted.into());
        }
    }
}

/// Makes a call to the system that may wait for ever, for example for a file on a lost server. There is no
/// way to ask the system beforehand. A process that is asked to stop meanwhile ends all the same.
pub(crate) fn while_waiting<T>(call: impl FnOnce() -> T) -> T {
    WATCH.call_once(|| {
        thread::spawn(end_what_waits_outside);
    });
    OUTSIDE.fetch_add(1, Ordering::SeqCst);
    let done = call();
    OUTSIDE.fetch_add(1, Ordering::SeqCst);
    done
}

/// Ends the process where it waits in such a call for too long. A pool bears that as well as a crash.
fn end_what_waits_outside() {
    let Some(requests) = REQUESTS.get() else { return };
    while !wait(Duration::MAX) {}
    loop {
        let call = OUTSIDE.load(Ordering::SeqCst);
        // Not to wait for something: time itself is what the call is given, and nothing else can end it.
        thread::sleep(GRACE);
        if call % 2 == 1 && OUTSIDE.load(Ordering::SeqCst) == call {
            requests.out.failure(&interrupted());
            process::exit(Exit::Interrupted as i32);
        }
    }
}

/// Fails once this process was asked to stop.
pub(crate) fn check() -> Result<(), Failure> {
    if requested() { Err(interrupted()) } else { Ok(()) }
}

/// The failure of a command that was interrupted.
pub(crate) fn interrupted() -> Failure {
    let (left, hint) = match REQUESTS.get().map_or(Effect::Kept, |requests| requests.effect) {
        Effect::None => ("nothing was changed", "run the same command again"),
        Effect::Kept => (
            "what was committed before is kept, the rest was dropped",
            "run the same command again to finish",
        ),
        Effect::Folder => (
            "what is complete stays in the folder, the rest is missing there",
            "begin anew with a folder that is not there yet: `dynamicfs salvage DEST`",
        ),
    };
    Failure::new(Code::Interrupted, format!("interrupted; {left}")).hint(hint)
}
