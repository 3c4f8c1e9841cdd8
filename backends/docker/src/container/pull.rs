//! Fetching images: once for however many agents want one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use alveary_core::{Error, ErrorKind, Fetch, FetchStage, FetchUnit, Operation, Result, Retry};
use tokio::time::Instant;

use super::Containers;
use super::coming::Comings;
use crate::classify::{Class, STALLED, Trouble, tells_of_no_login, tells_of_no_registry};
use crate::engine::Engine;

/// Which image is being fetched by whom, and of which it was seen just now that it cannot be.
#[derive(Debug, Default)]
pub(super) struct Pulls(Mutex<HashMap<String, Arc<tokio::sync::Mutex<Last>>>>);

/// What came of fetching an image.
#[derive(Debug, Default)]
struct Last {
    /// How often it has come.
    came: u64,
    failed: Option<(Instant, Trouble)>,
}

impl Last {
    /// Why it cannot be had, as it was found out just now.
    fn refusal(&self) -> Option<&Trouble> {
        let (since, trouble) = self.failed.as_ref()?;
        (since.elapsed() < REFUSED_FOR).then_some(trouble)
    }
}

/// An image that could not be fetched is not asked for again so soon: all those of a swarm that want it are told
/// what one of them has found out, and a registry is not asked by each of them.
const REFUSED_FOR: Duration = Duration::from_secs(3);

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
            // Nobody waits for it, and nobody is to be told what came of it.
            pulls.retain(|_, pull| {
                let last = pull.try_lock();
                last.is_err()
                    || Arc::strong_count(pull) > 1
                    || last.is_ok_and(|last| last.refusal().is_some())
            });
            Arc::clone(pulls.entry(image.to_owned()).or_default())
        };
        let waits = pull.try_lock().is_err();
        let mut last = pull.lock().await;
        // It has come while this one waited.
        if waits && last.came > 0 {
            return Ok(());
        }
        if let Some(trouble) = last.refusal() {
            return Err(not_fetched(image, trouble.clone()));
        }
        tracing::info!(image, "pulling");
        let mut progress = Progress::begin(&self.0.comings, image);
        let mut tell = |stage| progress.under_way(stage);
        match self.engine().pull(image, &mut tell).await {
            Ok(()) => {
                last.came += 1;
                progress.arrive();
                Ok(())
            }
            Err(trouble) => {
                last.failed = Some((Instant::now(), trouble.clone()));
                Err(not_fetched(image, trouble))
            }
        }
    }
}

fn not_fetched(image: &str, trouble: Trouble) -> Error {
    let error = match trouble.class {
        // Of the engine, or of what it was asked, and not of the image.
        class if class.is_of_the_way() => return trouble.error(Operation::Spawn),
        Class::Full | Class::BadRequest => return trouble.error(Operation::Spawn),
        // Nothing of the agent is begun, whatever became of the image.
        Class::Lost => Error::new(
            ErrorKind::EngineUnavailable,
            Operation::Spawn,
            format!("the engine broke off while it fetched the image `{image}`"),
        )
        .with_cure("see whether the engine runs, and start it again")
        .with_retry(Retry::After(REFUSED_FOR)),
        Class::Stalled => Error::new(
            ErrorKind::Timeout,
            Operation::Spawn,
            format!("the image `{image}` does not come"),
        )
        .with_cure(STALLED),
        Class::Other if tells_of_no_registry(&trouble.words) => Error::new(
            ErrorKind::ImageNotFound,
            Operation::Spawn,
            format!("the image `{image}` is not there, and the engine does not reach its registry"),
        )
        .with_cure("see to it that the engine's host reaches the registry, or build the image"),
        _ if tells_of_no_login(&trouble.words) => Error::new(
            ErrorKind::ImageNotFound,
            Operation::Spawn,
            format!("the image `{image}` is not there, or its registry wants another login"),
        )
        .with_cure("log in to its registry with `docker login` (Podman's program: `podman login`), build it, or name another in `container.image`"),
        _ => Error::new(
            ErrorKind::ImageNotFound,
            Operation::Spawn,
            format!("the image `{image}` is not there and cannot be pulled"),
        )
        .with_cure("build it, name another in `container.image`, or see to it that its registry can be reached"),
    };
    error.with_engine_words(trouble.words)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The kind of what is told of an image, and what is told.
    fn told(trouble: Trouble) -> (ErrorKind, Retry, String) {
        let words = trouble.words.clone();
        let error = not_fetched("far:1", trouble);
        assert!(error.cure().is_some(), "{error}");
        assert_eq!(error.engine_words(), Some(words.as_str()));
        (error.kind(), error.retry(), error.to_string())
    }

    #[test]
    fn an_engine_that_breaks_off_does_not_say_that_the_image_is_not_there() {
        let ended = Trouble::new(Class::Lost, "connection closed before message completed");
        let (kind, retry, sentence) = told(ended);
        assert_eq!(kind, ErrorKind::EngineUnavailable, "{sentence}");
        assert!(matches!(retry, Retry::After(_)), "{retry:?}");
        for class in [Class::Unreachable, Class::Absent, Class::OtherEngine] {
            let (kind, _, sentence) = told(Trouble::new(class, "x"));
            assert_ne!(kind, ErrorKind::ImageNotFound, "{sentence}");
        }
    }

    #[test]
    fn a_registry_that_is_not_reached_is_no_engine_that_is_not_reached() {
        for words in [
            "Get \"https://127.0.0.1:9/v2/\": dial tcp 127.0.0.1:9: connect: connection refused",
            "Get \"https://x.example.com/v2/\": dial tcp: lookup x.example.com: no such host",
            "failed to resolve reference \"x.example.com/a:1\": failed to do request: Head \"https://x.example.com/v2/a/manifests/1\": dial tcp 192.0.2.1:443: i/o timeout",
            "Get \"https://x.example.com/v2/\": net/http: request canceled while waiting for connection (Client.Timeout exceeded while awaiting headers)",
        ] {
            let (kind, retry, sentence) = told(Trouble::said(Some(500), words));
            assert_eq!((kind, retry), (ErrorKind::ImageNotFound, Retry::Never));
            assert!(
                sentence.contains("does not reach its registry"),
                "{sentence}"
            );
        }
        let unknown = Trouble::said(Some(404), "manifest for far:1 not found: manifest unknown");
        let (kind, _, sentence) = told(unknown);
        assert_eq!(kind, ErrorKind::ImageNotFound);
        assert!(sentence.contains("cannot be pulled"), "{sentence}");
    }

    #[test]
    fn a_registry_that_wants_a_login_is_told_with_the_way_to_one() {
        for words in [
            "Get \"https://127.0.0.1:5000/v2/agent/manifests/1\": no basic auth credentials",
            "Head \"https://ghcr.io/v2/a/manifests/1\": unauthorized: authentication required",
            "pull access denied for agent, repository does not exist or may require 'docker login'",
            "initializing source docker://127.0.0.1:5000/agent:1: reading manifest 1 in 127.0.0.1:5000/agent: authentication required",
            "reading manifest latest in docker.io/library/agent: requested access to the resource is denied",
            "denied: Your authorization token has expired. Reauthenticate and try again.",
        ] {
            let trouble = Trouble::said(Some(500), words);
            let error = not_fetched("far:1", trouble);
            assert_eq!(error.kind(), ErrorKind::ImageNotFound, "{error}");
            assert!(error.to_string().contains("login"), "{error}");
            assert!(error.cure().unwrap().contains("docker login"), "{error}");
        }
    }

    #[test]
    fn a_name_that_no_engine_takes_is_the_specs_fault() {
        let (kind, ..) = told(Trouble::said(None, "invalid reference format"));
        assert_eq!(kind, ErrorKind::InvalidSpec);
    }
}
