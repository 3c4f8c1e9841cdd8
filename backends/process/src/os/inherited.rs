//! What a process has when it begins, and what it leaves to the program that it becomes.

use std::ffi::c_int;
use std::io;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Becomes another program, which is handed these descriptors. Returns only if that fails.
pub(crate) fn exec_with(command: &mut Command, hand_over: [RawFd; 2]) -> io::Error {
    let keep_open = |flags: c_int| {
        for fd in hand_over {
            // SAFETY: setting a flag of a descriptor touches no memory; the caller owns the descriptor.
            unsafe { libc::fcntl(fd, libc::F_SETFD, flags) };
        }
    };
    keep_open(0);
    let error = command.exec();
    keep_open(libc::FD_CLOEXEC);
    error
}

/// Takes over two descriptors that an earlier program of this process has left open, and closes all else.
pub(crate) fn inherit(list: &str) -> Option<[OwnedFd; 2]> {
    let (first, second) = list.split_once(',')?;
    let (first, second): (RawFd, RawFd) = (first.parse().ok()?, second.parse().ok()?);
    if first == second || first < 3 || second < 3 {
        return None;
    }
    for fd in [first, second] {
        // SAFETY: it fails on a number that is no descriptor, and touches no memory.
        if unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) } < 0 {
            return None;
        }
    }
    // SAFETY: both were seen to be open, they differ, and nothing in this process owns them: the program
    // that did is gone.
    Some(unsafe { [OwnedFd::from_raw_fd(first), OwnedFd::from_raw_fd(second)] })
}

/// Puts back what whoever started this process may have ignored for it: children whose end is ignored leave
/// no exit behind.
pub(crate) fn hear_of_children() {
    // SAFETY: called first in `main` of a keeper, while there is one thread; the default is no handler.
    unsafe {
        libc::signal(libc::SIGCHLD, libc::SIG_DFL);
    }
}

/// Closes whatever this process was started with besides its three standard streams.
pub(crate) fn close_inherited() {
    // SAFETY: called first in `main` of a keeper, when nothing in this process owns a descriptor yet.
    unsafe {
        libc::syscall(libc::SYS_close_range, 3, u32::MAX, 0);
    }
}
