//! The program, killed before one of the system calls with which it changes something.

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

/// Runs a command and kills it before the call of this number that changes something, the first being 0.
/// Whether it was killed: a command that makes fewer such calls comes to its end.
pub(crate) fn killed_at(command: &mut Command, at: usize) -> bool {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // SAFETY: between fork and exec only these two calls are made, which are safe there.
    unsafe {
        command.pre_exec(|| {
            if libc::setpgid(0, 0) < 0 || libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0) < 0 {
                return Err(io::Error::last_os_error());
            }
            Ok(())
        });
    }
    // It is reaped below.
    let child = command.spawn().expect("the program can be traced").id() as libc::pid_t;
    let (mut changes, mut is_set_up) = (0, false);
    loop {
        let mut status = 0;
        // SAFETY: the group is that of the child alone, and the status is written to.
        let thread = unsafe { libc::waitpid(-child, &raw mut status, libc::__WALL) };
        assert!(thread > 0, "waitpid: {}", io::Error::last_os_error());
        if !libc::WIFSTOPPED(status) {
            if thread == child {
                return false;
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
            if changes == at {
                // SAFETY: the child was not reaped, so the number is its own.
                unsafe { libc::kill(child, libc::SIGKILL) };
                // SAFETY: as above.
                while unsafe { libc::waitpid(-child, &raw mut status, libc::__WALL) } > 0 {}
                return true;
            }
            changes += 1;
        }
        let is_own = signal == libc::SIGTRAP | 0x80 || signal == libc::SIGTRAP || signal == libc::SIGSTOP;
        let deliver = if is_own { 0 } else { signal };
        // SAFETY: the thread is traced by this one, and stopped.
        unsafe { libc::ptrace(libc::PTRACE_SYSCALL, thread, 0, deliver) };
    }
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
