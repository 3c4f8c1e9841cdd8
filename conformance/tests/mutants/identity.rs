//! Backends that do not know who is who.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use alveary_conformance::{Behaviour, Harness, MemoryHarness};
use alveary_core::*;
use async_trait::async_trait;

use crate::flaw::{Case, Flaw, Inner, cases as flawed};

pub(crate) fn cases() -> Vec<Case> {
    let mut all = listed();
    all.push(Case {
        name: "OneSwarmForAll",
        harness: || Arc::new(OneSwarmForAll::default()),
        failed_by: &[
            "identity::two_swarms_do_not_see_each_others_agents",
            "convergence::another_swarms_events_are_not_told",
        ],
    });
    all
}

mod table {
    use super::*;
    flawed! {
        TellsAnotherStart:
            "identity::a_spawned_agent_is_told_as_its_spec_says";
        DoublesARepeatedSpawn:
            "identity::a_second_spawn_of_an_id_returns_the_living_agent",
            "identity::twenty_concurrent_spawns_of_one_start_make_one_agent",
            "lost_replies::a_spawn_whose_reply_was_lost_is_repeated_without_a_double",
            "cancellation::a_dropped_spawn_is_finished_by_its_repetition",
            "model::random_calls_in_any_order_are_answered_as_a_model_answers_them";
        StartsTheEndedAgain:
            "identity::a_second_spawn_of_an_ended_agent_returns_the_ended_one";
        TakesOthersForTheSame:
            "identity::another_start_of_a_living_agent_already_exists",
            "identity::another_spec_under_a_living_start_already_exists",
            "model::random_calls_in_any_order_are_answered_as_a_model_answers_them";
        AllowsOneStart:
            "identity::the_next_start_is_legal_once_the_last_has_ended";
        KeepsIdsTaken:
            "identity::a_removed_id_is_free_again";
        NamesByEightCharacters:
            "identity::ids_with_a_common_beginning_are_told_apart";
        NamesInSmallLetters:
            "identity::ids_that_differ_in_case_or_punctuation_alone_are_told_apart";
        RefusesLongIds:
            "identity::an_id_of_the_full_length_is_taken";
        KeepsNamesUnique:
            "identity::two_agents_may_have_one_name";
        FindsByPrefix:
            "identity::an_unknown_id_is_not_found";
        AnotherKindEachTime:
            "identity::every_manager_of_an_engine_is_of_one_kind";
    }
}
use table::cases as listed;

#[derive(Default)]
struct TellsAnotherStart;

#[async_trait]
impl Flaw for TellsAnotherStart {
    fn info(&self, mut info: AgentInfo) -> AgentInfo {
        info.incarnation = Incarnation::random();
        info
    }
}

#[derive(Default)]
struct DoublesARepeatedSpawn;

#[async_trait]
impl Flaw for DoublesARepeatedSpawn {
    async fn spawn(
        &self,
        inner: &Inner,
        id: &AgentId,
        spec: AgentSpec,
        options: SpawnOptions,
    ) -> Result<AgentInfo> {
        if inner
            .inspect(id)
            .await
            .is_ok_and(|info| !info.state.has_ended())
        {
            let double = AgentId::random();
            let mut info = inner.spawn(&double, &spec, options).await?;
            info.id = id.clone();
            return Ok(info);
        }
        inner.spawn(id, &spec, options).await
    }
}

#[derive(Default)]
struct StartsTheEndedAgain;

#[async_trait]
impl Flaw for StartsTheEndedAgain {
    async fn spawn(
        &self,
        inner: &Inner,
        id: &AgentId,
        spec: AgentSpec,
        options: SpawnOptions,
    ) -> Result<AgentInfo> {
        if inner
            .inspect(id)
            .await
            .is_ok_and(|info| info.state.has_ended())
        {
            inner.remove(id, RemoveOptions::default()).await?;
        }
        inner.spawn(id, &spec, options).await
    }
}

#[derive(Default)]
struct TakesOthersForTheSame;

#[async_trait]
impl Flaw for TakesOthersForTheSame {
    async fn spawn(
        &self,
        inner: &Inner,
        id: &AgentId,
        spec: AgentSpec,
        options: SpawnOptions,
    ) -> Result<AgentInfo> {
        match inner.spawn(id, &spec, options).await {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => inner.inspect(id).await,
            answer => answer,
        }
    }
}

fn taken(id: &AgentId) -> Error {
    Error::new(ErrorKind::AlreadyExists, Operation::Spawn, "it is taken")
        .with_agent(id)
        .with_cure("choose another")
}

#[derive(Default)]
struct AllowsOneStart;

#[async_trait]
impl Flaw for AllowsOneStart {
    async fn spawn(
        &self,
        inner: &Inner,
        id: &AgentId,
        spec: AgentSpec,
        options: SpawnOptions,
    ) -> Result<AgentInfo> {
        if inner
            .inspect(id)
            .await
            .is_ok_and(|info| info.incarnation != options.incarnation)
        {
            return Err(taken(id));
        }
        inner.spawn(id, &spec, options).await
    }
}

#[derive(Default)]
struct KeepsIdsTaken(Mutex<HashSet<AgentId>>);

#[async_trait]
impl Flaw for KeepsIdsTaken {
    async fn spawn(
        &self,
        inner: &Inner,
        id: &AgentId,
        spec: AgentSpec,
        options: SpawnOptions,
    ) -> Result<AgentInfo> {
        if self.0.lock().unwrap().contains(id) {
            return Err(taken(id));
        }
        inner.spawn(id, &spec, options).await
    }
    async fn remove(&self, inner: &Inner, id: &AgentId, options: RemoveOptions) -> Result<()> {
        self.0.lock().unwrap().insert(id.clone());
        inner.remove(id, options).await
    }
}

#[derive(Default)]
struct NamesByEightCharacters;

#[async_trait]
impl Flaw for NamesByEightCharacters {
    fn id(&self, id: &AgentId) -> AgentId {
        let id = id.as_str();
        AgentId::new(&id[..id.len().min(8)]).unwrap()
    }
}

#[derive(Default)]
struct NamesInSmallLetters;

#[async_trait]
impl Flaw for NamesInSmallLetters {
    fn id(&self, id: &AgentId) -> AgentId {
        AgentId::new(id.as_str().to_ascii_lowercase().replace(['.', '_'], "-")).unwrap()
    }
}

#[derive(Default)]
struct RefusesLongIds;

#[async_trait]
impl Flaw for RefusesLongIds {
    async fn spawn(
        &self,
        inner: &Inner,
        id: &AgentId,
        spec: AgentSpec,
        options: SpawnOptions,
    ) -> Result<AgentInfo> {
        if id.as_str().len() > 63 {
            let error = Error::new(ErrorKind::InvalidSpec, Operation::Spawn, "it is too long");
            return Err(error.with_agent(id).with_cure("choose another"));
        }
        inner.spawn(id, &spec, options).await
    }
}

#[derive(Default)]
struct KeepsNamesUnique;

#[async_trait]
impl Flaw for KeepsNamesUnique {
    async fn spawn(
        &self,
        inner: &Inner,
        id: &AgentId,
        spec: AgentSpec,
        options: SpawnOptions,
    ) -> Result<AgentInfo> {
        let all = inner.list(ListOptions::default()).await?;
        if all
            .iter()
            .any(|info| info.name == spec.name && info.id != *id)
        {
            return Err(taken(id));
        }
        inner.spawn(id, &spec, options).await
    }
}

#[derive(Default)]
struct FindsByPrefix;

#[async_trait]
impl Flaw for FindsByPrefix {
    async fn inspect(&self, inner: &Inner, id: &AgentId) -> Result<AgentInfo> {
        let all = inner.list(ListOptions::default()).await?;
        all.into_iter()
            .find(|info| info.id.as_str().starts_with(id.as_str()))
            .ok_or_else(|| Error::agent_not_found(Operation::Inspect, id))
    }
}

#[derive(Default)]
struct AnotherKindEachTime;

#[async_trait]
impl Flaw for AnotherKindEachTime {
    fn kind(&self, _inner: &Inner) -> BackendKind {
        BackendKind::from(AgentId::random().to_string())
    }
}

/// Every manager sees one and the same swarm.
struct OneSwarmForAll {
    inner: MemoryHarness,
    swarm: SwarmUid,
}

impl Default for OneSwarmForAll {
    fn default() -> Self {
        Self {
            inner: MemoryHarness::default().with_deadline(std::time::Duration::from_secs(2)),
            swarm: SwarmUid::random(),
        }
    }
}

#[async_trait]
impl Harness for OneSwarmForAll {
    fn name(&self) -> &'static str {
        "OneSwarmForAll"
    }
    async fn connect(&self, _swarm: &SwarmUid) -> Result<Arc<dyn AgentBackend>> {
        self.inner.connect(&self.swarm).await
    }
    fn spec(&self, behaviour: &Behaviour) -> Option<AgentSpec> {
        self.inner.spec(behaviour)
    }
}
