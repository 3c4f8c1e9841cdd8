//! Rows of agents.

use alveary_agent::protocol::{Capabilities, Timestamp};
use alveary_core::AgentId;
use rusqlite::{Connection, Result, params};

use super::row::{parsed, time};

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

pub(crate) fn all(db: &Connection) -> Result<Vec<Recorded>> {
    db.prepare(
        "SELECT id, name, capabilities, registered, online, registered_at, last_seen FROM agents
         ORDER BY id",
    )?
    .query_map([], |row| {
        Ok(Recorded {
            id: parsed(row, 0)?,
            name: row.get(1)?,
            capabilities: parsed(row, 2)?,
            registered: row.get(3)?,
            online: row.get(4)?,
            registered_at: time(row, 5)?,
            last_seen: time(row, 6)?,
        })
    })?
    .collect()
}
