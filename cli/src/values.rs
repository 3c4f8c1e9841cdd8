//! Values of flags that need more than a type's own parser.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

/// A length of time: `10s`, `1m 30s`, or whole seconds as a bare number.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    if let Ok(seconds) = text.parse::<u32>() {
        return Ok(Duration::from_secs(seconds.into()));
    }
    humantime::parse_duration(text)
        .map_err(|_| "it is no length of time (`10s`, `1m 30s` and `10` are)".to_owned())
}

/// A length of time that is not nothing.
#[cfg(feature = "coordinator")]
pub(crate) fn some_duration(text: &str) -> Result<Duration, String> {
    duration(text).and_then(|time| match time {
        Duration::ZERO => Err("no time at all is too short".to_owned()),
        time => Ok(time),
    })
}

/// An address and a port of this machine, to listen at.
pub(crate) fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .map_err(|_| "it is no address and port, such as `127.0.0.1:8000`".to_owned())
}

/// A moment: by RFC 3339, or how long ago it was.
pub(crate) fn moment(text: &str) -> Result<SystemTime, String> {
    if let Ok(at) = humantime::parse_rfc3339_weak(text) {
        return Ok(at);
    }
    let ago = duration(text)
        .map_err(|_| "it is no moment (`2026-11-24T12:00:00Z` and `10m`, ten minutes ago, are)")?;
    SystemTime::now()
        .checked_sub(ago)
        .ok_or_else(|| "it is too long ago".to_owned())
}

/// `NAME=N`: how many members a group is to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) name: String,
    pub(crate) count: u32,
}

/// `NAME=N`.
pub(crate) fn count(text: &str) -> Result<Count, String> {
    let wrong = || "it is not of the form NAME=N, as in `echo=5`".to_owned();
    let (name, count) = text.split_once('=').ok_or_else(wrong)?;
    if name.is_empty() {
        return Err(wrong());
    }
    Ok(Count {
        name: name.to_owned(),
        count: count.parse().map_err(|_| wrong())?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_number_is_seconds() {
        assert_eq!(duration("90"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("1m 30s"), Ok(Duration::from_secs(90)));
        assert!(duration("soon").is_err());
        assert!(duration("-5").is_err());
    }

    #[test]
    fn a_moment_is_a_date_or_how_long_ago() {
        assert_eq!(
            moment("1970-01-01T00:01:00Z"),
            Ok(SystemTime::UNIX_EPOCH + Duration::from_mins(1))
        );
        let ago = moment("10m").unwrap().elapsed().unwrap();
        assert!((Duration::from_mins(10)..Duration::from_mins(11)).contains(&ago));
        assert!(moment("yesterday").is_err());
    }

    #[test]
    fn a_count_has_a_name_and_a_number() {
        let echo = Count {
            name: "echo".to_owned(),
            count: 0,
        };
        assert_eq!(count("echo=0"), Ok(echo));
        for wrong in ["echo", "=5", "echo=", "echo=-1", "echo=x"] {
            assert!(count(wrong).is_err(), "{wrong}");
        }
    }
}
