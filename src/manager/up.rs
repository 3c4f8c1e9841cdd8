//! Bringing a swarm to what its fleet file says.

mod plan;
mod run;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use alveary_core::{AgentBackend, AgentId, AgentInfo, Error, ErrorKind, Operation, Result};

use super::SwarmManager;
use crate::config::{Fleet, Member, Place};
use crate::state::Record;

use plan::{Known, Wanted, plan};

/// How to bring a swarm up.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct UpOptions {
    /// Only these, by their own name or that of their kind, and whoever is to be ready before them. All
    /// where there are none.
    pub names: Vec<String>,
    /// Whether those are removed that are in the swarm and not in the file.
    pub prune: bool,
    /// Whether each is waited for until it is ready; otherwise only those that others come after.
    pub wait_ready: bool,
    /// What `{exe}` stands for: this very program unless said.
    pub exe: Option<PathBuf>,
    /// Told of every step as it is taken.
    pub progress: Option<Arc<ProgressFn>>,
}

/// Who is told of the steps that [`SwarmManager::up`] takes, from several at once. It is not waited for by
/// the agents, but by the caller: it had better be quick.
pub type ProgressFn = dyn Fn(UpEvent<'_>) + Send + Sync;

impl fmt::Debug for UpOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpOptions")
            .field("names", &self.names)
            .field("prune", &self.prune)
            .field("wait_ready", &self.wait_ready)
            .field("exe", &self.exe)
            .field("progress", &self.progress.is_some())
            .finish()
    }
}

impl UpOptions {
    /// Takes only these.
    #[must_use]
    pub fn with_names<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.names = names.into_iter().map(Into::into).collect();
        self
    }

    /// Removes what is not in the file.
    #[must_use]
    pub fn with_prune(mut self, prune: bool) -> Self {
        self.prune = prune;
        self
    }

    /// Waits for each until it is ready.
    #[must_use]
    pub fn with_wait_ready(mut self, wait_ready: bool) -> Self {
        self.wait_ready = wait_ready;
        self
    }

    /// Sets what `{exe}` stands for.
    #[must_use]
    pub fn with_exe(mut self, exe: impl Into<PathBuf>) -> Self {
        self.exe = Some(exe.into());
        self
    }

    /// Tells somebody of every step.
    #[must_use]
    pub fn with_progress(mut self, tell: impl Fn(UpEvent<'_>) + Send + Sync + 'static) -> Self {
        self.progress = Some(Arc::new(tell));
        self
    }

    fn tell(&self, event: UpEvent<'_>) {
        if let Some(progress) = &self.progress {
            progress(event);
        }
    }
}

/// What is done about one agent.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct UpStep {
    /// Its name.
    pub name: String,
    /// Its id, old or newly drawn.
    pub id: AgentId,
    /// What is done.
    pub action: UpAction,
}

/// What is done about an agent to bring a swarm up.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum UpAction {
    /// It is new.
    Create,
    /// It does not run, and is started again as the same agent.
    Start {
        /// Why it does not run.
        why: String,
    },
    /// It runs and is no longer what the file says: it is stopped and started as that.
    Recreate {
        /// What has changed: names of keys, never values.
        why: String,
    },
    /// It runs and is what the file says.
    Keep,
    /// It is not in the file, and is stopped and removed.
    Prune,
    /// It is not in the file, and is left as it is.
    Foreign,
}

impl fmt::Display for UpStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = alveary_core::Escaped(&self.name);
        match &self.action {
            UpAction::Create => write!(f, "create {name}"),
            UpAction::Start { why } => write!(f, "start {name}: {why}"),
            UpAction::Recreate { why } => write!(f, "recreate {name}: {why}"),
            UpAction::Keep => write!(f, "keep {name}"),
            UpAction::Prune => write!(f, "remove {name}: it is not in the file"),
            UpAction::Foreign => {
                write!(
                    f,
                    "leave {name}: it is not in the file (`--prune` removes it)"
                )
            }
        }
    }
}

/// What happens while a swarm is brought up.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum UpEvent<'a> {
    /// All that will be done.
    Planned(&'a [UpStep]),
    /// It is this one's turn.
    Begun(&'a UpStep),
    /// Its start was accepted, or it is left as it is.
    Started(&'a UpStep, &'a AgentInfo),
    /// It is ready.
    Ready(&'a UpStep, &'a AgentInfo),
    /// It was removed.
    Removed(&'a UpStep),
    /// It did not come up.
    Failed(&'a UpStep, &'a Error),
}

/// What became of one step.
#[derive(Debug)]
#[non_exhaustive]
pub struct UpOutcome {
    /// What was to be done.
    pub step: UpStep,
    /// How the agent stood then; `None` where there is nothing to tell of it.
    pub result: Result<Option<AgentInfo>>,
}

/// What became of every step, in the order of the plan.
#[derive(Debug)]
#[non_exhaustive]
pub struct UpReport {
    /// One for each step.
    pub outcomes: Vec<UpOutcome>,
}

impl UpReport {
    /// What went wrong.
    pub fn failures(&self) -> impl Iterator<Item = (&UpStep, &Error)> {
        self.outcomes
            .iter()
            .filter_map(|outcome| Some((&outcome.step, outcome.result.as_ref().err()?)))
    }

    /// Whether nothing did.
    pub fn is_success(&self) -> bool {
        self.failures().next().is_none()
    }
}

impl<B: AgentBackend + ?Sized> SwarmManager<B> {
    /// What [`up`](Self::up) would do, without doing it.
    pub async fn plan_up(&self, fleet: &Fleet, options: &UpOptions) -> Result<Vec<UpStep>> {
        let planned = self.plan(fleet, options).await?;
        Ok(planned.into_iter().map(|planned| planned.step).collect())
    }

    /// Brings the swarm to what the file says: starts what is new or has ended, recreates what has changed,
    /// leaves the rest; names keep their ids. Those that others come after are waited for until they are
    /// ready; independent ones start at once, so many at a time.
    ///
    /// An error where nothing was begun; what became of each agent is in the report.
    pub async fn up(&self, fleet: &Fleet, options: UpOptions) -> Result<UpReport> {
        let planned = self.plan(fleet, &options).await?;
        run::run(self, planned, &options).await
    }

    async fn plan(&self, fleet: &Fleet, options: &UpOptions) -> Result<Vec<plan::Planned>> {
        self.core().attach(Operation::List).await?;
        self.sync_records()?;
        let members = chosen(fleet, &options.names)?;
        let wanted = self.wanted(fleet, &members, options.exe.as_deref())?;
        let mut known = self.known();
        if !options.names.is_empty() {
            // Of the others nothing is said, good or bad.
            known.retain(|known| wanted.iter().any(|wanted| wanted.is(&known.id)));
        }
        Ok(plan(wanted, known, options.prune))
    }

    /// Brings these members up and leaves everybody else alone.
    pub(super) async fn up_members(
        &self,
        fleet: &Fleet,
        members: &[Member],
        options: &UpOptions,
    ) -> Result<UpReport> {
        self.core().attach(Operation::List).await?;
        self.sync_records()?;
        let wanted = self.wanted(fleet, members, options.exe.as_deref())?;
        let mut known = self.known();
        known.retain(|known| wanted.iter().any(|wanted| wanted.is(&known.id)));
        run::run(self, plan(wanted, known, false), options).await
    }

    /// What these members are to be, under the ids that their names have.
    fn wanted(
        &self,
        fleet: &Fleet,
        members: &[Member],
        exe: Option<&std::path::Path>,
    ) -> Result<Vec<Wanted>> {
        let core = self.core();
        let exe = match exe {
            Some(exe) => exe.to_owned(),
            None => std::env::current_exe().map_err(|error| {
                Error::new(
                    ErrorKind::Engine,
                    Operation::Configure,
                    "it cannot be found where this program is, which `{exe}` stands for",
                )
                .caused_by(error)
            })?,
        };
        let place = Place::of(exe, &core.backend.capabilities());
        members
            .iter()
            .map(|member| {
                let id = core
                    .table
                    .named(&member.name)
                    .unwrap_or_else(AgentId::random);
                let spec = fleet.spec(member, &id, &place)?;
                let mut record = Record::new(id, spec);
                record.group.clone_from(&member.group);
                if let Some(agent) = fleet.agent(&member.group) {
                    record.after.clone_from(&agent.after);
                }
                record.index = (member.name != member.group).then_some(member.index);
                Ok(Wanted(record))
            })
            .collect()
    }

    /// Everyone who is there.
    fn known(&self) -> Vec<Known> {
        let table = &self.core().table;
        let agents = table.agents(|_| true);
        agents
            .into_iter()
            .map(|agent| {
                let parts = table.look(agent.id(), |row| {
                    (
                        row.record.clone(),
                        row.info.is_some() || row.unsure.is_some(),
                    )
                });
                let (record, known_to_engine) = parts.unwrap_or_default();
                Known {
                    id: agent.info.id.clone(),
                    name: agent.info.name.clone(),
                    group: agent.group.clone(),
                    info: known_to_engine.then_some(agent.info),
                    record,
                }
            })
            .collect()
    }
}

/// The members that are asked for, and whoever is to be ready before them, in the order of starting.
fn chosen(fleet: &Fleet, names: &[String]) -> Result<Vec<Member>> {
    let in_order = || fleet.start_order().flat_map(|agent| agent.members());
    if names.is_empty() {
        return Ok(in_order().collect());
    }
    let mut members = Vec::new();
    let mut before = Vec::new();
    for name in names {
        if let Some(agent) = fleet.agent(name) {
            members.extend(agent.members());
            before.extend(&agent.after);
        } else if let Some(member) = fleet.member(name) {
            before.extend(
                fleet
                    .agent(&member.group)
                    .into_iter()
                    .flat_map(|a| &a.after),
            );
            members.push(member);
        } else {
            fleet.find_agent(name)?;
        }
    }
    let mut groups: Vec<&String> = Vec::new();
    while let Some(name) = before.pop() {
        if !groups.contains(&name) {
            groups.push(name);
            before.extend(fleet.agent(name).into_iter().flat_map(|agent| &agent.after));
        }
    }
    members.extend(in_order().filter(|member| groups.contains(&&member.group)));
    let place = |member: &Member| {
        let groups = fleet.start_order().position(|a| a.name == member.group);
        (groups, member.index)
    };
    members.sort_by_key(place);
    members.dedup();
    Ok(members)
}
