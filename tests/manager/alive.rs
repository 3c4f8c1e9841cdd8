//! Liveness: who does not answer is ended and started again, who answers now and then is left alone. The clock is the
//! test's own.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use alveary::{
    AgentSpec, AgentState, Alive, ErrorKind, ExecContext, MemoryBackend, Probe, Restart,
    StopOptions, SwarmManager,
};

use crate::house::{memory, until};

/// Five looks a minute, three failures in a row.
fn check() -> Alive {
    Alive::new(Probe::Command(vec!["check".into()])).interval(Duration::from_secs(10))
}

/// An agent that answers by these codes, one after the other and again from the first; how often it was asked.
fn swarm(codes: &'static [i32]) -> (SwarmManager<MemoryBackend>, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let backend = memory().with_exec("check", move |_: ExecContext| {
        let code = codes[counted.fetch_add(1, SeqCst) % codes.len()];
        async move { code }
    });
    (SwarmManager::new(Arc::new(backend)), asked)
}

fn spec(restart: Restart) -> AgentSpec {
    AgentSpec::new("echo", ["stay"])
        .alive(check())
        .restart(restart)
}

#[tokio::test(start_paused = true)]
async fn who_does_not_answer_three_times_in_a_row_is_started_again_after_a_failure_too() {
    let (swarm, asked) = swarm(&[0, 1, 1, 1]);
    let echo = swarm.spawn(spec(Restart::on_failure())).await.unwrap();
    until(&swarm, "it was started again", |agents| {
        agents[0].restarts == 1 && agents[0].ready
    })
    .await;
    assert_eq!(asked.load(SeqCst), 4);
    assert_ne!(
        swarm.get(&echo.id).await.unwrap().info.incarnation,
        echo.incarnation
    );
}

#[tokio::test(start_paused = true)]
async fn who_answers_now_and_then_is_left_alone() {
    let (swarm, asked) = swarm(&[1, 1, 0]);
    let echo = swarm.spawn(spec(Restart::always())).await.unwrap();
    while asked.load(SeqCst) < 30 {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let now = swarm.get(&echo.id).await.unwrap();
    assert_eq!((now.info.incarnation, now.restarts), (echo.incarnation, 0));
}

#[tokio::test(start_paused = true)]
async fn a_check_that_hangs_is_dropped_in_time_and_is_no_answer() {
    struct Ended(Arc<AtomicUsize>);
    impl Drop for Ended {
        fn drop(&mut self) {
            self.0.fetch_add(1, SeqCst);
        }
    }
    let ended = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&ended);
    let backend = memory().with_exec("check", move |_: ExecContext| {
        let ended = Ended(Arc::clone(&counted));
        async move {
            let _ended = ended;
            pending::<i32>().await
        }
    });
    let swarm = SwarmManager::new(Arc::new(backend));
    swarm.spawn(spec(Restart::always())).await.unwrap();
    until(&swarm, "it was started again", |agents| {
        agents[0].restarts == 1
    })
    .await;
    assert_eq!(ended.load(SeqCst), 3);
}

#[tokio::test(start_paused = true)]
async fn these_restarts_are_bounded_as_all_are_and_say_what_was_wrong() {
    let (swarm, asked) = swarm(&[1]);
    let policy = Restart::always()
        .at_most(2, Duration::from_hours(1))
        .delay(Duration::from_secs(1), Duration::from_secs(1));
    let echo = swarm.spawn(spec(policy)).await.unwrap();
    until(&swarm, "it was given up", |agents| agents[0].is_settled()).await;
    let agent = swarm.get(&echo.id).await.unwrap();
    let AgentState::Failed { reason } = agent.state() else {
        panic!("{:?}", agent.state());
    };
    assert_eq!(
        reason,
        "restarts used up: 2 within 1h, and then it did not answer 3 times in a row: its check exited with code 1"
    );
    assert_eq!(asked.load(SeqCst), 9);
}

#[tokio::test(start_paused = true)]
async fn one_that_is_not_to_be_started_again_is_ended_and_has_failed() {
    let (swarm, _) = swarm(&[1]);
    let echo = swarm.spawn(spec(Restart::never())).await.unwrap();
    until(&swarm, "it has ended", |agents| agents[0].is_settled()).await;
    let agent = swarm.get(&echo.id).await.unwrap();
    let AgentState::Failed { reason } = agent.state() else {
        panic!("{:?}", agent.state());
    };
    assert!(
        reason.contains("did not answer 3 times in a row"),
        "{reason}"
    );
    assert_eq!(agent.restarts, 0);
}

#[tokio::test(start_paused = true)]
async fn one_that_is_stopped_is_asked_no_more_and_stays_stopped() {
    let (swarm, asked) = swarm(&[0]);
    let echo = swarm.spawn(spec(Restart::always())).await.unwrap();
    while asked.load(SeqCst) < 2 {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    swarm.stop(&echo.id, StopOptions::default()).await.unwrap();
    let before = asked.load(SeqCst);
    tokio::time::sleep(Duration::from_mins(5)).await;
    assert_eq!(asked.load(SeqCst), before);
    assert_eq!(swarm.get(&echo.id).await.unwrap().restarts, 0);
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_restarts_its_agents_itself_is_not_told_to_look() {
    let (swarm, _) = swarm(&[0]);
    let refused = swarm.spawn(spec(Restart::always().by_engine())).await;
    let error = refused.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidSpec);
    assert!(error.to_string().contains("`alive`"), "{error}");
}
