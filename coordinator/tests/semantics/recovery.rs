//! A restart: what was open goes on, or ends, as the settings say.

use std::path::Path;

use alveary_agent::protocol::{Registration, TaskStatus};
use alveary_coordinator::{Recovery, Settings};

use super::bed::{AUCTION, Bed, HEARTBEAT, TICK, agent, book, short_of, stands};

const RESTARTED: Option<&str> = Some("Server restarted — task did not complete.");

/// The same file in another coordinator.
async fn again(bed: Bed, settings: Settings, path: &Path) -> Bed {
    bed.coordinator.close().await;
    Bed::file(settings, path).await
}

#[tokio::test(start_paused = true)]
async fn an_open_auction_begins_anew_in_full_and_keeps_its_bids() {
    let (_folder, path) = book();
    let bed = Bed::file(Settings::default(), &path).await;
    bed.register("silent", "").await;
    let task = bed.give("").await;
    bed.bid("b", task, 10).await;
    bed.bid("a", task, 10).await;
    bed.pass(short_of(AUCTION)).await;
    let before = bed.coordinator.open_tasks(None, TICK).await.unwrap();
    let bed = again(bed, Settings::default(), &path).await;
    // Who bids hears of it again, since a bid may have been lost on its way.
    let open = bed
        .coordinator
        .open_tasks(before.after, TICK)
        .await
        .unwrap();
    assert_eq!(open.tasks, before.tasks);
    bed.pass(short_of(AUCTION)).await;
    assert_eq!(bed.status(task).await, TaskStatus::Bidding);
    bed.pass(TICK).await;
    let view = bed.view(task).await;
    assert_eq!(stands(&view), (TaskStatus::Assigned, Some("b"), None));
    assert_eq!(view.auctions, 1);
    assert_eq!(bed.coordinator.bids(task).await.unwrap().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_stays_with_its_agent_for_one_more_heartbeat_period() {
    let (_folder, path) = book();
    let bed = Bed::file(Settings::default(), &path).await;
    let (kept, lost) = (bed.begun("a").await, bed.begun("b").await);
    let waits = bed.give("").await;
    bed.won("a", waits).await;
    bed.pass(short_of(HEARTBEAT.saturating_sub(AUCTION))).await;
    let bed = again(bed, Settings::default(), &path).await;
    for task in [kept.task_id, lost.task_id] {
        assert_eq!(bed.status(task).await, TaskStatus::Running);
    }
    assert_eq!(bed.status(waits).await, TaskStatus::Assigned);
    bed.pass(short_of(HEARTBEAT)).await;
    assert_eq!(bed.pulse("a", &[kept.attempt]).await, []);
    bed.pass(TICK).await;
    assert_eq!(bed.status(lost.task_id).await, TaskStatus::Bidding);
    let done = bed
        .complete(kept.task_id, kept.attempt, "la")
        .await
        .unwrap();
    assert_eq!(done.status, TaskStatus::Completed);
    let late = bed.complete(lost.task_id, lost.attempt, "la").await;
    assert!(late.is_err());
    assert_eq!(bed.claim("a").await.unwrap().task_id, waits);
}

#[tokio::test(start_paused = true)]
async fn or_everything_open_fails_in_the_words_of_the_original() {
    let (_folder, path) = book();
    let settings = Settings::default().with_recovery(Recovery::Fail);
    let bed = Bed::file(settings.clone(), &path).await;
    let done = bed.begun("a").await;
    bed.complete(done.task_id, done.attempt, "la")
        .await
        .unwrap();
    let running = bed.begun("a").await;
    let assigned = bed.give("").await;
    bed.won("b", assigned).await;
    let open = bed.give("").await;
    bed.bid("c", open, 10).await;
    let bed = again(bed, settings, &path).await;
    let view = bed.view(done.task_id).await;
    assert_eq!(
        stands(&view),
        (TaskStatus::Completed, Some("a"), Some("la"))
    );
    for (task, by) in [
        (running.task_id, Some("a")),
        (assigned, Some("b")),
        (open, None),
    ] {
        let view = bed.view(task).await;
        // Who had bid last of all was alone, and so has won.
        let by = if task == open { Some("c") } else { by };
        assert_eq!(stands(&view), (TaskStatus::Failed, by, RESTARTED));
        assert!(view.completed_at.is_some());
    }
    assert_eq!(bed.agent("a").await.unwrap(), "idle");
    assert_eq!(bed.coordinator.auctions().await.unwrap(), []);
    let late = bed.complete(running.task_id, running.attempt, "la").await;
    assert!(late.is_err());
    assert_eq!(bed.pulse("a", &[running.attempt]).await, [running.attempt]);
}

#[tokio::test(start_paused = true)]
async fn an_open_auction_fails_in_the_same_words() {
    let (_folder, path) = book();
    let settings = Settings::default().with_recovery(Recovery::Fail);
    let bed = Bed::file(settings.clone(), &path).await;
    let open = bed.give("").await;
    let bed = again(bed, settings, &path).await;
    let view = bed.view(open).await;
    assert_eq!(stands(&view), (TaskStatus::Failed, None, RESTARTED));
    assert_eq!(bed.story(open).await, ["added", "opened", "failed"]);
    assert!(!bed.bid("a", open, 10).await.accepted);
}

#[tokio::test(start_paused = true)]
async fn a_restart_leaves_no_living_agent_offline() {
    let (_folder, path) = book();
    for recovery in [Recovery::Reauction, Recovery::Fail] {
        let settings = Settings::default().with_recovery(recovery);
        let bed = Bed::file(settings.clone(), &path).await;
        bed.register("beats", "").await;
        bed.register("listed", "").await;
        bed.register("dead", "").await;
        bed.pass(short_of(HEARTBEAT)).await;
        let bed = again(bed, settings.clone(), &path).await;
        for id in ["beats", "listed", "dead"] {
            assert_eq!(bed.agent(id).await.unwrap(), "idle");
        }
        bed.pass(short_of(HEARTBEAT)).await;
        bed.pulse("beats", &[]).await;
        bed.coordinator.alive(&[agent("listed")]).await.unwrap();
        bed.pass(TICK).await;
        assert_eq!(bed.agent("beats").await.unwrap(), "idle");
        assert_eq!(bed.agent("listed").await.unwrap(), "idle");
        assert_eq!(bed.agent("dead").await.unwrap(), "offline");
        // Offline is written down; a sign of life takes it back.
        let bed = again(bed, settings, &path).await;
        assert_eq!(bed.agent("dead").await.unwrap(), "offline");
        bed.pulse("dead", &[]).await;
        assert_eq!(bed.agent("dead").await.unwrap(), "idle");
        bed.coordinator.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_an_agent_has_said_of_itself_is_known_after_a_restart() {
    let (_folder, path) = book();
    let bed = Bed::file(Settings::default(), &path).await;
    let registration = Registration::new(agent("a"), "Ada Ä\u{1f41d} '; --".to_owned())
        .with_capabilities("sing, dance".parse().unwrap());
    bed.coordinator.register(registration).await.unwrap();
    let before = bed.coordinator.agents().await.unwrap();
    let bed = again(bed, Settings::default(), &path).await;
    assert_eq!(bed.coordinator.agents().await.unwrap(), before);
    // It need not present itself again to be waited for.
    let task = bed.give("sing").await;
    bed.bid("a", task, 10).await;
    assert_eq!(bed.status(task).await, TaskStatus::Assigned);
}

#[tokio::test(start_paused = true)]
async fn a_restart_changes_nothing_that_is_told() {
    let (_folder, path) = book();
    let bed = Bed::file(Settings::default(), &path).await;
    bed.register("silent", "").await;
    let done = bed.begun("a").await;
    bed.complete(done.task_id, done.attempt, "la")
        .await
        .unwrap();
    bed.begun("a").await;
    bed.give("").await;
    let failed = bed.give("").await;
    bed.coordinator.cancel(failed).await.unwrap();
    let (tasks, counts) = (
        bed.all_tasks().await,
        bed.coordinator.metrics().await.unwrap(),
    );
    let bed = again(bed, Settings::default(), &path).await;
    assert_eq!(bed.all_tasks().await, tasks);
    let now = bed.coordinator.metrics().await.unwrap();
    let nonzero = |tasks: &std::collections::BTreeMap<TaskStatus, u64>| {
        let mut tasks = tasks.clone();
        tasks.retain(|_, count| *count > 0);
        tasks
    };
    assert_eq!(nonzero(&now.tasks), nonzero(&counts.tasks));
    assert_eq!(now.open_attempts, counts.open_attempts);
    assert_eq!(now.open_auctions, counts.open_auctions);
    assert_eq!(now.agents, counts.agents);
}
