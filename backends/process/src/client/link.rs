//! The connection that all who ask share: opened once, however many want it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use alveary_core::{Error, Operation, Result};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, WeakShared};
use tokio::net::UnixStream;
use tokio::time::{Instant, timeout_at};

use super::connection::Connection;
use super::failure::{silent, unexpected};
use super::starting::{self, Program};
use crate::keeper::Settings;
use crate::wire::{Answer, Facts, Request, VERSION};

/// How long it may take until a keeper has been found, or started, and has answered a greeting. Less than
/// those wait who ask, so that they hear why it failed.
const OPENING_TAKES_AT_MOST: Duration = Duration::from_secs(12);

/// What is to be done where no keeper listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum IfNone {
    Start,
    Leave,
}

/// A keeper that has answered our greeting.
#[derive(Debug)]
pub(super) struct Greeted {
    pub(super) connection: Connection,
    pub(super) facts: Facts,
}

impl Greeted {
    /// Whether the keeper knows what is meant: what is frozen every keeper does.
    pub(super) fn understands(&self, request: &Request) -> bool {
        self.facts.version == VERSION || request.is_frozen()
    }

    /// Whether ours is the newer program, which the keeper should become.
    fn is_older(&self) -> bool {
        let number = |version: &str| -> Vec<u64> {
            version
                .split(['.', '-', '+'])
                .map_while(|part| part.parse().ok())
                .collect()
        };
        let keeper = (self.facts.version, number(&self.facts.build));
        keeper < (VERSION, number(env!("CARGO_PKG_VERSION")))
    }
}

/// `None`: no keeper listens, and none was to be started.
type Opened = Result<Option<Arc<Greeted>>>;

#[derive(Debug)]
pub(super) struct Link {
    settings: Settings,
    program: Program,
    state: Mutex<State>,
    asked_to_give_way: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    keeper: Option<Arc<Greeted>>,
    /// Goes on for as long as anybody waits for it, whoever began it.
    opening: Option<WeakShared<BoxFuture<'static, Opened>>>,
    facts: Option<Facts>,
}

/// Why a keeper could not be greeted.
enum Ungreeted {
    /// It went away meanwhile.
    Gone,
    Failed(Error),
}

impl Link {
    pub(super) fn new(settings: Settings, program: Program) -> Self {
        Self {
            settings,
            program,
            state: Mutex::default(),
            asked_to_give_way: AtomicBool::new(false),
        }
    }

    pub(super) fn facts(&self) -> Option<Facts> {
        self.state().facts.clone()
    }

    pub(super) fn greeting(&self) -> Request {
        Request::Hello {
            version: VERSION,
            swarm: self.settings.swarm,
        }
    }

    /// The keeper that all share. Those who come while it is being looked for wait for the same outcome.
    pub(super) async fn keeper(self: &Arc<Self>, if_none: IfNone) -> Result<Option<Arc<Greeted>>> {
        loop {
            let opening = {
                let mut state = self.state();
                if let Some(keeper) = &state.keeper
                    && keeper.connection.is_open()
                {
                    return Ok(Some(Arc::clone(keeper)));
                }
                let under_way = state.opening.as_ref().and_then(WeakShared::upgrade);
                under_way.unwrap_or_else(|| {
                    let opening = Arc::clone(self).open_shared(if_none).boxed().shared();
                    state.opening = opening.downgrade();
                    opening
                })
            };
            match opening.await {
                // Whoever began it would not have one started.
                Ok(None) if if_none == IfNone::Start => {}
                outcome => return outcome,
            }
        }
    }

    /// A connection for whoever asked alone.
    pub(super) async fn open_another(&self) -> Result<Arc<Greeted>> {
        loop {
            if let Some(keeper) = self.open(IfNone::Start).await? {
                return Ok(keeper);
            }
        }
    }

    async fn open_shared(self: Arc<Self>, if_none: IfNone) -> Opened {
        let opened = self.open(if_none).await;
        let mut state = self.state();
        state.opening = None;
        if let Ok(Some(keeper)) = &opened {
            state.keeper = Some(Arc::clone(keeper));
        }
        opened
    }

    async fn open(&self, if_none: IfNone) -> Result<Option<Arc<Greeted>>> {
        let by = Instant::now() + OPENING_TAKES_AT_MOST;
        loop {
            let stream = match if_none {
                IfNone::Start => {
                    starting::connect_or_start(&self.settings, &self.program, by).await?
                }
                IfNone::Leave => match starting::connect(&self.settings.folder, by).await? {
                    Some(stream) => stream,
                    None => return Ok(None),
                },
            };
            let keeper = match self.greet(stream, by).await {
                Ok(keeper) if keeper.is_older() => self.replace(keeper, by).await,
                other => other,
            };
            match keeper {
                Ok(keeper) => return Ok(Some(Arc::new(keeper))),
                // It was about to end, having nothing to keep.
                Err(Ungreeted::Gone) => {}
                Err(Ungreeted::Failed(error)) => return Err(error),
            }
        }
    }

    /// Ours is the newer program: the keeper becomes it, and its agents notice nothing.
    ///
    /// Asked once: where the program that is named is no newer either, nothing is won by asking again.
    async fn replace(&self, keeper: Greeted, by: Instant) -> Result<Greeted, Ungreeted> {
        let Some(program) = self.program.path() else {
            return Ok(keeper);
        };
        if self.asked_to_give_way.swap(true, Ordering::Relaxed) {
            return Ok(keeper);
        }
        let program = program.to_string_lossy().into_owned();
        tracing::info!(keeper = ?keeper.facts, "an older keeper is asked to give way");
        let asked = keeper.connection.ask(Request::GiveWay { program });
        // Whether it could is seen by who answers next.
        let _replaced = timeout_at(by, asked).await;
        let stream = starting::connect_or_start(&self.settings, &self.program, by)
            .await
            .map_err(Ungreeted::Failed)?;
        self.greet(stream, by).await
    }

    async fn greet(&self, stream: UnixStream, by: Instant) -> Result<Greeted, Ungreeted> {
        let connection = Connection::new(stream).map_err(|error| {
            let what = "the keeper's connection cannot be used";
            Ungreeted::Failed(crate::trouble::from_io(Operation::Connect, what, error))
        })?;
        let answer = match timeout_at(by, connection.ask(self.greeting())).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => return Err(Ungreeted::Gone),
            Err(_) => {
                let silent = silent(Operation::Connect, OPENING_TAKES_AT_MOST);
                return Err(Ungreeted::Failed(silent));
            }
        };
        match answer {
            Answer::Hello(facts) => {
                self.state().facts = Some(facts.clone());
                Ok(Greeted { connection, facts })
            }
            Answer::Error(problem) => Err(Ungreeted::Failed(
                problem.into_error(Operation::Connect, None),
            )),
            _ => Err(Ungreeted::Failed(unexpected(Operation::Connect))),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
