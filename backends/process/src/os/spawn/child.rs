//! What a child does between its birth and its program.

use std::ffi::{CStr, CString, OsString, c_char};
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStringExt;
use std::ptr;
use std::sync::OnceLock;

use alveary_core::User;

use super::{Program, Resource, check};

/// All that the child touches, laid out before it is there: between its birth and its program it may neither
/// allocate nor take a lock, since any other thread of ours may have held one.
pub(super) struct Child<'a> {
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
    pub(super) cgroup: Option<OwnedFd>,
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
    pub(super) fn prepare(program: Program<'a>) -> io::Result<Self> {
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
    pub(super) fn become_program(&self) -> io::Error {
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

/// Moves into this group, by its open `cgroup.procs`.
pub(super) fn enter(group: RawFd) -> io::Result<()> {
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
