//! How what the wire has is written in rows, and read from them.

use std::error::Error as StdError;
use std::str::FromStr;

use alveary_agent::protocol::Timestamp;
use rusqlite::types::Type;
use rusqlite::{Result, Row};

/// A column that holds something as it prints.
pub(crate) fn parsed<T>(row: &Row<'_>, column: usize) -> Result<T>
where
    T: FromStr<Err: StdError + Send + Sync + 'static>,
{
    parse(row.get_ref(column)?.as_str()?, column)
}

/// The same, where there may be nothing.
pub(crate) fn parsed_if_any<T>(row: &Row<'_>, column: usize) -> Result<Option<T>>
where
    T: FromStr<Err: StdError + Send + Sync + 'static>,
{
    let text = row.get_ref(column)?.as_str_or_null()?;
    text.map(|text| parse(text, column)).transpose()
}

fn parse<T>(text: &str, column: usize) -> Result<T>
where
    T: FromStr<Err: StdError + Send + Sync + 'static>,
{
    text.parse().map_err(|error: T::Err| {
        rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error))
    })
}

/// A column that holds a number that something else makes a value of.
pub(crate) fn converted<T>(row: &Row<'_>, column: usize) -> Result<T>
where
    T: TryFrom<u64, Error: StdError + Send + Sync + 'static>,
{
    let number: u64 = row.get(column)?;
    number.try_into().map_err(|error: T::Error| {
        rusqlite::Error::FromSqlConversionFailure(column, Type::Integer, Box::new(error))
    })
}

/// A column that holds a point in time.
pub(crate) fn time(row: &Row<'_>, column: usize) -> Result<Timestamp> {
    row.get(column).map(Timestamp::from_millis)
}
