//! Which version of alveary wrote a file, and whether any did.

use alveary_agent::protocol::ProblemKind;
use rusqlite::Connection;

use crate::error::{Error, Result};

mod migrations {
    refinery::embed_migrations!("migrations");
}

/// Refuses a file that a later version has written, or another program. Looks, and changes nothing.
pub(super) fn check(connection: &Connection, name: &str) -> Result<()> {
    let of_file = |error| Error::of_file(name, error);
    let count = |sql| connection.query_row(sql, [], |row| row.get::<_, i64>(0));
    let ours = "SELECT count(*) FROM sqlite_schema WHERE name = 'refinery_schema_history'";
    if count(ours).map_err(of_file)? == 0 {
        if count("SELECT count(*) FROM sqlite_schema").map_err(of_file)? == 0 {
            return Ok(());
        }
        return Err(Error::new(
            ProblemKind::Conflict,
            format!("{name} is the database of another program"),
        )
        .with_cure("name another file"));
    }
    let written = count("SELECT coalesce(max(version), 0) FROM refinery_schema_history");
    let runner = migrations::migrations::runner();
    let known = runner
        .get_migrations()
        .iter()
        .map(|one| i64::from(one.version()))
        .max();
    if written.map_err(of_file)? > known.unwrap_or(0) {
        return Err(Error::new(
            ProblemKind::Conflict,
            format!("{name} was written by a later version of alveary"),
        )
        .with_cure("use that version, or one after it"));
    }
    Ok(())
}

/// Brings the tables of an older version up to date, and makes those of a new file.
pub(super) fn bring_up(connection: &mut Connection, name: &str) -> Result<()> {
    match migrations::migrations::runner().run(connection) {
        Ok(_) => Ok(()),
        Err(error) => Err(Error::new(
            ProblemKind::Internal,
            format!("{name} cannot be brought up to date: {error}"),
        )
        .with_cure("restore it from a copy, or move it away to begin with an empty one")
        .with_source(error)),
    }
}
