//! From a prepared program to a running process.
//!
//! Made by `clone3` and not by the standard library, for reasons that were measured. A process that is born
//! in its control group costs nothing, and one that moves there waits for an RCU grace period of
//! milliseconds. No page table is copied, however large this process is. And the handle on the child comes
//! with its birth, before anybody could take its number.

mod clone;

use std::ffi::{CStr, CString, OsString, c_char, c_int};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;
use std::ptr;
use std::sync::OnceLock;

use alveary_core::User;
use rustix::process::PidfdFlags;

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

/// All that the child touches, laid out before it is there: between its birth and its program it may neither
/// allocate nor take a lock, since any other thread of ours may have held one.
struct Child<'a> {
    path: CString,
    argv: Strings,
    envp: Strings,
    cwd: Option<CString>,
    input: &'a File,
    on_terminal: bool,
    ends_with_us: bool,
    outputs: &'a [File; 2],
    limits: Vec<(Resource, u64, u64)>,
    user: Option<User>,
    umask: u32,
    cgroup: Option<OwnedFd>,
    also_enter: Vec<OwnedFd>,
}

/// What agents read from: opened once.
fn dev_null() -> io::Result<&'static File> {
    static NULL: OnceLock<File> = OnceLock::new();
    if let Some(null) = NULL.get() {
        return Ok(null);
    }
    let null = File::open("/dev/null")?;
    Ok(NULL.get_or_init(|| null))
}

/// Strings as C wants them: pointers, the last of them null.
struct Strings {
    pointers: Vec<*const c_char>,
    /// What they point at.
    _owned: Vec<CString>,
}

impl Strings {
    fn new(strings: Vec<OsString>) -> io::Result<Self> {
        let owned: Vec<CString> = strings
            .into_iter()
            .map(c_string)
            .collect::<io::Result<_>>()?;
        let pointers = owned
            .iter()
            .map(|string| string.as_ptr())
            .chain([ptr::null()])
            .collect();
        Ok(Self {
            pointers,
            _owned: owned,
        })
    }
}

fn c_string(string: OsString) -> io::Result<CString> {
    CString::new(string.into_vec()).map_err(io::Error::from)
}

impl<'a> Child<'a> {
    fn prepare(program: Program<'a>) -> io::Result<Self> {
        Ok(Self {
            path: c_string(program.path.into_os_string())?,
            argv: Strings::new(program.argv)?,
            envp: Strings::new(program.env)?,
            cwd: program
                .cwd
                .map(|cwd| c_string(cwd.into_os_string()))
                .transpose()?,
            input: match program.input {
                Some(input) => input,
                None => dev_null()?,
            },
            on_terminal: program.on_terminal,
            ends_with_us: program.ends_with_us,
            outputs: program.outputs,
            limits: program.limits,
            user: program.user,
            umask: program.umask,
            cgroup: program.cgroup,
            also_enter: program.also_enter,
        })
    }

    /// The child's whole life until it is another program. Returns only what went wrong.
    fn become_program(&self) -> io::Error {
        let became = || -> io::Result<()> {
            let [stdout, stderr] = self.outputs;
            for (from, to) in [
                (self.input.as_raw_fd(), libc::STDIN_FILENO),
                (stdout.as_raw_fd(), libc::STDOUT_FILENO),
                (stderr.as_raw_fd(), libc::STDERR_FILENO),
            ] {
                // SAFETY: three numbers; ours are above 2, since a Rust program has 0, 1 and 2 open.
                check(unsafe { libc::dup2(from, to) })?;
            }
            if self.on_terminal {
                own_terminal()?;
            } else {
                // SAFETY: a group of its own; two numbers.
                check(unsafe { libc::setpgid(0, 0) })?;
            }
            reset_signals()?;
            // SAFETY: a number; it cannot fail.
            unsafe { libc::umask(self.umask) };
            self.also_enter
                .iter()
                .try_for_each(|group| enter(group.as_raw_fd()))?;
            self.limits
                .iter()
                .try_for_each(|&(resource, soft, hard)| limit(resource, soft, hard))?;
            if let Some(user) = self.user {
                become_user(user)?;
            }
            if let Some(cwd) = &self.cwd {
                // SAFETY: the string ends in NUL and lives through the call.
                check(unsafe { libc::chdir(cwd.as_ptr()) })?;
            }
            if self.ends_with_us {
                // Last, since becoming another user takes it back.
                // SAFETY: two numbers.
                check(unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) })?;
            }
            close_rest_on_exec();
            // SAFETY: both arrays end in null, and all that they point at lives in `self`.
            check(unsafe {
                libc::execve(
                    self.path.as_ptr(),
                    self.argv.pointers.as_ptr(),
                    self.envp.pointers.as_ptr(),
                )
            })
        };
        match became() {
            Err(error) => error,
            Ok(()) => io::Error::last_os_error(),
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

/// Signals as a program expects to find them: none blocked, none ignored.
fn reset_signals() -> io::Result<()> {
    // SAFETY: the set is made by the call that is there to make it; handlers are set to the default only.
    unsafe {
        // What the caller ignores (Rust programs do so with SIGPIPE) is inherited even by a new program. That
        // some numbers are no signals, or have no handler to set, is of no interest.
        for signal in 1..=64 {
            libc::signal(signal, libc::SIG_DFL);
        }
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        check(libc::sigprocmask(
            libc::SIG_SETMASK,
            &raw const none,
            ptr::null_mut(),
        ))
    }
}

/// A session of its own, whose terminal is standard input.
fn own_terminal() -> io::Result<()> {
    // SAFETY: no pointers; the child leads no group yet.
    check(unsafe { libc::setsid() })?;
    // SAFETY: a descriptor, a request, and a number: not to be taken from another session.
    check(unsafe { libc::ioctl(libc::STDIN_FILENO, libc::TIOCSCTTY, 0) })
}

fn enter(group: RawFd) -> io::Result<()> {
    // "0" means the writing process itself.
    let zero: &CStr = c"0";
    // SAFETY: the descriptor is open in the parent and so here; the buffer is one byte, as is said.
    check(unsafe { libc::write(group, zero.as_ptr().cast(), 1) })
}

fn limit(resource: Resource, soft: u64, hard: u64) -> io::Result<()> {
    let limit = libc::rlimit {
        rlim_cur: soft,
        rlim_max: hard,
    };
    // SAFETY: the pointer is to a whole `rlimit` that lives through the call.
    check(unsafe { libc::setrlimit(resource.native(), &raw const limit) })
}

fn become_user(user: User) -> io::Result<()> {
    // Raw system calls: libc's own would try to tell the other threads, of which this copy has none.
    // SAFETY: no pointers but the null one that goes with a count of zero groups.
    unsafe {
        check(libc::syscall(
            libc::SYS_setgroups,
            0,
            ptr::null::<libc::gid_t>(),
        ))?;
        check(libc::syscall(
            libc::SYS_setresgid,
            user.gid,
            user.gid,
            user.gid,
        ))?;
        check(libc::syscall(
            libc::SYS_setresuid,
            user.uid,
            user.uid,
            user.uid,
        ))
    }
}

/// Whatever the process that embeds us has left open without close-on-exec stays out of the agent. Marked
/// and not closed: a failed exec is reported through one of them.
fn close_rest_on_exec() {
    // SAFETY: three numbers; nothing is pointed at.
    let done = unsafe {
        libc::syscall(
            libc::SYS_close_range,
            3,
            u32::MAX,
            libc::CLOSE_RANGE_CLOEXEC,
        )
    };
    if done < 0 {
        // Older than Linux 5.11: one by one, as far as programs go.
        for fd in 3..4096 {
            // SAFETY: setting a flag of a descriptor, or of none, touches no memory.
            unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) };
        }
    }
}

/// Every system call says by a negative number that it failed; of which width depends on the call.
fn check<N: Copy + Default + PartialOrd>(returned: N) -> io::Result<()> {
    if returned < N::default() {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

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
        check(unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) }).ok()?;
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
