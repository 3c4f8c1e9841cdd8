//! Backends that lie about stopping.

use std::collections::{HashMap, HashSet};
use std::sync::Mutex;
use std::time::Duration;

use alveary_core::*;
use async_trait::async_trait;

use crate::flaw::{Flaw, Inner, cases};

cases! {
    ReportsTheUnknownAsStopped:
        "stopping::a_stop_of_an_unknown_id_is_not_found",
        "identity::an_unknown_id_is_not_found";
    SaysThatAllEndedWell:
        "stopping::an_agent_that_handles_the_signal_ends_with_its_own_code",
        "stopping::a_stop_of_an_ended_agent_gives_its_exit_again",
        "model::random_calls_in_any_order_are_answered_as_a_model_answers_them";
    ReturnsBeforeTheEnd:
        "stopping::a_stop_returns_after_the_end",
        "cancellation::a_dropped_stop_is_finished_by_its_repetition";
    SignalsAtEachStop:
        "stopping::twenty_concurrent_stops_share_one_signal_and_one_outcome",
        "stopping::the_shortest_grace_wins",
        "stopping::an_agent_that_ignores_the_signal_is_ended_by_force_after_the_grace";
    KnowsNoGrace:
        "stopping::an_agent_that_handles_the_signal_ends_with_its_own_code",
        "stopping::an_agent_that_ignores_the_signal_is_ended_by_force_after_the_grace";
    StopsOneAfterTheOther:
        "stopping::the_shortest_grace_wins",
        "bounds::a_stop_that_waits_holds_up_no_other_call";
    StopsOnlyWhileItIsCalled:
        "stopping::a_dropped_stop_still_ends_the_agent";
    StopsWhateverStartThereIs:
        "stopping::a_stop_that_means_another_start_is_a_conflict";
    ForgetsExits:
        "stopping::an_exit_stays_readable_until_the_removal",
        "lost_replies::a_stop_whose_reply_was_lost_tells_its_outcome_again";
    RemovesTheLiving:
        "stopping::a_living_agent_is_not_removed_without_force";
    HidesInsteadOfRemoving:
        "stopping::a_removal_by_force_ends_the_agent";
    RemovesNothing:
        "stopping::a_removed_agent_is_forgotten",
        "convergence::a_removal_is_told";
    RemovesTheUnknown:
        "lost_replies::a_removal_whose_reply_was_lost_is_seen_to_have_happened",
        "identity::an_unknown_id_is_not_found";
    TellsCodesAsOneOrZero:
        "stopping::an_exit_code_is_told_as_it_was";
    Takes137ForMemory:
        "stopping::a_code_of_137_is_not_out_of_memory";
    TellsSignalsAsZero:
        "stopping::an_agent_that_a_signal_ended_says_which";
    HasItsOwnGrace:
        "stopping::the_specs_own_grace_counts_where_the_call_names_none";
    SendsTermAlways:
        "stopping::the_specs_own_signal_is_sent",
        "stopping::the_calls_signal_is_sent_before_the_specs";
    TakesNoGraceForTheDefault:
        "stopping::a_grace_of_zero_is_force_at_once";
    LosesSignals:
        "stopping::a_signal_reaches_the_agent_and_is_no_stop",
        "stopping::a_signal_to_an_ended_agent_is_a_conflict";
    RemembersTheFirstExit:
        "model::random_calls_in_any_order_are_answered_as_a_model_answers_them";
}

fn well() -> Exit {
    Exit::new(ExitStatus::Code(0), EndedBy::Us)
}

#[derive(Default)]
struct ReportsTheUnknownAsStopped;

#[async_trait]
impl Flaw for ReportsTheUnknownAsStopped {
    async fn stop(&self, inner: &Inner, id: &AgentId, options: StopOptions) -> Result<Exit> {
        match inner.stop(id, options).await {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(well()),
            answer => answer,
        }
    }
}

#[derive(Default)]
struct SaysThatAllEndedWell;

#[async_trait]
impl Flaw for SaysThatAllEndedWell {
    async fn stop(&self, inner: &Inner, id: &AgentId, options: StopOptions) -> Result<Exit> {
        inner.stop(id, options).await.map(|_| well())
    }
}

#[derive(Default)]
struct ReturnsBeforeTheEnd;

#[async_trait]
impl Flaw for ReturnsBeforeTheEnd {
    async fn stop(&self, inner: &Inner, id: &AgentId, options: StopOptions) -> Result<Exit> {
        if let AgentState::Exited(exit) = inner.inspect(id).await?.state {
            return Ok(exit);
        }
        let (inner, id) = (inner.clone(), id.clone());
        tokio::spawn(async move { inner.stop(&id, options).await });
        Ok(Exit::new(
            ExitStatus::Signal(Signal::KILL),
            EndedBy::UsByForce,
        ))
    }
}

#[derive(Default)]
struct SignalsAtEachStop;

#[async_trait]
impl Flaw for SignalsAtEachStop {
    async fn stop(&self, inner: &Inner, id: &AgentId, options: StopOptions) -> Result<Exit> {
        if let Some(signals) = inner.signals() {
            let _ = signals.signal(id, Signal::TERM, None).await;
        }
        inner.stop(id, options).await
    }
}

#[derive(Default)]
struct KnowsNoGrace;

#[async_trait]
impl Flaw for KnowsNoGrace {
    async fn stop(&self, inner: &Inner, id: &AgentId, _options: StopOptions) -> Result<Exit> {
        inner.stop(id, StopOptions::by_force()).await
    }
}

#[derive(Default)]
struct StopsOneAfterTheOther(tokio::sync::Mutex<()>);

#[async_trait]
impl Flaw for StopsOneAfterTheOther {
    async fn stop(&self, inner: &Inner, id: &AgentId, options: StopOptions) -> Result<Exit> {
        let _turn = self.0.lock().await;
        inner.stop(id, options).await
    }
}

/// The grace passes in the caller, and the force is the caller's to use.
#[derive(Default)]
struct StopsOnlyWhileItIsCalled;

#[async_trait]
impl Flaw for StopsOnlyWhileItIsCalled {
    async fn stop(&self, inner: &Inner, id: &AgentId, options: StopOptions) -> Result<Exit> {
        if let Some(signals) = inner.signals() {
            let _ = signals.signal(id, Signal::TERM, None).await;
        }
        tokio::time::sleep(options.grace.unwrap_or_default()).await;
        inner.stop(id, StopOptions::by_force()).await
    }
}

#[derive(Default)]
struct StopsWhateverStartThereIs;

#[async_trait]
impl Flaw for StopsWhateverStartThereIs {
    async fn stop(&self, inner: &Inner, id: &AgentId, mut options: StopOptions) -> Result<Exit> {
        options.incarnation = None;
        inner.stop(id, options).await
    }
}

#[derive(Default)]
struct ForgetsExits;

#[async_trait]
impl Flaw for ForgetsExits {
    async fn stop(&self, inner: &Inner, id: &AgentId, options: StopOptions) -> Result<Exit> {
        let exit = inner.stop(id, options).await?;
        inner.remove(id, RemoveOptions::default()).await?;
        Ok(exit)
    }
}

#[derive(Default)]
struct RemovesTheLiving;

#[async_trait]
impl Flaw for RemovesTheLiving {
    async fn remove(&self, inner: &Inner, id: &AgentId, _options: RemoveOptions) -> Result<()> {
        inner
            .remove(id, RemoveOptions::default().with_force(true))
            .await
    }
}

#[derive(Default)]
struct HidesInsteadOfRemoving(Mutex<HashSet<AgentId>>);

#[async_trait]
impl Flaw for HidesInsteadOfRemoving {
    async fn list(&self, inner: &Inner, options: ListOptions) -> Result<Vec<AgentInfo>> {
        let mut all = inner.list(options).await?;
        all.retain(|info| !self.0.lock().unwrap().contains(&info.id));
        Ok(all)
    }
    async fn remove(&self, _inner: &Inner, id: &AgentId, _options: RemoveOptions) -> Result<()> {
        self.0.lock().unwrap().insert(id.clone());
        Ok(())
    }
}

#[derive(Default)]
struct RemovesNothing;

#[async_trait]
impl Flaw for RemovesNothing {
    async fn remove(&self, inner: &Inner, id: &AgentId, _options: RemoveOptions) -> Result<()> {
        inner.inspect(id).await.map(|_| ())
    }
}

/// As an engine does whose forced removal of an unknown name is a success.
#[derive(Default)]
struct RemovesTheUnknown;

#[async_trait]
impl Flaw for RemovesTheUnknown {
    async fn remove(&self, inner: &Inner, id: &AgentId, options: RemoveOptions) -> Result<()> {
        match inner.remove(id, options).await {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            answer => answer,
        }
    }
}

/// Tells every exit as `change` has it.
fn exit_in(mut info: AgentInfo, change: impl Fn(&mut Exit)) -> AgentInfo {
    if let AgentState::Exited(exit) = &mut info.state {
        change(exit);
    }
    info
}

#[derive(Default)]
struct TellsCodesAsOneOrZero;

#[async_trait]
impl Flaw for TellsCodesAsOneOrZero {
    fn info(&self, info: AgentInfo) -> AgentInfo {
        exit_in(info, |exit| {
            if let ExitStatus::Code(code) = &mut exit.status {
                *code = (*code).min(1);
            }
        })
    }
}

#[derive(Default)]
struct Takes137ForMemory;

#[async_trait]
impl Flaw for Takes137ForMemory {
    fn info(&self, info: AgentInfo) -> AgentInfo {
        exit_in(info, |exit| exit.oom = exit.code() == Some(137))
    }
}

#[derive(Default)]
struct TellsSignalsAsZero;

#[async_trait]
impl Flaw for TellsSignalsAsZero {
    fn info(&self, info: AgentInfo) -> AgentInfo {
        exit_in(info, |exit| {
            if exit.signal().is_some() {
                exit.status = ExitStatus::Code(0);
            }
        })
    }
}

#[derive(Default)]
struct HasItsOwnGrace;

#[async_trait]
impl Flaw for HasItsOwnGrace {
    async fn stop(&self, inner: &Inner, id: &AgentId, mut options: StopOptions) -> Result<Exit> {
        options.grace = Some(options.grace.unwrap_or(Duration::from_secs(10)));
        inner.stop(id, options).await
    }
}

#[derive(Default)]
struct SendsTermAlways;

#[async_trait]
impl Flaw for SendsTermAlways {
    async fn stop(&self, inner: &Inner, id: &AgentId, options: StopOptions) -> Result<Exit> {
        inner.stop(id, options.with_signal(Signal::TERM)).await
    }
}

#[derive(Default)]
struct TakesNoGraceForTheDefault;

#[async_trait]
impl Flaw for TakesNoGraceForTheDefault {
    async fn stop(&self, inner: &Inner, id: &AgentId, mut options: StopOptions) -> Result<Exit> {
        options.grace = options.grace.filter(|grace| !grace.is_zero());
        inner.stop(id, options).await
    }
}

#[derive(Default)]
struct LosesSignals;

#[async_trait]
impl Flaw for LosesSignals {
    fn signals<'a>(&'a self, _inner: &'a Inner) -> Option<&'a dyn Signals> {
        Some(self)
    }
}

#[async_trait]
impl Signals for LosesSignals {
    async fn signal(&self, _: &AgentId, _: Signal, _: Option<Incarnation>) -> Result<()> {
        Ok(())
    }
}

/// Right for every first start, and wrong from the second on.
#[derive(Default)]
struct RemembersTheFirstExit(Mutex<HashMap<AgentId, Exit>>);

#[async_trait]
impl Flaw for RemembersTheFirstExit {
    async fn stop(&self, inner: &Inner, id: &AgentId, options: StopOptions) -> Result<Exit> {
        let exit = inner.stop(id, options).await?;
        let mut known = self.0.lock().unwrap();
        Ok(known.entry(id.clone()).or_insert(exit).clone())
    }
}
