//! How well an engine can be reached, and where one was looked for.

use crate::error::Result;

/// What [`check`](crate::AgentBackend::check) found out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Health {
    /// The engine's version, where it has one.
    pub version: Option<String>,
    /// The version of its API that is spoken with it, where it has several.
    pub api: Option<String>,
    /// Where the engine is: a socket, an address, a folder.
    pub endpoint: Option<String>,
    /// What a user should know: what is weaker here than it could be, and the cure.
    pub notes: Vec<HealthNote>,
}

/// Something that a user should know about an engine that can be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HealthNote {
    /// What is the matter.
    pub what: String,
    /// What would help, where anything would.
    pub cure: Option<String>,
}

/// A place where an engine may be, and what is there: see [`BackendConfig::candidates`](crate::BackendConfig::candidates).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct EngineCandidate {
    /// What names it: a setting, a variable, a context, a usual place.
    pub named_by: String,
    /// Its address; `None` where what names it gives none.
    pub endpoint: Option<String>,
    /// Whether it is the one that is used, whatever is there.
    pub chosen: bool,
    /// What answers there, or why nothing does, with the cure.
    pub answer: Result<Health>,
}

impl EngineCandidate {
    /// A place, with what was found there. It is not the chosen one.
    pub fn new(named_by: impl Into<String>, answer: Result<Health>) -> Self {
        Self {
            named_by: named_by.into(),
            endpoint: None,
            chosen: false,
            answer,
        }
    }

    /// Says where it is.
    #[must_use]
    pub fn with_endpoint(mut self, endpoint: impl Into<String>) -> Self {
        self.endpoint = Some(endpoint.into());
        self
    }

    /// Says whether it is the one that is used.
    #[must_use]
    pub fn with_chosen(mut self, chosen: bool) -> Self {
        self.chosen = chosen;
        self
    }
}

impl Health {
    /// Says which version answered.
    #[must_use]
    pub fn with_version(mut self, version: impl Into<String>) -> Self {
        self.version = Some(version.into());
        self
    }

    /// Says which version of its API is spoken.
    #[must_use]
    pub fn with_api(mut self, api: impl Into<String>) -> Self {
        self.api = Some(api.into());
        self
    }

    /// Says where the engine is.
    #[must_use]
    pub fn with_endpoint(mut self, endpoint: impl Into<String>) -> Self {
        self.endpoint = Some(endpoint.into());
        self
    }

    /// Adds something that a user should know.
    #[must_use]
    pub fn with_note(mut self, what: impl Into<String>, cure: Option<&str>) -> Self {
        self.notes.push(HealthNote {
            what: what.into(),
            cure: cure.map(ToOwned::to_owned),
        });
        self
    }
}
