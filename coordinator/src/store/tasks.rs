//! Rows of tasks.

use alveary_agent::protocol::{
    Capabilities, Description, EventId, NewTask, Sats, TaskId, TaskStatus, TaskView, Timestamp,
};
use alveary_core::AgentId;
use rusqlite::{Connection, OptionalExtension as _, Row, ToSql, named_params, params};

use super::fault::Result;
use super::row::{converted, parsed, parsed_if_any, time};

const COLUMNS: &str = "id, description, status, assigned_agent, result, created_at, completed_at, \
    capabilities, winning_bid, auctions, attempts, seq";

fn view(row: &Row<'_>) -> rusqlite::Result<TaskView> {
    let completed: Option<i64> = row.get(6)?;
    let winning_bid: Option<u64> = row.get(8)?;
    let mut view = TaskView::new(
        parsed(row, 0)?,
        parsed(row, 1)?,
        parsed(row, 2)?,
        time(row, 5)?,
    );
    view.assigned_agent = parsed_if_any(row, 3)?;
    view.result = row.get(4)?;
    view.completed_at = completed.map(Timestamp::from_millis);
    view.capabilities = parsed(row, 7)?;
    view.winning_bid = match winning_bid {
        Some(_) => Some(converted(row, 8)?),
        None => None,
    };
    view.auctions = row.get(9)?;
    view.attempts = row.get(10)?;
    Ok(view)
}

/// Writes a new task, and says where it stands in the order of arrival.
pub(crate) fn insert(db: &Connection, id: TaskId, task: &NewTask, at: Timestamp) -> Result<i64> {
    Ok(db
        .prepare_cached(
            "INSERT INTO tasks (id, description, capabilities, status, created_at)
         VALUES (?1, ?2, ?3, 'pending', ?4)",
        )?
        .insert(params![
            id.to_string(),
            task.description.as_str(),
            task.capabilities.to_string(),
            at.as_millis(),
        ])?)
}

pub(crate) fn get(db: &Connection, id: TaskId) -> Result<Option<TaskView>> {
    Ok(db
        .prepare_cached(&format!("SELECT {COLUMNS} FROM tasks WHERE id = ?1"))?
        .query_row([id.to_string()], view)
        .optional()?)
}

/// What stands at `first` and after it, `count` of them.
pub(crate) fn range(db: &Connection, first: i64, count: i64) -> Result<Vec<TaskView>> {
    let sql = format!("SELECT {COLUMNS} FROM tasks WHERE seq >= ?1 AND seq < ?1 + ?2 ORDER BY seq");
    Ok(db
        .prepare_cached(&sql)?
        .query_map([first, count], view)?
        .collect::<rusqlite::Result<_>>()?)
}

/// The task is open for bids since this event: its next auction, or the same once more.
pub(crate) fn open(db: &Connection, id: TaskId, auction: u32, opened: EventId) -> Result<()> {
    db.prepare_cached(
        "UPDATE tasks SET status = 'bidding', auctions = ?2, opened = ?3, assigned_agent = NULL,
             winning_bid = NULL
         WHERE id = ?1",
    )?
    .execute(params![id.to_string(), auction, opened.0])?;
    Ok(())
}

/// The task is `agent`'s, by its bid.
pub(crate) fn assign(
    db: &Connection,
    id: TaskId,
    agent: &AgentId,
    sats: Sats,
    attempt: u32,
) -> Result<()> {
    db.prepare_cached(
        "UPDATE tasks SET status = 'assigned', assigned_agent = ?2, winning_bid = ?3, attempts = ?4
         WHERE id = ?1",
    )?
    .execute(params![id.to_string(), agent.as_str(), sats.get(), attempt])?;
    Ok(())
}

pub(crate) fn set_status(db: &Connection, id: TaskId, status: TaskStatus) -> Result<()> {
    db.prepare_cached("UPDATE tasks SET status = ?2 WHERE id = ?1")?
        .execute(params![id.to_string(), status.as_str()])?;
    Ok(())
}

/// The task is over.
pub(crate) fn end(
    db: &Connection,
    id: TaskId,
    status: TaskStatus,
    result: &str,
    at: Timestamp,
) -> Result<()> {
    db.prepare_cached(
        "UPDATE tasks SET status = ?2, result = ?3, completed_at = ?4 WHERE id = ?1",
    )?
    .execute(params![
        id.to_string(),
        status.as_str(),
        result,
        at.as_millis()
    ])?;
    Ok(())
}

/// A task that is open for bids.
#[derive(Debug)]
pub(crate) struct Open {
    pub(crate) id: TaskId,
    pub(crate) description: Description,
    pub(crate) capabilities: Capabilities,
    pub(crate) auctions: u32,
    pub(crate) attempts: u32,
    pub(crate) opened: EventId,
}

/// The tasks that are open for bids, in the order in which they opened.
pub(crate) fn open_for_bids(db: &Connection) -> Result<Vec<Open>> {
    let open = |row: &Row<'_>| {
        Ok(Open {
            id: parsed(row, 0)?,
            description: parsed(row, 1)?,
            capabilities: parsed(row, 2)?,
            auctions: row.get(3)?,
            attempts: row.get(4)?,
            opened: EventId(row.get(5)?),
        })
    };
    Ok(db
        .prepare(
            "SELECT id, description, capabilities, auctions, attempts, opened FROM tasks
         WHERE status = 'bidding' ORDER BY opened",
        )?
        .query_map([], open)?
        .collect::<rusqlite::Result<_>>()?)
}

/// How many tasks stand how.
pub(crate) fn counts(db: &Connection) -> Result<Vec<(TaskStatus, u64)>> {
    Ok(db
        .prepare("SELECT status, count(*) FROM tasks GROUP BY status")?
        .query_map([], |row| Ok((parsed(row, 0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?)
}

/// Which tasks, and how many of them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Selection<'a> {
    pub(crate) status: Option<TaskStatus>,
    pub(crate) agent: Option<&'a AgentId>,
    /// Beyond this task, in the direction asked for.
    pub(crate) beyond: Option<i64>,
    pub(crate) newest_first: bool,
    pub(crate) limit: u32,
}

impl Selection<'_> {
    /// What to ask the file. Only what is asked for is in it, so that each question finds its index.
    pub(crate) fn sql(&self) -> String {
        let (direction, beyond) = if self.newest_first {
            ("DESC", "seq < :beyond")
        } else {
            ("ASC", "seq > :beyond")
        };
        let mut conditions = vec![beyond];
        if self.status.is_some() {
            conditions.push("status = :status");
        }
        if self.agent.is_some() {
            conditions.push("assigned_agent = :agent");
        }
        format!(
            "SELECT {COLUMNS} FROM tasks WHERE {} ORDER BY seq {direction} LIMIT :limit",
            conditions.join(" AND ")
        )
    }
}

pub(crate) fn select(db: &Connection, selection: &Selection<'_>) -> Result<Vec<TaskView>> {
    let end = if selection.newest_first { i64::MAX } else { 0 };
    let beyond = selection.beyond.unwrap_or(end);
    let status = selection.status.map(TaskStatus::as_str);
    let agent = selection.agent.map(AgentId::as_str);
    let mut named: Vec<(&str, &dyn ToSql)> =
        named_params! {":beyond": beyond, ":limit": selection.limit}.to_vec();
    if status.is_some() {
        named.push((":status", &status));
    }
    if agent.is_some() {
        named.push((":agent", &agent));
    }
    Ok(db
        .prepare_cached(&selection.sql())?
        .query_map(named.as_slice(), view)?
        .collect::<rusqlite::Result<_>>()?)
}

/// Where a task stands in the order of arrival.
pub(crate) fn place(db: &Connection, id: TaskId) -> Result<Option<i64>> {
    Ok(db
        .prepare_cached("SELECT seq FROM tasks WHERE id = ?1")?
        .query_row([id.to_string()], |row| row.get(0))
        .optional()?)
}
