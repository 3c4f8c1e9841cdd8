//! The facets' calls that change nothing, or the same thing each time, are repeated as others are.

use alveary_core::{
    AgentBackend, AgentId, AgentPath, Exec, ExecSpec, Execution, FileInfo, Files, Incarnation,
    Operation, Pause, PauseOptions, PutOptions, Result, Signal, Signals, Stats, StatsOptions,
    TarStream, Usage, UsageStream,
};
use async_trait::async_trait;

use super::{Retry, may_repeat_later};
use crate::layers::facet;

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<B: AgentBackend> Signals for Retry<B> {
    async fn signal(
        &self,
        id: &AgentId,
        signal: Signal,
        incarnation: Option<Incarnation>,
    ) -> Result<()> {
        let signals = facet::signals(&self.inner, id)?;
        self.repeat(|| signals.signal(id, signal, incarnation))
            .await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<B: AgentBackend> Exec for Retry<B> {
    async fn run(&self, id: &AgentId, spec: &ExecSpec) -> Result<Execution> {
        let exec = facet::exec(&self.inner, id)?;
        // A second program is not the first: only what is known not to have begun is asked for again.
        self.repeat_where(may_repeat_later, || exec.run(id, spec))
            .await
    }

    fn ends_when_dropped(&self) -> bool {
        self.inner.exec().is_some_and(Exec::ends_when_dropped)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<B: AgentBackend> Stats for Retry<B> {
    async fn read(&self, id: &AgentId) -> Result<Usage> {
        let stats = facet::stats(&self.inner, id)?;
        self.repeat(|| stats.read(id)).await
    }

    async fn follow(&self, id: &AgentId, options: StatsOptions) -> Result<UsageStream> {
        let stats = facet::stats(&self.inner, id)?;
        self.repeat(|| stats.follow(id, options.clone())).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<B: AgentBackend> Files for Retry<B> {
    async fn look(&self, id: &AgentId, path: &AgentPath) -> Result<FileInfo> {
        let files = facet::files(&self.inner, Operation::GetFiles, id)?;
        self.repeat(|| files.look(id, path)).await
    }

    async fn get(&self, id: &AgentId, path: &AgentPath) -> Result<TarStream> {
        let files = facet::files(&self.inner, Operation::GetFiles, id)?;
        self.repeat(|| files.get(id, path)).await
    }

    async fn put(
        &self,
        id: &AgentId,
        into: &AgentPath,
        archive: TarStream,
        options: PutOptions,
    ) -> Result<()> {
        let files = facet::files(&self.inner, Operation::PutFiles, id)?;
        // Of the archive only the first attempt has the beginning.
        files.put(id, into, archive, options).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<B: AgentBackend> Pause for Retry<B> {
    async fn freeze(&self, id: &AgentId, options: PauseOptions) -> Result<()> {
        let pause = facet::pause(&self.inner, Operation::Pause, id)?;
        self.repeat(|| pause.freeze(id, options.clone())).await
    }

    async fn thaw(&self, id: &AgentId, options: PauseOptions) -> Result<()> {
        let pause = facet::pause(&self.inner, Operation::Resume, id)?;
        self.repeat(|| pause.thaw(id, options.clone())).await
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use alveary_core::{ErrorKind, Retry as May};

    use super::*;
    use crate::layers::retry::tests::{at_first, retried};
    use crate::layers::scripted::refused;

    async fn run_by(backend: &impl Exec) -> Result<Execution> {
        backend
            .run(&AgentId::random(), &ExecSpec::new(["stay"]))
            .await
    }

    #[tokio::test(start_paused = true)]
    async fn a_program_that_may_have_been_run_is_not_run_again() {
        let (inner, backend) = retried(at_first(1, || refused(ErrorKind::Indeterminate)));
        let run = run_by(&backend).await;
        assert_eq!(run.unwrap_err().kind(), ErrorKind::Indeterminate);
        assert_eq!(inner.calls(Operation::Exec), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_program_that_an_engine_puts_off_is_run_later() {
        let busy = || {
            let pause = Duration::from_secs(1);
            refused(ErrorKind::OutOfResources).with_retry(May::After(pause))
        };
        let (inner, backend) = retried(at_first(1, busy));
        let run = run_by(&backend).await;
        // Of the second attempt: there is nobody of that id.
        assert_eq!(run.unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(inner.calls(Operation::Exec), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_is_asked_for_again_since_two_are_as_one() {
        let (inner, backend) = retried(at_first(1, || refused(ErrorKind::Indeterminate)));
        let id = AgentId::random();
        let pause = backend.freeze(&id, PauseOptions::default());
        assert_eq!(pause.await.unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(inner.calls(Operation::Pause), 2);
    }
}
