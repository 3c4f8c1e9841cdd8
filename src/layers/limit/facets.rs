//! The facets wait for their turn like every other call, and streams take up none once they are open.

use alveary_core::{
    AgentBackend, AgentId, AgentPath, Exec, ExecSpec, Execution, FileInfo, Files, Incarnation,
    Operation, Pause, PauseOptions, PutOptions, Result, Signal, Signals, Stats, StatsOptions,
    TarStream, Usage, UsageStream,
};
use async_trait::async_trait;

use super::{Limit, turn};
use crate::layers::facet;

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<B: AgentBackend> Signals for Limit<B> {
    async fn signal(
        &self,
        id: &AgentId,
        signal: Signal,
        incarnation: Option<Incarnation>,
    ) -> Result<()> {
        let signals = facet::signals(&self.inner, id)?;
        let _turn = turn(&self.other).await;
        signals.signal(id, signal, incarnation).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<B: AgentBackend> Exec for Limit<B> {
    async fn run(&self, id: &AgentId, spec: &ExecSpec) -> Result<Execution> {
        let exec = facet::exec(&self.inner, id)?;
        let _turn = turn(&self.other).await;
        exec.run(id, spec).await
    }

    fn ends_when_dropped(&self) -> bool {
        self.inner.exec().is_some_and(Exec::ends_when_dropped)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<B: AgentBackend> Stats for Limit<B> {
    async fn read(&self, id: &AgentId) -> Result<Usage> {
        let stats = facet::stats(&self.inner, id)?;
        let _turn = turn(&self.other).await;
        stats.read(id).await
    }

    async fn follow(&self, id: &AgentId, options: StatsOptions) -> Result<UsageStream> {
        let stats = facet::stats(&self.inner, id)?;
        let _turn = turn(&self.other).await;
        stats.follow(id, options).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<B: AgentBackend> Files for Limit<B> {
    async fn look(&self, id: &AgentId, path: &AgentPath) -> Result<FileInfo> {
        let files = facet::files(&self.inner, Operation::GetFiles, id)?;
        let _turn = turn(&self.other).await;
        files.look(id, path).await
    }

    async fn get(&self, id: &AgentId, path: &AgentPath) -> Result<TarStream> {
        let files = facet::files(&self.inner, Operation::GetFiles, id)?;
        let _turn = turn(&self.other).await;
        files.get(id, path).await
    }

    async fn put(
        &self,
        id: &AgentId,
        into: &AgentPath,
        archive: TarStream,
        options: PutOptions,
    ) -> Result<()> {
        let files = facet::files(&self.inner, Operation::PutFiles, id)?;
        let _turn = turn(&self.other).await;
        files.put(id, into, archive, options).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<B: AgentBackend> Pause for Limit<B> {
    async fn freeze(&self, id: &AgentId, options: PauseOptions) -> Result<()> {
        let pause = facet::pause(&self.inner, Operation::Pause, id)?;
        let _turn = turn(&self.other).await;
        pause.freeze(id, options).await
    }

    async fn thaw(&self, id: &AgentId, options: PauseOptions) -> Result<()> {
        let pause = facet::pause(&self.inner, Operation::Resume, id)?;
        let _turn = turn(&self.other).await;
        pause.thaw(id, options).await
    }
}

#[cfg(test)]
mod tests {
    use crate::layers::limit::tests::limited;
    use crate::layers::scripted::{Answer, Scripted, idle};
    use alveary_core::SpawnOptions;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_program_that_runs_takes_up_no_turn() {
        let inner = Scripted::new(|_, _| Answer::Honest);
        let limit = limited(&inner);
        let id = AgentId::random();
        limit
            .spawn(&id, &idle(), SpawnOptions::default())
            .await
            .unwrap();
        let mut running = Vec::new();
        for _ in 0..5 {
            running.push(limit.run(&id, &ExecSpec::new(["stay"])).await.unwrap());
        }
        assert!(limit.check().await.is_ok());
    }
}
