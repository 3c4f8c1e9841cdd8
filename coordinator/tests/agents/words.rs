//! What each call promises, whatever carries it.

use std::time::{Duration, Instant};

use alveary_agent::protocol::{AttemptToken, Happening, NewBid, Pulse, Sats, TaskId};
use alveary_agent::{ErrorKind, Result};

use super::bed::{Bed, NEVER, PATIENCE, Way, id};
use super::hands::Puppet;

fn kind<T: std::fmt::Debug>(answer: Result<T>) -> ErrorKind {
    answer.unwrap_err().kind()
}

pub(crate) async fn an_agent_speaks_for_itself_alone(way: Way) {
    let bed = Bed::calm(way).await;
    let honest = Puppet::known(&bed, "honest", "").await;
    let task = bed.add("sing", "").await;
    honest.bid(task, 5).await;
    let claim = honest.claim().await.unwrap();
    // Says that it is the other, and has its own way only.
    let thief = Puppet {
        id: id("honest"),
        way: bed.way("thief"),
    };
    let before = bed.story().await.len();
    let (way, attempt) = (&thief.way, claim.attempt);
    assert_eq!(
        kind(way.register(&thief.registration("theft")).await),
        ErrorKind::Forbidden
    );
    let bid = NewBid::new(task, thief.id.clone(), Sats::new(1).unwrap());
    assert_eq!(kind(way.bid(&bid).await), ErrorKind::Forbidden);
    let asks = thief.asks(&[], Duration::ZERO);
    assert_eq!(kind(way.claim(&asks).await), ErrorKind::Forbidden);
    let pulse = Pulse::new(thief.id.clone()).with_attempts(vec![attempt]);
    assert_eq!(kind(way.pulse(&pulse).await), ErrorKind::Forbidden);
    assert_eq!(
        kind(way.complete(task, attempt, "mine").await),
        ErrorKind::Forbidden
    );
    assert_eq!(
        kind(way.fail(task, attempt, "mine").await),
        ErrorKind::Forbidden
    );
    assert_eq!(kind(way.leave(&thief.id).await), ErrorKind::Forbidden);
    assert_eq!(bed.story().await.len(), before);

    // In its own name it has no part in another's attempt either.
    let itself = Puppet::known(&bed, "thief", "").await;
    assert_eq!(itself.claim().await, None);
    assert_eq!(itself.pulse(&[attempt]).await.superseded, [attempt]);
    honest.way.complete(task, attempt, "la la").await.unwrap();
}

pub(crate) async fn a_call_made_again_has_no_second_effect(way: Way) {
    let bed = Bed::calm(way).await;
    let agent = Puppet::known(&bed, "echo", "song").await;
    agent
        .way
        .register(&agent.registration("song"))
        .await
        .unwrap();
    let task = bed.add("sing", "song").await;
    agent.bid(task, 5).await;
    assert!(!agent.bid(task, 5).await.accepted);
    let claim = agent.claim().await.unwrap();
    agent.pulse(&[claim.attempt]).await;
    agent.pulse(&[claim.attempt]).await;
    for _ in 0..2 {
        agent.way.complete(task, claim.attempt, "la").await.unwrap();
    }
    let other = agent.way.complete(task, claim.attempt, "lo").await;
    assert_eq!(kind(other), ErrorKind::Superseded);
    let failed = agent.way.fail(task, claim.attempt, "la").await;
    assert_eq!(kind(failed), ErrorKind::Superseded);
    for _ in 0..2 {
        agent.way.leave(&agent.id).await.unwrap();
    }
    assert_eq!(bed.task(task).await.result.as_deref(), Some("la"));
    let story = bed.story().await;
    let count = |is_it: fn(&Happening) -> bool| story.iter().filter(|what| is_it(what)).count();
    assert_eq!(
        count(|what| matches!(what, Happening::AgentRegistered { .. })),
        1
    );
    assert_eq!(count(|what| matches!(what, Happening::Started { .. })), 1);
    assert_eq!(count(|what| matches!(what, Happening::Completed { .. })), 1);
    assert_eq!(
        count(|what| matches!(what, Happening::LateReport { .. })),
        2
    );
}

pub(crate) async fn a_claim_whose_answer_was_lost_is_answered_again(way: Way) {
    let bed = Bed::calm(way).await;
    let agent = Puppet::known(&bed, "echo", "").await;
    let first = bed.add("sing", "").await;
    agent.bid(first, 5).await;
    let second = bed.add("sing again", "").await;
    let claim = agent.claim().await.unwrap();
    assert_eq!(agent.claim().await, Some(claim.clone()));
    // It has it, and is not given it again.
    let holding = agent.asks(&[claim.attempt], Duration::ZERO);
    assert_eq!(agent.way.claim(&holding).await.unwrap(), None);
    agent
        .way
        .complete(first, claim.attempt, "la")
        .await
        .unwrap();
    agent.bid(second, 5).await;
    let next = agent.claim().await.unwrap();
    assert_eq!(next.task_id, second);
    assert_ne!(next.attempt, claim.attempt);
}

pub(crate) async fn what_is_not_there_is_told_apart_from_what_is_over(way: Way) {
    let bed = Bed::calm(way).await;
    let stranger = Puppet {
        id: id("stranger"),
        way: bed.way("stranger"),
    };
    let asks = stranger.asks(&[], Duration::ZERO);
    assert_eq!(kind(stranger.way.claim(&asks).await), ErrorKind::NotFound);
    let pulse = Pulse::new(stranger.id.clone());
    assert_eq!(kind(stranger.way.pulse(&pulse).await), ErrorKind::NotFound);
    let nothing = AttemptToken::random();
    let no_task = stranger.way.complete(TaskId::random(), nothing, "la").await;
    assert_eq!(kind(no_task), ErrorKind::NotFound);
    let task = bed.add("sing", "").await;
    let no_attempt = stranger.way.complete(task, nothing, "la").await;
    assert_eq!(kind(no_attempt), ErrorKind::Superseded);
    let too_long = "x".repeat(alveary_agent::protocol::MAX_TEXT + 1);
    let too_long = stranger.way.complete(task, nothing, &too_long).await;
    assert_eq!(kind(too_long), ErrorKind::Invalid);
}

pub(crate) async fn who_waits_for_tasks_hears_of_those_that_open_later_and_of_no_others(way: Way) {
    let bed = Bed::calm(way).await;
    let agent = Puppet::known(&bed, "echo", "").await;
    let old = bed.add("sing", "").await;
    let open = agent.way.open_tasks(None, NEVER).await.unwrap();
    let ids = |open: &alveary_agent::protocol::OpenTasks| {
        open.tasks
            .iter()
            .map(|task| task.task_id)
            .collect::<Vec<_>>()
    };
    assert_eq!(ids(&open), [old]);
    // Nothing is new: it waits, and is told so.
    let short = Duration::from_millis(300);
    let before = Instant::now();
    let none = agent.way.open_tasks(open.after, short).await.unwrap();
    assert_eq!(none.tasks, []);
    assert!(before.elapsed() >= short, "{:?}", before.elapsed());

    let (way, after) = (agent.way.clone(), none.after);
    let mut waits = tokio::spawn(async move { way.open_tasks(after, NEVER).await });
    let still = tokio::time::timeout(short, &mut waits).await;
    assert!(still.is_err(), "it does not wait: {still:?}");
    let new = bed.add("dance", "").await;
    let heard = tokio::time::timeout(PATIENCE, waits).await;
    assert_eq!(ids(&heard.unwrap().unwrap().unwrap()), [new]);
}

pub(crate) async fn who_waits_for_work_has_it_when_it_is_won(way: Way) {
    let bed = Bed::calm(way).await;
    let agent = Puppet::known(&bed, "echo", "").await;
    let (way, asks) = (agent.way.clone(), agent.asks(&[], NEVER));
    let mut waits = tokio::spawn(async move { way.claim(&asks).await });
    let still = tokio::time::timeout(Duration::from_millis(300), &mut waits).await;
    assert!(still.is_err(), "it does not wait: {still:?}");
    let task = bed.add("sing", "").await;
    agent.bid(task, 5).await;
    let claim = tokio::time::timeout(PATIENCE, waits).await;
    let claim = claim.unwrap().unwrap().unwrap().unwrap();
    assert_eq!((claim.task_id, claim.number), (task, 1));
    assert_eq!(claim.description.as_str(), "sing");
}

pub(crate) async fn a_pulse_is_answered_with_what_is_not_the_agents_any_more(way: Way) {
    let bed = Bed::calm(way).await;
    let agent = Puppet::known(&bed, "echo", "").await;
    let task = bed.add("sing", "").await;
    agent.bid(task, 5).await;
    let claim = agent.claim().await.unwrap();
    let unheard_of = AttemptToken::random();
    let answer = agent.pulse(&[claim.attempt, unheard_of]).await;
    assert_eq!(answer.superseded, [unheard_of]);
    bed.coordinator.cancel(task).await.unwrap();
    let answer = agent.pulse(&[claim.attempt]).await;
    assert_eq!(answer.superseded, [claim.attempt]);
}
