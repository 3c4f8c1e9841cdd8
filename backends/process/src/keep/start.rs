//! Starting an agent: intent, then the process, then the reply.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::{Duration, SystemTime};

use alveary_core::{
    AgentEvent, AgentInfo, Error, ErrorKind, Limits, Operation, Result, Retry, User,
};
use rustix::io::Errno;
use tokio::sync::watch;

use super::agent::{Agent, EARLIER_STARTS, Phase};
use super::journal::{Earlier, Entry, Intent};
use super::secrets::write_secrets;
use super::{Keep, refused};
use crate::launch::Launch;
use crate::os::cgroup::{Cgroup, GroupLimits};
use crate::os::process::Identity;
use crate::os::spawn::{self, Program, Resource, Started};

/// A program that was only just written may be held open for writing by a fork of whoever wrote it, for the
/// moment until that fork becomes another program.
const TEXT_BUSY_TRIES: u32 = 8;

/// What came of asking for an id.
enum Claim {
    /// It is ours to start.
    Ours {
        outputs: [File; 2],
        cgroup: Option<Cgroup>,
    },
    /// This very start has been made.
    There(AgentInfo),
    /// This very start is being made by somebody else.
    Underway(watch::Receiver<()>),
}

impl Keep {
    /// Starts an agent, or finds that this start has been made.
    ///
    /// From the intent to its outcome nothing is awaited, so that a caller who gives up leaves nothing half
    /// done.
    pub(crate) async fn spawn(&self, launch: Launch) -> Result<AgentInfo> {
        let mut tries = 0;
        loop {
            match self
                .claim(&launch)
                .map_err(|error| error.with_agent(&launch.id))?
            {
                Claim::There(info) => return Ok(info),
                // The sender lives in the table; that it has gone is a change too.
                Claim::Underway(mut changed) => drop(changed.changed().await),
                Claim::Ours { outputs, cgroup } => {
                    let error = match self.start(&launch, &outputs, cgroup.as_ref()) {
                        Ok(process) => return Ok(self.started(&launch, process)),
                        Err(error) => error,
                    };
                    self.not_started(&launch, cgroup.as_ref());
                    tries += 1;
                    if !matches!(error.retry(), Retry::After(_)) || tries > TEXT_BUSY_TRIES {
                        return Err(error.with_agent(&launch.id));
                    }
                    tokio::time::sleep(Duration::from_millis(1 << tries)).await;
                }
            }
        }
    }

    /// Writes the intent down, if the id is free for it.
    fn claim(&self, launch: &Launch) -> Result<Claim> {
        let limits = self.group_limits(launch)?;
        let mut table = self.table();
        if let Some(agent) = table.agents.get(&launch.id) {
            if agent.intent.incarnation == launch.incarnation {
                if agent.intent.spec_hash != launch.spec_hash {
                    return Err(exists("this start of it was made from another spec"));
                }
                return Ok(match agent.phase {
                    Phase::Pending => Claim::Underway(agent.changed.subscribe()),
                    _ => Claim::There(agent.report().info),
                });
            }
            if !agent.has_ended() {
                return Err(exists("an agent of this id lives"));
            }
            if agent
                .intent
                .earlier
                .iter()
                .any(|start| start.incarnation == launch.incarnation)
            {
                return Err(exists(
                    "that start of it is over, and a later one has been made",
                ));
            }
        }
        let (outputs, logs_from) = self
            .0
            .logs
            .open(&launch.id, launch.incarnation)
            .map_err(|error| refused(Operation::Spawn, &launch.id, error))?;
        let cgroup = self
            .0
            .cgroups
            .as_ref()
            .map(|groups| groups.plan(launch.incarnation, limits));
        let intent = Intent {
            id: launch.id.clone(),
            incarnation: launch.incarnation,
            name: launch.name.clone(),
            capabilities: launch.capabilities.clone(),
            spec_hash: launch.spec_hash,
            at: SystemTime::now(),
            stop: launch.stop.clone(),
            user: launch.user,
            cgroup: cgroup.clone(),
            life: table.agents.get(&launch.id).map(Agent::life),
            logs_from,
            earlier: table
                .agents
                .get(&launch.id)
                .map(earlier_than_next)
                .unwrap_or_default(),
        };
        if let Err(error) = table.journal.append(&Entry::Intent(intent.clone())) {
            if let Some(cgroup) = &cgroup {
                cgroup.remove();
            }
            if !table.agents.contains_key(&launch.id) {
                // Empty files that nobody will ask for: gone or not is all the same.
                let _best_effort = self.0.logs.remove(&launch.id);
            }
            return Err(refused(Operation::Spawn, &launch.id, error));
        }
        let mut agent = Agent::new(intent);
        agent.previous = table.agents.remove(&launch.id).map(Box::new);
        table.agents.insert(launch.id.clone(), agent);
        Ok(Claim::Ours { outputs, cgroup })
    }

    /// What control groups are to enforce, if they can.
    fn group_limits(&self, launch: &Launch) -> Result<GroupLimits> {
        let groups = self.0.cgroups.as_ref();
        let memory = launch.limits.memory.map(|size| size.0);
        if memory.is_some() && !groups.is_some_and(|groups| groups.limits_memory()) {
            return Err(Error::unsupported(
                Operation::Spawn,
                "`limits.memory` needs a control group with the memory controller, and none can be had here",
                "run as root, or in a systemd unit with `Delegate=yes`, or use a container backend",
            ));
        }
        // The kernel's own limit on processes counts all that a user has, not those of one agent.
        let pids = launch.limits.nproc;
        if pids.is_some() && !groups.is_some_and(|groups| groups.limits_pids()) {
            return Err(Error::unsupported(
                Operation::Spawn,
                "`limits.nproc` needs a control group with the pids controller, and none can be had here",
                "run as root, or in a systemd unit with `Delegate=yes`, or use a container backend",
            ));
        }
        Ok(GroupLimits { memory, pids })
    }

    fn start(
        &self,
        launch: &Launch,
        outputs: &[File; 2],
        cgroup: Option<&Cgroup>,
    ) -> Result<(Identity, OwnedFd)> {
        let refuse = |what: &str, error| crate::trouble::from_io(Operation::Spawn, what, error);
        if let Some(cgroup) = cgroup {
            let limits = self.group_limits(launch)?;
            cgroup
                .make(limits)
                .map_err(|error| refuse("its control group cannot be made", error))?;
        }
        let secrets = write_secrets(&self.secrets_of(&launch.id), launch.user, &launch.secrets)
            .map_err(|error| refuse("its secrets cannot be laid out for it", error))?;
        let env = launch.env.iter().chain(&secrets);
        let env: Vec<OsString> = env
            .map(|(key, value)| format!("{key}={value}").into())
            .collect();
        let started = self
            .attempt(launch, env, outputs, cgroup)
            .map_err(|error| could_not_start(&launch.program, launch.user, error))?;
        // Our child: its number is its own until we reap it.
        match Identity::of(started.pid) {
            Some(process) => Ok((process, started.pidfd)),
            None => {
                crate::os::process::end_child(started.pid, &started.pidfd);
                let error = io::Error::other("another part of this program took its end");
                Err(refuse("its process cannot be watched", error))
            }
        }
    }

    fn attempt(
        &self,
        launch: &Launch,
        env: Vec<OsString>,
        outputs: &[File; 2],
        cgroup: Option<&Cgroup>,
    ) -> io::Result<Started> {
        spawn::spawn(Program {
            path: launch.program.clone(),
            argv: launch.argv.iter().map(OsString::from).collect(),
            env,
            cwd: launch.cwd.clone(),
            user: launch.user,
            umask: launch.umask,
            input: None,
            outputs,
            on_terminal: false,
            ends_with_us: false,
            limits: self.resources(&launch.limits),
            cgroup: cgroup.map(Cgroup::birthplace).transpose()?,
            also_enter: cgroup
                .map(Cgroup::entrances)
                .transpose()?
                .unwrap_or_default(),
        })
    }

    fn resources(&self, limits: &Limits) -> Vec<(Resource, u64, u64)> {
        let mut resources = Vec::new();
        match limits.nofile {
            Some(count) => resources.push((Resource::Nofile, count, count)),
            None if self.0.options.own_process => {
                resources.push((Resource::Nofile, self.0.nofile.0, self.0.nofile.1));
            }
            None => {}
        }
        if let Some(time) = limits.cpu_time {
            // One second more until the force, so that a program can say what it was doing.
            resources.push((Resource::Cpu, time.as_secs(), time.as_secs() + 1));
        }
        resources
    }

    fn started(&self, launch: &Launch, (process, pidfd): (Identity, OwnedFd)) -> AgentInfo {
        let at = SystemTime::now();
        let info = {
            let mut table = self.table();
            table.journal.append_surely(Entry::Started {
                id: launch.id.clone(),
                incarnation: launch.incarnation,
                process,
                at,
            });
            let Some(agent) = table.agents.get_mut(&launch.id) else {
                unreachable!("a pending agent cannot be removed")
            };
            agent.previous = None;
            agent.process = Some((process, at));
            agent.is_child = true;
            agent.pidfd = Some(pidfd.into());
            agent.enter(Phase::Running);
            let info = agent.report().info;
            self.tell(AgentEvent::Changed(info.clone()));
            info
        };
        self.watch_end(&launch.id, launch.incarnation);
        info
    }

    fn not_started(&self, launch: &Launch, cgroup: Option<&Cgroup>) {
        if let Some(cgroup) = cgroup {
            cgroup.remove();
        }
        self.forget_secrets(&launch.id);
        let mut table = self.table();
        table.journal.append_surely(Entry::NotStarted {
            id: launch.id.clone(),
            incarnation: launch.incarnation,
        });
        let Some(agent) = table.agents.remove(&launch.id) else {
            return;
        };
        match agent.previous {
            Some(previous) => {
                table.agents.insert(launch.id.clone(), *previous);
            }
            None => {
                let _best_effort = self.0.logs.remove(&launch.id);
            }
        }
        agent.changed.send_replace(());
    }
}

/// The starts that the next one of this agent comes after.
fn earlier_than_next(agent: &Agent) -> Vec<Earlier> {
    let last = Earlier {
        incarnation: agent.intent.incarnation,
        logs_from: agent.intent.logs_from,
    };
    let too_many = (agent.intent.earlier.len() + 1).saturating_sub(EARLIER_STARTS);
    agent
        .intent
        .earlier
        .iter()
        .skip(too_many)
        .cloned()
        .chain([last])
        .collect()
}

fn exists(message: &str) -> Error {
    Error::new(ErrorKind::AlreadyExists, Operation::Spawn, message)
        .with_cure("stop it first, or choose another id")
}

pub(super) fn could_not_start(program: &Path, user: Option<User>, error: io::Error) -> Error {
    let invalid = |what: String, cure: &str| {
        Error::new(ErrorKind::InvalidSpec, Operation::Spawn, what).with_cure(cure)
    };
    let program = program.display();
    match Errno::from_io_error(&error) {
        Some(Errno::NOENT) => invalid(
            format!("{program} or the interpreter that its first line names is not there"),
            "install it, or correct `command`",
        ),
        Some(Errno::NOEXEC) => invalid(
            format!("{program} is no program that this machine can run"),
            "give it a first line such as `#!/bin/sh`, or build it for this machine",
        ),
        Some(Errno::TOOBIG) => invalid(
            "its command and environment are larger than the system takes".to_owned(),
            "put the larger values into files",
        ),
        Some(Errno::PERM) if user.is_some() => {
            crate::trouble::from_io(Operation::Spawn, "it cannot be run as another user", error)
                .with_cure("run alveary as root, or leave `user` out")
        }
        Some(Errno::ACCESS) => crate::trouble::from_io(
            Operation::Spawn,
            &format!("{program} may not be run"),
            error,
        )
        .with_cure(
            "make the program executable, and its folders and `cwd` open to the agent's user",
        ),
        Some(Errno::TXTBSY) => crate::trouble::from_io(
            Operation::Spawn,
            &format!("{program} is being written"),
            error,
        )
        .with_cure("wait until it is written")
        .with_retry(Retry::After(Duration::from_millis(500))),
        _ => crate::trouble::from_io(
            Operation::Spawn,
            &format!("{program} could not be started"),
            error,
        ),
    }
}
