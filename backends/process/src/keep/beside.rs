//! Programs that run beside an agent: in its group, with what it has around it, and no longer than it.

use std::collections::{BTreeMap, HashMap};
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use alveary_core::{
    AgentId, Error, ErrorKind, ExecSpec, ExitStatus, Incarnation, Operation, Result, Signal, User,
};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::agent::Agent;
use super::start::could_not_start;
use super::{Keep, living, refused};
use crate::launch::{check_cwd, find_program};
use crate::os::cgroup::{Cgroup, Nested};
use crate::os::ended::until_ended;
use crate::os::process::{self, INCARNATION_KEY, SWARM_KEY};
use crate::os::spawn::{self, Program};
use crate::os::streams::Theirs;
use crate::os::surroundings::Surroundings;

/// What is to be run beside an agent.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Errand {
    id: AgentId,
    incarnation: Option<Incarnation>,
    command: Vec<String>,
    env: BTreeMap<String, String>,
    cwd: Option<PathBuf>,
    user: Option<User>,
    on_terminal: bool,
}

impl Errand {
    pub(crate) fn new(id: &AgentId, spec: &ExecSpec) -> Self {
        Self {
            id: id.clone(),
            incarnation: spec.incarnation,
            command: spec.command.clone(),
            env: spec.env.clone(),
            cwd: spec.cwd.clone(),
            user: spec.user,
            on_terminal: spec.tty.is_some(),
        }
    }
}

/// Without arguments and environment: none of them belongs into a trace.
impl fmt::Debug for Errand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Errand")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// All that run beside agents, by the numbers of their processes. What is in here has not been reaped, so its
/// number is its own.
#[derive(Debug, Default)]
pub(super) struct AllBeside(Mutex<HashMap<u32, Option<Nested>>>);

impl AllBeside {
    fn lock(&self) -> MutexGuard<'_, HashMap<u32, Option<Nested>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn has(&self, pid: u32) -> bool {
        self.lock().contains_key(&pid)
    }

    fn kill(&self, pid: u32) -> io::Result<()> {
        match self.lock().get(&pid) {
            Some(nested) => kill(pid, nested.as_ref()),
            None => Ok(()),
        }
    }
}

fn kill(pid: u32, nested: Option<&Nested>) -> io::Result<()> {
    if let Some(nested) = nested {
        nested.kill()?;
    }
    process::send_to_group(pid, Signal::KILL)
}

/// A program that runs beside an agent. It is ended by force, with what it began, when this is dropped.
#[derive(Debug)]
pub(crate) struct Beside {
    keep: Keep,
    pid: u32,
    status: watch::Receiver<Option<ExitStatus>>,
}

impl Beside {
    /// Waits for its end. Who stops waiting may begin anew.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        match self.status.wait_for(Option::is_some).await {
            Ok(status) => status.clone().unwrap_or_else(unseen),
            Err(_) => unseen(),
        }
    }
}

fn unseen() -> ExitStatus {
    ExitStatus::Unknown {
        why: "another part of this program took its end".to_owned(),
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        if let Err(error) = self.keep.0.beside.kill(self.pid) {
            tracing::error!(pid = self.pid, %error, "what ran beside an agent could not be ended");
        }
    }
}

impl Keep {
    /// Runs a program beside an agent. Nothing is awaited in it.
    pub(crate) fn run_beside(&self, errand: &Errand, streams: &Theirs) -> Result<Beside> {
        let id = &errand.id;
        // Held until it runs: who holds the agent still meanwhile would hold up its birth, and us with it.
        let table = self.table();
        let agent = living(&table, id, errand.incarnation, Operation::Exec)?;
        let main = agent.running(Operation::Exec)?;
        let cgroup = agent.intent.cgroup.as_ref();
        if agent.paused || cgroup.is_some_and(Cgroup::is_to_be_frozen) {
            return Err(
                Error::new(ErrorKind::Conflict, Operation::Exec, "it is paused")
                    .with_agent(id)
                    .with_cure("have it go on first"),
            );
        }
        let surroundings = Surroundings::of(main.pid).map_err(|error| {
            let what = "what it has around it cannot be read";
            crate::trouble::from_io(Operation::Exec, what, error).with_agent(id)
        })?;
        let nested = cgroup
            .map(Cgroup::nest)
            .transpose()
            .map_err(|error| refused(Operation::Exec, id, error))?;
        let started = self.attempt_beside(errand, agent, surroundings, nested.as_ref(), streams);
        let started = match started {
            Ok(started) => started,
            Err(error) => {
                if let Some(nested) = nested {
                    nested.remove();
                }
                return Err(error.with_operation(Operation::Exec).with_agent(id));
            }
        };
        self.0.beside.lock().insert(started.pid, nested);
        drop(table);
        let (told, status) = watch::channel(None);
        self.watch_beside(started.pid, started.pidfd.into(), told);
        Ok(Beside {
            keep: self.clone(),
            pid: started.pid,
            status,
        })
    }

    fn attempt_beside(
        &self,
        errand: &Errand,
        agent: &Agent,
        surroundings: Surroundings,
        nested: Option<&Nested>,
        streams: &Theirs,
    ) -> Result<spawn::Started> {
        if let Some(cwd) = &errand.cwd {
            check_cwd(cwd)?;
        }
        let cwd = errand.cwd.clone().unwrap_or(surroundings.cwd);
        let env = self.environment_beside(errand, agent, surroundings.env);
        let path = value_of(&env, "PATH").and_then(OsStr::to_str);
        let name = errand.command.first().map_or("", String::as_str);
        let path = find_program(name, Some(&cwd), path)?;
        let user = errand.user.or(agent.intent.user);
        let start = || -> io::Result<spawn::Started> {
            if let (true, Some(user), Some(terminal)) = (errand.on_terminal, user, &streams.stdin) {
                let uid = rustix::fs::Uid::from_raw(user.uid);
                rustix::fs::fchown(terminal, Some(uid), None)?;
            }
            let also_enter = agent.intent.cgroup.as_ref().map(Cgroup::entrances);
            spawn::spawn(Program {
                path: path.clone(),
                argv: errand.command.iter().map(OsString::from).collect(),
                env,
                cwd: Some(cwd),
                user,
                umask: surroundings.umask,
                input: streams.stdin.as_ref(),
                outputs: &streams.outputs,
                on_terminal: errand.on_terminal,
                // A thread of somebody else's program may end long before that program does.
                ends_with_us: self.0.options.own_process,
                limits: surroundings.limits,
                cgroup: nested.map(Nested::birthplace).transpose()?,
                also_enter: also_enter.transpose()?.unwrap_or_default(),
            })
        };
        start().map_err(|error| could_not_start(&path, user, error))
    }

    /// What the agent was given, over it what the caller sets, and over that what marks it as the agent's.
    fn environment_beside(
        &self,
        errand: &Errand,
        agent: &Agent,
        mut env: Vec<OsString>,
    ) -> Vec<OsString> {
        let marks = [
            (SWARM_KEY, self.swarm().to_string()),
            ("ALVEARY_AGENT_ID", errand.id.to_string()),
            (INCARNATION_KEY, agent.intent.incarnation.to_string()),
        ];
        let set = errand
            .env
            .iter()
            .map(|(key, value)| (key.as_str(), value.clone()));
        for (key, value) in set.chain(marks) {
            env.retain(|variable| !is_of(variable, key));
            env.push(format!("{key}={value}").into());
        }
        env
    }

    fn watch_beside(&self, pid: u32, pidfd: Arc<OwnedFd>, told: watch::Sender<Option<ExitStatus>>) {
        let keep = self.clone();
        self.0.tasks.spawn(async move {
            if let Err(error) = until_ended(Arc::clone(&pidfd)).await {
                tracing::error!(pid, %error, "the end of what runs beside an agent cannot be waited for");
            }
            let (status, nested) = {
                // Reaped and struck off at once: from then on its number may be another's.
                let mut beside = keep.0.beside.lock();
                let status = process::take_end(&pidfd).unwrap_or_else(unseen);
                (status, beside.remove(&pid).flatten())
            };
            if let Some(nested) = nested {
                nested.remove();
            }
            told.send_replace(Some(status));
        });
    }

    /// Ends all that run beside agents: those who wait for them are about to be forgotten.
    pub(crate) fn end_all_beside(&self) {
        for (&pid, nested) in self.0.beside.lock().iter() {
            if let Err(error) = kill(pid, nested.as_ref()) {
                tracing::error!(pid, %error, "what runs beside an agent could not be ended");
            }
        }
    }
}

fn is_of(variable: &OsStr, key: &str) -> bool {
    let rest = variable.as_bytes().strip_prefix(key.as_bytes());
    rest.is_some_and(|rest| rest.starts_with(b"="))
}

fn value_of<'a>(env: &'a [OsString], key: &str) -> Option<&'a OsStr> {
    let variable = env.iter().find(|variable| is_of(variable, key))?;
    variable
        .as_bytes()
        .get(key.len() + 1..)
        .map(OsStr::from_bytes)
}
