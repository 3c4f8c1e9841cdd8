//! Who makes a request.

use alveary_core::AgentId;
use http::header::{AUTHORIZATION, COOKIE};
use http::request::Parts;
use http::{HeaderMap, Method};

use super::super::session::Sessions;
use crate::token::{Principal, Tokens};

/// Who makes a request, as far as they have proved it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Caller {
    /// Whoever holds the admin token.
    Admin,
    /// The agent of this id, by its token.
    Agent(AgentId),
    /// A browser in which an admin has signed in. It only reads, so that a page that gets it to send a
    /// request cannot change a thing.
    Session,
    /// Somebody who shows nothing, as the original's agents do.
    Nobody,
}

/// What somebody shows is not worth anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refused;

impl Caller {
    /// Who makes the request. A token that is wrong is refused also where none would be needed: its bearer
    /// believes to be somebody, and would work on without being it.
    pub(crate) fn of(
        request: &Parts,
        tokens: &Tokens,
        sessions: &Sessions,
    ) -> Result<Self, Refused> {
        let mut shown = request.headers.get_all(AUTHORIZATION).iter();
        match (shown.next(), shown.next()) {
            (None, _) => Ok(Self::by_cookie(request, sessions)),
            (Some(value), None) => {
                let token = value.to_str().ok().and_then(bearer).ok_or(Refused)?;
                match tokens.verify(token) {
                    Some(Principal::Admin) => Ok(Self::Admin),
                    Some(Principal::Agent(id)) => Ok(Self::Agent(id)),
                    None => Err(Refused),
                }
            }
            (Some(_), Some(_)) => Err(Refused),
        }
    }

    fn by_cookie(request: &Parts, sessions: &Sessions) -> Self {
        let reads = request.method == Method::GET || request.method == Method::HEAD;
        if reads && cookie(&request.headers, sessions.cookie()).any(|value| sessions.holds(value)) {
            Self::Session
        } else {
            Self::Nobody
        }
    }

    /// Whether this caller may see everything.
    pub(crate) fn sees_all(&self) -> bool {
        matches!(self, Self::Admin | Self::Session)
    }
}

fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| token.trim_matches(' '))
}

/// The values of every cookie of this name.
fn cookie<'a>(headers: &'a HeaderMap, name: &'a str) -> impl Iterator<Item = &'a str> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(move |(key, _)| *key == name)
        .map(|(_, value)| value)
}
