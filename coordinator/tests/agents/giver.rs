//! What is promised to those who give tasks.

use alveary_agent::ErrorKind;
use alveary_agent::protocol::{TaskId, TaskStatus};

use super::bed::{Bed, Way};
use super::hands::Puppet;

pub(crate) async fn a_task_that_is_called_off_has_failed_and_who_works_on_it_is_told() {
    let bed = Bed::calm(Way::Http).await;
    let giver = bed.giver();
    let agent = Puppet::known(&bed, "echo", "").await;
    let task = bed.add("sing", "").await;
    agent.bid(task, 5).await;
    let attempt = agent.claim().await.unwrap().attempt;
    assert_eq!(agent.pulse(&[attempt]).await.superseded, []);

    let off = giver.cancel(task).await.unwrap();
    assert_eq!(off.status, TaskStatus::Failed);
    assert_eq!(off.result.as_deref(), Some("Cancelled."));
    assert_eq!(giver.task(task).await.unwrap(), off);
    assert_eq!(agent.pulse(&[attempt]).await.superseded, [attempt]);
}

pub(crate) async fn what_is_over_or_was_never_there_is_not_called_off() {
    let bed = Bed::calm(Way::Http).await;
    let giver = bed.giver();
    let agent = Puppet::known(&bed, "echo", "").await;
    let task = bed.add("sing", "").await;
    agent.bid(task, 5).await;
    let attempt = agent.claim().await.unwrap().attempt;
    agent.way.complete(task, attempt, "la").await.unwrap();

    let over = giver.cancel(task).await.unwrap_err();
    assert_eq!(over.kind(), ErrorKind::Superseded, "{over}");
    let done = giver.task(task).await.unwrap();
    assert_eq!(done.result.as_deref(), Some("la"));
    let absent = giver.cancel(TaskId::random()).await.unwrap_err();
    assert_eq!(absent.kind(), ErrorKind::NotFound, "{absent}");
}
