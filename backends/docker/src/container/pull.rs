//! Fetching images: once for however many agents want one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use alveary_core::{Error, ErrorKind, Operation, Result};

use super::Containers;
use crate::classify::Class;
use crate::engine::Engine;

/// Which image is being fetched by whom.
#[derive(Debug, Default)]
pub(super) struct Pulls(Mutex<HashMap<String, Arc<tokio::sync::Mutex<u64>>>>);

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
        match self.engine().pull(image).await {
            Ok(()) => {
                *fetched += 1;
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
