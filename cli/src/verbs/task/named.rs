//! Which tasks are meant.

use alveary_agent::protocol::{TaskId, TaskView};
use alveary_agent::{ErrorKind, TaskClient, TaskQuery};

use crate::failure::Failure;

/// The most tasks on a page, so that there are few.
pub(super) const PAGE: u32 = 500;

/// The task of this id, or the only one whose id begins so.
pub(super) async fn find(client: &TaskClient, named: &str) -> Result<TaskView, Failure> {
    if let Ok(id) = named.parse::<TaskId>() {
        return match client.task(id).await {
            Err(error) if error.kind() == ErrorKind::NotFound => Err(no_task(named)),
            found => Ok(found?),
        };
    }
    let named = named.to_ascii_lowercase();
    let is_beginning =
        !named.is_empty() && named.chars().all(|c| c.is_ascii_hexdigit() || c == '-');
    let found = if is_beginning {
        only(client, &named).await?
    } else {
        None
    };
    found.ok_or_else(|| no_task(&named))
}

/// The only task whose id begins so, if there is one.
async fn only(client: &TaskClient, beginning: &str) -> Result<Option<TaskView>, Failure> {
    let mut found: Option<TaskView> = None;
    let mut query = TaskQuery::default()
        .with_limit(PAGE)
        .with_newest_first(true);
    loop {
        let page = client.tasks(&query).await?;
        let is_meant = |task: &TaskView| task.id.to_string().starts_with(beginning);
        for task in page.tasks.into_iter().filter(is_meant) {
            if let Some(other) = &found {
                return Err(Failure::input(
                    format!(
                        "`{beginning}` is the beginning of {} and of {}",
                        other.id, task.id
                    ),
                    "give more of the one that is meant",
                ));
            }
            found = Some(task);
        }
        match page.next {
            Some(next) => query.after = Some(next),
            None => return Ok(found),
        }
    }
}

fn no_task(named: &str) -> Failure {
    Failure::input(
        format!("there is no task `{named}`"),
        "see which there are by `alveary task list`",
    )
}
