//! What happens to the swarm's agents, as the engine tells it and an inspection confirms it.

use std::collections::VecDeque;

use alveary_core::{AgentEvent, Error, ErrorKind, EventStream, Operation, Result};
use futures_core::stream::BoxStream;
use futures_util::StreamExt;
use futures_util::stream::{self, ReadyChunks};

use super::Containers;
use crate::classify::Trouble;
use crate::engine::{Answer, Engine, Happening};
use crate::labels::{Marks, of_swarm};

/// So many are taken from the engine together, where it has told so many while one was looked at.
const AT_ONCE: usize = 256;

/// What the engine has told and nobody has looked at yet.
struct Heard {
    engine: ReadyChunks<BoxStream<'static, Answer<Happening>>>,
    waiting: VecDeque<Answer<Happening>>,
}

impl Heard {
    /// Of what waits, the latest about a container says all: each is only a hint to look at it as it is now.
    async fn next(&mut self) -> Option<Answer<Happening>> {
        loop {
            if self.waiting.is_empty() {
                self.waiting.extend(self.engine.next().await?);
            }
            match self.waiting.pop_front()? {
                Ok(happening) if self.tells_later(&happening) => {}
                told => return Some(told),
            }
        }
    }

    fn tells_later(&self, of: &Happening) -> bool {
        let mut later = self.waiting.iter().flatten();
        later.any(|later| later.container == of.container && later.name == of.name)
    }
}

impl<E: Engine> Containers<E> {
    pub(super) async fn event_stream(&self) -> Result<EventStream> {
        let asked = |trouble: Trouble| trouble.error(Operation::Events);
        // Whoever subscribes anew has lost the engine for a moment.
        self.meet_again().await.map_err(asked)?;
        let events = self.engine().events(&of_swarm(self.0.swarm)).await;
        let events = events.map_err(asked)?;
        let heard = Heard {
            engine: events.ready_chunks(AT_ONCE),
            waiting: VecDeque::new(),
        };
        let state = Some((self.clone(), heard, self.0.comings.subscribe()));
        Ok(EventStream::new(stream::unfold(state, |state| async {
            let (this, mut heard, mut comings) = state?;
            loop {
                let told = tokio::select! {
                    told = heard.next() => match told {
                        Some(Ok(happening)) => this.event(happening).await,
                        Some(Err(trouble)) => Err(trouble),
                        None => return Some((Err(ended()), None)),
                    },
                    coming = comings.recv() => Ok(Some(match coming {
                        Ok(event) => event,
                        // The sender lives as long as `this`.
                        Err(_) => AgentEvent::Lagged,
                    })),
                };
                match told {
                    Ok(None) => {}
                    Ok(Some(event)) => return Some((Ok(event), Some((this, heard, comings)))),
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
    .with_cure("see whether it lives; then subscribe again")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::engine::Ref;

    fn happening(id: &str, gone: bool) -> Happening {
        Happening {
            container: Ref::new(id).unwrap(),
            name: id.to_owned(),
            labels: BTreeMap::new(),
            gone,
        }
    }

    #[tokio::test]
    async fn what_is_told_of_a_container_together_is_looked_at_once_and_nothing_is_missed() {
        let told = ["a", "b", "a", "a"].map(|id| happening(id, false));
        let told = told.into_iter().chain([happening("b", true)]);
        let mut heard = Heard {
            engine: stream::iter(told.map(Ok)).boxed().ready_chunks(AT_ONCE),
            waiting: VecDeque::new(),
        };
        let mut seen = Vec::new();
        while let Some(Ok(happening)) = heard.next().await {
            seen.push((happening.container.as_str().to_owned(), happening.gone));
        }
        assert_eq!(seen, [("a".to_owned(), false), ("b".to_owned(), true)]);
    }
}
