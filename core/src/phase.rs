//! The steps of a start, as a backend tells them to whoever listens to traces.

use std::fmt;
use std::future::Future;
use std::time::{Duration, Instant};

use crate::id::AgentId;

/// A step of a start of which a backend tells how long it took.
///
/// It is told as an event of `tracing`, at level TRACE and with the target [`TARGET`](Self::TARGET): `agent` is the
/// agent's id, `phase` the step in one word, `took_ns` its time. Nobody listens unless told to, and then it costs next to
/// nothing. A backend whose engine does all in one step tells none.
///
/// ```
/// use alveary_core::{AgentId, SpawnPhase};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), String> {
/// let id = AgentId::random();
/// let container = SpawnPhase::Create.time(&id, async { Ok::<_, String>("c0ffee") }).await?;
/// # assert_eq!(container, "c0ffee");
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum SpawnPhase {
    /// Its image is fetched.
    Pull,
    /// All is made that it needs, short of the program itself: a container, a record and the files for its output.
    Create,
    /// Its program is begun.
    Start,
}

impl SpawnPhase {
    /// The target of the events.
    pub const TARGET: &'static str = "alveary::phase";

    /// The step in one word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Create => "create",
            Self::Start => "start",
        }
    }

    /// Does it, and tells how long it took if it was done. Dropping the call drops what it does, and tells nothing.
    pub async fn time<T, E>(
        self,
        id: &AgentId,
        step: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let begun = Instant::now();
        let done = step.await;
        if done.is_ok() {
            self.tell(id, begun.elapsed());
        }
        done
    }

    /// Tells how long it took.
    pub fn tell(self, id: &AgentId, took: Duration) {
        let took_ns = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        tracing::trace!(target: SpawnPhase::TARGET, agent = id.as_str(), phase = self.as_str(), took_ns);
    }
}

impl fmt::Display for SpawnPhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
