//! Gives many tasks, a request for many at a time.

use alveary_agent::TaskClient;
use alveary_agent::protocol::{NewTask, TaskView};

use crate::failure::Failure;

/// The most tasks in one request.
const MOST: usize = 250;

/// How much of their text in one request; a task that has more goes alone.
const TEXT: usize = 256 * 1024;

/// Gives these tasks in their order. `given` hears of each that is there.
///
/// Where it breaks off, some are there and the others are not: those with keys may be given again, and none is there
/// twice.
pub(crate) async fn give(
    client: &TaskClient,
    tasks: &[NewTask],
    mut given: impl FnMut(),
) -> Result<Vec<TaskView>, Failure> {
    let mut all = Vec::with_capacity(tasks.len());
    let mut rest = tasks;
    while !rest.is_empty() {
        let (batch, later) = rest.split_at(fitting(rest));
        for task in client.add(batch, None).await? {
            all.push(task);
            given();
        }
        rest = later;
    }
    Ok(all)
}

/// How many of these fit into one request: one at least.
fn fitting(tasks: &[NewTask]) -> usize {
    let mut text = 0;
    let fits = |task: &&NewTask| {
        text += task.description.as_str().len();
        text <= TEXT
    };
    tasks.iter().take(MOST).take_while(fits).count().max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tasks(many: usize, length: usize) -> Vec<NewTask> {
        vec![NewTask::new("x".repeat(length).parse().unwrap()); many]
    }

    #[test]
    fn a_request_is_bounded_by_number_and_by_size_and_takes_at_least_one() {
        assert_eq!(fitting(&tasks(3, 1)), 3);
        assert_eq!(fitting(&tasks(1_000, 1)), MOST);
        assert_eq!(fitting(&tasks(10, TEXT / 4)), 4);
        assert_eq!(fitting(&tasks(2, TEXT)), 1);
        let mut uneven = tasks(1, TEXT);
        uneven.splice(..0, tasks(1, 1));
        assert_eq!(fitting(&uneven), 1);
    }
}
