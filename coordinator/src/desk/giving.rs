//! Tasks come in.

use std::fmt;

use alveary_agent::protocol::{Happening, NewTask, ProblemKind, TaskId, TaskStatus, TaskView};
use sha2::{Digest as _, Sha256};

use super::Turn;
use crate::error::{Error, Result};
use crate::store::{submissions, tasks};

/// The most tasks that are given at once.
pub(crate) const MAX_TASKS: usize = 10_000;

/// What makes handing in the same tasks again have no second effect: 1 to 255 visible characters of ASCII.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// Takes a key as the caller gives it.
    pub fn new(key: impl AsRef<str>) -> Result<Self> {
        let key = key.as_ref();
        let visible = key.bytes().all(|byte| byte.is_ascii_graphic());
        if key.is_empty() || key.len() > 255 || !visible {
            return Err(Error::new(
                ProblemKind::Invalid,
                "an idempotency key is 1 to 255 visible characters of ASCII",
            )
            .with_cure("use a UUID"));
        }
        Ok(Self(key.to_owned()))
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

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
    use fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing into a text cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

impl Turn<'_> {
    /// Takes tasks and opens their auctions. Under a key that was used for the same tasks: gives those.
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
        let keyed = key.map(|key| (key.as_str(), Digest::of(new)));
        if let Some((key, digest)) = &keyed
            && let Some(earlier) = submissions::get(self.db, key)?
        {
            return self.given_before(key, digest, &earlier);
        }
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
        if let Some((key, Digest(digest))) = keyed {
            let recorded = submissions::Recorded {
                digest,
                first,
                count,
            };
            self.changed = true;
            submissions::insert(self.db, key, &recorded)?;
        }
        Ok(tasks::range(self.db, first, count)?)
    }

    fn given_before(
        &self,
        key: &str,
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
