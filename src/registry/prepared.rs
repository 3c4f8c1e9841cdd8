//! Settings that were read, and the backend that they lead to.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use alveary_core::{
    AgentBackend, AgentId, ConnectContext, Error, ErrorKind, Escaped, Operation, Result,
};

use super::Connect;
use crate::config::{Fleet, Place};

/// A backend, or a few of them, whose settings are right.
pub struct Prepared {
    /// What is to be run, where it is to be decided by what.
    pub(super) auto: Option<Fleet>,
    /// How long `auto` waits for one.
    pub(super) patience: Duration,
    pub(super) candidates: Vec<(&'static str, Connect)>,
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}

/// A backend that was connected to.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Connected {
    /// The backend, with nothing around it yet: see [`layers`](crate::layers).
    pub backend: Arc<dyn AgentBackend>,
    /// How it was chosen, where it was to be the first that can be reached.
    pub auto: Option<AutoChoice>,
}

/// What `auto` took, and why not another.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AutoChoice {
    /// The backend that was taken.
    pub taken: &'static str,
    /// Those that were tried before it, each with what spoke against it.
    pub tried: Vec<(&'static str, String)>,
}

impl fmt::Display for AutoChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "took {}", self.taken)?;
        for (name, reason) in &self.tried {
            write!(f, "; not {name}: {}", Escaped(reason))?;
        }
        Ok(())
    }
}

impl Prepared {
    /// The backends that will be tried, in their order.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.candidates.iter().map(|(name, _)| *name)
    }

    /// Connects. `context` gives each backend that is tried what is its own.
    ///
    /// A backend that was named is taken as it is, whether or not its engine lives. `auto` takes the first
    /// whose [`check`](AgentBackend::check) succeeds, but none that makes agents of images where nobody names one.
    /// `EngineUnavailable`: there is none, each with its reason.
    pub async fn connect(
        self,
        mut context: impl FnMut(&'static str) -> Result<ConnectContext>,
    ) -> Result<Connected> {
        let mut tried = Vec::new();
        for (name, connect) in self.candidates {
            let context = context(name)?;
            let Some(fleet) = &self.auto else {
                let backend = connect(context).await?;
                return Ok(Connected {
                    backend,
                    auto: None,
                });
            };
            match reach(connect, context, fleet, self.patience).await {
                Ok(backend) => {
                    let taken = name;
                    return Ok(Connected {
                        backend,
                        auto: Some(AutoChoice { taken, tried }),
                    });
                }
                Err(error) => tried.push((name, error.to_string())),
            }
        }
        let reasons: Vec<_> = tried
            .iter()
            .map(|(name, reason)| format!("{name}: {reason}"))
            .collect();
        let message = if reasons.is_empty() {
            "`auto` has no backend to try".to_owned()
        } else {
            format!("`auto` reaches no backend; {}", reasons.join("; "))
        };
        Err(
            Error::new(ErrorKind::EngineUnavailable, Operation::Connect, message)
                .with_cure("mend one of them, or name one by `backend`"),
        )
    }
}

/// Connects and sees whether anybody is there, and has what agents are made of.
async fn reach(
    connect: Connect,
    context: ConnectContext,
    fleet: &Fleet,
    patience: Duration,
) -> Result<Arc<dyn AgentBackend>> {
    let reached = async {
        let backend = connect(context).await?;
        backend.check().await?;
        match without_images(fleet, &*backend) {
            Some(refused) => Err(refused),
            None => Ok(backend),
        }
    };
    tokio::time::timeout(patience, reached)
        .await
        .unwrap_or_else(|_| {
            Err(Error::new(
                ErrorKind::EngineUnavailable,
                Operation::Check,
                format!(
                    "it did not answer within {}",
                    humantime::format_duration(patience)
                ),
            )
            .with_cure("see that it runs"))
        })
}

/// Why agents cannot be made here, where that is because neither they nor the backend's settings name an image. What
/// else speaks against an agent is told when it is started: that is no reason to run it somewhere else.
fn without_images(fleet: &Fleet, backend: &dyn AgentBackend) -> Option<Error> {
    let plans = backend.plans()?;
    let place = Place::of(std::env::current_exe().ok()?, &backend.capabilities());
    let mut refused = None;
    for agent in fleet.agents() {
        let Some(member) = agent.first_member() else {
            continue;
        };
        let id = AgentId::random();
        let spec = fleet.spec(&member, &id, &place).ok()?;
        if !place.container || spec.container.image.is_some() {
            return None;
        }
        refused = Some(plans.plan(&id, &spec).err()?);
    }
    refused
}
