//! Rows of bids.

use alveary_agent::protocol::{BidView, Sats, TaskId, Timestamp};
use alveary_core::AgentId;
use rusqlite::{Connection, params};

use super::fault::Result;
use super::row::{converted, parsed, time};

pub(crate) fn insert(
    db: &Connection,
    task: TaskId,
    auction: u32,
    agent: &AgentId,
    sats: Sats,
    at: Timestamp,
) -> Result<()> {
    db.prepare_cached(
        "INSERT INTO bids (task, auction, agent, sats, at)
         VALUES ((SELECT seq FROM tasks WHERE id = ?1), ?2, ?3, ?4, ?5)",
    )?
    .execute(params![
        task.to_string(),
        auction,
        agent.as_str(),
        sats.get(),
        at.as_millis()
    ])?;
    Ok(())
}

/// The bids of one auction, in the order in which they came.
pub(crate) fn of_auction(
    db: &Connection,
    task: TaskId,
    auction: u32,
) -> Result<Vec<(AgentId, Sats)>> {
    Ok(db
        .prepare_cached(
            "SELECT agent, sats FROM bids
         WHERE task = (SELECT seq FROM tasks WHERE id = ?1) AND auction = ?2 ORDER BY seq",
        )?
        .query_map(params![task.to_string(), auction], |row| {
            Ok((parsed(row, 0)?, converted(row, 1)?))
        })?
        .collect::<rusqlite::Result<_>>()?)
}

/// All bids for a task, in the order in which they came.
pub(crate) fn of_task(db: &Connection, task: TaskId, limit: u32) -> Result<Vec<BidView>> {
    Ok(db
        .prepare_cached(
            "SELECT agent, sats, auction, at FROM bids
         WHERE task = (SELECT seq FROM tasks WHERE id = ?1) ORDER BY seq LIMIT ?2",
        )?
        .query_map(params![task.to_string(), limit], |row| {
            Ok(BidView::new(
                parsed(row, 0)?,
                converted(row, 1)?,
                row.get(2)?,
                time(row, 3)?,
            ))
        })?
        .collect::<rusqlite::Result<_>>()?)
}
