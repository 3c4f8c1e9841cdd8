//! Fetching images: once for however many agents want one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use alveary_core::{Error, ErrorKind, Fetch, FetchStage, FetchUnit, Operation, Result};
use tokio::time::Instant;

use super::Containers;
use super::coming::Comings;
use crate::classify::Class;
use crate::engine::Engine;

/// Which image is being fetched by whom.
#[derive(Debug, Default)]
pub(super) struct Pulls(Mutex<HashMap<String, Arc<tokio::sync::Mutex<u64>>>>);

/// What engines tell many times in a second is told on so often.
const PACE: Duration = Duration::from_millis(200);

/// A pull that is told of, until its end.
struct Progress<'a> {
    comings: &'a Comings,
    image: &'a str,
    told: Instant,
    stage: FetchStage,
}

impl<'a> Progress<'a> {
    fn begin(comings: &'a Comings, image: &'a str) -> Self {
        let this = Self {
            comings,
            image,
            told: Instant::now(),
            stage: FetchStage::UnderWay {
                done: 0,
                total: None,
                unit: FetchUnit::Parts,
            },
        };
        this.tell();
        this
    }

    fn under_way(&mut self, stage: FetchStage) {
        if stage != self.stage && self.told.elapsed() >= PACE {
            self.told = Instant::now();
            self.stage = stage;
            self.tell();
        }
    }

    fn arrive(mut self) {
        self.stage = FetchStage::Here;
    }

    fn tell(&self) {
        self.comings.fetching(Fetch::new(self.image, self.stage));
    }
}

/// Its end is told whatever it is: an error, or that nobody waits for it any more.
impl Drop for Progress<'_> {
    fn drop(&mut self) {
        if self.stage != FetchStage::Here {
            self.stage = FetchStage::GivenUp;
        }
        self.tell();
    }
}

impl<E: Engine> Containers<E> {
    /// Fetches an image, or waits for one who is fetching it.
    pub(super) async fn pull(&self, image: &str) -> Result<()> {
        let pull = {
            let mut pulls = self
                .0
                .pulls
                .0
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            pulls.retain(|_, pull| Arc::strong_count(pull) > 1);
            Arc::clone(pulls.entry(image.to_owned()).or_default())
        };
        let waits = pull.try_lock().is_err();
        let mut fetched = pull.lock().await;
        // It has come while this one waited.
        if waits && *fetched > 0 {
            return Ok(());
        }
        tracing::info!(image, "pulling");
        let mut progress = Progress::begin(&self.0.comings, image);
        let mut tell = |stage| progress.under_way(stage);
        match self.engine().pull(image, &mut tell).await {
            Ok(()) => {
                *fetched += 1;
                progress.arrive();
                Ok(())
            }
            Err(trouble) => Err(match trouble.class {
                Class::Unreachable | Class::Denied | Class::Full => trouble.error(Operation::Spawn),
                _ => Error::new(
                    ErrorKind::ImageNotFound,
                    Operation::Spawn,
                    format!("the image `{image}` is not there and cannot be pulled"),
                )
                .engine_words(trouble.words)
                .cure("build it, name another in `container.image`, or see to it that its registry can be reached"),
            }),
        }
    }
}
