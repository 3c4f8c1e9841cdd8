//! An agent's tree of processes: asking it to end, ending it, seeing that nothing of it is left.

use std::io;

use alveary_core::Signal;

use super::agent::Agent;
use crate::os::cgroup::Cgroup;
use crate::os::process::{self, Identity};

/// Sends the signal that asks to the agent's main process alone, as container engines do: one agent ends the
/// same way on every backend, and a parent that passes signals on to its children does not double them.
///
/// A process that is stopped could not take it, so it is made to go on.
pub(super) fn ask_to_end(agent: &Agent, signal: Signal) -> io::Result<()> {
    let Some(pidfd) = &agent.pidfd else {
        return Ok(());
    };
    process::send(pidfd, signal)?;
    process::send(pidfd, Signal::CONT)
}

/// Kills whatever belongs to the agent and can be told to without a look at all processes. The rest of it is
/// ended when its main process has.
pub(super) fn kill(agent: &Agent) -> io::Result<()> {
    let by_group = match &agent.intent.cgroup {
        Some(cgroup) => cgroup.kill(),
        None => Ok(()),
    };
    // Tried whatever came of that: the handle is there even where no file can be opened any more.
    by_group.and(kill_main(agent))
}

fn kill_main(agent: &Agent) -> io::Result<()> {
    let Some(pidfd) = &agent.pidfd else {
        return Ok(());
    };
    if let (true, Some((main, _))) = (agent.is_child, agent.process) {
        // It is not reaped as long as we hold its handle, so the number is its group's. Of a keeper that is
        // dead its number may be given away at any moment, its handle not.
        process::send_to_group(main.pid, Signal::KILL)?;
    }
    process::send(pidfd, Signal::KILL)
}

/// Kills what is left in an agent's control group. Whether anything was.
pub(super) fn kill_rest_of(cgroup: &Cgroup) -> io::Result<bool> {
    let is_populated = cgroup.is_populated()?;
    if is_populated {
        cgroup.kill()?;
    }
    Ok(is_populated)
}

/// Kills those of these that have not ended. Whether any was there.
pub(super) fn kill_all(processes: &[Identity]) -> io::Result<bool> {
    let mut any = false;
    for process in processes {
        match process.open() {
            Ok(_) if process.is_zombie() => {}
            Ok(pidfd) => {
                process::send(pidfd, Signal::KILL)?;
                any = true;
            }
            Err(error) if process::is_used_up(&error) => return Err(error),
            // It has ended.
            Err(_) => {}
        }
    }
    Ok(any)
}
