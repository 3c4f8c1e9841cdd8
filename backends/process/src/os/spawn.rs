//! From a prepared program to a running process.
//!
//! Made by `clone3` and not by the standard library, for reasons that were measured. A process that is born
//! in its control group costs nothing, and one that moves there waits for an RCU grace period of
//! milliseconds. No page table is copied, however large this process is. And the handle on the child comes
//! with its birth, before anybody could take its number.

mod child;
mod clone;

use std::ffi::{OsString, c_int};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::PathBuf;

use alveary_core::User;
use rustix::process::PidfdFlags;

use child::{Child, enter};
use clone::CloneArguments;

/// Everything that a process is started with.
#[derive(Debug)]
pub(crate) struct Program<'a> {
    pub(crate) path: PathBuf,
    /// The name under which it is called, first, and its arguments.
    pub(crate) argv: Vec<OsString>,
    /// Each `KEY=VALUE`.
    pub(crate) env: Vec<OsString>,
    pub(crate) cwd: Option<PathBuf>,
    pub(crate) user: Option<User>,
    pub(crate) umask: u32,
    /// Standard input; empty unless given.
    pub(crate) input: Option<&'a File>,
    /// Standard output and standard error.
    pub(crate) outputs: &'a [File; 2],
    /// Whether its standard streams are a terminal that is to be its own.
    pub(crate) on_terminal: bool,
    /// Whether it is to end with the thread that starts it.
    pub(crate) ends_with_us: bool,
    /// Soft and hard limit by resource.
    pub(crate) limits: Vec<(Resource, u64, u64)>,
    /// The folder of the v2 group in which it is born.
    pub(crate) cgroup: Option<OwnedFd>,
    /// `cgroup.procs` of the v1 groups that it enters before it runs, open for writing.
    pub(crate) also_enter: Vec<OwnedFd>,
}

/// A process that was just started: our child, not reaped.
#[derive(Debug)]
pub(crate) struct Started {
    pub(crate) pid: u32,
    pub(crate) pidfd: OwnedFd,
}

/// What the kernel limits a process in.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Resource {
    Nofile,
    Cpu,
}

impl Resource {
    fn native(self) -> libc::__rlimit_resource_t {
        match self {
            Self::Nofile => libc::RLIMIT_NOFILE,
            Self::Cpu => libc::RLIMIT_CPU,
        }
    }

    /// The soft and the hard limit that this process has.
    pub(crate) fn ours(self) -> (u64, u64) {
        let native = match self {
            Self::Nofile => rustix::process::Resource::Nofile,
            Self::Cpu => rustix::process::Resource::Cpu,
        };
        let limit = rustix::process::getrlimit(native);
        (
            limit.current.unwrap_or(u64::MAX),
            limit.maximum.unwrap_or(u64::MAX),
        )
    }
}

/// Starts the program in a process group of its own, with nothing of ours open but its two outputs.
///
/// Returns once the program itself runs: a failure to become it is an error here.
pub(crate) fn spawn(program: Program<'_>) -> io::Result<Started> {
    let child = Child::prepare(program)?;
    let (failure, told) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    let started = fork(&child, &told)?;
    drop(told);
    let mut errno = [0; 4];
    match File::from(failure).read_exact(&mut errno) {
        // It was closed by the exec: nothing has failed.
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(started),
        outcome => {
            super::process::reap_failed(&started.pidfd);
            outcome?;
            Err(io::Error::from_raw_os_error(i32::from_ne_bytes(errno)))
        }
    }
}

/// Starts the child, in its control group where it has one.
fn fork(child: &Child<'_>, told: &OwnedFd) -> io::Result<Started> {
    let mut pidfd: c_int = -1;
    let mut arguments = CloneArguments {
        flags: CLONE_PIDFD | CLONE_CLEAR_SIGHAND | CLONE_VFORK,
        pidfd: (&raw mut pidfd) as u64,
        exit_signal: SIGCHLD,
        ..CloneArguments::default()
    };
    if let Some(cgroup) = &child.cgroup {
        arguments.flags |= CLONE_INTO_CGROUP;
        arguments.cgroup = cgroup.as_raw_fd().unsigned_abs().into();
    }
    let newborn = Newborn { child, told };
    // SAFETY: the descriptor that the arguments name is open, and what they point at lives through the call.
    // The newborn keeps to what it promises: see `live`.
    let pid = unsafe { clone::into(&mut arguments, live, &newborn) };
    match pid {
        Ok(pid) => {
            // SAFETY: the kernel has just opened it for us, and nobody else owns it.
            let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
            Ok(Started { pid, pidfd })
        }
        // Older than Linux 5.7, or a container that allows no clone3 and says so in one of two ways.
        Err(error)
            if matches!(
                error.raw_os_error(),
                Some(libc::ENOSYS | libc::EINVAL | libc::EPERM)
            ) =>
        {
            fork_as_of_old(child, told)
        }
        Err(error) => Err(error),
    }
}

/// What a child finds at its birth.
struct Newborn<'a> {
    child: &'a Child<'a>,
    told: &'a OwnedFd,
}

/// The child's life. It may share our memory while this thread waits, so it changes nothing that is ours,
/// allocates nothing, takes no lock and does not unwind.
extern "C" fn live(newborn: &Newborn<'_>) -> ! {
    fail(newborn.told, &newborn.child.become_program())
}

/// Starts the child where the kernel knows no better, and has it move itself.
fn fork_as_of_old(child: &Child<'_>, told: &OwnedFd) -> io::Result<Started> {
    let entrance = match &child.cgroup {
        Some(group) => {
            let flags = rustix::fs::OFlags::WRONLY | rustix::fs::OFlags::CLOEXEC;
            Some(rustix::fs::openat(
                group,
                c"cgroup.procs",
                flags,
                rustix::fs::Mode::empty(),
            )?)
        }
        None => None,
    };
    // SAFETY: the child does nothing between its birth and its program but call the kernel.
    let pid = unsafe { libc::fork() };
    check(pid)?;
    if pid == 0 {
        let error = match entrance.map_or(Ok(()), |group| enter(group.as_raw_fd())) {
            Ok(()) => child.become_program(),
            Err(error) => error,
        };
        fail(told, &error);
    }
    let number = pid.unsigned_abs();
    let native = rustix::process::Pid::from_raw(pid).ok_or(io::ErrorKind::NotFound)?;
    match rustix::process::pidfd_open(native, PidfdFlags::empty()) {
        Ok(pidfd) => Ok(Started { pid: number, pidfd }),
        Err(error) => {
            // A child whose end nobody could see is worse than none.
            let _ended = rustix::process::kill_process(native, rustix::process::Signal::KILL);
            let _reaped =
                rustix::process::waitpid(Some(native), rustix::process::WaitOptions::empty());
            Err(error.into())
        }
    }
}

/// Tells the parent why the child did not become the program, and ends the child.
fn fail(told: &OwnedFd, error: &io::Error) -> ! {
    let errno = error.raw_os_error().unwrap_or(libc::EINVAL).to_ne_bytes();
    // SAFETY: the buffer is as long as is said. That nobody reads would be the parent's death, and then
    // nobody needs to know. `_exit` runs nothing of the parent's that was copied.
    unsafe {
        libc::write(told.as_raw_fd(), errno.as_ptr().cast(), errno.len());
        libc::_exit(127)
    }
}

const SIGCHLD: u64 = libc::SIGCHLD as u64;
const CLONE_PIDFD: u64 = 0x1000;
const CLONE_VFORK: u64 = 0x4000;
const CLONE_CLEAR_SIGHAND: u64 = 0x1_0000_0000;
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// Every system call says by a negative number that it failed; of which width depends on the call.
fn check<N: Copy + Default + PartialOrd>(returned: N) -> io::Result<()> {
    if returned < N::default() {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}
