//! Files of an agent that ends while they are asked for.
//!
//! Podman reaches the files of one that runs by its processes, and of one that has ended by where it is stored. In
//! between, for some tenths of a second, it has failed, or it says that there is nothing, or that all is well, and
//! gives an archive without a byte. Who asks again is answered.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::files::asked;
use crate::classify::{Class, Trouble};
use crate::container::Containers;
use crate::container::agent::Agent;
use crate::engine::{Answer, Engine};
use crate::http::archive::{self, Pieces, Stat};
use alveary_core::AgentPath;

/// For so long it may be in between; a machine that has much to do is slow in it.
const BETWEEN: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(50);

impl<E: Engine> Containers<E> {
    /// What stands at a path, if anything does.
    pub(super) async fn stands_at(&self, agent: &Agent, path: &AgentPath) -> Answer<Option<Stat>> {
        let (http, container) = (self.engine().http(), &agent.container.id);
        self.once_it_has_ended(
            || archive::look(http, container, path.as_str()),
            // That nothing is there it does not say of what is.
            |stat| matches!(stat, Err(trouble) if has_failed(trouble)),
        )
        .await
    }

    /// The archive of something that stood there when it was looked at.
    pub(super) async fn archive(&self, agent: &Agent, path: &AgentPath) -> Answer<Option<Pieces>> {
        let (http, container) = (self.engine().http(), &agent.container.id);
        self.once_it_has_ended(
            || archive::get(http, container, asked(path)),
            |pieces| match pieces {
                Ok(pieces) => pieces.is_none(),
                Err(trouble) => has_failed(trouble) || trouble.class == Class::Lost,
            },
        )
        .await
    }

    /// Asks until there is an answer that cannot come of an agent's end.
    async fn once_it_has_ended<T, F>(
        &self,
        ask: impl Fn() -> F,
        is_doubtful: impl Fn(&Answer<Option<T>>) -> bool,
    ) -> Answer<Option<T>>
    where
        F: Future<Output = Answer<Option<T>>>,
    {
        let podman = self.learn().await?.podman;
        let began = Instant::now();
        loop {
            let answer = ask().await;
            if !podman || !is_doubtful(&answer) || began.elapsed() > BETWEEN {
                return answer;
            }
            sleep(PAUSE).await;
        }
    }
}

/// Whether it is for no reason that is known here.
fn has_failed(trouble: &Trouble) -> bool {
    trouble.class == Class::Other
}
