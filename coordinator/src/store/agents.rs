//! Rows of agents.

use alveary_agent::protocol::{AgentStatus, AgentView, Capabilities, Timestamp};
use alveary_core::AgentId;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use tokio::time::Instant;

use super::fault::Result;
use super::row::{parsed, time};
use crate::book::Member;

/// An agent as the file has it.
#[derive(Debug, Clone)]
pub(crate) struct Recorded {
    pub(crate) id: AgentId,
    pub(crate) name: String,
    pub(crate) capabilities: Capabilities,
    /// Whether it presented itself, or is known by its bids alone.
    pub(crate) registered: bool,
    pub(crate) online: bool,
    pub(crate) registered_at: Timestamp,
    pub(crate) last_seen: Timestamp,
}

impl Recorded {
    /// The same, to be held. It counts as heard of `now`.
    pub(crate) fn member(&self, now: Instant) -> Member {
        Member {
            name: self.name.clone(),
            capabilities: self.capabilities.clone(),
            registered: self.registered,
            online: self.online,
            registered_at: self.registered_at,
            ..Member::new(now, self.last_seen)
        }
    }

    /// How one stands that is not held, and so has nothing to do.
    pub(crate) fn view(self) -> AgentView {
        let status = if self.online {
            AgentStatus::Idle
        } else {
            AgentStatus::Offline
        };
        AgentView::new(
            self.id,
            self.name,
            status,
            self.registered_at,
            self.last_seen,
        )
        .with_capabilities(self.capabilities)
    }
}

/// Writes how an agent stands, whether it was there or not.
pub(crate) fn put(db: &Connection, agent: &Recorded) -> Result<()> {
    db.prepare_cached(
        "INSERT INTO agents (id, name, capabilities, registered, online, registered_at, last_seen)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (id) DO UPDATE SET
             name = excluded.name, capabilities = excluded.capabilities,
             registered = excluded.registered, online = excluded.online,
             last_seen = excluded.last_seen",
    )?
    .execute(params![
        agent.id.as_str(),
        agent.name,
        agent.capabilities.to_string(),
        agent.registered,
        agent.online,
        agent.registered_at.as_millis(),
        agent.last_seen.as_millis(),
    ])?;
    Ok(())
}

const COLUMNS: &str = "id, name, capabilities, registered, online, registered_at, last_seen";

/// All that were ever heard of, by id.
pub(crate) fn all(db: &Connection) -> Result<Vec<Recorded>> {
    Ok(db
        .prepare_cached(&format!("SELECT {COLUMNS} FROM agents ORDER BY id"))?
        .query_map([], recorded)?
        .collect::<rusqlite::Result<_>>()?)
}

/// Those that count as here, by id.
pub(crate) fn online(db: &Connection) -> Result<Vec<Recorded>> {
    Ok(db
        .prepare(&format!(
            "SELECT {COLUMNS} FROM agents WHERE online ORDER BY id"
        ))?
        .query_map([], recorded)?
        .collect::<rusqlite::Result<_>>()?)
}

pub(crate) fn get(db: &Connection, id: &AgentId) -> Result<Option<Recorded>> {
    Ok(db
        .prepare_cached(&format!("SELECT {COLUMNS} FROM agents WHERE id = ?1"))?
        .query_row([id.as_str()], recorded)
        .optional()?)
}

pub(crate) fn count(db: &Connection) -> Result<u64> {
    Ok(db.query_row("SELECT count(*) FROM agents", [], |row| row.get(0))?)
}

fn recorded(row: &Row<'_>) -> rusqlite::Result<Recorded> {
    Ok(Recorded {
        id: parsed(row, 0)?,
        name: row.get(1)?,
        capabilities: parsed(row, 2)?,
        registered: row.get(3)?,
        online: row.get(4)?,
        registered_at: time(row, 5)?,
        last_seen: time(row, 6)?,
    })
}
