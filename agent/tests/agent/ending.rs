use std::sync::Arc;
use std::time::Duration;

use alveary_agent::{Agent, ErrorKind, Program, Task};
use tokio::sync::watch;

use crate::fake::{Fake, Fault, Verb};
use crate::{Running, shouter};

/// Works until it is let go, and says whether it was called off.
fn patient(fake: &Fake, go: &Arc<watch::Sender<bool>>) -> alveary_agent::AgentBuilder {
    let go = go.clone();
    Agent::builder("patient")
        .handler(move |_: Task| {
            let mut go = go.subscribe();
            async move {
                go.wait_for(|go| *go)
                    .await
                    .map_err(|error| error.to_string())?;
                Ok::<_, String>("in time".to_owned())
            }
        })
        .transport(Arc::new(fake.clone()))
}

#[tokio::test]
async fn an_agent_that_ends_takes_its_leave() {
    let fake = Fake::new();
    let agent = Running::start(shouter(&fake));
    fake.until("a registration", |state| !state.registrations.is_empty())
        .await;
    agent.end().await.unwrap();
    assert!(fake.look(|state| state.left));
}

#[tokio::test]
async fn an_agent_that_never_reached_its_coordinator_ends_at_once() {
    let fake = Fake::new();
    for _ in 0..100 {
        fake.fault(Verb::Register, Fault::Lost(ErrorKind::Unavailable));
    }
    let agent = Running::start(shouter(&fake));
    agent.end().await.unwrap();
    assert!(fake.look(|state| state.registrations.is_empty()));
}

#[tokio::test]
async fn what_is_begun_is_finished_within_the_grace_and_nothing_more_is_taken_up() {
    let (fake, go) = (Fake::new(), Arc::default());
    let agent = Running::start(patient(&fake, &go));
    fake.add("hello", "");
    fake.until("a claim", |state| state.claimed.len() == 1)
        .await;
    agent.cancel.cancel();
    fake.add("too late", "");
    let beats = fake.look(|state| state.pulses.len());
    // It still lives, and says so.
    fake.until("a beat after the end was asked for", |state| {
        state.pulses.len() > beats + 1
    })
    .await;
    go.send_replace(true);
    let summary = agent.ended().await.unwrap();
    assert_eq!((summary.completed, summary.given_back), (1, 0));
    assert_eq!(
        fake.look(|state| (state.claimed.len(), state.left)),
        (1, true)
    );
}

#[tokio::test]
async fn what_is_not_finished_within_the_grace_is_given_back() {
    let (fake, go) = (Fake::new(), Arc::default());
    let agent = Running::start(patient(&fake, &go).grace(Duration::from_millis(30)));
    fake.add("hello", "");
    fake.until("a claim", |state| state.claimed.len() == 1)
        .await;
    let summary = agent.end().await.unwrap();
    assert_eq!((summary.completed, summary.given_back), (0, 1));
    assert!(fake.look(|state| state.left && state.completed.is_empty()));
}

#[tokio::test]
async fn a_program_at_work_ends_with_its_agent() {
    let fake = Fake::new();
    let dir = tempfile::tempdir().unwrap();
    let (ready, tidied) = (dir.path().join("ready"), dir.path().join("tidied"));
    let script = format!(
        "trap 'touch {}; exit 1' TERM; touch {}; while :; do sleep 0.01; done",
        tidied.display(),
        ready.display(),
    );
    let program = Program::new(["sh", "-c", &script]).unwrap();
    let builder = Agent::builder("program")
        .handler(program)
        .transport(Arc::new(fake.clone()));
    let agent = Running::start(builder.grace(Duration::from_millis(20)));
    fake.add("hello", "");
    fake.until("a beat of a program at work", |state| {
        ready.exists() && state.pulses.iter().any(|pulse| !pulse.attempts.is_empty())
    })
    .await;
    assert_eq!(agent.end().await.unwrap().given_back, 1);
    assert!(tidied.exists(), "the program was not asked to end");
}

#[tokio::test]
async fn a_dropped_agent_calls_off_its_work() {
    struct Dropped(watch::Sender<bool>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.send_replace(true);
        }
    }
    let fake = Fake::new();
    let dropped = watch::Sender::new(false);
    let mut seen = dropped.subscribe();
    let hang = move |_: Task| {
        let guard = Dropped(dropped.clone());
        async move {
            let _guard = guard;
            std::future::pending::<()>().await;
            Ok::<_, String>(String::new())
        }
    };
    let agent = Running::start(
        Agent::builder("hang")
            .handler(hang)
            .transport(Arc::new(fake.clone())),
    );
    fake.add("hello", "");
    fake.until("a claim", |state| state.claimed.len() == 1)
        .await;
    agent.agent.abort();
    let wait = seen.wait_for(|dropped| *dropped);
    tokio::time::timeout(Duration::from_secs(20), wait)
        .await
        .expect("the work goes on")
        .unwrap();
}
