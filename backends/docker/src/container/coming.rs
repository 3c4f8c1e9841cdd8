//! Agents that are accepted and have no container yet, because their image is still being fetched. They are known
//! to this process alone: whoever dies in the midst of a fetch has begun nothing.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use alveary_core::{AgentEvent, AgentId, AgentInfo, AgentState, Fetch};
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

use super::agent::Agent;
use crate::engine::Ref;
use crate::plan::Plan;

/// More than are fetched for at once.
const UNHEARD: usize = 256;

#[derive(Debug)]
pub(super) struct Comings {
    agents: Mutex<HashMap<AgentId, Coming>>,
    told: broadcast::Sender<AgentEvent>,
}

#[derive(Debug)]
struct Coming {
    info: AgentInfo,
    called_off: CancellationToken,
    /// Its image is there and its container is being made: too late to call it off.
    goes_on: bool,
    /// The container of the last start, whose place it was to take.
    last: Option<Ref>,
}

impl Coming {
    /// Whether this start has come to nothing and the engine tells of another one since, which some other manager has
    /// begun. What the engine has outweighs what was known here, but for what this start left or was to replace.
    fn is_outlived_by(&self, agent: &Agent) -> bool {
        let left = agent.is_intent() && agent.marks.incarnation == self.info.incarnation;
        let last = agent.has_ended() && self.last.as_ref() == Some(&agent.container.id);
        !(left || last)
    }
}

/// What became of calling one off.
pub(super) enum CalledOff {
    /// It never starts.
    Yes,
    /// It had come to nothing before.
    Failed,
    /// It is on its way, and has a container in a moment.
    TooLate,
}

impl Default for Comings {
    fn default() -> Self {
        Self {
            agents: Mutex::default(),
            told: broadcast::Sender::new(UNHEARD),
        }
    }
}

impl Comings {
    fn agents(&self) -> MutexGuard<'_, HashMap<AgentId, Coming>> {
        self.agents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What becomes of them, from now on.
    pub(super) fn subscribe(&self) -> broadcast::Receiver<AgentEvent> {
        self.told.subscribe()
    }

    /// One is accepted, and waits. The token is cancelled where it is called off.
    pub(super) fn begin(
        &self,
        plan: &Plan,
        last: Option<Ref>,
        reason: String,
    ) -> (AgentInfo, CancellationToken) {
        let marks = &plan.marks;
        let state = AgentState::Starting {
            reason: Some(reason),
        };
        let mut info = AgentInfo::new(
            marks.id.clone(),
            marks.incarnation,
            marks.name.clone(),
            state,
        );
        info.image = Some(plan.image.clone());
        info.capabilities.clone_from(&marks.capabilities);
        info.spec_hash = marks.spec_hash;
        let called_off = CancellationToken::new();
        let coming = Coming {
            info: info.clone(),
            called_off: called_off.clone(),
            goes_on: false,
            last,
        };
        self.agents().insert(marks.id.clone(), coming);
        self.tell(&info);
        (info, called_off)
    }

    /// It has a container, and stands so.
    pub(super) fn arrive(&self, info: &AgentInfo) {
        if self.agents().remove(&info.id).is_some() {
            self.tell(info);
        }
    }

    /// Its caller was told why it came to nothing.
    pub(super) fn forget(&self, id: &AgentId) {
        self.agents().remove(id);
    }

    /// Whether it is not to be seen yet in its container.
    pub(super) fn hides(&self, id: &AgentId) -> bool {
        let agents = self.agents();
        agents
            .get(id)
            .is_some_and(|coming| !coming.info.state.has_ended())
    }

    /// It came to nothing after its caller had been told that it is accepted. `false`: the engine has another start of it,
    /// and that one is to be told.
    pub(super) fn fail(&self, id: &AgentId, reason: String, there: Option<&Agent>) -> bool {
        let mut agents = self.agents();
        // Who was called off has been told so.
        let Some(coming) = agents.get_mut(id) else {
            return true;
        };
        if there.is_some_and(|agent| coming.is_outlived_by(agent)) {
            return false;
        }
        coming.info.state = AgentState::Failed { reason };
        self.tell(&coming.info);
        true
    }

    pub(super) fn get(&self, id: &AgentId) -> Option<AgentInfo> {
        self.agents().get(id).map(|coming| coming.info.clone())
    }

    /// How it stands, beside what the engine has of it. One that came to nothing and was outlived is forgotten.
    pub(super) fn beside(&self, id: &AgentId, there: Option<&Agent>) -> Option<AgentInfo> {
        let mut agents = self.agents();
        let coming = agents.get(id)?;
        let failed = coming.info.state.has_ended();
        if failed && there.is_some_and(|agent| coming.is_outlived_by(agent)) {
            agents.remove(id);
            return None;
        }
        Some(coming.info.clone())
    }

    pub(super) fn ids(&self) -> Vec<AgentId> {
        self.agents().keys().cloned().collect()
    }

    /// Its image is there. `false` where it was called off meanwhile; from here on it cannot be.
    pub(super) fn go_on(&self, id: &AgentId) -> bool {
        match self.agents().get_mut(id) {
            Some(coming) if !coming.called_off.is_cancelled() => {
                coming.goes_on = true;
                true
            }
            _ => false,
        }
    }

    /// Nobody wants it any more. `None` where nobody is coming.
    pub(super) fn call_off(&self, id: &AgentId) -> Option<CalledOff> {
        let mut agents = self.agents();
        let coming = agents.get(id)?;
        if coming.info.state.has_ended() {
            return Some(CalledOff::Failed);
        }
        if coming.goes_on {
            return Some(CalledOff::TooLate);
        }
        coming.called_off.cancel();
        agents.remove(id);
        Some(CalledOff::Yes)
    }

    /// Tells how far an image has come.
    pub(super) fn fetching(&self, fetch: Fetch) {
        // Nobody may listen.
        let _ = self.told.send(AgentEvent::Fetching(fetch));
    }

    fn tell(&self, info: &AgentInfo) {
        let _ = self.told.send(AgentEvent::Changed(info.clone()));
    }
}
