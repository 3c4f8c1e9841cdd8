//! How well an engine can be reached.

/// What [`check`](crate::AgentBackend::check) found out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Health {
    /// The engine's version, where it has one.
    pub version: Option<String>,
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

impl Health {
    /// Says which version answered.
    pub fn with_version(mut self, version: impl Into<String>) -> Self {
        self.version = Some(version.into());
        self
    }

    /// Says where the engine is.
    pub fn with_endpoint(mut self, endpoint: impl Into<String>) -> Self {
        self.endpoint = Some(endpoint.into());
        self
    }

    /// Adds something that a user should know.
    pub fn with_note(mut self, what: impl Into<String>, cure: Option<&str>) -> Self {
        self.notes.push(HealthNote {
            what: what.into(),
            cure: cure.map(ToOwned::to_owned),
        });
        self
    }
}
