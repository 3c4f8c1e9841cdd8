//! What may be reported, by whom, and once.

use alveary_agent::protocol::{AttemptToken, Failure, MAX_TEXT, ProblemKind, TaskId, TaskStatus};
use alveary_coordinator::Settings;

use super::bed::{AUCTION, Bed, agent, stands};

#[tokio::test(start_paused = true)]
async fn the_same_report_again_is_no_error_and_another_is_refused_and_recorded() {
    let bed = Bed::open(Settings::default()).await;
    let claim = bed.begun("a").await;
    let (task, attempt) = (claim.task_id, claim.attempt);
    let view = bed.complete(task, attempt, "la").await.unwrap();
    assert_eq!(
        stands(&view),
        (TaskStatus::Completed, Some("a"), Some("la"))
    );
    assert_eq!(bed.complete(task, attempt, "la").await.unwrap(), view);
    assert_eq!(bed.story(task).await.last(), Some(&"completed"));
    let error = bed.complete(task, attempt, "lo").await.unwrap_err();
    assert_eq!(error.kind(), ProblemKind::Superseded);
    let reason = "la".to_owned();
    let failure = Failure::new(attempt, reason);
    let error = bed.coordinator.fail(task, None, failure).await.unwrap_err();
    assert_eq!(error.kind(), ProblemKind::Superseded);
    assert_eq!(bed.view(task).await, view);
    assert_eq!(bed.story(task).await[6..], ["late", "late"]);
}

#[tokio::test(start_paused = true)]
async fn a_failure_ends_the_task_with_its_reason() {
    let bed = Bed::open(Settings::default()).await;
    let claim = bed.begun("a").await;
    let failure = Failure::new(claim.attempt, "hoarse");
    let by = agent("a");
    let view = bed
        .coordinator
        .fail(claim.task_id, Some(&by), failure.clone());
    let view = view.await.unwrap();
    assert_eq!(
        stands(&view),
        (TaskStatus::Failed, Some("a"), Some("hoarse"))
    );
    assert_eq!(bed.agent("a").await.unwrap(), "idle");
    let again = bed
        .coordinator
        .fail(claim.task_id, Some(&by), failure)
        .await;
    assert_eq!(again.unwrap(), view);
    // It was tried and could not be done: that is an end, and no loss.
    bed.pass(AUCTION).await;
    assert_eq!(bed.status(claim.task_id).await, TaskStatus::Failed);
}

#[tokio::test(start_paused = true)]
async fn nobody_reports_what_another_holds_or_was_never_given_out() {
    let bed = Bed::open(Settings::default()).await;
    let claim = bed.begun("a").await;
    let other = bed.begun("b").await;
    let report = async |task: TaskId, attempt: AttemptToken, by: &str| {
        let result = "la".to_owned();
        let completion = alveary_agent::protocol::Completion::new(attempt, result);
        let by = agent(by);
        let answer = bed.coordinator.complete(task, Some(&by), completion);
        answer.await.unwrap_err().kind()
    };
    let (task, attempt) = (claim.task_id, claim.attempt);
    assert_eq!(report(task, attempt, "b").await, ProblemKind::Forbidden);
    let never = AttemptToken::random();
    assert_eq!(report(task, never, "a").await, ProblemKind::Superseded);
    assert_eq!(
        report(task, other.attempt, "b").await,
        ProblemKind::Superseded
    );
    assert_eq!(
        report(TaskId::random(), attempt, "a").await,
        ProblemKind::NotFound
    );
    assert_eq!(bed.status(task).await, TaskStatus::Running);
    assert_eq!(bed.status(other.task_id).await, TaskStatus::Running);
}

#[tokio::test(start_paused = true)]
async fn a_report_that_is_too_long_leaves_the_task_as_it_was() {
    let bed = Bed::open(Settings::default()).await;
    let claim = bed.begun("a").await;
    let longest = "x".repeat(MAX_TEXT);
    let longer = format!("{longest}x");
    let error = bed.complete(claim.task_id, claim.attempt, &longer);
    let error = error.await.unwrap_err();
    assert_eq!(error.kind(), ProblemKind::TooLarge);
    assert!(error.cure().is_some());
    assert_eq!(bed.status(claim.task_id).await, TaskStatus::Running);
    let view = bed
        .complete(claim.task_id, claim.attempt, &longest)
        .await
        .unwrap();
    assert_eq!(view.result.as_deref(), Some(longest.as_str()));
}

#[tokio::test(start_paused = true)]
async fn without_a_token_only_the_open_task_of_whom_it_is_assigned_to_is_taken() {
    let bed = Bed::open(Settings::default()).await;
    let task = bed.give("").await;
    bed.register("silent", "").await;
    let report = async |by: Option<&str>, result: &str| {
        let by = by.map(agent);
        let answer = bed
            .coordinator
            .complete_assigned(task, by.as_ref(), result.to_owned());
        answer.await.map_err(|error| error.kind())
    };
    // Open for bids, and nobody's.
    assert_eq!(report(Some("a"), "la").await, Err(ProblemKind::Conflict));
    assert_eq!(report(None, "la").await, Err(ProblemKind::Conflict));
    bed.won("a", task).await;
    assert_eq!(report(Some("b"), "lo").await, Err(ProblemKind::Forbidden));
    assert_eq!(bed.status(task).await, TaskStatus::Assigned);
    // Another has it now.
    bed.coordinator.gone(&agent("a")).await.unwrap();
    bed.won("b", task).await;
    assert_eq!(report(Some("a"), "la").await, Err(ProblemKind::Forbidden));
    let view = report(Some("b"), "lo").await.unwrap();
    assert_eq!(
        stands(&view),
        (TaskStatus::Completed, Some("b"), Some("lo"))
    );
    assert_eq!(report(Some("b"), "lo").await.unwrap(), view);
    assert_eq!(report(None, "lo").await.unwrap(), view);
    assert_eq!(report(Some("a"), "lo").await, Err(ProblemKind::Conflict));
    assert_eq!(report(Some("b"), "li").await, Err(ProblemKind::Conflict));
    assert_eq!(report(None, "li").await, Err(ProblemKind::Conflict));
    assert_eq!(bed.view(task).await, view);
    let late = bed.story(task).await;
    assert_eq!(late.iter().filter(|word| **word == "late").count(), 4);
    assert_eq!(bed.agent("b").await.unwrap(), "idle");
}

#[tokio::test(start_paused = true)]
async fn whoever_may_say_everything_reports_without_a_name() {
    let bed = Bed::open(Settings::default()).await;
    let task = bed.give("").await;
    bed.won("a", task).await;
    let reason = "hoarse".to_owned();
    let view = bed
        .coordinator
        .fail_assigned(task, None, reason)
        .await
        .unwrap();
    assert_eq!(
        stands(&view),
        (TaskStatus::Failed, Some("a"), Some("hoarse"))
    );
    assert_eq!(bed.agent("a").await.unwrap(), "idle");
}

#[tokio::test(start_paused = true)]
async fn only_what_is_won_and_not_taken_up_is_listed_as_assigned() {
    let bed = Bed::open(Settings::default()).await;
    bed.register("silent", "").await;
    let (one, two) = (bed.give("").await, bed.give("").await);
    assert_eq!(bed.coordinator.assigned(None).await.unwrap(), []);
    bed.bid("a", one, 10).await;
    bed.bid("b", two, 10).await;
    bed.pass(AUCTION).await;
    let by = agent("a");
    let assigned = bed.coordinator.assigned(Some(&by)).await.unwrap();
    // All of them: the original's agents look for their own.
    assert_eq!(assigned.len(), 2);
    bed.claim("a").await.unwrap();
    let assigned = bed.coordinator.assigned(None).await.unwrap();
    assert_eq!(
        assigned.iter().map(|task| task.id).collect::<Vec<_>>(),
        [two]
    );
}

#[tokio::test(start_paused = true)]
async fn a_task_that_is_not_wanted_any_more_is_nobodys() {
    let bed = Bed::open(Settings::default()).await;
    let open = bed.give("").await;
    bed.bid("a", open, 10).await;
    let open = bed.give("sing").await;
    let view = bed.coordinator.cancel(open).await.unwrap();
    assert_eq!(
        stands(&view),
        (TaskStatus::Failed, None, Some("Cancelled."))
    );
    assert!(!bed.bid_as("b", "sing", open, 10).await.accepted);
    assert_eq!(bed.coordinator.auctions().await.unwrap(), []);

    let claim = bed.claim("a").await.unwrap();
    let view = bed.coordinator.cancel(claim.task_id).await.unwrap();
    assert_eq!(
        stands(&view),
        (TaskStatus::Failed, Some("a"), Some("Cancelled."))
    );
    assert_eq!(bed.agent("a").await.unwrap(), "idle");
    assert_eq!(bed.pulse("a", &[claim.attempt]).await, [claim.attempt]);
    let late = bed
        .complete(claim.task_id, claim.attempt, "la")
        .await
        .unwrap_err();
    assert_eq!(late.kind(), ProblemKind::Superseded);
    let again = bed.coordinator.cancel(claim.task_id).await.unwrap_err();
    assert_eq!(again.kind(), ProblemKind::Conflict);
    bed.pass(AUCTION * 2).await;
    assert_eq!(bed.view(claim.task_id).await, view);
    let unknown = bed.coordinator.cancel(TaskId::random()).await.unwrap_err();
    assert_eq!(unknown.kind(), ProblemKind::NotFound);
}

#[tokio::test(start_paused = true)]
async fn what_a_cancelled_task_made_free_ends_the_auctions_that_waited_for_it() {
    let bed = Bed::open(Settings::default()).await;
    let claim = bed.begun("a").await;
    let task = bed.give("").await;
    bed.bid("a", task, 10).await;
    assert_eq!(bed.status(task).await, TaskStatus::Bidding);
    bed.coordinator.cancel(claim.task_id).await.unwrap();
    assert_eq!(bed.status(task).await, TaskStatus::Assigned);
}

#[tokio::test(start_paused = true)]
async fn a_refused_report_is_a_sign_of_life_and_moves_no_auction() {
    let bed = Bed::open(Settings::default()).await;
    let task = bed.begun("a").await.task_id;
    bed.register("b", "").await;
    bed.coordinator.gone(&agent("b")).await.unwrap();
    bed.give("sing").await;
    bed.pass(AUCTION / 3).await;
    let by = agent("b");
    let refused = bed
        .coordinator
        .complete_assigned(task, Some(&by), "la".to_owned());
    assert_eq!(refused.await.unwrap_err().kind(), ProblemKind::Forbidden);
    assert_eq!(bed.agent("b").await.unwrap(), "idle");
    let auctions = bed.coordinator.auctions().await.unwrap();
    assert_eq!(auctions[0].left, AUCTION * 2 / 3);
}
