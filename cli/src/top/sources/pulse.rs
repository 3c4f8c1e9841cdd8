//! Whether the engine answers: what the manager says of agents it says from memory, and that always comes.

use std::time::Duration;

use alveary::{ListOptions, SwarmManager};
use futures_util::{Stream, stream};
use tokio::time::sleep;

use super::News;

/// How much time is between an answer and the next question.
const BETWEEN: Duration = Duration::from_secs(2);

/// Asks the engine again and again, and tells of each question before it is answered.
pub(super) fn pulse(swarm: &SwarmManager) -> impl Stream<Item = News> + use<> {
    stream::unfold((swarm.clone(), false), async |(swarm, is_asked)| {
        if !is_asked {
            sleep(BETWEEN).await;
            return Some((News::Asked, (swarm, true)));
        }
        let living = ListOptions::default().with_living_only(true);
        let news = match swarm.backend().list(living).await {
            Ok(_) => News::Answered,
            Err(error) => News::Silent(error.summary()),
        };
        Some((news, (swarm, false)))
    })
}
