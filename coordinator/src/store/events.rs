//! Rows of events.

use alveary_agent::protocol::{Event, EventId, Happening, Timestamp};
use rusqlite::types::Type;
use rusqlite::{Connection, params};

use super::fault::Result;
use super::row::time;

/// Writes what happened, and says at which place of the book.
pub(crate) fn append(db: &Connection, what: &Happening, at: Timestamp) -> Result<EventId> {
    let what = serde_json::to_string(what)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
    Ok(db
        .prepare_cached("INSERT INTO events (at, what) VALUES (?1, ?2)")?
        .insert(params![at.as_millis(), what])
        .map(|id| EventId(id.cast_unsigned()))?)
}

/// What happened after `after`, at most `limit` of it.
pub(crate) fn after(db: &Connection, after: EventId, limit: u32) -> Result<Vec<Event>> {
    Ok(db
        .prepare_cached("SELECT id, at, what FROM events WHERE id > ?1 ORDER BY id LIMIT ?2")?
        .query_map(params![signed(after), limit], |row| {
            let what = row.get_ref(2)?.as_str()?;
            Ok(Event::new(
                EventId(row.get(0)?),
                time(row, 1)?,
                serde_json::from_str(what).map_err(|error| {
                    rusqlite::Error::FromSqlConversionFailure(2, Type::Text, Box::new(error))
                })?,
            ))
        })?
        .collect::<rusqlite::Result<_>>()?)
}

/// The last place that was ever told, whatever has been thrown away since.
pub(crate) fn latest(db: &Connection) -> Result<EventId> {
    Ok(db.query_row(
        "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'events'",
        [],
        |row| row.get(0).map(EventId),
    )?)
}

/// The place before the first that is kept.
pub(crate) fn before_first(db: &Connection) -> Result<Option<EventId>> {
    Ok(db.query_row("SELECT min(id) - 1 FROM events", [], |row| {
        Ok(row.get::<_, Option<u64>>(0)?.map(EventId))
    })?)
}

/// Throws away what lies at `up_to` and before it.
pub(crate) fn forget(db: &Connection, up_to: EventId) -> Result<usize> {
    Ok(db
        .prepare_cached("DELETE FROM events WHERE id <= ?1")?
        .execute([signed(up_to)])?)
}

/// SQLite's numbers are signed: what lies beyond them lies beyond every event.
fn signed(id: EventId) -> i64 {
    i64::try_from(id.0).unwrap_or(i64::MAX)
}
