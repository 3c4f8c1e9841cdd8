//! A trial: one sentence of a contract, and how it is tried.

use std::fmt;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use alveary_core::Error;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use crate::need::{Need, Probe};
use crate::swarm::Swarm;

/// Which contract a trial belongs to. `Display` is its part in the names of trials.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Contract {
    /// Each start of an id is one agent.
    Identity,
    /// No agent is lost with its manager.
    Orphans,
    /// No lie about stopping.
    Stopping,
    /// A lost reply is no answer.
    LostReplies,
    /// What is told converges on the truth.
    Convergence,
    /// Logs are exact, bounded, and block nobody.
    Logs,
    /// Secrets reach the agent and nobody else.
    Secrets,
    /// Errors name the thing and the cure.
    Errors,
    /// A dropped call leaves nothing that is not listed.
    Cancellation,
    /// Bad input is refused before the engine sees it.
    BadInput,
    /// Nothing restarts behind the manager's back.
    Restarts,
    /// Every call ends.
    Bounds,
    /// Nothing that agents or engines say drives a terminal.
    Terminal,
    /// Programs that run beside agents.
    Exec,
    /// What agents use up.
    Stats,
    /// Agents that are held still.
    Pause,
    /// Files in an agent's surroundings.
    Files,
    /// Networks and volumes that are a swarm's own.
    Belongings,
    /// All of it in any order, against a model.
    Model,
}

impl fmt::Display for Contract {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Identity => "identity",
            Self::Orphans => "orphans",
            Self::Stopping => "stopping",
            Self::LostReplies => "lost_replies",
            Self::Convergence => "convergence",
            Self::Logs => "logs",
            Self::Secrets => "secrets",
            Self::Errors => "errors",
            Self::Cancellation => "cancellation",
            Self::BadInput => "bad_input",
            Self::Restarts => "restarts",
            Self::Bounds => "bounds",
            Self::Terminal => "terminal",
            Self::Exec => "exec",
            Self::Stats => "stats",
            Self::Pause => "pause",
            Self::Files => "files",
            Self::Belongings => "belongings",
            Self::Model => "model",
        })
    }
}

/// Why a trial failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure(String);

impl Failure {
    /// A failure, told in one or more lines.
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self(format!("a call failed that should not: {error}"))
    }
}

/// What a trial finds.
pub type Verdict = Result<(), Failure>;

/// How an attempt at a trial went.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// The backend keeps this promise.
    Passed,
    /// It does not.
    Failed(String),
    /// It does not make this promise, or this machine cannot try it.
    Ignored(String),
}

/// One sentence of a contract, and how it is tried.
#[derive(Clone)]
pub struct Trial {
    contract: Contract,
    sentence: &'static str,
    needs: fn() -> Vec<Need>,
    run: fn(Swarm) -> BoxFuture<'static, Verdict>,
}

impl Trial {
    pub(crate) fn new(
        contract: Contract,
        sentence: &'static str,
        needs: fn() -> Vec<Need>,
        run: fn(Swarm) -> BoxFuture<'static, Verdict>,
    ) -> Self {
        Self {
            contract,
            sentence,
            needs,
            run,
        }
    }

    /// Which contract it belongs to.
    pub fn contract(&self) -> Contract {
        self.contract
    }

    /// `contract::sentence`: the trial's name without the backend's.
    pub fn id(&self) -> String {
        format!("{}::{}", self.contract, self.sentence)
    }

    /// Why this backend is not tried, if it is not.
    pub fn missing(&self, probe: &Probe) -> Option<String> {
        (self.needs)().iter().find_map(|need| need.missing(probe))
    }

    /// Tries it in a swarm of its own, which is taken away afterwards.
    ///
    /// An attempt ends within the harness's deadline and what the taking away needs; a panic is a failure.
    pub async fn attempt(&self, probe: &Probe) -> Outcome {
        if let Some(why) = self.missing(probe) {
            return Outcome::Ignored(why);
        }
        let swarm = match Swarm::new(probe).await {
            Ok(swarm) => swarm,
            Err(error) => return Outcome::Failed(format!("{error}")),
        };
        let found = bounded((self.run)(swarm.clone()), &swarm).await;
        let left = swarm.take_away().await;
        match found.and(left) {
            Ok(()) => Outcome::Passed,
            Err(failure) => Outcome::Failed(failure.to_string()),
        }
    }
}

async fn bounded(trial: impl Future<Output = Verdict>, swarm: &Swarm) -> Verdict {
    let deadline = swarm.harness().deadline();
    // The trial is dropped with the time limit, and with it every call that it still makes.
    let caught = AssertUnwindSafe(trial).catch_unwind();
    match tokio::time::timeout(deadline, caught).await {
        Ok(Ok(verdict)) => verdict,
        Ok(Err(panic)) => Err(Failure(format!("it panicked: {}", words_of(&*panic)))),
        Err(_) => Err(Failure(format!(
            "it did not end within {deadline:?}; the last that it began: {}",
            swarm.last_step()
        ))),
    }
}

fn words_of(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("without a message")
}

impl fmt::Debug for Trial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Trial").field(&self.id()).finish()
    }
}

/// The whole suite, in the order of the contracts.
pub fn suite() -> Vec<Trial> {
    crate::contracts::all()
}

/// The trial of this [`id`](Trial::id).
pub fn find(id: &str) -> Option<Trial> {
    suite().into_iter().find(|trial| trial.id() == id)
}

/// Tries one trial on the harness's backend; see [`Trial::attempt`].
pub async fn attempt(harness: Arc<dyn crate::Harness>, id: &str) -> Outcome {
    let Some(trial) = find(id) else {
        return Outcome::Failed(format!("there is no trial `{id}`"));
    };
    match Probe::of(harness).await {
        Ok(probe) => trial.attempt(&probe).await,
        Err(error) => Outcome::Failed(error.to_string()),
    }
}

/// Lists trials: the function's name is the sentence; what it needs stands behind it.
macro_rules! trials {
    ($contract:ident: $($sentence:ident $([$($need:expr),+ $(,)?])?),+ $(,)?) => {
        pub(super) fn trials() -> Vec<$crate::trial::Trial> {
            vec![$($crate::trial::Trial::new(
                $crate::trial::Contract::$contract,
                stringify!($sentence),
                || vec![$($($need),+)?],
                |swarm| Box::pin($sentence(swarm)),
            )),+]
        }
    };
}

macro_rules! ensure {
    ($holds:expr, $($words:tt)+) => {
        if !$holds {
            return Err($crate::trial::Failure::new(format!($($words)+)));
        }
    };
}

macro_rules! ensure_eq {
    ($left:expr, $right:expr, $($words:tt)+) => {
        // A match keeps temporaries alive for as long as they are looked at.
        match (&$left, &$right) {
            (left, right) => {
                if left != right {
                    return Err($crate::trial::Failure::new(format!(
                        "{}\n  found:    {left:?}\n  expected: {right:?}",
                        format_args!($($words)+)
                    )));
                }
            }
        }
    };
}

pub(crate) use {ensure, ensure_eq, trials};
