//! Saying what a spec would come to, without an engine.

use std::fmt;

use async_trait::async_trait;

use crate::error::Result;
use crate::id::AgentId;
use crate::spec::AgentSpec;
use crate::text::Escaped;

/// Saying what would be started, and refusing what cannot be, without touching what lives.
#[async_trait]
pub trait Plans: Send + Sync {
    /// What [`spawn`](crate::AgentBackend::spawn) would make of this spec.
    ///
    /// Refuses what `spawn` would refuse before its engine sees it, with the same error. What only the engine
    /// can say (that an image is not there, that a name is taken) stays unsaid. Nothing is read that is
    /// secret: secrets and variables are named, and their values are not there.
    fn plan(&self, id: &AgentId, spec: &AgentSpec) -> Result<AgentPlan>;

    /// Has at hand what [`spawn`](crate::AgentBackend::spawn) would need for this spec, before an agent that lives is
    /// stopped for it.
    ///
    /// Refuses what [`plan`](Self::plan) refuses, and with the error of `spawn` what cannot be had: an image that is
    /// not there is fetched, however long that takes. What lives, and what is there of it, is not touched.
    async fn prepare(&self, id: &AgentId, spec: &AgentSpec) -> Result<()> {
        self.plan(id, spec).map(drop)
    }
}

/// What would be started: what is said about it, line by line, in an order that reads well.
///
/// ```
/// use alveary_core::AgentPlan;
///
/// let plan = AgentPlan::default().with("program", "/bin/sh").with("limits.nofile", 1024);
/// assert_eq!(plan.to_string(), "program        /bin/sh\nlimits.nofile  1024\n");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AgentPlan(Vec<(&'static str, String)>);

impl AgentPlan {
    /// Says one thing more. One word may stand in several lines, as for each of several mounts.
    #[must_use]
    pub fn with(mut self, what: &'static str, is: impl fmt::Display) -> Self {
        self.0.push((what, is.to_string()));
        self
    }

    /// Says it where there is something to say.
    #[must_use]
    pub fn with_some(self, what: &'static str, is: Option<impl fmt::Display>) -> Self {
        match is {
            Some(is) => self.with(what, is),
            None => self,
        }
    }

    /// Says it of each.
    #[must_use]
    pub fn with_each(
        self,
        what: &'static str,
        all: impl IntoIterator<Item = impl fmt::Display>,
    ) -> Self {
        all.into_iter().fold(self, |plan, is| plan.with(what, is))
    }

    /// What is said, and of what.
    pub fn lines(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0.iter().map(|(what, is)| (*what, is.as_str()))
    }
}

/// A column of words and one of what they are, fit for a terminal.
impl fmt::Display for AgentPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.0.iter().map(|(what, _)| what.len()).max().unwrap_or(0);
        self.0
            .iter()
            .try_for_each(|(what, is)| writeln!(f, "{what:width$}  {}", Escaped(is)))
    }
}
