//! An agent's tree of processes: asking it to end, ending it, seeing that nothing of it is left.

use std::io;

use alveary_core::{Signal, SwarmUid};

use super::agent::Agent;
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

/// Kills whatever belongs to the agent, as surely as this machine allows.
pub(super) fn kill(agent: &Agent, swarm: SwarmUid) -> io::Result<()> {
    if let Some(cgroup) = &agent.intent.cgroup {
        cgroup.kill()?;
    }
    kill_group(agent, swarm)
}

/// Kills what is left of the agent after its main process has ended. Whether anything was.
///
/// Without a control group it is looked for among the `orphans`, where every descendant that has lost its
/// parent is one of them, else among all processes.
pub(super) fn kill_rest(
    agent: &Agent,
    swarm: SwarmUid,
    orphans: Option<&[u32]>,
) -> io::Result<bool> {
    if let Some(cgroup) = &agent.intent.cgroup {
        let is_populated = cgroup.is_populated();
        if is_populated {
            cgroup.kill()?;
        }
        return Ok(is_populated);
    }
    let mark = agent.mark(swarm);
    let left = match orphans {
        Some(orphans) => process::those_that_carry(orphans, mark),
        None => process::all_that_carry(mark),
    };
    let mut any = false;
    for process in left {
        if let Ok(pidfd) = process.open()
            && !process.is_zombie()
        {
            process::send(pidfd, Signal::KILL)?;
            any = true;
        }
    }
    Ok(any)
}

fn kill_group(agent: &Agent, swarm: SwarmUid) -> io::Result<()> {
    let Some(pidfd) = &agent.pidfd else {
        return Ok(());
    };
    let Some((main, _)) = agent.process else {
        return Ok(());
    };
    if agent.is_child {
        // It is not reaped as long as we hold its handle, so the number is its group's.
        process::send_to_group(main.pid, Signal::KILL)?;
        // Should it have moved to another group.
        return process::send(pidfd, Signal::KILL);
    }
    // The child of a keeper that is dead: its number may be given away at any moment, its handle not.
    process::send(pidfd, Signal::KILL)?;
    let others = process::all_that_carry(agent.mark(swarm));
    for other in others.into_iter().filter(|other| other.pid != main.pid) {
        if let Ok(pidfd) = Identity::open(other) {
            process::send(pidfd, Signal::KILL)?;
        }
    }
    Ok(())
}
