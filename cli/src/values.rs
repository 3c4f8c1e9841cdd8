//! Values of flags that need more than a type's own parser.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
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

/// How many lines of a log are meant; none: all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lines(pub(crate) Option<u64>);

/// `10`, or `all`.
pub(crate) fn lines(text: &str) -> Result<Lines, String> {
    if text == "all" {
        return Ok(Lines(None));
    }
    text.parse()
        .map(|number| Lines(Some(number)))
        .map_err(|_| "it is no number of lines (`10` and `all` are)".to_owned())
}

/// A whole number.
#[cfg(feature = "coordinator")]
pub(crate) fn whole(text: &str) -> Result<u32, String> {
    text.parse()
        .map_err(|_| "it is no whole number, such as `10`".to_owned())
}

/// A whole number within these.
pub(crate) fn number(
    within: RangeInclusive<u32>,
) -> impl Fn(&str) -> Result<u32, String> + Clone + Send + Sync {
    move |text| {
        let number = text.parse().ok().filter(|number| within.contains(number));
        number.ok_or_else(|| {
            let (least, most) = (within.start(), within.end());
            format!("it is no number from {least} to {most}")
        })
    }
}

/// From so many digits on a bare number counts from 1970: as how long ago it was, it would be before that.
const DIGITS_OF_A_MOMENT: usize = 10;

/// A moment: by RFC 3339 or its date alone, by the seconds since 1970, or by how long ago it was.
pub(crate) fn moment(text: &str) -> Result<SystemTime, String> {
    let midnight = format!("{text}T00:00:00Z");
    if let Ok(at) =
        humantime::parse_rfc3339_weak(text).or_else(|_| humantime::parse_rfc3339_weak(&midnight))
    {
        return Ok(at);
    }
    let wrong =
        "it is no moment (`2026-11-24`, `2026-11-24T12:00:00Z` and `10m`, ten minutes ago, are)";
    if text.len() >= DIGITS_OF_A_MOMENT && text.bytes().all(|digit| digit.is_ascii_digit()) {
        let since = text.parse().ok().map(Duration::from_secs);
        let at = since.and_then(|since| SystemTime::UNIX_EPOCH.checked_add(since));
        return at.ok_or_else(|| wrong.to_owned());
    }
    let ago = duration(text).map_err(|_| wrong)?;
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
        let noon = SystemTime::UNIX_EPOCH + Duration::from_hours(490_092);
        assert_eq!(moment("2025-11-28T12:00:00Z"), Ok(noon));
        assert_eq!(moment("1764331200"), Ok(noon));
        assert_eq!(moment("2025-11-28"), Ok(noon - Duration::from_hours(12)));
        for wrong in ["99999999999999999999", "18446744073709551615", "2025-13-28"] {
            assert!(moment(wrong).is_err(), "{wrong}");
        }
        let ago = moment("10m").unwrap().elapsed().unwrap();
        assert!((Duration::from_mins(10)..Duration::from_mins(11)).contains(&ago));
        assert!(moment("yesterday").is_err());
    }

    #[test]
    fn lines_are_a_number_of_them_or_all() {
        assert_eq!(lines("10"), Ok(Lines(Some(10))));
        assert_eq!(lines("all"), Ok(Lines(None)));
        for wrong in ["x", "-1", "", "1.5"] {
            assert!(lines(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_number_lies_within_what_is_said() {
        let number = number(1..=9);
        assert_eq!(number("9"), Ok(9));
        for wrong in ["x", "0", "10", "-1"] {
            assert_eq!(number(wrong), Err("it is no number from 1 to 9".to_owned()));
        }
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
