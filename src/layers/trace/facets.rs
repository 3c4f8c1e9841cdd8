//! The facets' calls are told as all others are. Of a program that is run, nothing of its command and of its
//! environment is.

use alveary_core::{
    AgentBackend, AgentId, AgentPath, Exec, ExecSpec, Execution, FileInfo, Files, Incarnation,
    Operation, Pause, PauseOptions, PutOptions, Result, Signal, Signals, Stats, StatsOptions,
    TarStream, Usage, UsageStream,
};
use async_trait::async_trait;
use tracing::field::Empty;
use tracing::{debug_span, info_span};

use super::{Trace, call};
use crate::layers::facet;

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<B: AgentBackend> Signals for Trace<B> {
    async fn signal(
        &self,
        id: &AgentId,
        signal: Signal,
        incarnation: Option<Incarnation>,
    ) -> Result<()> {
        let signals = facet::signals(&self.inner, id)?;
        let span = call!(info_span, self, "signal", agent = id, signal = signal);
        self.traced(span, signals.signal(id, signal, incarnation))
            .await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<B: AgentBackend> Exec for Trace<B> {
    async fn run(&self, id: &AgentId, spec: &ExecSpec) -> Result<Execution> {
        let exec = facet::exec(&self.inner, id)?;
        let span = call!(
            info_span,
            self,
            "exec",
            agent = id,
            tty = spec.tty.is_some()
        );
        self.traced(span, exec.run(id, spec)).await
    }

    fn ends_when_dropped(&self) -> bool {
        self.inner.exec().is_some_and(Exec::ends_when_dropped)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<B: AgentBackend> Stats for Trace<B> {
    async fn read(&self, id: &AgentId) -> Result<Usage> {
        let stats = facet::stats(&self.inner, id)?;
        let span = call!(debug_span, self, "stats", agent = id);
        self.traced(span, stats.read(id)).await
    }

    async fn follow(&self, id: &AgentId, options: StatsOptions) -> Result<UsageStream> {
        let stats = facet::stats(&self.inner, id)?;
        let span = call!(debug_span, self, "follow_stats", agent = id);
        self.traced(span, stats.follow(id, options)).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<B: AgentBackend> Files for Trace<B> {
    async fn look(&self, id: &AgentId, path: &AgentPath) -> Result<FileInfo> {
        let files = facet::files(&self.inner, Operation::GetFiles, id)?;
        let span = call!(debug_span, self, "look_at_file", agent = id, path = path);
        self.traced(span, files.look(id, path)).await
    }

    async fn get(&self, id: &AgentId, path: &AgentPath) -> Result<TarStream> {
        let files = facet::files(&self.inner, Operation::GetFiles, id)?;
        let span = call!(debug_span, self, "get_files", agent = id, path = path);
        self.traced(span, files.get(id, path)).await
    }

    async fn put(
        &self,
        id: &AgentId,
        into: &AgentPath,
        archive: TarStream,
        options: PutOptions,
    ) -> Result<()> {
        let files = facet::files(&self.inner, Operation::PutFiles, id)?;
        let span = call!(info_span, self, "put_files", agent = id, into = into);
        self.traced(span, files.put(id, into, archive, options))
            .await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<B: AgentBackend> Pause for Trace<B> {
    async fn freeze(&self, id: &AgentId, options: PauseOptions) -> Result<()> {
        let pause = facet::pause(&self.inner, Operation::Pause, id)?;
        let span = call!(info_span, self, "pause", agent = id);
        self.traced(span, pause.freeze(id, options)).await
    }

    async fn thaw(&self, id: &AgentId, options: PauseOptions) -> Result<()> {
        let pause = facet::pause(&self.inner, Operation::Resume, id)?;
        let span = call!(info_span, self, "resume", agent = id);
        self.traced(span, pause.thaw(id, options)).await
    }
}
