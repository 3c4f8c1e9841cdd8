//! Telling processes apart, waiting for them, signalling them: by pidfd, never by a number that may have
//! been given to somebody else.

use std::fs;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use alveary_core::{ExitStatus, Incarnation, Signal, SwarmUid};
use rustix::process::{Pid, PidfdFlags, WaitId, WaitIdOptions};
use serde::{Deserialize, Serialize};

/// Under these names each process of an agent carries its swarm's uid and the nonce of its start.
pub(crate) const SWARM_KEY: &str = "ALVEARY_SWARM";
pub(crate) const INCARNATION_KEY: &str = "ALVEARY_INCARNATION";

/// What a process of an agent carries in its environment. A part of it proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Mark {
    pub(crate) swarm: SwarmUid,
    pub(crate) incarnation: Incarnation,
}

/// A process as it can be told from a later one of the same number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    pub(crate) pid: u32,
    /// When it began, in clock ticks since the machine's start.
    pub(crate) start: u64,
}

/// This start of the machine.
pub(crate) fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .unwrap_or_default()
        .trim()
        .to_owned()
}

/// What this process keeps from the files that it makes, as it stood when it was first asked for: the call
/// that tells it changes it too, and to have the kernel tell it in a file is too slow for every spawn.
pub(crate) fn umask() -> Option<u32> {
    static UMASK: OnceLock<Option<u32>> = OnceLock::new();
    *UMASK.get_or_init(|| {
        let status = fs::read_to_string("/proc/self/status").ok()?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("Umask:"))?;
        u32::from_str_radix(line.trim(), 8).ok()
    })
}

/// What `/proc/PID/stat` says that we need.
struct Stat {
    state: u8,
    start: u64,
    /// Where in its memory its environment ends; 0 where it has none, and for who may not know.
    environ_end: u64,
}

/// What is known of the process that has this number, if there is one. An error is no answer.
fn stat(pid: u32) -> io::Result<Option<Stat>> {
    // One read into a buffer that holds the longest such line: this stands on the path of every spawn.
    let mut buffer = [0; 1024];
    let read =
        fs::File::open(format!("/proc/{pid}/stat")).and_then(|mut file| file.read(&mut buffer));
    match read {
        Ok(len) => Ok(parse_stat(&buffer[..len])),
        Err(error) if is_used_up(&error) => Err(error),
        Err(_) => Ok(None),
    }
}

/// Whether the system cannot say, which tells nothing of what was asked about.
pub(crate) fn is_used_up(error: &io::Error) -> bool {
    use rustix::io::Errno;
    matches!(
        Errno::from_io_error(error),
        Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM)
    )
}

fn parse_stat(text: &[u8]) -> Option<Stat> {
    // The program's own name stands in parentheses and may hold parentheses and spaces: what follows the
    // last one is ours to split.
    let end = text.iter().rposition(|&byte| byte == b')')?;
    let rest = std::str::from_utf8(text.get(end + 2..)?).ok()?;
    let mut fields = rest.split(' ');
    let state = *fields.next()?.as_bytes().first()?;
    // The 22nd field of the file, the 20th behind the name.
    let start = fields.nth(18)?.parse().ok()?;
    // The 51st.
    let environ_end = fields.nth(28).and_then(|end| end.parse().ok());
    Some(Stat {
        state,
        start,
        environ_end: environ_end.unwrap_or_default(),
    })
}

impl Identity {
    /// The process that has this number now.
    pub(crate) fn of(pid: u32) -> Option<Self> {
        Some(Self {
            pid,
            start: stat(pid).ok()??.start,
        })
    }

    /// Whether the number still belongs to that process, dead or alive.
    pub(crate) fn is_there(self) -> bool {
        self.stat().is_ok_and(|stat| stat.is_some())
    }

    /// Whether that process has ended and waits for its parent to ask how.
    pub(crate) fn is_zombie(self) -> bool {
        let is_zombie = |stat: Stat| stat.state == b'Z';
        self.stat().is_ok_and(|stat| stat.is_some_and(is_zombie))
    }

    fn stat(self) -> io::Result<Option<Stat>> {
        Ok(stat(self.pid)?.filter(|stat| stat.start == self.start))
    }

    /// A handle on that process that can never come to mean another.
    pub(crate) fn open(self) -> io::Result<OwnedFd> {
        let pidfd = rustix::process::pidfd_open(to_pid(self.pid)?, PidfdFlags::empty())?;
        // Asked after the opening: had the number been given away before it, the start would differ.
        match self.stat()? {
            Some(_) => Ok(pidfd),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// Whether the process was started as this, by its own environment's word.
    pub(crate) fn carries(self, mark: Mark) -> bool {
        Mark::of(self.pid).is_ok_and(|found| found == Some(mark)) && self.is_there()
    }
}

impl Mark {
    /// What the process that has this number carries, if it carries all of a mark. An error is no answer.
    pub(crate) fn of(pid: u32) -> io::Result<Option<Self>> {
        let begun = Instant::now();
        let (mut before, mut alike) = (None, 0);
        loop {
            let environ = match fs::read(format!("/proc/{pid}/environ")) {
                Ok(environ) => environ,
                Err(error) if is_used_up(&error) => return Err(error),
                // It has ended, or is none of our user's.
                Err(_) => return Ok(None),
            };
            if environ.ends_with(b"\0") {
                return Ok(Self::in_environment(&environ));
            }
            // Of who becomes another program at this moment the kernel shows none, or half of the last one's.
            match stat(pid)? {
                Some(stat) if stat.environ_end != 0 => {
                    // Whoever writes over its own need not end it.
                    let now = Some((environ, stat.environ_end));
                    alike = if now == before { alike + 1 } else { 0 };
                    if alike == ALIKE {
                        return Ok(now.and_then(|(environ, _)| Self::in_environment(&environ)));
                    }
                    before = now;
                    std::thread::sleep(BETWEEN_LOOKS);
                }
                // It has no place yet. A thread of the kernel's never has one, and one that has ended no more.
                Some(_) if is_a_program(pid) && begun.elapsed() < LONGEST_EXEC => {
                    std::thread::sleep(BETWEEN_LOOKS);
                }
                _ => return Ok(None),
            }
        }
    }

    fn in_environment(environ: &[u8]) -> Option<Self> {
        let value_of = |key: &str| {
            let mut lines = environ.split(|&byte| byte == 0);
            let value =
                lines.find_map(|line| line.strip_prefix(key.as_bytes())?.strip_prefix(b"="));
            value.and_then(|value| std::str::from_utf8(value).ok())
        };
        Some(Self {
            swarm: value_of(SWARM_KEY)?.parse().ok()?,
            incarnation: value_of(INCARNATION_KEY)?.parse().ok()?,
        })
    }
}

/// Who takes longer to become another program waits for a file that does not come.
const LONGEST_EXEC: Duration = Duration::from_secs(1);
const BETWEEN_LOOKS: Duration = Duration::from_micros(50);
/// So many looks more see the same of who is not just becoming another program.
const ALIKE: u32 = 2;

/// Whether it is no thread of the kernel's.
fn is_a_program(pid: u32) -> bool {
    fs::read_link(format!("/proc/{pid}/exe")).is_ok()
}

/// Every living process on this machine that carries the mark.
pub(crate) fn all_that_carry(mark: Mark) -> Vec<Identity> {
    all()
        .unwrap_or_default()
        .into_iter()
        .filter(|&pid| Mark::of(pid).is_ok_and(|found| found == Some(mark)))
        .filter_map(Identity::of)
        .collect()
}

/// Every process on this machine.
pub(crate) fn all() -> io::Result<Vec<u32>> {
    let names = fs::read_dir("/proc")?.map(|entry| Ok(entry?.file_name()));
    let names: Vec<_> = names.collect::<io::Result<_>>()?;
    Ok(names
        .iter()
        .filter_map(|name| name.to_str()?.parse().ok())
        .collect())
}

/// The children of this process, of whichever thread.
pub(crate) fn children() -> io::Result<Vec<u32>> {
    let mut children = Vec::new();
    let tasks = fs::read_dir("/proc/self/task")?.map(|task| Ok(task?.path()));
    let tasks: Vec<_> = tasks.collect::<io::Result<_>>()?;
    for task in tasks {
        match fs::read_to_string(task.join("children")) {
            Ok(list) => {
                let pids = list.split_ascii_whitespace();
                children.extend(pids.filter_map(|pid| pid.parse::<u32>().ok()));
            }
            Err(error) if is_used_up(&error) => return Err(error),
            // The thread has ended, and has left its children to another.
            Err(_) => {}
        }
    }
    Ok(children)
}

/// Orphaned descendants become this process's children from now on.
pub(crate) fn become_subreaper() -> io::Result<()> {
    Ok(rustix::process::set_child_subreaper(Some(
        rustix::process::getpid(),
    ))?)
}

/// Whether this system gives handles on processes. Without them nobody could be sure whom a signal reaches.
pub(crate) fn are_held_by_handles() -> io::Result<()> {
    rustix::process::pidfd_open(rustix::process::getpid(), PidfdFlags::empty())?;
    Ok(())
}

/// Whether this system can send such a signal.
pub(crate) fn can_be_sent(signal: Signal) -> io::Result<()> {
    to_native(signal).map(drop)
}

/// Sends a signal to the process that the handle means. `Ok` if it has ended.
pub(crate) fn send(pidfd: impl AsFd, signal: Signal) -> io::Result<()> {
    match rustix::process::pidfd_send_signal(pidfd, to_native(signal)?) {
        Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

/// Sends a signal to the process group that `leader` leads.
///
/// Only while the leader has not been reaped: until then its number cannot be given to another group.
pub(crate) fn send_to_group(leader: u32, signal: Signal) -> io::Result<()> {
    match rustix::process::kill_process_group(to_pid(leader)?, to_native(signal)?) {
        Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

/// Takes the end of a child that is known to have ended. `None`: it is no child of ours, or somebody else in
/// this process has taken it.
pub(crate) fn take_end(pidfd: impl AsFd) -> Option<ExitStatus> {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
    let status = rustix::process::waitid(WaitId::PidFd(pidfd.as_fd()), options).ok()??;
    if let Some(code) = status.exit_status() {
        return Some(ExitStatus::Code(code));
    }
    let signal = Signal::from_number(status.terminating_signal()?)?;
    Some(ExitStatus::Signal(signal))
}

/// Reaps a child that has told us that it could not become a program, and is about to end.
pub(crate) fn reap_failed(pidfd: impl AsFd) {
    if let Err(error) = rustix::process::waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED)
    {
        tracing::warn!(%error, "a process that failed to start could not be reaped");
    }
}

/// Ends a child of ours whose end nobody could see, with its group, and reaps it.
pub(crate) fn end_child(pid: u32, pidfd: impl AsFd) {
    match send_to_group(pid, Signal::KILL) {
        Ok(()) => reap_failed(pidfd),
        Err(error) => {
            tracing::error!(pid, %error, "a process that was only just started could not be ended");
        }
    }
}

/// Reaps those of these children that have ended.
pub(crate) fn reap(children: &[u32]) {
    for &pid in children {
        if let Ok(pid) = to_pid(pid) {
            // Whether it has ended is what is asked; that it has not is no error.
            let _not_ended_yet =
                rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::NOHANG);
        }
    }
}

fn to_pid(pid: u32) -> io::Result<Pid> {
    i32::try_from(pid)
        .ok()
        .and_then(Pid::from_raw)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "no process has such a number"))
}

fn to_native(signal: Signal) -> io::Result<rustix::process::Signal> {
    rustix::process::Signal::from_named_raw(signal.number()).ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::Unsupported,
            "real-time signals cannot be sent",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn a_process_whose_name_looks_like_the_end_of_its_name_is_read_right() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("x) S 1");
        std::os::unix::fs::symlink("/bin/sleep", &program).unwrap();
        let mut child = Command::new(&program).arg("100").spawn().unwrap();
        let me = Identity::of(std::process::id()).unwrap();
        let it = Identity::of(child.id()).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(it.start >= me.start && me.start > 0);
    }

    #[test]
    fn a_number_that_was_given_away_is_not_taken_for_its_former_owner() {
        let mut child = Command::new("sleep").arg("100").spawn().unwrap();
        let it = Identity::of(child.id()).unwrap();
        let former = Identity {
            start: it.start - 1,
            ..it
        };
        assert!(it.open().is_ok());
        assert!(former.open().is_err());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!it.is_there());
    }

    /// For a moment of each `execve` the kernel shows no environment.
    #[test]
    fn who_becomes_one_program_after_the_other_carries_its_mark_all_the_time() {
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("again");
        fs::write(&script, "#!/bin/sh\nexec /bin/sh \"$0\"\n").unwrap();
        let mark = Mark {
            swarm: SwarmUid::random(),
            incarnation: Incarnation::random(),
        };
        let mut child = Command::new("/bin/sh")
            .arg(&script)
            .env(SWARM_KEY, mark.swarm.to_string())
            .env(INCARNATION_KEY, mark.incarnation.to_string())
            .spawn()
            .unwrap();
        let seen = (0..20_000).filter(|_| Mark::of(child.id()).unwrap() == Some(mark));
        let seen = seen.count();
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(seen, 20_000);
    }
}
