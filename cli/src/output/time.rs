//! Times as they are shown.

use std::time::{Duration, SystemTime};

/// A moment by RFC 3339, in UTC, to the millisecond.
pub(crate) fn rfc3339(at: SystemTime) -> String {
    // What lies before 1970 or after 9999 is no moment that a clock of ours gave.
    if at < SystemTime::UNIX_EPOCH
        || at > SystemTime::UNIX_EPOCH + Duration::from_secs(253_402_300_799)
    {
        return "-".to_owned();
    }
    humantime::format_rfc3339_millis(at).to_string()
}

/// How long ago that was, in its largest unit: `3m`.
pub(crate) fn age(at: SystemTime) -> String {
    span(at.elapsed().unwrap_or_default())
}

/// A length of time in its largest unit: `3m`.
pub(crate) fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..172_800 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// A length of time as one speaks of it: `4.1s`, `1m 30s`.
pub(crate) fn lasting(time: Duration) -> String {
    if time < Duration::from_mins(1) {
        return format!("{:.1}s", time.as_secs_f64());
    }
    humantime::format_duration(Duration::from_secs(time.as_secs())).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_shown_in_utc() {
        let at = SystemTime::UNIX_EPOCH + Duration::from_millis(1_764_000_000_123);
        assert_eq!(rfc3339(at), "2025-11-24T16:00:00.123Z");
    }

    #[test]
    fn an_age_is_shown_in_its_largest_unit() {
        for (seconds, shown) in [(5, "5s"), (65, "1m"), (7_300, "2h"), (200_000, "2d")] {
            assert_eq!(age(SystemTime::now() - Duration::from_secs(seconds)), shown);
        }
        assert_eq!(age(SystemTime::now() + Duration::from_mins(1)), "0s");
    }
}
