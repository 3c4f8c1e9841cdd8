//! Sessions of browsers: what an admin's browser holds instead of the token.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::token::Tokens;

/// How long a browser stays signed in.
const LASTS: Duration = Duration::from_hours(12);

/// Makes and recognises the cookies of signed-in browsers.
///
/// A cookie is the second at which it ends and a proof that this coordinator wrote it, so nothing has to be
/// kept, and a restart signs nobody out. It is no token: it opens reading alone, and not for ever. Browsers
/// send a cookie to every port of a host, so each coordinator's has a name of its own.
#[derive(Debug)]
pub(crate) struct Sessions {
    tokens: Tokens,
    cookie: String,
}

impl Sessions {
    pub(crate) fn new(tokens: Tokens) -> Self {
        let mut distinct = tokens.mac("cookie");
        distinct.truncate(8);
        Self {
            cookie: format!("alveary-{distinct}"),
            tokens,
        }
    }

    /// What the cookie is called.
    pub(crate) fn cookie(&self) -> &str {
        &self.cookie
    }

    /// The header that signs a browser in.
    pub(crate) fn sign_in(&self) -> String {
        let ends = seconds_now().saturating_add(LASTS.as_secs());
        let proof = self.tokens.mac(&purpose(ends));
        self.header(&format!("{ends}.{proof}"), LASTS.as_secs())
    }

    /// The header that signs a browser out.
    pub(crate) fn sign_out(&self) -> String {
        self.header("", 0)
    }

    /// Whether a cookie's value is one that was written here and has not run out.
    pub(crate) fn holds(&self, value: &str) -> bool {
        let Some((ends, proof)) = value.split_once('.') else {
            return false;
        };
        let Ok(ends) = ends.parse::<u64>() else {
            return false;
        };
        self.tokens.proves(&purpose(ends), proof) && seconds_now() < ends
    }

    fn header(&self, value: &str, seconds: u64) -> String {
        format!(
            "{}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict",
            self.cookie
        )
    }
}

fn purpose(ends: u64) -> String {
    format!("session/{ends}")
}

/// Wall-clock time: a browser holds the cookie to it too.
fn seconds_now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_holds_until_its_end_and_proves_no_other() {
        let tokens = Tokens::random();
        let sessions = Sessions::new(tokens.clone());
        let cookie = |says: u64, proves: u64| {
            let proof = tokens.mac(&purpose(proves));
            format!("{says}.{proof}")
        };
        let (over, to_come) = (seconds_now() - 1, seconds_now() + 3600);
        assert!(sessions.holds(&cookie(to_come, to_come)));
        assert!(!sessions.holds(&cookie(over, over)), "it has run out");
        assert!(!sessions.holds(&cookie(to_come, over)), "it is prolonged");
        let written = sessions.sign_in();
        let value = written.split([';', '=']).nth(1).unwrap();
        assert!(sessions.holds(value), "{written}");
        assert!(!Sessions::new(Tokens::random()).holds(value));
    }
}
