//! Agents that fall silent, come late, or go.

use std::num::NonZeroU32;
use std::pin::pin;
use std::time::Duration;

use alveary_agent::protocol::{AgentStatus, Happening, Sats, TaskId, TaskStatus};

use alveary_agent::{ErrorKind, Pricing, Quote};
use futures_util::poll;
use tokio_util::sync::CancellationToken;

use super::bed::{Bed, NEVER, Way, brisk, calm, id};
use super::hands::{Cut, Gate, Line, Puppet, shout};

/// Soon enough to be waited for, long enough for a busy machine to beat three times in.
const HEARTBEAT: Duration = Duration::from_secs(10);

async fn with_heartbeat(way: Way) -> Bed {
    Bed::with(way, calm().with_heartbeat(HEARTBEAT)).await
}

/// Waits until an agent's attempt is over without a report.
async fn until_superseded(bed: &Bed, wanted: TaskId, whose: &str) {
    bed.until("an attempt is superseded", |what| {
        matches!(what, Happening::Superseded { task, agent, .. } if *task == wanted && agent.as_str() == whose)
    })
    .await;
}

fn is_late(what: &Happening, wanted: TaskId, whose: &str) -> bool {
    matches!(what, Happening::LateReport { task, agent, attempt: 1 } if *task == wanted && agent.as_str() == whose)
}

pub(crate) async fn the_task_of_an_agent_that_falls_silent_goes_to_another_and_its_late_report_is_refused(
    way: Way,
) {
    let bed = with_heartbeat(way).await;
    let lost = Puppet::known(&bed, "lost", "").await;
    let task = bed.add("sing", "").await;
    lost.bid(task, 1).await;
    let claim = lost.claim().await.unwrap();
    let _other = bed.start("other", bed.agent("other").handler(shout)).await;

    let done = bed.until_over(task).await;
    assert_eq!(done.result.as_deref(), Some("SING"));
    assert_eq!(done.assigned_agent, Some(id("other")));
    assert_eq!((done.auctions, done.attempts), (2, 2));
    let before = bed.story().await.len();

    let late = lost.way.complete(task, claim.attempt, "too late").await;
    assert_eq!(late.unwrap_err().kind(), ErrorKind::Superseded);
    // Nor is what the other has reported taken from who has not done it.
    let late = lost.way.complete(task, claim.attempt, "SING").await;
    assert_eq!(late.unwrap_err().kind(), ErrorKind::Superseded);
    let late = lost.way.fail(task, claim.attempt, "too late").await;
    assert_eq!(late.unwrap_err().kind(), ErrorKind::Superseded);
    assert_eq!(bed.task(task).await, done);
    let since = &bed.story().await[before..];
    let recorded = since.iter().filter(|what| is_late(what, task, "lost"));
    assert_eq!(recorded.count(), 3, "{since:?}");
}

pub(crate) async fn work_on_what_is_another_agents_now_is_called_off(way: Way) {
    let bed = with_heartbeat(way).await;
    let (gate, line) = (Gate::default(), Line::new(bed.way("lost")));
    let lost = bed.agent("lost").transport(line.clone());
    let lost = bed.start("lost", lost.handler(gate.handler())).await;
    let task = bed.add("sing", "").await;
    gate.until_at_work(1).await;
    line.cut(Cut::Everything);
    until_superseded(&bed, task, "lost").await;
    let _other = bed.start("other", bed.agent("other").handler(shout)).await;
    assert_eq!(bed.until_over(task).await.assigned_agent, Some(id("other")));
    assert_eq!(gate.dropped(), 0);

    line.cut(Cut::Nothing);
    gate.until_at_work(0).await;
    assert_eq!(gate.dropped(), 1);
    let summary = lost.end().await;
    assert_eq!((summary.completed, summary.superseded), (0, 1));
    assert_eq!(line.refused(), 0);
}

pub(crate) async fn an_agent_whose_report_came_too_late_goes_on(way: Way) {
    let bed = with_heartbeat(way).await;
    let (gate, line) = (Gate::default(), Line::new(bed.way("lost")));
    let once = |quote: Quote| async move { (quote.auction == 1).then_some(Sats::new(5).unwrap()) };
    let lost = bed.agent("lost").transport(line.clone());
    let lost = lost.capability("song", gate.handler());
    let lost = bed.start("lost", lost.bid(Pricing::function(once))).await;
    let other = bed.agent("other").bid(Sats::new(9).unwrap()).handler(shout);
    let _other = bed.start("other", other).await;
    let task = bed.add("sing", "").await;
    bed.until_started(task, "lost").await;
    // No pulse says that it works on this.
    line.cut(Cut::Pulses);
    until_superseded(&bed, task, "lost").await;
    let done = bed.until_over(task).await;
    assert_eq!(done.assigned_agent, Some(id("other")));

    gate.open();
    bed.until("a late report is recorded", |what| {
        is_late(what, task, "lost")
    })
    .await;
    line.cut(Cut::Nothing);
    assert_eq!(bed.task(task).await, done);
    let next = bed.add("sing again", "song").await;
    assert_eq!(bed.until_over(next).await.assigned_agent, Some(id("lost")));
    let summary = lost.end().await;
    assert_eq!((summary.completed, summary.superseded), (1, 1));
    assert_eq!(line.refused(), 1);
}

pub(crate) async fn an_agent_that_goes_gives_back_what_it_has_at_once(way: Way) {
    let bed = Bed::with(way, brisk()).await;
    let gate = Gate::default();
    let goes = bed.agent("goes").handler(gate.handler());
    let goes = bed.start("goes", goes.grace(Duration::ZERO)).await;
    let begun = bed.add("sing", "").await;
    gate.until_at_work(1).await;
    let waiting = bed.add("sing again", "").await;
    bed.until_won(waiting, "goes").await;
    let _other = bed.start("other", bed.agent("other").handler(shout)).await;

    let summary = goes.end().await;
    assert_eq!((summary.completed, summary.given_back), (0, 1));
    assert_eq!(gate.dropped(), 1);
    for task in [begun, waiting] {
        let done = bed.until_over(task).await;
        assert_eq!(done.assigned_agent, Some(id("other")));
        assert_eq!(done.attempts, 2);
    }
}

pub(crate) async fn an_agent_that_is_told_to_end_finishes_what_it_has_begun(way: Way) {
    let (bed, gate) = (Bed::calm(way).await, Gate::default());
    let agent = bed.agent("echo").handler(gate.handler()).grace(NEVER);
    let cancel = CancellationToken::new();
    let mut run = pin!(agent.build().unwrap().run(cancel.clone()));
    let begun = bed.add("sing", "").await;
    tokio::select! {
        ended = &mut run => panic!("it has ended: {ended:?}"),
        () = gate.until_at_work(1) => {}
    }
    cancel.cancel();
    // Now it knows.
    assert!(poll!(&mut run).is_pending());
    let later = bed.add("sing again", "").await;
    gate.open();
    let summary = run.await.unwrap();
    assert_eq!((summary.completed, summary.given_back), (1, 0));
    assert_eq!(bed.task(begun).await.result.as_deref(), Some("passed"));
    // For what comes then it does not bid.
    assert_eq!(bed.task(later).await.status, TaskStatus::Bidding);
    assert_eq!(bed.coordinator.bids(later).await.unwrap(), []);
}

pub(crate) async fn a_task_that_is_lost_too_often_fails(way: Way) {
    let settings = calm()
        .with_heartbeat(Duration::from_millis(300))
        .with_attempts(NonZeroU32::new(2).unwrap());
    let bed = Bed::with(way, settings).await;
    let task = bed.add("sing", "").await;
    for name in ["first", "second"] {
        let lost = Puppet::known(&bed, name, "").await;
        lost.bid(task, 1).await;
        bed.until_won(task, name).await;
        until_superseded(&bed, task, name).await;
    }
    let failed = bed.until_over(task).await;
    assert_eq!((failed.status, failed.attempts), (TaskStatus::Failed, 2));
    let why = failed.result.unwrap();
    assert!(why.contains("2 attempts"), "{why}");
}

pub(crate) async fn what_is_won_and_not_taken_up_goes_to_another(way: Way) {
    let settings = calm().with_unclaimed(HEARTBEAT);
    let bed = Bed::with(way, settings).await;
    let idle = Puppet::known(&bed, "idle", "").await;
    let task = bed.add("sing", "").await;
    idle.bid(task, 1).await;
    bed.until_won(task, "idle").await;
    until_superseded(&bed, task, "idle").await;
    assert_eq!(idle.claim().await, None);
    let _other = bed.start("other", bed.agent("other").handler(shout)).await;
    // The one that is idle is here and is waited for, until it bids too.
    idle.bid(task, 99_999).await;
    assert_eq!(bed.until_over(task).await.assigned_agent, Some(id("other")));
}

pub(crate) async fn who_falls_silent_is_offline_until_its_next_word(way: Way) {
    let bed = Bed::with(way, calm().with_heartbeat(Duration::from_millis(300))).await;
    let agent = Puppet::known(&bed, "quiet", "").await;
    let is_now = |wanted: AgentStatus| move |what: &Happening| matches!(what, Happening::AgentChanged { status, .. } if *status == wanted);
    bed.until("it is offline", is_now(AgentStatus::Offline))
        .await;
    assert_eq!(agent.pulse(&[]).await.superseded, []);
    bed.until("it is back", is_now(AgentStatus::Idle)).await;
}
