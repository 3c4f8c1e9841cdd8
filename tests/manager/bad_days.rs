//! An engine that does not answer, answers too late, or is silent.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use alveary::{
    AgentBackend, AgentEvent, AgentId, AgentInfo, AgentSpec, AgentState, BackendKind, Capabilities,
    Desired, Error, ErrorKind, EventOptions, EventStream, Exit, Health, ListOptions, LogOptions,
    LogStream, ManagerOptions, MemoryBackend, Operation, RemoveOptions, Result, Running,
    SpawnOptions, StopOptions, SwarmManager,
};
use alveary_conformance::Chaos;
use async_trait::async_trait;
use tokio::sync::{Notify, broadcast};

use crate::house::{House, memory, names, until};

fn stay(name: &str) -> AgentSpec {
    AgentSpec::new(name, ["stay"])
}

#[tokio::test(start_paused = true)]
async fn a_start_whose_reply_is_lost_is_unknown_until_a_list_tells() {
    let chaos = Arc::new(Chaos::new(Arc::new(memory())).with_lost_events(1.0));
    let swarm = SwarmManager::new(chaos.clone());
    swarm.list().await.unwrap();
    chaos.lose_next_replies(1);
    let error = swarm.spawn(stay("echo")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Indeterminate);
    let id = error.agent_id().unwrap().clone();
    let agent = swarm.get(&id).await.unwrap();
    assert!(matches!(agent.state(), AgentState::Unknown { .. }));
    assert_eq!(swarm.is_running(&id), Running::Unknown);
    assert_eq!(
        swarm.spawn(stay("echo")).await.unwrap_err().kind(),
        ErrorKind::AlreadyExists
    );
    until(&swarm, "it is known to run", |agents| {
        *agents[0].state() == AgentState::Running
    })
    .await;
    assert_eq!(swarm.list().await.unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_same_call_again_finishes_a_start_whose_reply_was_lost() {
    let chaos = Arc::new(Chaos::new(Arc::new(memory())).with_lost_events(1.0));
    let swarm = SwarmManager::new(chaos.clone());
    swarm.list().await.unwrap();
    let id = AgentId::new("timmy").unwrap();
    chaos.lose_next_replies(1);
    swarm.spawn_as(id.clone(), stay("echo")).await.unwrap_err();
    let info = swarm.spawn_as(id.clone(), stay("echo")).await.unwrap();
    assert_eq!(swarm.is_running(&id), Running::Yes);
    assert_eq!(
        swarm.get(&id).await.unwrap().info.incarnation,
        info.incarnation
    );
}

/// Memory, with a hand on its lines: it can be silent, and hold starts back.
#[derive(Debug)]
struct Lines {
    inner: MemoryBackend,
    cut: AtomicBool,
    cutting: broadcast::Sender<()>,
    hold: AtomicBool,
    /// Lists do not come to an end.
    slow: AtomicBool,
    /// Of whom it is never said how it stands, where it is asked.
    silent_about: Mutex<Option<AgentId>>,
    /// With what starts are refused, and how many were asked for.
    refuse: Mutex<Option<ErrorKind>>,
    starts: AtomicUsize,
    /// A held start has reached us.
    reached: Notify,
    release: Notify,
}

impl Lines {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            inner: memory(),
            cut: AtomicBool::new(false),
            cutting: broadcast::Sender::new(1),
            hold: AtomicBool::new(false),
            slow: AtomicBool::new(false),
            silent_about: Mutex::default(),
            refuse: Mutex::default(),
            starts: AtomicUsize::new(0),
            reached: Notify::new(),
            release: Notify::new(),
        })
    }

    fn cut(&self) {
        self.cut.store(true, Ordering::SeqCst);
        let _ = self.cutting.send(());
    }

    fn refuse_starts(&self, kind: impl Into<Option<ErrorKind>>) {
        *self.refuse.lock().expect("nobody panics with it") = kind.into();
    }

    fn mend(&self) {
        self.cut.store(false, Ordering::SeqCst);
    }

    fn check_line(&self, operation: Operation) -> Result<()> {
        if self.cut.load(Ordering::SeqCst) {
            return Err(Error::new(
                ErrorKind::EngineUnavailable,
                operation,
                "the line is cut",
            ));
        }
        Ok(())
    }
}

impl std::fmt::Display for Lines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("memory at the end of a line")
    }
}

#[async_trait]
impl AgentBackend for Lines {
    fn kind(&self) -> BackendKind {
        self.inner.kind()
    }
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }
    async fn check(&self) -> Result<Health> {
        self.inner.check().await
    }
    async fn spawn(&self, id: &AgentId, spec: &AgentSpec, o: SpawnOptions) -> Result<AgentInfo> {
        self.check_line(Operation::Spawn)?;
        self.starts.fetch_add(1, Ordering::SeqCst);
        let refused = *self.refuse.lock().expect("nobody panics with it");
        if let Some(kind) = refused {
            return Err(Error::new(kind, Operation::Spawn, "not now"));
        }
        if self.hold.load(Ordering::SeqCst) {
            self.reached.notify_one();
            self.release.notified().await;
        }
        self.inner.spawn(id, spec, o).await
    }
    async fn inspect(&self, id: &AgentId) -> Result<AgentInfo> {
        self.check_line(Operation::Inspect)?;
        let silent_about = self
            .silent_about
            .lock()
            .expect("nobody panics with it")
            .clone();
        if silent_about.as_ref() == Some(id) {
            std::future::pending::<()>().await;
        }
        self.inner.inspect(id).await
    }
    async fn list(&self, o: ListOptions) -> Result<Vec<AgentInfo>> {
        self.check_line(Operation::List)?;
        if self.slow.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        self.inner.list(o).await
    }
    async fn stop(&self, id: &AgentId, o: StopOptions) -> Result<Exit> {
        self.inner.stop(id, o).await
    }
    async fn remove(&self, id: &AgentId, o: RemoveOptions) -> Result<()> {
        self.inner.remove(id, o).await
    }
    async fn events(&self, o: EventOptions) -> Result<EventStream> {
        self.check_line(Operation::Events)?;
        let events = self.inner.events(o).await?;
        let mut cutting = self.cutting.subscribe();
        let cut = async move {
            let _ = cutting.recv().await;
        };
        let events = futures_util::StreamExt::take_until(events, Box::pin(cut));
        Ok(EventStream::new(futures_util::StreamExt::map(
            events,
            |event: Result<AgentEvent>| event,
        )))
    }
    async fn logs(&self, id: &AgentId, o: LogOptions) -> Result<LogStream> {
        self.inner.logs(id, o).await
    }
}

#[tokio::test(start_paused = true)]
async fn while_the_engine_is_silent_nothing_is_claimed_of_anybody() {
    let lines = Lines::new();
    let swarm = SwarmManager::new(lines.clone());
    let echo = swarm.spawn(stay("echo")).await.unwrap();
    assert_eq!(swarm.is_running(&echo.id), Running::Yes);
    lines.cut();
    until(&swarm, "the silence is noticed", |agents| {
        matches!(agents[0].state(), AgentState::Unknown { .. })
    })
    .await;
    assert_eq!(swarm.is_running(&echo.id), Running::Unknown);
    // It ends while nobody hears.
    lines
        .inner
        .stop(&echo.id, StopOptions::default())
        .await
        .unwrap();
    lines.mend();
    until(&swarm, "its end is known", |agents| {
        agents[0].exit.is_some()
    })
    .await;
    assert_eq!(swarm.is_running(&echo.id), Running::No);
}

#[tokio::test(start_paused = true)]
async fn a_list_without_an_end_holds_up_no_news() {
    let lines = Lines::new();
    let swarm = SwarmManager::new(lines.clone());
    let echo = swarm.spawn(stay("echo")).await.unwrap();
    lines.slow.store(true, Ordering::SeqCst);
    // One is under way by now.
    tokio::time::sleep(Duration::from_mins(1)).await;
    let stop = StopOptions::by_force();
    lines.inner.stop(&echo.id, stop).await.unwrap();
    let soon = Duration::from_secs(1);
    let heard = tokio::time::timeout(soon, swarm.wait(&echo.id)).await;
    assert!(heard.is_ok(), "its end is not heard of");
}

/// What makes the manager ask how an agent stands.
#[derive(Debug, Clone, Copy)]
enum Question {
    Removed,
    StartedAgain,
}

#[tokio::test(start_paused = true)]
async fn a_question_without_an_answer_holds_up_no_news_of_others() {
    for question in [Question::Removed, Question::StartedAgain] {
        let lines = Lines::new();
        let swarm = SwarmManager::new(lines.clone());
        let asked = swarm.spawn(stay("asked")).await.unwrap();
        let other = swarm.spawn(stay("other")).await.unwrap();
        *lines.silent_about.lock().unwrap() = Some(asked.id.clone());
        // Behind the manager's back.
        let (engine, force) = (&lines.inner, StopOptions::by_force());
        engine.stop(&asked.id, force.clone()).await.unwrap();
        match question {
            Question::Removed => {
                let remove = RemoveOptions::default();
                engine.remove(&asked.id, remove).await.unwrap();
            }
            Question::StartedAgain => {
                let (spec, start) = (stay("asked"), SpawnOptions::default());
                engine.spawn(&asked.id, &spec, start).await.unwrap();
            }
        }
        engine.stop(&other.id, force).await.unwrap();
        let news = swarm.wait(&other.id);
        let soon = Duration::from_secs(1);
        let heard = tokio::time::timeout(soon, news).await;
        assert!(heard.is_ok(), "{question:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_begins_to_wait_while_the_engine_is_silent_waits_on() {
    let lines = Lines::new();
    let swarm = SwarmManager::new(lines.clone());
    let echo = swarm.spawn(stay("echo")).await.unwrap();
    lines.cut();
    until(&swarm, "the silence is noticed", |agents| {
        matches!(agents[0].state(), AgentState::Unknown { .. })
    })
    .await;
    let (exit, ()) = tokio::join!(swarm.wait(&echo.id), async {
        let stop = StopOptions::default();
        lines.inner.stop(&echo.id, stop).await.unwrap();
        lines.mend();
    });
    assert_eq!(exit.unwrap().code(), Some(0));
}

#[test]
fn a_manager_whose_first_runtime_has_ended_works_on_the_next() {
    let runtime = || tokio::runtime::Runtime::new().unwrap();
    let lines = Lines::new();
    let swarm = SwarmManager::new(lines.clone());
    runtime().block_on(async { swarm.list().await.unwrap() });
    let next = runtime();
    // Also the calls that need to hear the engine.
    next.block_on(async { swarm.down(alveary::DownOptions::default()).await.unwrap() });
}

#[tokio::test(start_paused = true)]
async fn the_same_call_again_gives_the_agent_that_lives_by_it() {
    let swarm = SwarmManager::new(Arc::new(memory()));
    let id = AgentId::new("timmy").unwrap();
    let first = swarm.spawn_as(id.clone(), stay("echo")).await.unwrap();
    let again = swarm.spawn_as(id.clone(), stay("echo")).await.unwrap();
    assert_eq!(first.incarnation, again.incarnation);
    let other = stay("echo").capability("else");
    let error = swarm.spawn_as(id, other).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_never_answered_is_an_error_and_not_an_empty_swarm() {
    let lines = Lines::new();
    lines.cut();
    let swarm = SwarmManager::new(lines.clone());
    let error = swarm.list().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::EngineUnavailable);
    assert!(error.to_string().contains("the line is cut"), "{error}");
    assert!(swarm.stop_all(StopOptions::default()).await.is_err());
    lines.mend();
    until(&swarm, "it answers", |agents| agents.is_empty()).await;
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_is_away_uses_up_no_restarts() {
    let lines = Lines::new();
    let swarm = SwarmManager::new(lines.clone());
    let policy = alveary::Restart::always()
        .at_most(2, Duration::from_hours(1))
        .delay(Duration::from_secs(1), Duration::from_secs(1));
    let echo = swarm
        .spawn(AgentSpec::new("echo", ["stay"]).restart(policy))
        .await
        .unwrap();
    lines
        .inner
        .stop(&echo.id, StopOptions::by_force())
        .await
        .unwrap();
    until(&swarm, "its end is known", |agents| {
        agents[0].exit.is_some()
    })
    .await;
    lines.cut();
    tokio::time::sleep(Duration::from_mins(10)).await;
    lines.mend();
    until(&swarm, "it runs again", |agents| {
        *agents[0].state() == AgentState::Running
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_is_not_the_agents_fault_uses_up_no_restarts_and_is_not_tried_without_a_pause() {
    for kind in [
        ErrorKind::OutOfResources,
        ErrorKind::Conflict,
        ErrorKind::EngineUnavailable,
    ] {
        let lines = Lines::new();
        let swarm = SwarmManager::new(lines.clone());
        let policy = alveary::Restart::always()
            .at_most(2, Duration::from_hours(1))
            .delay(Duration::ZERO, Duration::ZERO);
        let echo = swarm
            .spawn(AgentSpec::new("echo", ["stay"]).restart(policy))
            .await
            .unwrap();
        lines.refuse_starts(kind);
        lines
            .inner
            .stop(&echo.id, StopOptions::by_force())
            .await
            .unwrap();
        tokio::time::sleep(Duration::from_mins(10)).await;
        let tried = lines.starts.load(Ordering::SeqCst);
        assert!((10..1300).contains(&tried), "{kind}: {tried}");
        lines.refuse_starts(None);
        until(&swarm, "it runs again", |agents| {
            *agents[0].state() == AgentState::Running
        })
        .await;
        // One restart was made, however often it was tried.
        assert_eq!(swarm.get(&echo.id).await.unwrap().restarts, 1, "{kind}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_is_away_during_a_restart_by_hand_changes_nothing_of_what_is_wanted() {
    let lines = Lines::new();
    let swarm = SwarmManager::new(lines.clone());
    let policy = alveary::Restart::always();
    let echo = swarm.spawn(stay("echo").restart(policy)).await.unwrap();
    lines.refuse_starts(ErrorKind::EngineUnavailable);
    let error = swarm
        .restart(&echo.id, StopOptions::default())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::EngineUnavailable);
    let agent = swarm.get(&echo.id).await.unwrap();
    assert_eq!(agent.desired, Some(Desired::Running));
    lines.refuse_starts(None);
    until(&swarm, "it runs again", |agents| {
        *agents[0].state() == AgentState::Running
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_restart_that_meets_a_fresher_start_leaves_it_and_what_is_wanted_of_it() {
    let lines = Lines::new();
    let swarm = SwarmManager::new(lines.clone());
    let echo = swarm.spawn(stay("echo")).await.unwrap();
    lines.hold.store(true, Ordering::SeqCst);
    let (restarted, other) = tokio::join!(swarm.restart(&echo.id, StopOptions::default()), async {
        lines.reached.notified().await;
        let other = SpawnOptions::default();
        let info = lines.inner.spawn(&echo.id, &stay("echo"), other).await;
        lines.release.notify_one();
        info.unwrap()
    });
    assert_eq!(restarted.unwrap().incarnation, other.incarnation);
    let agent = swarm.get(&echo.id).await.unwrap();
    assert_eq!(agent.info.incarnation, other.incarnation);
    assert_eq!(agent.desired, Some(Desired::Running));
}

#[tokio::test(start_paused = true)]
async fn a_start_that_is_called_off_is_found_once_the_engine_has_answered() {
    let lines = Lines::new();
    let swarm = SwarmManager::new(lines.clone());
    swarm.list().await.unwrap();
    lines.hold.store(true, Ordering::SeqCst);
    let id = AgentId::new("timmy").unwrap();
    {
        let spawn = swarm.spawn_as(id.clone(), stay("echo"));
        tokio::pin!(spawn);
        tokio::select! {
            _ = &mut spawn => panic!("it is held"),
            () = lines.reached.notified() => {}
        }
    }
    let agent = swarm.get(&id).await.unwrap();
    assert!(
        matches!(agent.state(), AgentState::Unknown { .. }),
        "{:?}",
        agent.state()
    );
    // The call was dropped before it reached the engine: the next list says so, and nothing stays.
    until(&swarm, "nothing is left of it", <[_]>::is_empty).await;
    lines.hold.store(false, Ordering::SeqCst);
    swarm.spawn_as(id, stay("echo")).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_stop_waits_for_a_start_that_is_under_way_and_ends_what_came_of_it() {
    let lines = Lines::new();
    let swarm = SwarmManager::new(lines.clone());
    swarm.list().await.unwrap();
    lines.hold.store(true, Ordering::SeqCst);
    let id = AgentId::new("timmy").unwrap();
    let (spawned, stopped) = tokio::join!(swarm.spawn_as(id.clone(), stay("echo")), async {
        lines.reached.notified().await;
        let stop = swarm.stop(&id, StopOptions::default());
        tokio::pin!(stop);
        // The stop comes first, and the engine has not even heard of the agent.
        tokio::select! {
            biased;
            early = &mut stop => panic!("{early:?}"),
            () = tokio::time::sleep(Duration::from_secs(1)) => lines.release.notify_one(),
        }
        stop.await
    });
    spawned.unwrap();
    assert!(stopped.is_ok(), "{stopped:?}");
    assert_eq!(swarm.is_running(&id), Running::No);
}

/// One is being started, two wait for their turn.
#[tokio::test(start_paused = true)]
async fn a_swarm_that_is_stopped_while_it_starts_starts_nobody_else() {
    let lines = Lines::new();
    let options = ManagerOptions::default().with_concurrency(1);
    let swarm = SwarmManager::with_options(lines.clone(), options);
    swarm.list().await.unwrap();
    lines.hold.store(true, Ordering::SeqCst);
    let (started, stopped) = tokio::join!(swarm.spawn_many(["a", "b", "c"].map(stay)), async {
        lines.reached.notified().await;
        let stop = swarm.stop_all(StopOptions::default());
        tokio::pin!(stop);
        tokio::select! {
            biased;
            early = &mut stop => panic!("{early:?}"),
            () = tokio::time::sleep(Duration::from_secs(1)) => {
                lines.hold.store(false, Ordering::SeqCst);
                lines.release.notify_one();
            }
        }
        stop.await.unwrap()
    });
    let kinds: Vec<_> = started
        .iter()
        .map(|result| result.as_ref().map(|_| ()).map_err(Error::kind))
        .collect();
    assert_eq!(
        kinds,
        [Ok(()), Err(ErrorKind::Conflict), Err(ErrorKind::Conflict)]
    );
    assert_eq!(stopped.len(), 3);
    assert!(
        stopped.iter().all(|outcome| outcome.result.is_ok()),
        "{stopped:?}"
    );
    let there = lines.inner.list(ListOptions::default()).await.unwrap();
    assert!(there.len() == 1 && there[0].state.has_ended(), "{there:?}");
}

#[tokio::test(start_paused = true)]
async fn of_many_starts_that_are_called_off_those_that_waited_leave_nothing() {
    let lines = Lines::new();
    let options = ManagerOptions::default().with_concurrency(1);
    let swarm = SwarmManager::with_options(lines.clone(), options);
    swarm.list().await.unwrap();
    lines.hold.store(true, Ordering::SeqCst);
    {
        let starts = swarm.spawn_many(["a", "b", "c"].map(stay));
        tokio::pin!(starts);
        tokio::select! {
            _ = &mut starts => panic!("they are held"),
            () = lines.reached.notified() => {}
        }
    }
    until(&swarm, "nothing is left of them", <[_]>::is_empty).await;
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_that_has_to_use_force_tells_also_of_those_that_obeyed() {
    let swarm = SwarmManager::new(Arc::new(memory()));
    let stubborn = AgentSpec::new("stubborn", ["stubborn"]).grace(Duration::from_hours(1));
    swarm.spawn(stubborn).await.unwrap();
    swarm.spawn(stay("good")).await.unwrap();
    let options = alveary::ShutdownOptions::default().with_within(Duration::from_secs(5));
    let stopped = swarm.shutdown(options).await.unwrap();
    let how: Vec<_> = stopped
        .iter()
        .map(|outcome| (outcome.name.as_str(), outcome.result.as_ref().unwrap().by))
        .collect();
    assert_eq!(
        how,
        [
            ("good", alveary::EndedBy::Us),
            ("stubborn", alveary::EndedBy::UsByForce)
        ]
    );
}

/// Whoever dies between the record and the engine leaves an intent; `up` finishes just that start.
#[tokio::test(start_paused = true)]
async fn an_intent_that_never_became_an_agent_is_pending_and_up_finishes_it() {
    let house = House::new();
    let fleet = house.fleet("[agents.echo]\ncommand = [\"stay\"]\n");
    let opened = house.try_open(fleet.clone(), false).await.unwrap();
    let echo = opened
        .swarm
        .up(&fleet, alveary::UpOptions::default())
        .await
        .unwrap();
    let info = echo.outcomes[0].result.as_ref().unwrap().clone().unwrap();
    // The engine forgets it, as if it had never heard.
    let backend = opened.swarm.backend().clone();
    backend
        .remove(&info.id, RemoveOptions::default().with_force(true))
        .await
        .unwrap();
    drop(opened);

    let next = house.shell().await;
    let agents = next.list().await.unwrap();
    assert_eq!(names(&agents), ["echo"]);
    assert_eq!(*agents[0].state(), AgentState::Pending);
    assert_eq!(agents[0].info.incarnation, info.incarnation);
    let report = next
        .up(&fleet, alveary::UpOptions::default())
        .await
        .unwrap();
    let started = report.outcomes[0].result.as_ref().unwrap().clone().unwrap();
    assert_eq!(
        (started.id, started.incarnation),
        (info.id, info.incarnation)
    );
}

/// Lost replies, doubled calls, delays, lost events, lost streams: all at once.
#[tokio::test(start_paused = true)]
async fn whatever_goes_wrong_the_swarm_is_what_the_engine_has_in_the_end() {
    for seed in 0..20 {
        let engine = memory();
        let chaos = Chaos::new(Arc::new(engine.clone()))
            .with_seed(seed)
            .with_lost_replies(0.2)
            .with_doubled_calls(0.2)
            .with_lost_events(0.3)
            .with_lost_streams(0.05)
            .with_delays(Duration::from_millis(300));
        let swarm = SwarmManager::new(Arc::new(chaos));
        let started = swarm
            .spawn_many((0..20).map(|n| stay(&format!("a-{n}"))))
            .await;
        for info in started.iter().flatten().take(7) {
            let _ = swarm.stop(&info.id, StopOptions::default()).await;
        }
        let there = engine.list(ListOptions::default()).await.unwrap();
        until(&swarm, "the table is true", |agents| {
            agents.len() == there.len()
                && there.iter().all(|there| {
                    agents.iter().any(|agent| {
                        *agent.id() == there.id
                            && agent.info.incarnation == there.incarnation
                            && *agent.state() == there.state
                    })
                })
        })
        .await;
        // No start was made twice, and none was lost.
        let living = there
            .iter()
            .filter(|agent| !agent.state.has_ended())
            .count();
        assert!(living <= 20, "seed {seed}: {living}");
    }
}
