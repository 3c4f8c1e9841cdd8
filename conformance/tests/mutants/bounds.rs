//! Backends that answer late or never, do more than they are asked, or less.

use std::sync::atomic::{AtomicU64, Ordering};

use alveary_core::*;
use async_trait::async_trait;

use crate::flaw::{Flaw, Inner, cases};

cases! {
    NeverAnswersOneQuestion:
        "bounds::every_call_ends";
    AnswersOneAfterTheOther:
        "bounds::a_stop_that_waits_holds_up_no_other_call";
    ForgetsOneInTwenty:
        "bounds::fifty_agents_start_and_end_at_once";
    RestartsByItself:
        "restarts::an_agent_that_is_to_be_restarted_is_left_ended_for_the_manager";
}

#[derive(Default)]
struct NeverAnswersOneQuestion;

#[async_trait]
impl Flaw for NeverAnswersOneQuestion {
    async fn logs(&self, inner: &Inner, id: &AgentId, options: LogOptions) -> Result<LogStream> {
        match inner.logs(id, options).await {
            Err(_) => std::future::pending().await,
            logs => logs,
        }
    }
}

/// One lock around everything, held while a stop waits.
#[derive(Default)]
struct AnswersOneAfterTheOther(tokio::sync::Mutex<()>);

#[async_trait]
impl Flaw for AnswersOneAfterTheOther {
    async fn list(&self, inner: &Inner, options: ListOptions) -> Result<Vec<AgentInfo>> {
        let _turn = self.0.lock().await;
        inner.list(options).await
    }
    async fn stop(&self, inner: &Inner, id: &AgentId, options: StopOptions) -> Result<Exit> {
        let _turn = self.0.lock().await;
        inner.stop(id, options).await
    }
}

#[derive(Default)]
struct ForgetsOneInTwenty(AtomicU64);

#[async_trait]
impl Flaw for ForgetsOneInTwenty {
    async fn spawn(
        &self,
        inner: &Inner,
        id: &AgentId,
        spec: AgentSpec,
        options: SpawnOptions,
    ) -> Result<AgentInfo> {
        if self.0.fetch_add(1, Ordering::SeqCst) % 20 == 19 {
            let state = AgentState::Starting { reason: None };
            return Ok(AgentInfo::new(
                id.clone(),
                options.incarnation,
                spec.name,
                state,
            ));
        }
        inner.spawn(id, &spec, options).await
    }
}

/// As an engine does that is told the restart policy.
#[derive(Default)]
struct RestartsByItself;

#[async_trait]
impl Flaw for RestartsByItself {
    async fn spawn(
        &self,
        inner: &Inner,
        id: &AgentId,
        spec: AgentSpec,
        options: SpawnOptions,
    ) -> Result<AgentInfo> {
        let info = inner.spawn(id, &spec, options).await?;
        if spec.restart.policy == RestartPolicy::Always {
            let (inner, id) = (inner.clone(), id.clone());
            tokio::spawn(async move {
                inner.wait(&id).await?;
                inner.spawn(&id, &spec, SpawnOptions::default()).await
            });
        }
        Ok(info)
    }
}
