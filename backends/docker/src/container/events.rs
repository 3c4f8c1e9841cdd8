//! What happens to the swarm's agents, as the engine tells it and an inspection confirms it.

use alveary_core::{AgentEvent, Error, ErrorKind, EventStream, Operation, Result};
use futures_util::StreamExt;
use futures_util::stream;

use super::Containers;
use crate::classify::Trouble;
use crate::engine::{Engine, Happening};
use crate::labels::{Marks, of_swarm};

impl<E: Engine> Containers<E> {
    pub(super) async fn event_stream(&self) -> Result<EventStream> {
        let events = self
            .engine()
            .events(&of_swarm(self.0.swarm))
            .await
            .map_err(|trouble| trouble.error(Operation::Events))?;
        let state = Some((self.clone(), events, self.0.comings.subscribe()));
        Ok(EventStream::new(stream::unfold(state, |state| async {
            let (this, mut events, mut comings) = state?;
            loop {
                let told = tokio::select! {
                    told = events.next() => match told {
                        Some(Ok(happening)) => this.event(happening).await,
                        Some(Err(trouble)) => Err(trouble),
                        None => return Some((Err(ended()), None)),
                    },
                    coming = comings.recv() => Ok(Some(match coming {
                        Ok(info) => AgentEvent::Changed(info),
                        // The sender lives as long as `this`.
                        Err(_) => AgentEvent::Lagged,
                    })),
                };
                match told {
                    Ok(None) => {}
                    Ok(Some(event)) => return Some((Ok(event), Some((this, events, comings)))),
                    Err(trouble) => return Some((Err(trouble.error(Operation::Events)), None)),
                }
            }
        })))
    }

    /// Engines tell of a moment that is past; what is told on is how things stand now, so that nothing goes
    /// back.
    async fn event(&self, happening: Happening) -> Result<Option<AgentEvent>, Trouble> {
        let Some(marks) = Marks::from_labels(&happening.labels) else {
            return Ok(None);
        };
        // What waits to take an agent's place is nobody yet.
        if marks.swarm != self.0.swarm || happening.name != self.0.names.of(&marks.id) {
            return Ok(None);
        }
        // Until it has started it is told as one that is coming, and then as it stands.
        if self.0.comings.hides(&marks.id) {
            return Ok(None);
        }
        if happening.gone {
            // Where the next start takes its place, the agent is not gone.
            if let Some(agent) = self.look_for(&marks.id).await? {
                return Ok(Some(AgentEvent::Changed(self.info(&agent).await)));
            }
            return Ok(Some(AgentEvent::Removed {
                id: marks.id,
                incarnation: marks.incarnation,
            }));
        }
        let found = self.engine().inspect(&happening.container).await?;
        match found.and_then(|container| self.ours(container)) {
            Some(agent) => Ok(Some(AgentEvent::Changed(self.info(&agent).await))),
            // It went meanwhile, which is told next.
            None => Ok(None),
        }
    }
}

fn ended() -> Error {
    Error::new(
        ErrorKind::EngineUnavailable,
        Operation::Events,
        "the engine ended the stream of events",
    )
    .cure("see whether it lives; then subscribe again")
}
