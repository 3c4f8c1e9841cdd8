//! Rows of what was handed in under a key, so that it is not handed in twice.

use super::fault::Result;
use rusqlite::{Connection, OptionalExtension as _, params};

/// What was handed in under a key: what it was, and where its tasks stand.
#[derive(Debug)]
pub(crate) struct Recorded {
    pub(crate) digest: String,
    pub(crate) first: i64,
    pub(crate) count: i64,
}

pub(crate) fn get(db: &Connection, key: &str) -> Result<Option<Recorded>> {
    Ok(db
        .prepare_cached("SELECT digest, first_seq, count FROM submissions WHERE key = ?1")?
        .query_row([key], |row| {
            Ok(Recorded {
                digest: row.get(0)?,
                first: row.get(1)?,
                count: row.get(2)?,
            })
        })
        .optional()?)
}

pub(crate) fn insert(db: &Connection, key: &str, recorded: &Recorded) -> Result<()> {
    db.prepare_cached(
        "INSERT INTO submissions (key, digest, first_seq, count) VALUES (?1, ?2, ?3, ?4)",
    )?
    .execute(params![
        key,
        recorded.digest,
        recorded.first,
        recorded.count
    ])?;
    Ok(())
}
