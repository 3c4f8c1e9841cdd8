//! Tasks come in, and are found again.

use alveary_agent::protocol::{NewTask, ProblemKind, TaskId, TaskStatus, TaskView};
use alveary_coordinator::{IdempotencyKey, MAX_PAGE, Page, Settings, TaskFilter};

use super::bed::{AUCTION, Bed, agent, book, task};

fn key(key: &str) -> IdempotencyKey {
    IdempotencyKey::new(key).unwrap()
}

fn of(status: TaskStatus) -> TaskFilter {
    TaskFilter::default().with_status(status)
}

#[tokio::test(start_paused = true)]
async fn the_same_tasks_under_a_key_are_given_once() {
    let (_folder, path) = book();
    let tasks = vec![task("sing"), task("")];
    let bed = Bed::file(Settings::default(), &path).await;
    let first = bed
        .coordinator
        .add(tasks.clone(), Some(key("k")))
        .await
        .unwrap();
    let other = bed
        .coordinator
        .add(tasks.clone(), Some(key("l")))
        .await
        .unwrap();
    assert_ne!(first[0].id, other[0].id);
    let again = bed
        .coordinator
        .add(tasks.clone(), Some(key("k")))
        .await
        .unwrap();
    assert_eq!(again, first);
    bed.pass(AUCTION).await;
    bed.coordinator.close().await;
    // Over a restart too; and they are told as they stand now.
    let bed = Bed::file(Settings::default(), &path).await;
    let again = bed.coordinator.add(tasks, Some(key("k"))).await.unwrap();
    assert_eq!(
        again.iter().map(|task| task.id).collect::<Vec<_>>(),
        [first[0].id, first[1].id]
    );
    assert!(again.iter().all(|task| task.status == TaskStatus::Failed));
    assert_eq!(bed.all_tasks().await.len(), 4);
}

#[tokio::test(start_paused = true)]
async fn other_tasks_under_a_key_that_was_used_are_a_conflict() {
    let bed = Bed::open(Settings::default()).await;
    bed.coordinator
        .add(vec![task("sing")], Some(key("k")))
        .await
        .unwrap();
    let long = NewTask::new("sing,dance".parse().unwrap());
    for other in [
        vec![],
        vec![task("dance")],
        vec![task("sing"), task("sing")],
        vec![long],
    ] {
        let error = bed
            .coordinator
            .add(other, Some(key("k")))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ProblemKind::Conflict);
        let told = "the idempotency key `k` was used for other tasks (use another key for these)";
        assert_eq!(error.to_string(), told);
    }
    assert_eq!(bed.all_tasks().await.len(), 1);
}

/// A task under a key of its own.
fn keyed(own: &str, wanted: &str) -> NewTask {
    task(wanted).with_key(key(own))
}

#[tokio::test(start_paused = true)]
async fn tasks_with_keys_of_their_own_are_taken_once_each_in_whatever_company() {
    let bed = Bed::open(Settings::default()).await;
    let give = async |tasks| bed.coordinator.add(tasks, None).await;
    let ids = |tasks: &[TaskView]| tasks.iter().map(|task| task.id).collect::<Vec<_>>();
    let first = give(vec![keyed("a", ""), keyed("b", "")]).await.unwrap();
    let second = vec![keyed("c", ""), task(""), keyed("a", ""), keyed("c", "")];
    let second = give(second).await.unwrap();
    assert_eq!(second[2].id, first[0].id);
    assert_eq!(second[3].id, second[0].id, "twice in one call is once, too");
    let expected = [first[0].id, first[1].id, second[0].id, second[1].id];
    assert_eq!(ids(&bed.all_tasks().await), expected);
    // By itself, and under a key for the call, it is the same task.
    let alone = bed.coordinator.add(vec![task("")], Some(key("b"))).await;
    assert_eq!(ids(&alone.unwrap()), [first[1].id]);
    // Another task under its key: of that call nothing is taken.
    let error = give(vec![keyed("d", ""), keyed("a", "song")]).await;
    assert_eq!(error.unwrap_err().kind(), ProblemKind::Conflict);
    assert_eq!(bed.all_tasks().await.len(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_key_for_all_and_one_for_each_is_one_too_many() {
    let bed = Bed::open(Settings::default()).await;
    let both = bed.coordinator.add(vec![keyed("a", "")], Some(key("b")));
    let error = both.await.unwrap_err();
    assert_eq!(error.kind(), ProblemKind::Conflict);
    assert!(error.to_string().contains("(use one or the other)"));
    assert_eq!(bed.all_tasks().await, []);
}

#[tokio::test(start_paused = true)]
async fn too_many_at_once_are_refused_and_none_is_taken() {
    let bed = Bed::open(Settings::default()).await;
    let error = bed
        .coordinator
        .add(vec![task(""); 10_001], None)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ProblemKind::TooLarge);
    assert_eq!(bed.all_tasks().await.len(), 0);
    assert_eq!(bed.coordinator.add(vec![], None).await.unwrap(), []);
}

#[tokio::test(start_paused = true)]
async fn pages_show_each_task_once_and_in_order_also_while_more_come_and_others_end() {
    let bed = Bed::open(Settings::default()).await;
    let mut given: Vec<TaskId> = Vec::new();
    for _ in 0..7 {
        given.push(bed.give("").await);
    }
    let mut page = Page::default().with_limit(2);
    let mut seen = Vec::new();
    loop {
        let got = bed
            .coordinator
            .tasks(TaskFilter::default(), page.clone())
            .await
            .unwrap();
        assert!(got.tasks.len() <= 2);
        seen.extend(got.tasks.iter().map(|task| task.id));
        if seen.len() == 4 {
            given.push(bed.give("").await);
            bed.coordinator.cancel(given[0]).await.unwrap();
            bed.coordinator.cancel(given[5]).await.unwrap();
        }
        match got.next {
            Some(next) => page.after = Some(next),
            None => break,
        }
    }
    assert_eq!(seen, given);
    let newest = Page::default().with_limit(3).with_newest_first(true);
    let got = bed
        .coordinator
        .tasks(TaskFilter::default(), newest.clone())
        .await
        .unwrap();
    let ids: Vec<_> = got.tasks.iter().map(|task| task.id).collect();
    assert_eq!(ids, [given[7], given[6], given[5]]);
    let next = newest.with_after(got.next.unwrap());
    let got = bed
        .coordinator
        .tasks(TaskFilter::default(), next)
        .await
        .unwrap();
    assert_eq!(got.tasks[0].id, given[4]);
}

#[tokio::test(start_paused = true)]
async fn a_filter_leaves_what_it_names() {
    let bed = Bed::open(Settings::default()).await;
    let done = bed.begun("a").await;
    bed.complete(done.task_id, done.attempt, "la")
        .await
        .unwrap();
    let running = bed.begun("a").await;
    let open = bed.give("").await;
    let list = async |filter: TaskFilter| {
        let got = bed
            .coordinator
            .tasks(filter, Page::default())
            .await
            .unwrap();
        got.tasks.iter().map(|task| task.id).collect::<Vec<_>>()
    };
    assert_eq!(list(of(TaskStatus::Completed)).await, [done.task_id]);
    assert_eq!(list(of(TaskStatus::Bidding)).await, [open]);
    assert_eq!(list(of(TaskStatus::Assigned)).await, []);
    let whose = |status, id| {
        let mut filter = TaskFilter::default().with_agent(agent(id));
        filter.status = status;
        filter
    };
    let both = [done.task_id, running.task_id];
    assert_eq!(list(whose(None, "a")).await, both);
    assert_eq!(list(whose(Some(TaskStatus::Running), "a")).await, both[1..]);
    assert_eq!(list(whose(None, "b")).await, []);
}

#[tokio::test(start_paused = true)]
async fn a_page_has_between_one_task_and_as_many_as_are_allowed() {
    let bed = Bed::open(Settings::default()).await;
    let many = MAX_PAGE as usize + 1;
    bed.coordinator
        .add(vec![task(""); many], None)
        .await
        .unwrap();
    for (asked, got) in [(0, 1), (1, 1), (u32::MAX, MAX_PAGE as usize)] {
        let page = Page::default().with_limit(asked);
        let tasks = bed
            .coordinator
            .tasks(TaskFilter::default(), page)
            .await
            .unwrap();
        assert_eq!(tasks.tasks.len(), got);
        assert!(tasks.next.is_some());
    }
    let beyond = Page::default().with_after(TaskId::random());
    let error = bed
        .coordinator
        .tasks(TaskFilter::default(), beyond)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ProblemKind::Invalid);
}
