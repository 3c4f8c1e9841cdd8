//! Tasks come in.

use std::slice;

use alveary_agent::protocol::{
    Happening, IdempotencyKey, NewTask, ProblemKind, TaskId, TaskStatus, TaskView,
};
use sha2::{Digest as _, Sha256};

use super::Turn;
use crate::error::{Error, Result};
use crate::store::{submissions, tasks};

/// The most tasks that are given at once.
pub(crate) const MAX_TASKS: usize = 10_000;

/// What tells whether the same tasks are handed in under a key.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Digest(String);

impl Digest {
    fn of(tasks: &[NewTask]) -> Self {
        let mut hash = Sha256::new();
        let mut part = |text: &str| {
            hash.update(text.len().to_le_bytes());
            hash.update(text);
        };
        for task in tasks {
            part(task.description.as_str());
            part(&task.capabilities.to_string());
        }
        Self(base16(&hash.finalize()))
    }
}

fn base16(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing into a text cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

impl Turn<'_> {
    /// Takes tasks and opens their auctions. Under a key that was used for the same tasks, or the same task where each
    /// has its own: gives those.
    pub(crate) fn add(
        &mut self,
        new: &[NewTask],
        key: Option<&IdempotencyKey>,
    ) -> Result<Vec<TaskView>> {
        if new.len() > MAX_TASKS {
            return Err(Error::new(
                ProblemKind::TooLarge,
                format!(
                    "there are {} tasks, and {MAX_TASKS} is the most at once",
                    new.len()
                ),
            )
            .with_cure("give them in several calls"));
        }
        let Some(key) = key else {
            let each = new.iter().map(|task| match &task.key {
                Some(key) => self.add_once(slice::from_ref(task), key),
                None => self.add_all(slice::from_ref(task)).map(|(_, tasks)| tasks),
            });
            return Ok(each.collect::<Result<Vec<_>>>()?.concat());
        };
        if new.iter().any(|task| task.key.is_some()) {
            return Err(Error::new(
                ProblemKind::Conflict,
                "there is a key for all of the tasks, and some have one of their own",
            )
            .with_cure("use one or the other"));
        }
        self.add_once(new, key)
    }

    /// Takes what was not handed in under its key before.
    fn add_once(&mut self, new: &[NewTask], key: &IdempotencyKey) -> Result<Vec<TaskView>> {
        let digest = Digest::of(new);
        if let Some(earlier) = submissions::get(self.db, key.as_str())? {
            return self.given_before(key, &digest, &earlier);
        }
        let (first, tasks) = self.add_all(new)?;
        let recorded = submissions::Recorded {
            digest: digest.0,
            first,
            count: i64::try_from(new.len()).unwrap_or(i64::MAX),
        };
        self.changed = true;
        submissions::insert(self.db, key.as_str(), &recorded)?;
        Ok(tasks)
    }

    /// Takes tasks, and says where the first of them stands.
    fn add_all(&mut self, new: &[NewTask]) -> Result<(i64, Vec<TaskView>)> {
        let mut first = None;
        for task in new {
            let id = TaskId::random();
            let place = tasks::insert(self.db, id, task, self.at.shown)?;
            first.get_or_insert(place);
            *self
                .book
                .tally
                .tasks
                .entry(TaskStatus::Pending)
                .or_default() += 1;
            self.record(Happening::TaskAdded { task: id })?;
            self.open_auction(
                id,
                &task.description,
                &task.capabilities,
                1,
                0,
                TaskStatus::Pending,
            )?;
        }
        let first = first.unwrap_or_default();
        let count = i64::try_from(new.len()).unwrap_or(i64::MAX);
        Ok((first, tasks::range(self.db, first, count)?))
    }

    fn given_before(
        &self,
        key: &IdempotencyKey,
        Digest(digest): &Digest,
        earlier: &submissions::Recorded,
    ) -> Result<Vec<TaskView>> {
        if earlier.digest == *digest {
            return Ok(tasks::range(self.db, earlier.first, earlier.count)?);
        }
        Err(Error::new(
            ProblemKind::Conflict,
            format!("the idempotency key `{key}` was used for other tasks"),
        )
        .with_cure("use another key for these"))
    }
}
