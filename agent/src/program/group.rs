//! A process and its group, of which nothing stays.

use std::io;
use std::process::ExitStatus;
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};
use tokio::net::unix::pipe;
use tokio::process::{Child, Command};

/// How long a group has between SIGTERM and SIGKILL.
const GRACE: Duration = Duration::from_secs(2);

/// A child that leads a process group. Dropping it kills the group.
///
/// The child is reaped last: until then its number cannot be another's, and neither can its group's.
#[derive(Debug)]
pub(super) struct Group {
    child: Child,
    leader: Pid,
    /// A pidfd: registered as what tokio takes without further proof, and never read, only waited for.
    end: pipe::Receiver,
    reaped: bool,
}

impl Group {
    pub(super) fn spawn(mut command: Command) -> io::Result<Self> {
        let child = command.process_group(0).spawn()?;
        let number = child.id().and_then(|id| i32::try_from(id).ok());
        let leader = number
            .and_then(Pid::from_raw)
            .ok_or_else(|| io::Error::other("the new process has no number"))?;
        let end = pidfd_open(leader, PidfdFlags::empty())
            .map_err(io::Error::from)
            .and_then(pipe::Receiver::from_owned_fd_unchecked);
        match end {
            Ok(end) => Ok(Self {
                child,
                leader,
                end,
                reaped: false,
            }),
            Err(error) => {
                signal(leader, Signal::KILL);
                Err(error)
            }
        }
    }

    /// The pipes to and from it.
    pub(super) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Waits until the leader has ended, and leaves it unreaped.
    pub(super) async fn ended(&self) -> io::Result<()> {
        // It stays readable once the process has ended.
        self.end.readable().await
    }

    /// Asks the group to end, and gives its leader a moment to do so.
    pub(super) async fn ask_to_end(&self) -> io::Result<()> {
        signal(self.leader, Signal::TERM);
        // A stopped process takes its SIGTERM only after this.
        signal(self.leader, Signal::CONT);
        tokio::time::timeout(GRACE, self.ended())
            .await
            .unwrap_or(Ok(()))
    }

    /// Kills what is left of the group, and says how its leader ended.
    pub(super) async fn finish(mut self) -> io::Result<ExitStatus> {
        signal(self.leader, Signal::KILL);
        let status = self.child.wait().await?;
        self.reaped = true;
        Ok(status)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if !self.reaped {
            signal(self.leader, Signal::KILL);
        }
    }
}

/// That nobody is left to take it is as good.
fn signal(leader: Pid, signal: Signal) {
    if let Err(error) = kill_process_group(leader, signal) {
        tracing::debug!("no {signal:?} to process group {leader:?}: {error}");
    }
}
