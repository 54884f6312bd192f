//! The program, held up before one of the system calls that change something. There it is killed, gets a
//! signal, or finds its files changed. Nothing of it depends on time.

use crate::common::Answer;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::{io, mem, ptr};

/// Calls that change files or their names.
const CHANGES: &[libc::c_long] = &[
    libc::SYS_write,
    libc::SYS_pwrite64,
    libc::SYS_fsync,
    libc::SYS_fdatasync,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_unlinkat,
    libc::SYS_ftruncate,
    libc::SYS_mkdirat,
    libc::SYS_fchmod,
    libc::SYS_fallocate,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_rename,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_unlink,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_rmdir,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_mkdir,
];

/// Runs a command, and `f` with its process number before the call of this number that changes something, the
/// first being 0. The calling thread of the command stands still until `f` ends. Whether there was such a
/// call, and how the command ended.
#[expect(clippy::zombie_processes, reason = "the loop waits for it, and for its threads")]
pub(crate) fn run_with(command: &mut Command, at: usize, f: impl FnOnce(libc::pid_t)) -> (bool, Answer) {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // SAFETY: between fork and exec only these two calls are made, which are safe there.
    unsafe {
        command.pre_exec(|| {
            if libc::setpgid(0, 0) < 0 || libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0) < 0 {
                return Err(io::Error::last_os_error());
            }
            Ok(())
        });
    }
    let mut child = command.spawn().expect("the program can be traced");
    let number = child.id() as libc::pid_t;
    let (mut changes, mut is_set_up, mut f) = (0, false, Some(f));
    let status = loop {
        let mut status = 0;
        // SAFETY: the group is that of the child alone, and the status is written to.
        let thread = unsafe { libc::waitpid(-number, &raw mut status, libc::__WALL) };
        assert!(thread > 0, "waitpid: {}", io::Error::last_os_error());
        if !libc::WIFSTOPPED(status) {
            if thread == number {
                break status;
            }
            continue;
        }
        if !is_set_up {
            let options = libc::PTRACE_O_TRACESYSGOOD | libc::PTRACE_O_TRACECLONE | libc::PTRACE_O_EXITKILL;
            // SAFETY: the child is traced by this thread, and stopped.
            unsafe { libc::ptrace(libc::PTRACE_SETOPTIONS, thread, 0, options) };
            is_set_up = true;
        }
        let signal = libc::WSTOPSIG(status);
        if signal == libc::SIGTRAP | 0x80 && entered(thread).is_some_and(|call| CHANGES.contains(&call)) {
            if changes == at
                && let Some(f) = f.take()
            {
                f(number);
            }
            changes += 1;
        }
        let is_own = signal == libc::SIGTRAP | 0x80 || signal == libc::SIGTRAP || signal == libc::SIGSTOP;
        let deliver = if is_own { 0 } else { signal };
        // SAFETY: the thread is traced by this one, and stopped, unless it was just killed.
        unsafe { libc::ptrace(libc::PTRACE_SYSCALL, thread, 0, deliver) };
    };
    let (mut stdout, mut stderr) = (Vec::new(), String::new());
    child.stdout.take().expect("it is piped").read_to_end(&mut stdout).expect("it can be read");
    child.stderr.take().expect("it is piped").read_to_string(&mut stderr).expect("it can be read");
    let code = if libc::WIFEXITED(status) { libc::WEXITSTATUS(status) } else { -1 };
    (f.is_none(), Answer { code, stdout, stderr })
}

/// The same, and the command gets a signal.
pub(crate) fn signalled_at(command: &mut Command, at: usize, signal: i32) -> (bool, Answer) {
    run_with(command, at, |number| {
        // SAFETY: the child was not reaped, so the number is its own.
        let sent = unsafe { libc::kill(number, signal) };
        assert_eq!(sent, 0, "{}", io::Error::last_os_error());
    })
}

/// The number of the call that a stopped thread is about to make.
fn entered(thread: libc::pid_t) -> Option<libc::c_long> {
    // SAFETY: all zeros are a value of it.
    let mut info: libc::ptrace_syscall_info = unsafe { mem::zeroed() };
    let bytes = mem::size_of_val(&info);
    // SAFETY: the thread is stopped and traced by this one, and the kernel writes no more than `bytes`.
    let filled =
        unsafe { libc::ptrace(libc::PTRACE_GET_SYSCALL_INFO, thread, bytes, ptr::from_mut(&mut info)) };
    if filled <= 0 || info.op != libc::PTRACE_SYSCALL_INFO_ENTRY {
        return None;
    }
    // SAFETY: `op` says that this is the field that was filled.
    Some(unsafe { info.u.entry.nr } as libc::c_long)
}
