//! Backends that show an old picture, or none.

use std::collections::HashMap;
use std::sync::Mutex;

use alveary_core::*;
use async_trait::async_trait;

use crate::flaw::{Flaw, Inner, cases};

cases! {
    DropsEvents:
        "convergence::one_who_subscribed_before_a_spawn_sees_it",
        "convergence::an_end_is_told_as_it_was",
        "convergence::a_removal_is_told";
    RemembersWhatItSawFirst:
        "convergence::an_agent_is_told_alike_by_every_question",
        "stopping::a_stop_returns_after_the_end";
    TellsOldNewsAgain:
        "convergence::the_state_of_one_start_never_goes_back";
    ListsTheEndedAmongTheLiving:
        "convergence::a_list_of_the_living_leaves_out_what_has_ended";
    NeverSeesAnEnd:
        "convergence::one_who_waits_is_told_the_end";
    NeverSubscribes:
        "convergence::a_watch_converges_on_the_truth",
        "convergence::a_watch_that_nobody_reads_for_a_while_converges",
        "bounds::every_call_ends";
}

#[derive(Default)]
struct DropsEvents;

#[async_trait]
impl Flaw for DropsEvents {
    fn event(&self, _event: AgentEvent) -> Vec<AgentEvent> {
        Vec::new()
    }
}

#[derive(Default)]
struct RemembersWhatItSawFirst(Mutex<HashMap<AgentId, AgentInfo>>);

#[async_trait]
impl Flaw for RemembersWhatItSawFirst {
    async fn spawn(
        &self,
        inner: &Inner,
        id: &AgentId,
        spec: AgentSpec,
        options: SpawnOptions,
    ) -> Result<AgentInfo> {
        let info = inner.spawn(id, &spec, options).await?;
        self.0.lock().unwrap().insert(id.clone(), info.clone());
        Ok(info)
    }
    async fn inspect(&self, inner: &Inner, id: &AgentId) -> Result<AgentInfo> {
        let known = self.0.lock().unwrap().get(id).cloned();
        match known {
            Some(info) => Ok(info),
            None => inner.inspect(id).await,
        }
    }
}

#[derive(Default)]
struct TellsOldNewsAgain;

#[async_trait]
impl Flaw for TellsOldNewsAgain {
    fn event(&self, event: AgentEvent) -> Vec<AgentEvent> {
        let mut events = vec![event.clone()];
        if let AgentEvent::Changed(mut info) = event
            && info.state.has_ended()
        {
            info.state = AgentState::Running;
            events.push(AgentEvent::Changed(info));
        }
        events
    }
}

#[derive(Default)]
struct ListsTheEndedAmongTheLiving;

#[async_trait]
impl Flaw for ListsTheEndedAmongTheLiving {
    async fn list(&self, inner: &Inner, _options: ListOptions) -> Result<Vec<AgentInfo>> {
        inner.list(ListOptions::default()).await
    }
}

#[derive(Default)]
struct NeverSeesAnEnd;

#[async_trait]
impl Flaw for NeverSeesAnEnd {
    fn info(&self, mut info: AgentInfo) -> AgentInfo {
        if info.state.has_ended() {
            info.state = AgentState::Stopping;
        }
        info
    }
}

#[derive(Default)]
struct NeverSubscribes;

#[async_trait]
impl Flaw for NeverSubscribes {
    async fn events(&self, _inner: &Inner) -> Result<EventStream> {
        std::future::pending().await
    }
}
