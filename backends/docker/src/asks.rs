//! What was sent to which container, so that whoever reads its end later knows who brought it about. Engines
//! keep no such record.

use std::collections::HashMap;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use alveary_core::Signal;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};

use crate::engine::Ref;

/// Whether a signal was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Sent {
    #[default]
    No,
    /// It is being sent, or its answer was lost.
    Perhaps,
    Yes,
}

/// What was sent to a container.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Ask {
    /// The signal that asks.
    pub(crate) term: Sent,
    /// Force.
    pub(crate) kill: Sent,
    /// Signals that wait until it goes on: engines let a paused container go on where they deliver one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) held: Vec<Signal>,
}

impl Ask {
    fn is_open(&self) -> bool {
        self.term == Sent::Perhaps || self.kill == Sent::Perhaps
    }

    /// Whether somebody wants it to end.
    pub(crate) fn is_any(&self) -> bool {
        self.term != Sent::No || self.kill != Sent::No
    }
}

/// How long the outcome of a sending that is under way elsewhere is waited for.
const PATIENCE: Duration = Duration::from_secs(2);

/// A sending of which nothing was recorded for so long is not under way any more: whoever was at it got no answer, or
/// has died.
const OVER: Duration = Duration::from_secs(10);
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// The asks of one swarm: in a folder that all its managers on this host share, or in memory where it keeps
/// nothing on disk.
#[derive(Debug)]
pub(crate) enum Asks {
    Shared(PathBuf),
    Alone(Mutex<HashMap<Ref, (Ask, Instant)>>),
}

impl Asks {
    pub(crate) fn new(folder: Option<PathBuf>) -> Self {
        folder.map_or_else(|| Self::Alone(Mutex::default()), Self::Shared)
    }

    /// What was sent, as far as is known now.
    pub(crate) fn get(&self, container: &Ref) -> Ask {
        self.dated(container).0
    }

    /// The same, and how long ago it was recorded.
    fn dated(&self, container: &Ref) -> (Ask, Duration) {
        let recorded = match self {
            Self::Alone(asks) => locked(asks)
                .get(container)
                .map(|(ask, at)| (ask.clone(), at.elapsed())),
            // Nobody ever writes half a record; what cannot be read says nothing.
            Self::Shared(folder) => read(&folder.join(container.as_str())),
        };
        recorded.unwrap_or_default()
    }

    /// Until when whoever asks now waits for outcomes.
    pub(crate) fn patience() -> Instant {
        Instant::now() + PATIENCE
    }

    /// What was sent, after a sending that is under way has come to its outcome, or has taken too long.
    pub(crate) async fn settled(&self, container: &Ref, until: Instant) -> Ask {
        loop {
            let (ask, age) = self.dated(container);
            if !ask.is_open() || age >= OVER || Instant::now() >= until {
                return ask;
            }
            sleep(LOOK_AGAIN).await;
        }
    }

    /// Records what is about to be, or was, sent.
    pub(crate) fn set(&self, container: &Ref, ask: &Ask) -> io::Result<()> {
        let nothing = *ask == Ask::default();
        match self {
            Self::Alone(asks) if nothing => {
                locked(asks).remove(container);
            }
            Self::Alone(asks) => {
                locked(asks).insert(container.clone(), (ask.clone(), Instant::now()));
            }
            Self::Shared(folder) if nothing => {
                return match fs::remove_file(folder.join(container.as_str())) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                    _ => Ok(()),
                };
            }
            Self::Shared(folder) => {
                let mut file = tempfile::Builder::new()
                    .prefix(".ask")
                    .tempfile_in(folder)?;
                serde_json::to_writer(&mut file, ask)?;
                file.persist(folder.join(container.as_str()))
                    .map_err(|error| error.error)?;
            }
        }
        Ok(())
    }

    /// The container is gone.
    pub(crate) fn forget(&self, container: &Ref) {
        if let Err(error) = self.set(container, &Ask::default()) {
            tracing::debug!(%error, "a record of what was sent is left behind");
        }
    }
}

fn locked<T>(asks: &Mutex<T>) -> MutexGuard<'_, T> {
    asks.lock().unwrap_or_else(PoisonError::into_inner)
}

fn read(file: &Path) -> Option<(Ask, Duration)> {
    let mut file = fs::File::open(file).ok()?;
    let at = file.metadata().and_then(|data| data.modified()).ok()?;
    let mut text = Vec::new();
    file.read_to_end(&mut text).ok()?;
    // What is of a time to come is of a clock that was set back since.
    let age = at.elapsed().unwrap_or(Duration::MAX);
    Some((serde_json::from_slice(&text).ok()?, age))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container() -> Ref {
        Ref::new("0123abcd").unwrap()
    }

    #[test]
    fn another_manager_reads_what_one_has_sent() {
        let folder = tempfile::tempdir().unwrap();
        let [one, other] = [(); 2].map(|()| Asks::new(Some(folder.path().to_owned())));
        let ask = Ask {
            term: Sent::Yes,
            ..Ask::default()
        };
        one.set(&container(), &ask).unwrap();
        assert_eq!(other.get(&container()), ask);
        one.forget(&container());
        assert_eq!(other.get(&container()), Ask::default());
        assert!(fs::read_dir(folder.path()).unwrap().next().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_sending_whose_outcome_never_comes_stays_open() {
        let asks = Asks::new(None);
        let open = Ask {
            term: Sent::Perhaps,
            ..Ask::default()
        };
        asks.set(&container(), &open).unwrap();
        let began = Instant::now();
        let settled = asks.settled(&container(), Asks::patience()).await;
        assert_eq!(settled, open);
        assert!(began.elapsed() >= PATIENCE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_sending_of_long_ago_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        for asks in [Asks::new(None), Asks::new(Some(folder.path().to_owned()))] {
            let open = Ask {
                kill: Sent::Perhaps,
                ..Ask::default()
            };
            asks.set(&container(), &open).unwrap();
            tokio::time::advance(OVER).await;
            if let Asks::Shared(folder) = &asks {
                let file = folder.join(container().as_str());
                let file = fs::File::options().append(true).open(file).unwrap();
                file.set_modified(std::time::SystemTime::now() - OVER)
                    .unwrap();
            }
            let asked = Instant::now();
            let settled = asks.settled(&container(), Asks::patience()).await;
            assert_eq!((settled, asked.elapsed()), (open, Duration::ZERO));
        }
    }
}
