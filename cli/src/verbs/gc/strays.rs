//! Processes that carry the mark of an agent that has ended.

use std::fs;
use std::path::PathBuf;

use alveary::{Agent, SwarmManager, SwarmUid};
use rustix::process::{Pid, PidfdFlags, Signal, geteuid, pidfd_open, pidfd_send_signal};

use crate::failure::Failure;

/// A process that has outlived its agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stray {
    pub(super) pid: u32,
    /// When it began, as the kernel counts: the same number later may be another process.
    began: String,
    pub(super) program: String,
    /// The agent that it was of.
    pub(super) agent: String,
    incarnation: String,
}

/// Those of this swarm, of all the processes of this user.
pub(super) fn of(swarm: SwarmUid, agents: &[Agent]) -> Vec<Stray> {
    let Ok(processes) = fs::read_dir("/proc") else {
        // A system without has no agents of this kind either.
        return Vec::new();
    };
    let mut strays: Vec<Stray> = processes
        .flatten()
        .filter_map(|process| process.file_name().to_str()?.parse().ok())
        .filter_map(|pid| marked(pid, swarm))
        .filter(|stray| !stray.is_of_one_that_lives(agents))
        .collect();
    strays.sort_unstable_by_key(|stray| stray.pid);
    strays
}

/// Ends this one, if it is the same and its agent still does not live. `false`: it is not, or it does.
pub(super) async fn end(
    stray: &Stray,
    swarm: SwarmUid,
    manager: &SwarmManager,
) -> Result<bool, Failure> {
    let Some(pid) = i32::try_from(stray.pid).ok().and_then(Pid::from_raw) else {
        return Ok(false);
    };
    // From here on no other process can be meant by it.
    let Ok(process) = pidfd_open(pid, PidfdFlags::empty()) else {
        return Ok(false);
    };
    let agents = manager.list().await?;
    if marked(stray.pid, swarm).as_ref() != Some(stray) || stray.is_of_one_that_lives(&agents) {
        return Ok(false);
    }
    Ok(pidfd_send_signal(process, Signal::KILL).is_ok())
}

impl Stray {
    fn is_of_one_that_lives(&self, agents: &[Agent]) -> bool {
        agents.iter().any(|agent| {
            agent.id().as_str() == self.agent
                && agent.info.incarnation.to_string() == self.incarnation
                && !agent.state().has_ended()
        })
    }
}

/// What a process is, if it is of this user and carries the whole of a mark of this swarm.
fn marked(pid: u32, swarm: SwarmUid) -> Option<Stray> {
    let of = PathBuf::from(format!("/proc/{pid}"));
    let environ = fs::read(of.join("environ")).ok()?;
    let value = |key: &str| {
        let mut pairs = environ.split(|byte| *byte == 0);
        let value = pairs.find_map(|pair| pair.strip_prefix(key.as_bytes())?.strip_prefix(b"="));
        value.and_then(|value| std::str::from_utf8(value).ok())
    };
    let is_of_it = value("ALVEARY_SWARM")?.parse() == Ok(swarm);
    let status = fs::read_to_string(of.join("status")).ok()?;
    let user = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    let is_ours = user.split_whitespace().next()? == geteuid().as_raw().to_string();
    if !is_of_it || !is_ours {
        return None;
    }
    let stat = fs::read_to_string(of.join("stat")).ok()?;
    // The name, which may have anything in it, ends at the last bracket.
    let (before, after) = stat.rsplit_once(')')?;
    let (_, program) = before.split_once('(')?;
    let mut fields = after.split_whitespace();
    if matches!(fields.next()?, "Z" | "X") {
        return None;
    }
    Some(Stray {
        pid,
        // The twenty-second of all.
        began: fields.nth(18)?.to_owned(),
        program: program.to_owned(),
        agent: value("ALVEARY_AGENT_ID")?.to_owned(),
        incarnation: value("ALVEARY_INCARNATION")?.to_owned(),
    })
}
