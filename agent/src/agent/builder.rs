//! What an agent is to be.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use alveary_core::AgentId;

use super::Agent;
use super::session::{Handlers, Session};
use crate::handler::Handler;
use crate::pricing::Pricing;
use crate::protocol::{Capabilities, Capability, InvalidCapability, Registration};
use crate::transport::Transport;

/// Describes an [`Agent`].
#[must_use = "an agent does nothing before it is built and run"]
pub struct AgentBuilder {
    name: String,
    id: Option<AgentId>,
    handlers: Vec<(Option<Capability>, Arc<dyn Handler>)>,
    pricing: Pricing,
    transport: Option<Arc<dyn Transport>>,
    concurrency: NonZeroUsize,
    grace: Duration,
    time_limit: Option<Duration>,
    /// The first capability that was given and is none.
    wrong: Option<InvalidCapability>,
}

/// What an agent cannot be without, or cannot have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Incomplete {
    /// It could hear of no task.
    #[error("the agent has no transport (give it one: `transport(HttpTransport::new(..)?)`)")]
    Transport,
    /// It could do no task.
    #[error("the agent has no handler (give it one: `capability(..)` or `handler(..)`)")]
    Handler,
    /// It can do too much.
    #[error(transparent)]
    Capabilities(#[from] InvalidCapability),
}

impl AgentBuilder {
    pub(super) fn new(name: String) -> Self {
        Self {
            name,
            id: None,
            handlers: Vec::new(),
            pricing: Pricing::default(),
            transport: None,
            concurrency: NonZeroUsize::MIN,
            grace: Duration::from_secs(5),
            time_limit: None,
            wrong: None,
        }
    }

    /// Gives the agent an identity; otherwise it draws one at random.
    pub fn id(mut self, id: AgentId) -> Self {
        self.id = Some(id);
        self
    }

    /// Gives it a capability, as a text or a [`Capability`], and who does the tasks that ask for it. What cannot be
    /// one is told by [`build`](Self::build).
    ///
    /// A task that asks for several goes to the handler of the first of them, in alphabetical order, that has
    /// one. A task that asks for nothing goes to [`handler`](Self::handler)'s, or else to the first given.
    pub fn capability<C>(mut self, capability: C, handler: impl Handler) -> Self
    where
        C: TryInto<Capability, Error: Into<InvalidCapability>>,
    {
        match capability.try_into() {
            Ok(capability) => self.handlers.push((Some(capability), Arc::new(handler))),
            Err(error) => self.wrong = self.wrong.or_else(|| Some(error.into())),
        }
        self
    }

    /// Gives it several capabilities that are one handler's.
    pub fn capabilities(mut self, all: &Capabilities, handler: impl Handler) -> Self {
        let handler: Arc<dyn Handler> = Arc::new(handler);
        let each = all
            .iter()
            .cloned()
            .map(|capability| (Some(capability), handler.clone()));
        self.handlers.extend(each);
        self
    }

    /// Says who does the tasks that ask for nothing in particular.
    pub fn handler(mut self, handler: impl Handler) -> Self {
        self.handlers.push((None, Arc::new(handler)));
        self
    }

    /// What it asks for a task: 10 to 100 sats at random unless said.
    pub fn bid(mut self, pricing: impl Into<Pricing>) -> Self {
        self.pricing = pricing.into();
        self
    }

    /// The way to its coordinator.
    pub fn transport(mut self, transport: impl Transport) -> Self {
        self.transport = Some(Arc::new(transport));
        self
    }

    /// How many tasks it does at a time: one unless said.
    pub fn concurrency(mut self, tasks: NonZeroUsize) -> Self {
        self.concurrency = tasks;
        self
    }

    /// How long it may go on, once it is asked to end, to finish what it has begun: five seconds unless said.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// How long a task may take; then it is called off and reported as failed.
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = Some(limit);
        self
    }

    /// The agent, if it has what it needs.
    pub fn build(self) -> Result<Agent, Incomplete> {
        if let Some(wrong) = self.wrong {
            return Err(wrong.into());
        }
        let transport = self.transport.ok_or(Incomplete::Transport)?;
        let named = self
            .handlers
            .iter()
            .filter_map(|(capability, _)| capability.clone());
        let registration = Registration {
            agent_id: self.id.unwrap_or_else(AgentId::random),
            name: self.name,
            capabilities: Capabilities::new(named)?,
        };
        let handlers = Handlers::new(&self.handlers).ok_or(Incomplete::Handler)?;
        Ok(Agent {
            session: Arc::new(Session::new(
                transport,
                registration,
                handlers,
                self.pricing,
                self.time_limit,
            )),
            concurrency: self.concurrency.get(),
            grace: self.grace,
        })
    }
}

impl fmt::Debug for AgentBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AgentBuilder")
            .field("name", &self.name)
            .field("id", &self.id)
            .field("pricing", &self.pricing)
            .field("transport", &self.transport)
            .finish_non_exhaustive()
    }
}
