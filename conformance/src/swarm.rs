//! The swarm in which a trial is tried, and what trials do again and again.

use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use alveary_core::{
    AgentBackend, AgentId, AgentInfo, AgentSpec, AgentState, Error, ErrorKind, Exit, ListOptions,
    LogOptions, LogStreamKind, Operation, RemoveOptions, Result, SpawnOptions, SwarmUid,
};

use crate::behaviour::{Behaviour, READY};
use crate::harness::{Harness, Stranger, StrangerKind};
use crate::need::Probe;
use crate::noted::{Noted, Step};
use crate::trial::{Failure, Verdict};
use crate::witness::Witnessed;

/// Between two looks at something that tells nobody when it changes.
const LOOK_AGAIN: Duration = Duration::from_millis(2);
const LOOK_AGAIN_AT_MOST: Duration = Duration::from_millis(50);

/// A swarm that one trial has to itself.
#[derive(Clone)]
pub(crate) struct Swarm(Arc<Inner>);

struct Inner {
    uid: SwarmUid,
    probe: Probe,
    backend: Arc<dyn AgentBackend>,
    step: Step,
}

async fn noted(probe: &Probe, uid: SwarmUid, step: &Step) -> Result<Arc<dyn AgentBackend>> {
    step.set("connect");
    let backend = Noted {
        inner: probe.harness.connect(&uid).await?,
        step: step.clone(),
    };
    backend.check().await?;
    Ok(Arc::new(backend))
}

impl Swarm {
    pub(crate) async fn new(probe: &Probe) -> Result<Self> {
        Self::of(probe, SwarmUid::random()).await
    }

    /// A new manager of a swarm that there may be already.
    pub(crate) async fn of(probe: &Probe, uid: SwarmUid) -> Result<Self> {
        let step = Step::default();
        let backend = noted(probe, uid, &step).await?;
        Ok(Self(Arc::new(Inner {
            uid,
            probe: probe.clone(),
            backend,
            step,
        })))
    }

    pub(crate) fn uid(&self) -> &SwarmUid {
        &self.0.uid
    }

    pub(crate) fn backend(&self) -> &Arc<dyn AgentBackend> {
        &self.0.backend
    }

    pub(crate) fn harness(&self) -> &dyn Harness {
        &*self.0.probe.harness
    }

    pub(crate) fn probe(&self) -> &Probe {
        &self.0.probe
    }

    /// A second manager of this swarm.
    pub(crate) async fn new_manager(&self) -> Result<Arc<dyn AgentBackend>> {
        noted(self.probe(), *self.uid(), &self.0.step).await
    }

    /// The program that becomes a manager to be killed.
    pub(crate) fn manager_program(&self) -> Result<&Path, Failure> {
        let program = self.probe().manager.as_deref();
        program.ok_or_else(|| Failure::new("there is no program to be a manager"))
    }

    /// A stranger of a kind that the trial says it needs.
    pub(crate) async fn stranger(
        &self,
        kind: StrangerKind,
        id: &AgentId,
    ) -> Result<Box<dyn Stranger>, Failure> {
        match self.harness().strangers() {
            Some(strangers) => Ok(strangers.make(kind, self.uid(), id).await?),
            None => Err(Failure::new("the harness makes no strangers")),
        }
    }

    /// Another swarm on the same engine. Whoever makes it takes it away.
    pub(crate) async fn another_swarm(&self) -> Result<Self> {
        Self::new(self.probe()).await
    }

    pub(crate) fn step(&self, step: impl Into<String>) {
        self.0.step.set(step);
    }

    pub(crate) fn last_step(&self) -> String {
        self.0.step.get()
    }

    /// The spec of an agent that behaves so: trials list what they need beyond what every harness has.
    pub(crate) fn spec(&self, behaviour: &Behaviour) -> Result<AgentSpec, Failure> {
        self.harness()
            .spec(behaviour)
            .ok_or_else(|| Failure::new(format!("the harness has no agent for {behaviour:?}")))
    }

    /// Spawns an agent that behaves so under a new id.
    pub(crate) async fn spawn(&self, behaviour: &Behaviour) -> Result<AgentInfo, Failure> {
        self.spawn_as(&AgentId::random(), behaviour).await
    }

    /// Spawns an agent that behaves so.
    pub(crate) async fn spawn_as(
        &self,
        id: &AgentId,
        behaviour: &Behaviour,
    ) -> Result<AgentInfo, Failure> {
        self.spawn_spec(id, &self.spec(behaviour)?).await
    }

    pub(crate) async fn spawn_spec(
        &self,
        id: &AgentId,
        spec: &AgentSpec,
    ) -> Result<AgentInfo, Failure> {
        Ok(self
            .backend()
            .spawn(id, spec, SpawnOptions::default())
            .await?)
    }

    /// Spawns an agent that stays, and waits until its behaviour is set up.
    pub(crate) async fn spawn_ready(&self, behaviour: &Behaviour) -> Result<AgentInfo, Failure> {
        let info = self.spawn(behaviour).await?;
        self.written(&info.id, READY).await?;
        Ok(info)
    }

    /// Waits until the agent has ended, by looking, and says how.
    pub(crate) async fn ended(&self, id: &AgentId) -> Result<Exit, Failure> {
        self.ended_as_seen_by(&**self.backend(), id).await
    }

    pub(crate) async fn ended_as_seen_by(
        &self,
        backend: &dyn AgentBackend,
        id: &AgentId,
    ) -> Result<Exit, Failure> {
        self.until(format!("the end of agent {id}"), || async {
            match backend.inspect(id).await?.state {
                AgentState::Exited(exit) => Ok(Some(exit)),
                AgentState::Failed { reason } => {
                    Err(Failure::new(format!("agent {id} failed: {reason}")))
                }
                _ => Ok(None),
            }
        })
        .await
    }

    /// What the agent has written to one stream up to now.
    pub(crate) async fn output(
        &self,
        id: &AgentId,
        which: LogStreamKind,
    ) -> Result<Vec<u8>, Failure> {
        let logs = self.backend().logs(id, LogOptions::default()).await?;
        Ok(logs.collect_bytes(which).await?)
    }

    pub(crate) async fn stdout(&self, id: &AgentId) -> Result<Vec<u8>, Failure> {
        self.output(id, LogStreamKind::Stdout).await
    }

    /// Waits until the agent's standard output holds `text`.
    pub(crate) async fn written(&self, id: &AgentId, text: &str) -> Verdict {
        self.until(format!("`{}` of agent {id}", text.trim()), || async {
            let output = self.stdout(id).await?;
            let found = output
                .windows(text.len())
                .any(|part| part == text.as_bytes());
            Ok(found.then_some(()))
        })
        .await
    }

    /// Runs an agent to its end and gives what it wrote to standard output.
    pub(crate) async fn output_of(&self, behaviour: &Behaviour) -> Result<Vec<u8>, Failure> {
        let spec = self.spec(behaviour)?;
        self.output_of_spec(&spec).await
    }

    pub(crate) async fn output_of_spec(&self, spec: &AgentSpec) -> Result<Vec<u8>, Failure> {
        let info = self.spawn_spec(&AgentId::random(), spec).await?;
        self.ended(&info.id).await?;
        self.stdout(&info.id).await
    }

    /// Looks again and again until there is something; the trial's deadline bounds it.
    pub(crate) async fn until<T, F>(
        &self,
        what: impl Into<String>,
        look: impl Fn() -> F,
    ) -> Result<T, Failure>
    where
        F: Future<Output = Result<Option<T>, Failure>>,
    {
        let what = what.into();
        let mut pause = LOOK_AGAIN;
        loop {
            if let Some(found) = look().await? {
                return Ok(found);
            }
            self.step(format!("wait for {what}"));
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LOOK_AGAIN_AT_MOST);
        }
    }

    /// The ids of all that is listed.
    pub(crate) async fn listed(&self) -> Result<Vec<AgentId>, Failure> {
        let list = self.backend().list(ListOptions::default()).await?;
        Ok(list.into_iter().map(|info| info.id).collect())
    }

    /// The list has this agent, once, and no other.
    pub(crate) async fn lists_only(&self, id: &AgentId) -> Verdict {
        let listed = self.listed().await?;
        if listed.len() == 1 && listed[0] == *id {
            return Ok(());
        }
        Err(Failure::new(format!(
            "agent {id} alone should be listed, and the list is {listed:?}"
        )))
    }

    /// What really runs of this swarm, where there is a witness.
    pub(crate) async fn living(&self) -> Option<Vec<Witnessed>> {
        match self.harness().witness() {
            Some(witness) => Some(witness.living(self.uid()).await),
            None => None,
        }
    }

    /// What really runs of one agent; empty without a witness.
    pub(crate) async fn living_of(&self, id: &AgentId) -> Vec<Witnessed> {
        let mut living = self.living().await.unwrap_or_default();
        living.retain(|process| process.id == *id);
        living
    }

    /// Removes every agent, and sees that nothing is left.
    pub(crate) async fn empty(&self) -> Verdict {
        let patience = self.harness().deadline();
        let removed = tokio::time::timeout(patience, self.remove_all()).await;
        removed.unwrap_or_else(|_| {
            Err(Failure::new(format!(
                "its agents could not be taken away within {patience:?}; the last that was begun: {}",
                self.last_step()
            )))
        })
    }

    /// The same, and lets the harness take away what is not an agent: nothing can be started after that.
    pub(crate) async fn take_away(&self) -> Verdict {
        let emptied = self.empty().await;
        self.harness().clean_up(self.uid()).await;
        emptied
    }

    async fn remove_all(&self) -> Verdict {
        for id in self.listed().await? {
            let options = RemoveOptions::default().with_force(true);
            match self.backend().remove(&id, options).await {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
                _ => {}
            }
        }
        self.until("all processes to be gone", || async {
            Ok(self
                .living()
                .await
                .is_none_or(|all| all.is_empty())
                .then_some(()))
        })
        .await
    }
}

/// The error of a call that must fail, of the kind that it must have.
pub(crate) fn refused<T: std::fmt::Debug>(
    result: Result<T>,
    kind: ErrorKind,
    what: &str,
) -> Result<Error, Failure> {
    match result {
        Ok(value) => Err(Failure::new(format!(
            "{what} should be refused as `{kind}`, and gave {value:?}"
        ))),
        Err(error) if error.kind() == kind => Ok(error),
        Err(error) => Err(Failure::new(format!(
            "{what} should be refused as `{kind}`, and was as `{}`: {error}",
            error.kind()
        ))),
    }
}

/// `NotFound`, of this operation, about this agent.
pub(crate) fn not_found<T: std::fmt::Debug>(
    result: Result<T>,
    operation: Operation,
    id: &AgentId,
) -> Verdict {
    let error = refused(
        result,
        ErrorKind::NotFound,
        &format!("to {operation} an unknown id"),
    )?;
    if error.operation() == operation && error.agent() == Some(id) {
        return Ok(());
    }
    Err(Failure::new(format!(
        "the error should name the operation and the agent: {error}"
    )))
}
