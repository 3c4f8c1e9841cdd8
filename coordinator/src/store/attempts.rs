//! Rows of attempts.

use alveary_agent::protocol::{AttemptToken, TaskId, Timestamp};
use alveary_core::AgentId;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::fault::Result;
use super::row::parsed;

/// How an attempt stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Assigned,
    Running,
    Completed,
    Failed,
    Superseded,
}

impl State {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Assigned => "assigned",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Superseded => "superseded",
        }
    }
}

/// The word is no state: the file was written by another program.
#[derive(Debug, thiserror::Error)]
#[error("it is no state of an attempt")]
pub(crate) struct InvalidState;

impl std::str::FromStr for State {
    type Err = InvalidState;
    fn from_str(text: &str) -> Result<Self, InvalidState> {
        [
            Self::Assigned,
            Self::Running,
            Self::Completed,
            Self::Failed,
            Self::Superseded,
        ]
        .into_iter()
        .find(|state| state.as_str() == text)
        .ok_or(InvalidState)
    }
}

/// An attempt as the file has it.
#[derive(Debug, Clone)]
pub(crate) struct Recorded {
    pub(crate) token: AttemptToken,
    pub(crate) task: TaskId,
    pub(crate) number: u32,
    pub(crate) agent: AgentId,
    pub(crate) state: State,
}

const RECORDED: &str = "SELECT token, tasks.id, number, agent, state
    FROM attempts JOIN tasks ON tasks.seq = attempts.task";

fn recorded(row: &Row<'_>) -> rusqlite::Result<Recorded> {
    Ok(Recorded {
        token: parsed(row, 0)?,
        task: parsed(row, 1)?,
        number: row.get(2)?,
        agent: parsed(row, 3)?,
        state: parsed(row, 4)?,
    })
}

pub(crate) fn insert(
    db: &Connection,
    token: AttemptToken,
    task: TaskId,
    number: u32,
    agent: &AgentId,
    at: Timestamp,
) -> Result<()> {
    db.prepare_cached(
        "INSERT INTO attempts (token, task, number, agent, state, assigned_at)
         VALUES (?1, (SELECT seq FROM tasks WHERE id = ?2), ?3, ?4, 'assigned', ?5)",
    )?
    .execute(params![
        token.to_string(),
        task.to_string(),
        number,
        agent.as_str(),
        at.as_millis()
    ])?;
    Ok(())
}

pub(crate) fn get(db: &Connection, token: AttemptToken) -> Result<Option<Recorded>> {
    Ok(db
        .prepare_cached(&format!("{RECORDED} WHERE token = ?1"))?
        .query_row([token.to_string()], recorded)
        .optional()?)
}

/// Those that are not over, in the order in which they were given.
pub(crate) fn open(db: &Connection) -> Result<Vec<Recorded>> {
    Ok(db
        .prepare(&format!(
            "{RECORDED} WHERE attempts.state IN ('assigned', 'running') ORDER BY attempts.seq"
        ))?
        .query_map([], recorded)?
        .collect::<rusqlite::Result<_>>()?)
}

pub(crate) fn set_running(db: &Connection, token: AttemptToken, running: bool) -> Result<()> {
    let state = if running {
        State::Running
    } else {
        State::Assigned
    };
    db.prepare_cached("UPDATE attempts SET state = ?2 WHERE token = ?1")?
        .execute(params![token.to_string(), state.as_str()])?;
    Ok(())
}

pub(crate) fn end(db: &Connection, token: AttemptToken, state: State, at: Timestamp) -> Result<()> {
    db.prepare_cached("UPDATE attempts SET state = ?2, ended_at = ?3 WHERE token = ?1")?
        .execute(params![token.to_string(), state.as_str(), at.as_millis()])?;
    Ok(())
}
