//! From a prepared program to a running process.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use alveary_core::User;

/// Everything that a process is started with.
pub(crate) struct Program {
    pub(crate) path: PathBuf,
    /// The name under which it is called, first, and its arguments.
    pub(crate) argv: Vec<OsString>,
    pub(crate) env: Vec<(OsString, OsString)>,
    pub(crate) cwd: Option<PathBuf>,
    pub(crate) user: Option<User>,
    pub(crate) stdout: File,
    pub(crate) stderr: File,
    /// Soft and hard limit by resource.
    pub(crate) limits: Vec<(Resource, u64, u64)>,
    /// `cgroup.procs` of the groups that it is in before it runs, open for writing.
    pub(crate) cgroups: Vec<OwnedFd>,
}

/// What the kernel limits a process in.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Resource {
    Nofile,
    Nproc,
    Cpu,
}

impl Resource {
    fn native(self) -> libc::__rlimit_resource_t {
        match self {
            Self::Nofile => libc::RLIMIT_NOFILE,
            Self::Nproc => libc::RLIMIT_NPROC,
            Self::Cpu => libc::RLIMIT_CPU,
        }
    }

    /// The soft and the hard limit that this process has.
    pub(crate) fn ours(self) -> (u64, u64) {
        let native = match self {
            Self::Nofile => rustix::process::Resource::Nofile,
            Self::Nproc => rustix::process::Resource::Nproc,
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
pub(crate) fn spawn(program: Program) -> io::Result<u32> {
    let Program {
        path,
        argv,
        env,
        cwd,
        user,
        stdout,
        stderr,
        limits,
        cgroups,
    } = program;
    let mut command = Command::new(path);
    let mut argv = argv.into_iter();
    if let Some(name) = argv.next() {
        command.arg0(name);
    }
    command
        .args(argv)
        .env_clear()
        .envs(env)
        .stdin(Stdio::null())
        .stdout(stdout)
        .stderr(stderr)
        .process_group(0);
    if let Some(cwd) = cwd {
        command.current_dir(cwd);
    }
    let cgroup_fds: Vec<RawFd> = cgroups.iter().map(AsRawFd::as_raw_fd).collect();
    // SAFETY: the closure runs between fork and exec in a copy of this process that has one thread. It
    // calls nothing but the kernel, allocates nothing and takes no lock.
    unsafe {
        command.pre_exec(move || {
            enter(&cgroup_fds)?;
            limit(&limits)?;
            if let Some(user) = user {
                become_user(user)?;
            }
            close_rest_on_exec()
        });
    }
    // The handle is dropped without a wait: whoever keeps the agent waits by pidfd.
    Ok(command.spawn()?.id())
}

fn enter(cgroups: &[RawFd]) -> io::Result<()> {
    for &cgroup in cgroups {
        // SAFETY: the descriptor is open in the parent and so here; the buffer is one byte, as is said.
        // "0" means the writing process itself.
        check(unsafe { libc::write(cgroup, c"0".as_ptr().cast(), 1) })?;
    }
    Ok(())
}

fn limit(limits: &[(Resource, u64, u64)]) -> io::Result<()> {
    for &(resource, soft, hard) in limits {
        let limit = libc::rlimit {
            rlim_cur: soft,
            rlim_max: hard,
        };
        // SAFETY: the pointer is to a whole `rlimit` that lives through the call.
        check(unsafe { libc::setrlimit(resource.native(), &raw const limit) })?;
    }
    Ok(())
}

fn become_user(user: User) -> io::Result<()> {
    // Raw system calls: libc's own would try to tell the other threads, of which this copy has none.
    // SAFETY: no pointers but the null one that goes with a count of zero groups.
    unsafe {
        check(libc::syscall(
            libc::SYS_setgroups,
            0,
            std::ptr::null::<libc::gid_t>(),
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
        ))?;
    }
    Ok(())
}

/// Whatever the process that embeds us has left open without close-on-exec stays out of the agent. Marked
/// and not closed: the standard library reports a failed exec through one of them.
fn close_rest_on_exec() -> io::Result<()> {
    // SAFETY: three numbers; nothing is pointed at.
    let done = unsafe {
        libc::syscall(
            libc::SYS_close_range,
            3,
            u32::MAX,
            libc::CLOSE_RANGE_CLOEXEC,
        )
    };
    check(done)
}

/// Every system call says by a negative number that it failed; of which width depends on the call.
fn check<N: Default + PartialOrd>(returned: N) -> io::Result<()> {
    if returned < N::default() {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

/// Becomes another program, which is handed these descriptors. Returns only if that fails.
pub(crate) fn exec_with(command: &mut Command, hand_over: [RawFd; 2]) -> io::Error {
    let keep_open = |flags: libc::c_int| {
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

/// Closes whatever this process was started with besides its three standard streams.
pub(crate) fn close_inherited() {
    // SAFETY: called first in `main` of a keeper, when nothing in this process owns a descriptor yet.
    unsafe {
        libc::syscall(libc::SYS_close_range, 3, u32::MAX, 0);
    }
}
