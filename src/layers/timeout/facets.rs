//! The facets' calls have a time limit each, and what flows through them has one for each silence.

use std::time::Duration;

use alveary_core::{
    AgentBackend, AgentId, AgentPath, Error, ErrorKind, Exec, ExecSpec, Execution, FileInfo, Files,
    Incarnation, Operation, Pause, PauseOptions, PutOptions, Result, Retry, Signal, Signals, Stats,
    StatsOptions, TarStream, Usage, UsageStream,
};
use async_trait::async_trait;
use tokio::time::timeout;

use super::{Timeout, about, look, pace, shown};
use crate::layers::facet;

/// What may have been carried out, and is not carried out twice.
fn unanswered(operation: Operation, limit: Duration, what: &str, cure: &str) -> Error {
    Error::new(
        ErrorKind::Indeterminate,
        operation,
        format!("the engine did not say within {} {what}", shown(limit)),
    )
    .with_cure(cure)
    .with_retry(Retry::Never)
}

impl<B: AgentBackend> Timeout<B> {
    /// What a pause or a resumption became whose answer did not come.
    async fn find_paused(&self, operation: Operation, id: &AgentId, meant: bool) -> Result<()> {
        match timeout(self.limits.inspect, self.inner.inspect(id)).await {
            Ok(Ok(info)) if info.paused == meant && !info.state.has_ended() => Ok(()),
            _ => Err(unanswered(
                operation,
                self.limits.pause,
                "whether that was done",
                "ask for it again, which does no harm",
            )
            .with_agent(id)
            .with_retry(Retry::SameId)),
        }
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<B: AgentBackend> Signals for Timeout<B> {
    async fn signal(
        &self,
        id: &AgentId,
        signal: Signal,
        incarnation: Option<Incarnation>,
    ) -> Result<()> {
        let signals = facet::signals(&self.inner, id)?;
        let limit = self.limits.signal;
        timeout(limit, signals.signal(id, signal, incarnation))
            .await
            .unwrap_or_else(|_| {
                Err(unanswered(
                    Operation::Signal,
                    limit,
                    "whether it was sent",
                    "send it again only if a second one does no harm",
                )
                .with_agent(id))
            })
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<B: AgentBackend> Exec for Timeout<B> {
    async fn run(&self, id: &AgentId, spec: &ExecSpec) -> Result<Execution> {
        let exec = facet::exec(&self.inner, id)?;
        let limit = self.limits.exec;
        timeout(limit, exec.run(id, spec))
            .await
            .unwrap_or_else(|_| {
                Err(unanswered(
                    Operation::Exec,
                    limit,
                    "whether the program runs",
                    "run it again only if a second one does no harm",
                )
                .with_agent(id))
            })
    }

    fn ends_when_dropped(&self) -> bool {
        self.inner.exec().is_some_and(Exec::ends_when_dropped)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<B: AgentBackend> Stats for Timeout<B> {
    async fn read(&self, id: &AgentId) -> Result<Usage> {
        let stats = facet::stats(&self.inner, id)?;
        look(self.limits.stats, "stats", Operation::Stats, stats.read(id))
            .await
            .map_err(|error| about(error, id))
    }

    async fn follow(&self, id: &AgentId, options: StatsOptions) -> Result<UsageStream> {
        let stats = facet::stats(&self.inner, id)?;
        let call = stats.follow(id, options);
        look(self.limits.stats, "stats", Operation::Stats, call)
            .await
            .map_err(|error| about(error, id))
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<B: AgentBackend> Files for Timeout<B> {
    async fn look(&self, id: &AgentId, path: &AgentPath) -> Result<FileInfo> {
        let files = facet::files(&self.inner, Operation::GetFiles, id)?;
        let call = files.look(id, path);
        look(self.limits.files, "files", Operation::GetFiles, call)
            .await
            .map_err(|error| about(error, id))
    }

    async fn get(&self, id: &AgentId, path: &AgentPath) -> Result<TarStream> {
        let files = facet::files(&self.inner, Operation::GetFiles, id)?;
        let limit = self.limits.files;
        let call = files.get(id, path);
        let archive = look(limit, "files", Operation::GetFiles, call)
            .await
            .map_err(|error| about(error, id))?;
        Ok(pace::never_silent(archive, limit, id))
    }

    async fn put(
        &self,
        id: &AgentId,
        into: &AgentPath,
        archive: TarStream,
        options: PutOptions,
    ) -> Result<()> {
        let files = facet::files(&self.inner, Operation::PutFiles, id)?;
        let limit = self.limits.files;
        let (archive, pace) = pace::watched(archive);
        pace.limit(limit, files.put(id, into, archive, options))
            .await
            .unwrap_or_else(|| {
                Err(unanswered(
                    Operation::PutFiles,
                    limit,
                    "whether it takes more of the archive",
                    "see that the engine answers, and put the archive again",
                )
                .with_agent(id))
            })
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<B: AgentBackend> Pause for Timeout<B> {
    async fn freeze(&self, id: &AgentId, options: PauseOptions) -> Result<()> {
        let pause = facet::pause(&self.inner, Operation::Pause, id)?;
        match timeout(self.limits.pause, pause.freeze(id, options)).await {
            Ok(answer) => answer,
            Err(_) => self.find_paused(Operation::Pause, id, true).await,
        }
    }

    async fn thaw(&self, id: &AgentId, options: PauseOptions) -> Result<()> {
        let pause = facet::pause(&self.inner, Operation::Resume, id)?;
        match timeout(self.limits.pause, pause.thaw(id, options)).await {
            Ok(answer) => answer,
            Err(_) => self.find_paused(Operation::Resume, id, false).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt, StreamExt, stream};
    use tokio::time::Instant;

    use super::*;
    use crate::layers::scripted::{Answer, idle};
    use crate::layers::timeout::tests::{only, spawned, timed};

    fn root() -> AgentPath {
        AgentPath::new("/").unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn what_may_have_been_done_once_is_not_done_twice() {
        let (inner, backend) = timed(|_, _| Answer::Stall);
        let id = spawned(&inner, &idle()).await;
        let signal = backend.signal(&id, Signal::HUP, None).await;
        let run = backend.run(&id, &ExecSpec::new(["stay"])).await;
        for error in [signal.unwrap_err(), run.unwrap_err()] {
            assert_eq!(error.kind(), ErrorKind::Indeterminate);
            assert_eq!(error.retry(), Retry::Never);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_program_runs_for_longer_than_its_start_may_take() {
        let (inner, backend) = timed(|_, _| Answer::Honest);
        let id = spawned(&inner, &idle()).await;
        let mut running = backend.run(&id, &ExecSpec::new(["stay"])).await.unwrap();
        tokio::time::sleep(Duration::from_hours(1)).await;
        assert!(running.wait().now_or_never().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_whose_answer_is_lost_is_seen_to_have_been_made() {
        let (inner, backend) = timed(only(Operation::Pause, || Answer::Lost));
        let id = spawned(&inner, &idle()).await;
        backend.freeze(&id, PauseOptions::default()).await.unwrap();
        assert!(backend.inspect(&id).await.unwrap().paused);
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_that_is_not_seen_may_be_asked_for_again() {
        let (inner, backend) = timed(only(Operation::Pause, || Answer::Stall));
        let id = spawned(&inner, &idle()).await;
        let paused = backend.freeze(&id, PauseOptions::default()).await;
        let error = paused.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Indeterminate);
        assert_eq!(error.retry(), Retry::SameId);
    }

    #[tokio::test(start_paused = true)]
    async fn an_archive_that_stalls_on_its_way_out_ends_with_an_error() {
        let (inner, backend) = timed(|_, _| Answer::Honest);
        let id = spawned(&inner, &idle()).await;
        let mut archive = backend.get(&id, &root()).await.unwrap();
        assert!(archive.next().await.unwrap().is_ok());
        let error = archive.next().await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout);
        assert!(archive.next().await.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn an_archive_may_come_as_slowly_as_its_source_has_it_and_the_engine_may_not_stall() {
        for (answer, ends_well) in [
            ((|| Answer::Honest) as fn() -> Answer, true),
            (|| Answer::Stall, false),
        ] {
            let (inner, backend) = timed(only(Operation::PutFiles, answer));
            let id = spawned(&inner, &idle()).await;
            let slow = stream::iter(0..3).then(|_| async {
                tokio::time::sleep(Duration::from_mins(10)).await;
                Ok(b"piece".as_slice().into())
            });
            let begun = Instant::now();
            let archive = TarStream::new(slow);
            let root = root();
            let put = backend.put(&id, &root, archive, PutOptions::default());
            match put.await {
                Ok(()) => assert!(ends_well),
                Err(error) => {
                    assert!(!ends_well, "{error}");
                    assert_eq!(error.kind(), ErrorKind::Indeterminate);
                }
            }
            assert!(begun.elapsed() >= Duration::from_mins(30));
        }
    }
}
