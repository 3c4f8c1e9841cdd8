//! How to bring a swarm up, and who is told how it goes.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use alveary_core::{AgentInfo, Error};

use super::report::UpStep;
use crate::config::Member;

/// How to bring a swarm up.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct UpOptions {
    /// Only these, by their own name or that of their kind, and whoever is to be ready before them. All
    /// where there are none.
    pub names: Vec<String>,
    /// Whether those are removed that are in the swarm and not in the file.
    pub prune: bool,
    /// Whether those that are asked for are started anew, too, that run as the file says; whoever else is to be
    /// ready before them is left as it is.
    pub recreate: bool,
    /// Whether none of those that are asked for is taken that lives already, or that somebody else is starting: it is
    /// `AlreadyExists` then, and nothing is done.
    pub refuse_living: bool,
    /// Whether each is waited for until it is ready; otherwise only those that others come after. One without a check
    /// has to run for a moment then, and who has ended badly by the time that all are ready is told of.
    pub wait_ready: bool,
    /// What `{exe}` stands for: this very program unless said.
    pub exe: Option<PathBuf>,
    /// Told of every step as it is taken.
    pub progress: Option<Arc<ProgressFn>>,
}

/// Who is told of the steps that [`up`](crate::SwarmManager::up) takes, from several at once. It is not waited for by
/// the agents, but by the caller: it had better be quick.
pub type ProgressFn = dyn Fn(UpEvent<'_>) + Send + Sync;

impl fmt::Debug for UpOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpOptions")
            .field("names", &self.names)
            .field("prune", &self.prune)
            .field("recreate", &self.recreate)
            .field("refuse_living", &self.refuse_living)
            .field("wait_ready", &self.wait_ready)
            .field("exe", &self.exe)
            .field("progress", &self.progress.is_some())
            .finish()
    }
}

impl UpOptions {
    /// Takes only these.
    #[must_use]
    pub fn with_names<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.names = names.into_iter().map(Into::into).collect();
        self
    }

    /// Removes what is not in the file.
    #[must_use]
    pub fn with_prune(mut self, prune: bool) -> Self {
        self.prune = prune;
        self
    }

    /// Starts anew what runs as the file says, too.
    #[must_use]
    pub fn with_recreate(mut self, recreate: bool) -> Self {
        self.recreate = recreate;
        self
    }

    /// Takes none that lives already.
    #[must_use]
    pub fn with_refuse_living(mut self, refuse_living: bool) -> Self {
        self.refuse_living = refuse_living;
        self
    }

    /// Waits for each until it is ready.
    #[must_use]
    pub fn with_wait_ready(mut self, wait_ready: bool) -> Self {
        self.wait_ready = wait_ready;
        self
    }

    /// Sets what `{exe}` stands for.
    #[must_use]
    pub fn with_exe(mut self, exe: impl Into<PathBuf>) -> Self {
        self.exe = Some(exe.into());
        self
    }

    /// Tells somebody of every step.
    #[must_use]
    pub fn with_progress(mut self, tell: impl Fn(UpEvent<'_>) + Send + Sync + 'static) -> Self {
        self.progress = Some(Arc::new(tell));
        self
    }

    /// Whether it is meant itself, and not only come after.
    pub(super) fn asks_for(&self, member: &Member) -> bool {
        let is_meant = |name: &String| *name == member.name || *name == member.group;
        self.names.is_empty() || self.names.iter().any(is_meant)
    }

    pub(super) fn tell(&self, event: UpEvent<'_>) {
        if let Some(progress) = &self.progress {
            progress(event);
        }
    }
}

/// What happens while a swarm is brought up.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum UpEvent<'a> {
    /// All that will be done.
    Planned(&'a [UpStep]),
    /// It is this one's turn.
    Begun(&'a UpStep),
    /// Its start was accepted, or it is left as it is.
    Started(&'a UpStep, &'a AgentInfo),
    /// It is ready.
    Ready(&'a UpStep, &'a AgentInfo),
    /// It was removed.
    Removed(&'a UpStep),
    /// It did not come up.
    Failed(&'a UpStep, &'a Error),
}
