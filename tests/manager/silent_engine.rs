//! An engine that is silent: what is said of agents meanwhile.

use std::sync::atomic::Ordering;
use std::time::Duration;

use alveary::{
    AgentBackend, AgentState, ErrorKind, RemoveOptions, Running, SpawnOptions, StopOptions,
    SwarmManager,
};

use crate::house::{stay, until};
use crate::lines::Lines;

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
