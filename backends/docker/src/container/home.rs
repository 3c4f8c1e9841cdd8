//! The engine that a swarm is on: the one that it was brought up with, and no other that answers at its address.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use alveary_core::{Error, Operation, Result};

use super::Containers;
use crate::classify::{Class, Trouble};
use crate::engine::{Answer, Engine};

/// Podman draws an id anew whenever it is asked for one: of it, only what it is can be known again.
const PODMAN: &str = "podman";

/// Of an engine that does not say which it is nothing can be known again.
const UNNAMED: &str = "unnamed";

/// Which engine that is, and whether it is the one that answers.
#[derive(Debug)]
pub(super) struct Home {
    /// Where all managers of the swarm on this host read it; `None` where it keeps nothing on disk.
    file: Option<PathBuf>,
    /// Whether another may take its place.
    adopt: bool,
    memory: Mutex<Option<String>>,
    /// That it answers was seen, by this process and since the engine was last away.
    met: AtomicBool,
    /// Who sees to the first of the swarm.
    settling: tokio::sync::Mutex<()>,
    /// What answers, asked once.
    answers: tokio::sync::Mutex<Option<String>>,
}

impl Home {
    pub(super) fn new(file: Option<PathBuf>, adopt: bool) -> Self {
        Self {
            file,
            adopt,
            memory: Mutex::default(),
            met: AtomicBool::new(false),
            settling: tokio::sync::Mutex::default(),
            answers: tokio::sync::Mutex::default(),
        }
    }

    fn memory(&self) -> MutexGuard<'_, Option<String>> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn recorded(&self) -> io::Result<Option<String>> {
        let Some(file) = &self.file else {
            return Ok(self.memory().clone());
        };
        match fs::read_to_string(file) {
            Ok(id) => Ok(Some(id.trim().to_owned()).filter(|id| !id.is_empty())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Records it where nothing is recorded, or in place of what is.
    fn record(&self, id: &str, instead: bool) -> io::Result<()> {
        let Some(file) = &self.file else {
            let mut memory = self.memory();
            if instead || memory.is_none() {
                *memory = Some(id.to_owned());
            }
            return Ok(());
        };
        let folder = file.parent().unwrap_or(file);
        let mut written = tempfile::Builder::new()
            .prefix(".engine")
            .tempfile_in(folder)?;
        writeln!(written, "{id}")?;
        let kept = if instead {
            written.persist(file)
        } else {
            written.persist_noclobber(file)
        };
        match kept {
            // Another process was first: what it has recorded counts.
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            kept => kept.map(drop).map_err(|error| error.error),
        }
    }

    fn forget(&self) -> io::Result<()> {
        self.met.store(false, Ordering::Release);
        *self.memory() = None;
        match self.file.as_ref().map(fs::remove_file) {
            Some(Err(error)) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

impl<E: Engine> Containers<E> {
    /// Sees to it, once, that the engine that answers is the swarm's. Where no agent of it was ever made, any is.
    ///
    /// [`Class::OtherEngine`]: it is not, and nothing is to be asked of it.
    pub(super) async fn meet(&self) -> Answer<()> {
        let home = &self.0.home;
        if home.met.load(Ordering::Acquire) {
            return Ok(());
        }
        let Some(recorded) = home.recorded().map_err(|error| unrecorded(&error))? else {
            return Ok(());
        };
        let answers = self.what_answers().await?;
        if answers != recorded && answers != UNNAMED && recorded != UNNAMED {
            if !home.adopt {
                return Err(Trouble::new(
                    Class::OtherEngine,
                    format!("it goes by {answers}, and the swarm's by {recorded}"),
                ));
            }
            home.record(&answers, true)
                .map_err(|error| unrecorded(&error))?;
        }
        home.met.store(true, Ordering::Release);
        Ok(())
    }

    /// The same, before anything of the swarm is made there. From the first on that engine is the swarm's.
    ///
    /// `Conflict`: it is another, or what is of another uid has the swarm's names there.
    pub(super) async fn settle(&self) -> Result<()> {
        let asked = |trouble: Trouble| trouble.error(Operation::Spawn);
        let home = &self.0.home;
        self.meet().await.map_err(asked)?;
        let is_recorded = || {
            let recorded = home
                .recorded()
                .map_err(|error| unrecorded(&error))
                .map_err(asked)?;
            Ok::<_, Error>(recorded.is_some())
        };
        if is_recorded()? {
            return Ok(());
        }
        let _turn = home.settling.lock().await;
        if !is_recorded()? {
            if !home.adopt {
                self.has_its_names_alone().await?;
            }
            let answers = self.what_answers().await.map_err(asked)?;
            home.record(&answers, false)
                .map_err(|error| unrecorded(&error))
                .map_err(asked)?;
        }
        // Another process may have been first, and with another engine.
        home.met.store(false, Ordering::Release);
        self.meet().await.map_err(asked)
    }

    /// The engine may have been away, and another may have come in its place.
    pub(super) async fn meet_again(&self) -> Answer<()> {
        self.0.home.met.store(false, Ordering::Release);
        *self.0.home.answers.lock().await = None;
        // In whichever version it has come back.
        self.engine().facts().await?;
        self.meet().await
    }

    /// Nothing of the swarm is left there: it may be brought up elsewhere.
    pub(super) fn leave(&self) {
        if let Err(error) = self.0.home.forget() {
            tracing::warn!(%error, "it stays recorded which engine the swarm was on");
        }
    }

    async fn what_answers(&self) -> Answer<String> {
        let mut known = self.0.home.answers.lock().await;
        if let Some(answers) = &*known {
            return Ok(answers.clone());
        }
        let answers = if self.learn().await?.podman {
            PODMAN.to_owned()
        } else {
            match self.engine().id().await {
                Ok(id) if !id.is_empty() => id,
                Ok(_) => UNNAMED.to_owned(),
                Err(trouble) if says_nothing(trouble.class) => {
                    tracing::debug!(words = %trouble.words, "the engine does not say which it is");
                    UNNAMED.to_owned()
                }
                Err(trouble) => return Err(trouble),
            }
        };
        Ok(known.insert(answers).clone())
    }
}

/// Who stands before an engine may let through no more than what containers need.
fn says_nothing(class: Class) -> bool {
    matches!(
        class,
        Class::Refused | Class::Other | Class::BadRequest | Class::NoContainer
    )
}

fn unrecorded(error: &io::Error) -> Trouble {
    Trouble::new(
        Class::NoRecord,
        format!("which engine the swarm is on: {error}"),
    )
}
