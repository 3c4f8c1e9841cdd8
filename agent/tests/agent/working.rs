use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use alveary_agent::protocol::MAX_TEXT;
use alveary_agent::{Agent, ErrorKind, Task};
use tokio::sync::Notify;

use crate::fake::{Fake, Fault, Verb};
use crate::{Running, shout, shouter};

#[tokio::test]
async fn what_is_won_is_done_and_delivered() {
    let fake = Fake::new();
    let agent = Running::start(shouter(&fake));
    let tasks = [fake.add("hello", "shout"), fake.add("world", "")];
    fake.until("both results", |state| state.completed.len() == 2)
        .await;
    let summary = agent.end().await.unwrap();
    assert_eq!((summary.completed, summary.failed), (2, 0));
    let results = fake.look(|state| state.completed.clone());
    assert!(
        results.contains(&(tasks[0], "HELLO".to_owned())),
        "{results:?}"
    );
    assert!(
        results.contains(&(tasks[1], "WORLD".to_owned())),
        "{results:?}"
    );
}

#[tokio::test]
async fn a_task_goes_to_the_handler_of_what_it_asks_for() {
    let fake = Fake::new();
    let whisper =
        |task: Task| async move { Ok::<_, String>(task.description.as_str().to_lowercase()) };
    let agent = Running::start(shouter(&fake).capability("whisper", whisper));
    fake.add("Hello", "whisper");
    fake.until("a result", |state| state.completed.len() == 1)
        .await;
    agent.end().await.unwrap();
    assert_eq!(fake.look(|state| state.completed[0].1.clone()), "hello");
}

#[tokio::test]
async fn a_handlers_error_is_the_tasks_failure() {
    let fake = Fake::new();
    let sulk = |_: Task| async { Err::<String, _>("not today") };
    let agent = Running::start(
        Agent::builder("sulk")
            .handler(sulk)
            .transport(Arc::new(fake.clone())),
    );
    let task = fake.add("hello", "");
    fake.until("a failure", |state| state.failed.len() == 1)
        .await;
    assert_eq!(agent.end().await.unwrap().failed, 1);
    assert_eq!(
        fake.look(|state| state.failed[0].clone()),
        (task, "not today".to_owned())
    );
}

#[tokio::test]
async fn a_panic_is_the_tasks_failure_and_not_the_agents_end() {
    let fake = Fake::new();
    let fragile = |task: Task| async move {
        assert!(task.description.as_str() != "break", "as asked");
        Ok::<_, String>("fine".to_owned())
    };
    let agent = Running::start(
        Agent::builder("fragile")
            .handler(fragile)
            .transport(Arc::new(fake.clone())),
    );
    fake.add("break", "");
    fake.until("a failure", |state| state.failed.len() == 1)
        .await;
    fake.add("hold", "");
    fake.until("a result", |state| state.completed.len() == 1)
        .await;
    agent.end().await.unwrap();
}

#[tokio::test]
async fn a_lost_answer_to_a_report_does_not_lose_the_result() {
    let fake = Fake::new();
    fake.fault(Verb::Complete, Fault::Lost(ErrorKind::Unavailable));
    fake.fault(Verb::Complete, Fault::AnswerLost);
    let agent = Running::start(shouter(&fake));
    fake.add("hello", "shout");
    fake.until("a result", |state| state.completed.len() == 1)
        .await;
    let summary = agent.end().await.unwrap();
    assert_eq!((summary.completed, summary.superseded), (1, 0));
}

#[tokio::test]
async fn a_lost_answer_to_a_claim_does_not_lose_the_task() {
    let fake = Fake::new();
    fake.fault(Verb::Claim, Fault::AnswerLost);
    let agent = Running::start(shouter(&fake));
    fake.add("hello", "shout");
    fake.until("a result", |state| state.completed.len() == 1)
        .await;
    assert_eq!(agent.end().await.unwrap().completed, 1);
    assert_eq!(fake.look(|state| state.claimed.len()), 2);
}

#[tokio::test]
async fn a_result_that_is_too_long_is_a_failure_that_says_so() {
    let fake = Fake::new();
    let talk = |_: Task| async { Ok::<_, String>("x".repeat(MAX_TEXT + 1)) };
    let agent = Running::start(
        Agent::builder("talk")
            .handler(talk)
            .transport(Arc::new(fake.clone())),
    );
    fake.add("hello", "");
    fake.until("a failure", |state| state.failed.len() == 1)
        .await;
    agent.end().await.unwrap();
    let reason = fake.look(|state| state.failed[0].1.clone());
    assert_eq!(
        reason,
        "the result has 262145 bytes, and 262144 is the most"
    );
}

#[tokio::test]
async fn a_task_over_its_time_is_called_off_and_fails() {
    let fake = Fake::new();
    let sleep = |_: Task| async {
        std::future::pending::<()>().await;
        Ok::<_, String>(String::new())
    };
    let builder = Agent::builder("slow")
        .handler(sleep)
        .transport(Arc::new(fake.clone()));
    let agent = Running::start(builder.time_limit(Duration::from_millis(30)));
    fake.add("hello", "");
    fake.until("a failure", |state| state.failed.len() == 1)
        .await;
    agent.end().await.unwrap();
    assert_eq!(
        fake.look(|state| state.failed[0].1.clone()),
        "it took longer than 30ms"
    );
}

#[tokio::test]
async fn the_heart_beats_for_what_is_worked_on() {
    let fake = Fake::new();
    let done = Arc::new(Notify::new());
    let until_done = {
        let done = done.clone();
        move |_: Task| {
            let done = done.clone();
            async move {
                done.notified().await;
                Ok::<_, String>("done".to_owned())
            }
        }
    };
    let agent = Running::start(
        Agent::builder("long")
            .handler(until_done)
            .transport(Arc::new(fake.clone())),
    );
    fake.until("beats without work", |state| state.pulses.len() >= 2)
        .await;
    assert!(fake.look(|state| state.pulses[0].attempts.is_empty()));
    fake.add("hello", "");
    let at_work = |pulse: &alveary_agent::protocol::Pulse| pulse.attempts.len() == 1;
    fake.until("beats at work", |state| {
        state.pulses.iter().filter(|pulse| at_work(pulse)).count() >= 3
    })
    .await;
    done.notify_one();
    fake.until("a result", |state| state.completed.len() == 1)
        .await;
    agent.end().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_heart_that_is_not_heard_beats_on_in_time() {
    let fake = Fake::with_heartbeat(Duration::from_secs(3));
    let lost = 20;
    for _ in 0..lost {
        fake.fault(Verb::Pulse, Fault::Lost(ErrorKind::Unavailable));
    }
    let began = tokio::time::Instant::now();
    let agent = Running::start(
        Agent::builder("loud")
            .handler(shout)
            .transport(Arc::new(fake.clone())),
    );
    fake.until_in(Duration::from_mins(5), "a beat is heard", |state| {
        !state.pulses.is_empty()
    })
    .await;
    // A third of the heartbeat between two, at most: a coordinator that is back hears of it in time.
    let most = Duration::from_secs(lost + 1);
    let took = began.elapsed();
    assert!(
        took <= most,
        "{took:?} until the first of {lost} and one is heard"
    );
    agent.end().await.unwrap();
}

/// Counts how many are at work, and lets nobody go on before it is told.
#[derive(Clone, Default)]
struct Gate {
    at_work: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
    open: Arc<tokio::sync::watch::Sender<bool>>,
    dropped: Arc<AtomicUsize>,
}

impl Gate {
    async fn pass(self, _: Task) -> Result<String, String> {
        struct Leave(Gate);
        impl Drop for Leave {
            fn drop(&mut self) {
                self.0.at_work.fetch_sub(1, Ordering::SeqCst);
                self.0.dropped.fetch_add(1, Ordering::SeqCst);
            }
        }
        let now = self.at_work.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        let mut open = self.open.subscribe();
        let _leave = Leave(self);
        open.wait_for(|open| *open)
            .await
            .map_err(|error| error.to_string())?;
        Ok("passed".to_owned())
    }
}

fn gated(fake: &Fake, gate: &Gate) -> alveary_agent::AgentBuilder {
    let gate = gate.clone();
    Agent::builder("gated")
        .handler(move |task: Task| gate.clone().pass(task))
        .transport(Arc::new(fake.clone()))
}

#[tokio::test]
async fn one_task_at_a_time_unless_more_are_asked_for() {
    for (concurrency, expected) in [(None, 1), (Some(3), 3)] {
        let (fake, gate) = (Fake::new(), Gate::default());
        let mut builder = gated(&fake, &gate);
        if let Some(concurrency) = concurrency {
            builder = builder.concurrency(std::num::NonZeroUsize::new(concurrency).unwrap());
        }
        let agent = Running::start(builder);
        for number in 0..5 {
            fake.add(&format!("task {number}"), "");
        }
        fake.until("all bids and the first work", |state| {
            state.bids.len() == 5 && state.claimed.len() == expected
        })
        .await;
        gate.open.send_replace(true);
        fake.until("all results", |state| state.completed.len() == 5)
            .await;
        agent.end().await.unwrap();
        assert_eq!(gate.most.load(Ordering::SeqCst), expected);
    }
}

#[tokio::test]
async fn work_that_is_another_agents_now_is_called_off() {
    let (fake, gate) = (Fake::new(), Gate::default());
    let agent = Running::start(gated(&fake, &gate));
    fake.add("hello", "");
    fake.until("a claim", |state| state.claimed.len() == 1)
        .await;
    fake.supersede();
    // The slot is free again, and what comes next is done.
    fake.add("world", "");
    fake.until("another claim", |state| state.claimed.len() == 2)
        .await;
    assert_eq!(gate.dropped.load(Ordering::SeqCst), 1);
    gate.open.send_replace(true);
    fake.until("a result", |state| state.completed.len() == 1)
        .await;
    let summary = agent.end().await.unwrap();
    assert_eq!((summary.completed, summary.superseded), (1, 1));
}

#[tokio::test]
async fn a_pulse_that_overtakes_the_answer_to_a_report_does_not_call_it_off() {
    let fake = Fake::new();
    fake.fault(Verb::Complete, Fault::AnswerAfterPulses);
    let agent = Running::start(shouter(&fake));
    fake.add("hello", "");
    fake.until("a claim", |state| state.claimed.len() == 1)
        .await;
    let summary = agent.end().await.unwrap();
    assert_eq!((summary.completed, summary.superseded), (1, 0));
}

#[tokio::test]
async fn a_late_report_is_refused_and_the_agent_goes_on() {
    // No beat tells it in time.
    let fake = Fake::with_heartbeat(Duration::from_mins(10));
    let gate = Gate::default();
    let agent = Running::start(gated(&fake, &gate));
    let late = fake.add("hello", "");
    fake.until("a claim", |state| state.claimed.len() == 1)
        .await;
    fake.supersede();
    gate.open.send_replace(true);
    fake.until("a late report", |state| state.late == [late])
        .await;
    fake.add("world", "");
    fake.until("a result", |state| state.completed.len() == 1)
        .await;
    let summary = agent.end().await.unwrap();
    assert_eq!((summary.completed, summary.superseded), (1, 1));
}

#[tokio::test]
async fn an_agent_without_what_it_needs_is_not_built() {
    let no_transport = Agent::builder("a").handler(shout).build().unwrap_err();
    assert!(no_transport.to_string().contains("no transport"));
    let no_handler = Agent::builder("a")
        .transport(Arc::new(Fake::new()))
        .build()
        .unwrap_err();
    assert!(no_handler.to_string().contains("no handler"));
}
