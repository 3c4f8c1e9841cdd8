//! Which of an engine's containers are agents of this swarm, and how they stand.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use alveary_core::{
    AgentId, AgentInfo, AgentState, EndedBy, Error, ErrorKind, Exit, Operation, Result,
};

use tokio::time::Instant;

use super::{Containers, named};
use crate::asks::Asks;
use crate::classify::Trouble;
use crate::engine::{Container, Engine, Phase};
use crate::exit;
use crate::labels::{Marks, of_swarm};

/// A container that is an agent of this swarm.
#[derive(Debug, Clone)]
pub(super) struct Agent {
    pub(super) container: Container,
    pub(super) marks: Marks,
}

impl Agent {
    pub(super) fn has_ended(&self) -> bool {
        self.container.phase == Phase::Ended
    }

    /// Made, and never started.
    pub(super) fn is_intent(&self) -> bool {
        self.container.phase == Phase::Created
    }
}

/// What is the last that is known of an agent.
pub(super) enum Last {
    There(Box<Agent>),
    /// A start that came to nothing, and what the engine has all the same.
    Failed(Box<AgentInfo>, Option<Box<Agent>>),
}

/// By how much the flag of memory may come later than the end is seen. One that is later than this never comes.
const FLAG_IS_LATE: Duration = Duration::from_millis(300);

/// How often the flag is looked for meanwhile.
const LOOK_FOR_THE_FLAG: Duration = Duration::from_millis(100);

/// How old an end may be that was looked at while it was fresh: the answer itself may have taken long.
const FRESH: Duration = Duration::from_secs(5);

/// How much longer the flag of memory may be on its way: not at all where the end is an old one.
fn flag_may_come_for(container: &Container) -> Duration {
    let since = container.finished_at.and_then(|at| at.elapsed().ok());
    match since {
        Some(since) if since < FRESH => FLAG_IS_LATE,
        _ => Duration::ZERO,
    }
}

pub(super) fn another_start(operation: Operation, id: &AgentId) -> Error {
    Error::new(
        ErrorKind::Conflict,
        operation,
        "another start of it is there than the one that is meant",
    )
    .with_agent(id)
    .with_cure("look which start is the latest, and name that one or none")
}

impl<E: Engine> Containers<E> {
    /// Ours are those that carry all our marks, of this swarm, under the very name that such an agent has: a
    /// container that only inherited the marks of its image has another. That the engine is the swarm's is seen
    /// [before](Self::meet) it is asked.
    pub(super) fn ours(&self, container: Container) -> Option<Agent> {
        let marks = Marks::from_labels(&container.labels)?;
        let names = &self.0.names;
        let bears_the_name =
            container.name == names.of(&marks.id) || container.name == names.of_next(&marks.id);
        let ours = marks.swarm == self.0.swarm && bears_the_name;
        (ours && container.phase != Phase::Removing).then_some(Agent { container, marks })
    }

    /// Whether it waits to take the place of its agent's last start.
    pub(super) fn waits(&self, agent: &Agent) -> bool {
        agent.container.name == self.0.names.of_next(&agent.marks.id)
    }

    /// The agent of this id, and `None` where a stranger or nobody has its name.
    pub(super) async fn look_for(&self, id: &AgentId) -> Result<Option<Agent>, Trouble> {
        self.meet().await?;
        let names = &self.0.names;
        for name in [names.of(id), names.of_next(id)] {
            let found = self.engine().inspect(&named(&name)?).await?;
            if let Some(agent) = found.and_then(|container| self.ours(container)) {
                if self.waits(&agent) {
                    self.0.halfway.add(id);
                }
                return Ok(Some(agent));
            }
        }
        Ok(None)
    }

    pub(super) async fn find(&self, id: &AgentId, operation: Operation) -> Result<Agent> {
        match self.look_for(id).await {
            Ok(Some(agent)) => Ok(agent),
            Ok(None) => Err(Error::agent_not_found(operation, id)),
            Err(trouble) => Err(trouble.error(operation).with_agent(id)),
        }
    }

    /// The agent, or what became of a start of it that was accepted here and has come to nothing.
    pub(super) async fn find_or_failed(&self, id: &AgentId, operation: Operation) -> Result<Last> {
        let found = match self.find(id, operation).await {
            Err(error) if error.kind() == ErrorKind::NotFound => Err(error),
            found => Ok(Box::new(found?)),
        };
        match self.0.comings.beside(id, found.as_deref().ok()) {
            Some(info) if info.state.has_ended() => Ok(Last::Failed(Box::new(info), found.ok())),
            _ => Ok(Last::There(found?)),
        }
    }

    /// Every agent of this swarm; of two containers of one, the one that bears its name.
    pub(super) async fn agents(&self) -> Result<BTreeMap<AgentId, Agent>, Trouble> {
        self.meet().await?;
        let mut agents = BTreeMap::new();
        for container in self.engine().list(&of_swarm(self.0.swarm), "").await? {
            let Some(agent) = self.ours(container) else {
                continue;
            };
            let waits = self.waits(&agent);
            if waits {
                self.0.halfway.add(&agent.marks.id);
            }
            if !(waits && agents.contains_key(&agent.marks.id)) {
                agents.insert(agent.marks.id.clone(), agent);
            }
        }
        Ok(agents)
    }

    /// How it ended, with what is [known](Self::hear) of its last words.
    pub(super) async fn exit(&self, container: &Container) -> Exit {
        self.exit_by(container, Asks::patience()).await
    }

    /// The same; what was sent to it may come to its outcome until then.
    async fn exit_by(&self, container: &Container, settled_by: Instant) -> Exit {
        let exit = self.bare_exit(container, settled_by).await;
        match self.0.hints.of(&container.id) {
            Some(words) if exit.by == EndedBy::Itself => {
                let hint = match &exit.hint {
                    Some(hint) => format!("{hint}; {words}"),
                    None => words,
                };
                exit.with_hint(hint)
            }
            _ => exit,
        }
    }

    async fn bare_exit(&self, container: &Container, settled_by: Instant) -> Exit {
        let ask = self.0.asks.settled(&container.id, settled_by).await;
        let killed = container.exit_code == exit::KILLED && !container.oom;
        if killed && !ask.is_any() && self.flag_comes(container).await {
            let flagged = Container {
                oom: true,
                ..container.clone()
            };
            return exit::of(&flagged, &ask);
        }
        exit::of(container, &ask)
    }

    /// Whether the engine says yet that memory ran out: it hears that by another way than of the end, and now and
    /// then later.
    async fn flag_comes(&self, container: &Container) -> bool {
        let until = Instant::now() + flag_may_come_for(container);
        while Instant::now() < until {
            tokio::time::sleep(LOOK_FOR_THE_FLAG).await;
            match self.engine().inspect(&container.id).await {
                Ok(Some(again)) if again.phase == Phase::Ended && !again.oom => {}
                Ok(Some(again)) => return again.phase == Phase::Ended,
                Ok(None) | Err(_) => return false,
            }
        }
        false
    }

    async fn state(&self, container: &Container, settled_by: Instant) -> AgentState {
        match container.phase {
            Phase::Created if !container.error.is_empty() => AgentState::Failed {
                reason: container.error.clone(),
            },
            Phase::Created => AgentState::Pending,
            Phase::Restarting => AgentState::Starting {
                reason: Some("the engine starts it again".to_owned()),
            },
            Phase::Running | Phase::Paused if self.0.asks.get(&container.id).is_any() => {
                AgentState::Stopping
            }
            Phase::Running | Phase::Paused => AgentState::Running,
            Phase::Removing | Phase::Ended => {
                AgentState::Exited(self.exit_by(container, settled_by).await)
            }
        }
    }

    /// How it stands now, its last words heard.
    pub(super) async fn info(&self, agent: &Agent) -> AgentInfo {
        self.hear(&agent.container).await;
        self.as_known(agent, Asks::patience()).await
    }

    /// How it stands now, as far as that is known without asking the engine again. Whoever asks for many waits once for
    /// what was sent to them.
    pub(super) async fn as_known(&self, agent: &Agent, settled_by: Instant) -> AgentInfo {
        let Agent { container, marks } = agent;
        let mut info = AgentInfo::new(
            marks.id.clone(),
            marks.incarnation,
            marks.name.clone(),
            self.state(container, settled_by).await,
        );
        info.handle = Some(container.id.as_str().to_owned());
        info.pid = container.pid.filter(|_| self.engine().is_local());
        info.image = Some(container.image.clone());
        info.ports.clone_from(&container.ports);
        info.capabilities.clone_from(&marks.capabilities);
        info.spec_hash = marks.spec_hash;
        info.created_at = container.created_at.unwrap_or(SystemTime::UNIX_EPOCH);
        info.started_at = container.started_at;
        info.paused = container.phase == Phase::Paused;
        info
    }
}
