//! Backends whose paused agents are not still, or are lost.

use std::future::pending;
use std::sync::OnceLock;

use alveary_core::*;
use async_trait::async_trait;

use crate::flaw::{Flaw, Inner, cases};

cases! {
    PausesNothing:
        "pause::a_paused_agent_does_nothing_until_it_goes_on",
        "pause::a_pause_is_shown_and_told",
        "pause::who_does_not_run_is_not_paused";
    ShowsNoPause:
        "pause::a_pause_is_shown_and_told",
        "pause::two_pauses_are_as_one_and_two_resumptions_too";
    PausesByTurns:
        "pause::two_pauses_are_as_one_and_two_resumptions_too";
    HangsInTheStopOfThePaused:
        "pause::one_that_is_stopped_in_a_pause_handles_the_signal",
        "pause::one_that_ignores_the_signal_is_ended_by_force_in_a_pause_too";
    StopsThePausedByForce:
        "pause::one_that_is_stopped_in_a_pause_handles_the_signal";
    RemovesNoPaused:
        "pause::one_that_is_paused_is_removed_by_force";
    LosesSignalsInAPause:
        "pause::a_signal_waits_for_the_end_of_the_pause";
    ReadsNoPaused:
        "pause::what_a_paused_agent_uses_can_be_read";
    WakesThePausedForAProgram:
        "pause::beside_a_paused_agent_no_program_is_run";
}

async fn is_paused(inner: &Inner, id: &AgentId) -> bool {
    inner.inspect(id).await.is_ok_and(|info| info.paused)
}

fn conflict(operation: Operation) -> Error {
    Error::new(ErrorKind::Conflict, operation, "it is paused")
}

#[derive(Default)]
struct PausesNothing;

impl Flaw for PausesNothing {
    fn pause<'a>(&'a self, _inner: &'a Inner) -> Option<&'a dyn Pause> {
        Some(self)
    }
}

#[async_trait]
impl Pause for PausesNothing {
    async fn freeze(&self, _: &AgentId, _: PauseOptions) -> Result<()> {
        Ok(())
    }
    async fn thaw(&self, _: &AgentId, _: PauseOptions) -> Result<()> {
        Ok(())
    }
}

#[derive(Default)]
struct ShowsNoPause;

impl Flaw for ShowsNoPause {
    fn info(&self, mut info: AgentInfo) -> AgentInfo {
        info.paused = false;
        info
    }
}

#[derive(Default)]
struct PausesByTurns(OnceLock<Inner>);

impl Flaw for PausesByTurns {
    fn pause<'a>(&'a self, inner: &'a Inner) -> Option<&'a dyn Pause> {
        self.0.get_or_init(|| inner.clone());
        Some(self)
    }
}

#[async_trait]
impl Pause for PausesByTurns {
    async fn freeze(&self, id: &AgentId, options: PauseOptions) -> Result<()> {
        let inner = self.0.get().unwrap();
        let pause = inner.pause().unwrap();
        if is_paused(inner, id).await {
            return pause.thaw(id, options).await;
        }
        pause.freeze(id, options).await
    }
    async fn thaw(&self, id: &AgentId, options: PauseOptions) -> Result<()> {
        self.0
            .get()
            .unwrap()
            .pause()
            .unwrap()
            .thaw(id, options)
            .await
    }
}

/// As one does that sends the signal and waits for what cannot move.
#[derive(Default)]
struct HangsInTheStopOfThePaused;

#[async_trait]
impl Flaw for HangsInTheStopOfThePaused {
    async fn stop(&self, inner: &Inner, id: &AgentId, options: StopOptions) -> Result<Exit> {
        if is_paused(inner, id).await {
            return pending().await;
        }
        inner.stop(id, options).await
    }
}

#[derive(Default)]
struct StopsThePausedByForce;

#[async_trait]
impl Flaw for StopsThePausedByForce {
    async fn stop(&self, inner: &Inner, id: &AgentId, mut options: StopOptions) -> Result<Exit> {
        if is_paused(inner, id).await {
            options = StopOptions::by_force();
        }
        inner.stop(id, options).await
    }
}

#[derive(Default)]
struct RemovesNoPaused;

#[async_trait]
impl Flaw for RemovesNoPaused {
    async fn remove(&self, inner: &Inner, id: &AgentId, options: RemoveOptions) -> Result<()> {
        if is_paused(inner, id).await {
            return Err(conflict(Operation::Remove));
        }
        inner.remove(id, options).await
    }
}

#[derive(Default)]
struct LosesSignalsInAPause(OnceLock<Inner>);

impl Flaw for LosesSignalsInAPause {
    fn signals<'a>(&'a self, inner: &'a Inner) -> Option<&'a dyn Signals> {
        self.0.get_or_init(|| inner.clone());
        Some(self)
    }
}

#[async_trait]
impl Signals for LosesSignalsInAPause {
    async fn signal(
        &self,
        id: &AgentId,
        signal: Signal,
        incarnation: Option<Incarnation>,
    ) -> Result<()> {
        let inner = self.0.get().unwrap();
        if is_paused(inner, id).await {
            return Ok(());
        }
        let signals = inner.signals().unwrap();
        signals.signal(id, signal, incarnation).await
    }
}

#[derive(Default)]
struct ReadsNoPaused(OnceLock<Inner>);

impl Flaw for ReadsNoPaused {
    fn stats<'a>(&'a self, inner: &'a Inner) -> Option<&'a dyn Stats> {
        self.0.get_or_init(|| inner.clone());
        Some(self)
    }
}

#[async_trait]
impl Stats for ReadsNoPaused {
    async fn read(&self, id: &AgentId) -> Result<Usage> {
        let inner = self.0.get().unwrap();
        if is_paused(inner, id).await {
            return Err(conflict(Operation::Stats));
        }
        inner.stats().unwrap().read(id).await
    }
    async fn follow(&self, id: &AgentId, options: StatsOptions) -> Result<UsageStream> {
        self.0
            .get()
            .unwrap()
            .stats()
            .unwrap()
            .follow(id, options)
            .await
    }
}

#[derive(Default)]
struct WakesThePausedForAProgram(OnceLock<Inner>);

impl Flaw for WakesThePausedForAProgram {
    fn exec<'a>(&'a self, inner: &'a Inner) -> Option<&'a dyn Exec> {
        self.0.get_or_init(|| inner.clone());
        Some(self)
    }
}

#[async_trait]
impl Exec for WakesThePausedForAProgram {
    async fn run(&self, id: &AgentId, spec: &ExecSpec) -> Result<Execution> {
        let inner = self.0.get().unwrap();
        let pause = inner.pause().unwrap();
        pause.thaw(id, PauseOptions::default()).await?;
        inner.exec().unwrap().run(id, spec).await
    }
    fn ends_when_dropped(&self) -> bool {
        true
    }
}
