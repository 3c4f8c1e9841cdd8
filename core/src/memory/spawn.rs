//! Starting an agent, or finding that this start has been made.

use std::sync::Arc;

use tokio::runtime::Handle;

use super::agent::Agent;
use super::context::AgentContext;
use super::engine::Program;
use super::{MemoryBackend, given};
use crate::backend::AgentBackend;
use crate::error::{Error, ErrorKind, Operation, Result};
use crate::id::{AgentId, Incarnation};
use crate::info::AgentInfo;
use crate::spec::AgentSpec;

impl MemoryBackend {
    /// Without a point at which it could be dropped: it has happened, or it has not.
    pub(super) fn spawn_now(
        &self,
        id: &AgentId,
        spec: &AgentSpec,
        incarnation: Incarnation,
    ) -> Result<AgentInfo> {
        self.capabilities().admit(spec)?;
        let hash = spec.hash();
        let present = |there: &Arc<Agent>| {
            let same_spec = there.spec_hash == hash;
            answer_for_present(there, incarnation, same_spec)
        };
        if let Some(answer) = self.agents().get(id).and_then(present) {
            return answer;
        }
        let program = self.program_of(spec)?;
        let given = given::to_program(self.uid, id, incarnation, spec)?;
        let runtime = runtime(Operation::Spawn)?;
        let mut agents = self.agents_mut();
        // Another call may have been faster.
        if let Some(answer) = agents.get(id).and_then(present) {
            return answer;
        }
        let agent = Arc::new(Agent::new(
            id,
            incarnation,
            spec,
            hash,
            given,
            &self.engine,
            self.swarm.events.clone(),
        ));
        agents.insert(id.clone(), agent.clone());
        agent.tell_of_birth();
        drop(agents);
        let info = agent.info();
        let context = AgentContext {
            agent: agent.clone(),
        };
        // Called within the task, so that a program that panics before its first await is an exit too.
        runtime.spawn(agent.run(async move { program(context).await }));
        Ok(info)
    }

    fn program_of(&self, spec: &AgentSpec) -> Result<Program> {
        // A spec that names an image may have no command; there is no image here to say what it is.
        let name = spec.command.first().map_or("", String::as_str);
        self.engine.program(name).ok_or_else(|| {
            let known = self.engine.program_names();
            Error::new(
                ErrorKind::InvalidSpec,
                Operation::Spawn,
                format!("there is no program `{name}` in memory"),
            )
            .with_cure(if known.is_empty() {
                "give the backend one by `with_program`".to_owned()
            } else {
                format!("name one of those that there are ({})", known.join(", "))
            })
        })
    }
}

/// What a spawn under an id that is taken gives; `None` if the id is free for the next start.
fn answer_for_present(
    there: &Agent,
    incarnation: Incarnation,
    same_spec: bool,
) -> Option<Result<AgentInfo>> {
    let ended = there.has_ended();
    let same_start = there.incarnation == incarnation;
    if same_start && (ended || same_spec) {
        return Some(Ok(there.info()));
    }
    if ended {
        return None;
    }
    let which = if same_start { "spec" } else { "start" };
    Some(Err(Error::new(
        ErrorKind::AlreadyExists,
        Operation::Spawn,
        format!("it lives already, of another {which}"),
    )
    .with_cure("stop it first, or choose another id")))
}

pub(super) fn runtime(operation: Operation) -> Result<Handle> {
    Handle::try_current().map_err(|error| {
        Error::new(
            ErrorKind::EngineUnavailable,
            operation,
            "agents in memory run on a tokio runtime, and there is none here",
        )
        .with_cure("call it from within a tokio runtime")
        .with_source(error)
    })
}
