//! A coordinator, and the ways to it.

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use alveary_agent::protocol::{Event, EventId, Happening, NewTask, TaskId, TaskView};
use alveary_agent::{
    Agent, AgentBuilder, HttpTransport, Summary, TaskClient, TokenFile, Transport,
};
use alveary_coordinator::http::{Listeners, Server};
use alveary_coordinator::{Channel, Coordinator, Database, NoBids, Settings, Tokens};
use alveary_core::{
    AgentBackend as _, AgentId, AgentSpec, MemoryBackend, SpawnOptions, StopOptions,
};
use futures_util::StreamExt as _;
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How long anything may take before a trial fails.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// Longer than any trial: what would happen after this does not happen.
pub(crate) const NEVER: Duration = Duration::from_mins(10);

/// Where an agent lives, and what carries its words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// In the memory backend, over a channel.
    Channel,
    /// As a task of its own, over HTTP with a token.
    Http,
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Channel => "channel",
            Self::Http => "http",
        })
    }
}

/// A coordinator that is reached in one way.
#[derive(Debug)]
pub(crate) struct Bed {
    pub(crate) coordinator: Coordinator,
    served: Option<Served>,
}

#[derive(Debug)]
struct Served {
    address: SocketAddr,
    tokens: Tokens,
    token_files: TempDir,
    _until: tokio_util::sync::DropGuard,
}

impl Bed {
    /// Where nothing happens by the passing of time.
    pub(crate) async fn calm(way: Way) -> Self {
        Self::with(way, calm()).await
    }

    pub(crate) async fn with(way: Way, settings: Settings) -> Self {
        let coordinator = Coordinator::open(settings, Database::Memory).await.unwrap();
        let served = match way {
            Way::Channel => None,
            Way::Http => Some(serve(coordinator.clone()).await),
        };
        Self {
            coordinator,
            served,
        }
    }

    /// The way for this agent.
    pub(crate) fn way(&self, agent: &str) -> Arc<dyn Transport> {
        let id = id(agent);
        let Some(served) = &self.served else {
            return Arc::new(Channel::new(self.coordinator.clone(), id));
        };
        let token = served.token_files.path().join(agent);
        std::fs::write(&token, served.tokens.agent(&id).expose()).unwrap();
        let url = format!("http://{}/", served.address);
        let http = HttpTransport::new(&url).unwrap();
        Arc::new(http.with_token(TokenFile::new(token)))
    }

    /// The way of who gives tasks, where there is one over HTTP.
    pub(crate) fn giver(&self) -> TaskClient {
        let served = self.served.as_ref().unwrap();
        let token = served.token_files.path().join("admin.token");
        std::fs::write(&token, served.tokens.admin().expose()).unwrap();
        let client = TaskClient::new(&format!("http://{}", served.address)).unwrap();
        client.with_token(TokenFile::new(token))
    }

    /// An agent that lacks only what it does.
    pub(crate) fn agent(&self, name: &str) -> AgentBuilder {
        Agent::builder(name).id(id(name)).transport(self.way(name))
    }

    /// Runs an agent, and waits until it is known.
    pub(crate) async fn start(&self, name: &str, agent: AgentBuilder) -> Running {
        let agent = agent.build().unwrap();
        let running = match self.served {
            None => Running::in_memory(name, agent).await,
            Some(_) => Running::alone(agent),
        };
        let is_it = |what: &Happening| matches!(what, Happening::AgentRegistered { agent, .. } if agent.as_str() == name);
        self.until("an agent registers", is_it).await;
        running
    }

    /// Gives a task that asks for this.
    pub(crate) async fn add(&self, description: &str, wanted: &str) -> TaskId {
        let task =
            NewTask::new(description.parse().unwrap()).with_capabilities(wanted.parse().unwrap());
        self.coordinator.add(vec![task], None).await.unwrap()[0].id
    }

    pub(crate) async fn task(&self, id: TaskId) -> TaskView {
        self.coordinator.task(id).await.unwrap()
    }

    /// Waits until this has happened, since the begin of the book.
    pub(crate) async fn until(&self, what: &str, is_it: impl Fn(&Happening) -> bool) -> Event {
        let mut events = self.coordinator.events(Some(EventId(0))).await.unwrap();
        let found = async {
            loop {
                let event = events
                    .next()
                    .await
                    .expect("the coordinator has ended")
                    .unwrap();
                if is_it(&event.what) {
                    return event;
                }
            }
        };
        if let Ok(event) = tokio::time::timeout(PATIENCE, found).await {
            return event;
        }
        let story = self.story().await;
        panic!("not within {PATIENCE:?}: {what}; what happened: {story:#?}");
    }

    /// Waits until a task has been given to this agent.
    pub(crate) async fn until_won(&self, wanted: TaskId, by: &str) {
        let what = format!("{by} wins {wanted}");
        self.until(&what, |what| {
            matches!(what, Happening::Assigned { task, agent, .. } if *task == wanted && agent.as_str() == by)
        })
        .await;
    }

    /// Waits until this agent has begun with a task.
    pub(crate) async fn until_started(&self, wanted: TaskId, by: &str) {
        let what = format!("{by} takes up {wanted}");
        self.until(&what, |what| {
            matches!(what, Happening::Started { task, agent, .. } if *task == wanted && agent.as_str() == by)
        })
        .await;
    }

    /// Waits until nothing more will become of a task.
    pub(crate) async fn until_over(&self, wanted: TaskId) -> TaskView {
        self.until("a task is over", |what| match what {
            Happening::Completed { task, .. } | Happening::Failed { task, .. } => *task == wanted,
            _ => false,
        })
        .await;
        self.task(wanted).await
    }

    /// What has happened so far.
    pub(crate) async fn story(&self) -> Vec<Happening> {
        let latest = self.coordinator.metrics().await.unwrap().latest_event;
        let mut events = self.coordinator.events(Some(EventId(0))).await.unwrap();
        let mut story = Vec::new();
        let mut told = EventId(0);
        while told < latest {
            let event = events.next().await.unwrap().unwrap();
            told = event.id;
            story.push(event.what);
        }
        story
    }
}

/// Settings under which nothing happens by the passing of time.
pub(crate) fn calm() -> Settings {
    Settings::default()
        .with_auction(NEVER)
        .with_heartbeat(NEVER)
        .with_unclaimed(NEVER)
}

/// The same with auctions that are soon over, and come again until somebody has bid: who is at work already wins
/// only what nobody ends before its time.
pub(crate) fn brisk() -> Settings {
    calm()
        .with_auction(Duration::from_millis(500))
        .with_no_bids(NoBids::Retry(1000))
}

pub(crate) fn id(agent: &str) -> AgentId {
    AgentId::new(agent).unwrap()
}

async fn serve(coordinator: Coordinator) -> Served {
    let tokens = Tokens::random();
    let any = "127.0.0.1:0".parse().unwrap();
    let listeners = Listeners::bind(&[any]).await.unwrap();
    let address = listeners.addresses()[0];
    let cancel = CancellationToken::new();
    let server = Server::new(coordinator, tokens.clone());
    tokio::spawn(server.serve(listeners, cancel.clone()));
    Served {
        address,
        tokens,
        token_files: tempfile::tempdir().unwrap(),
        _until: cancel.drop_guard(),
    }
}

/// An agent that runs until it is told to end, or forgotten.
#[derive(Debug)]
pub(crate) struct Running {
    summary: oneshot::Receiver<alveary_agent::Result<Summary>>,
    ended: JoinHandle<()>,
    cancel: CancellationToken,
    _until: tokio_util::sync::DropGuard,
}

impl Running {
    /// As a program of the memory backend, where it is asked to end as any agent is.
    async fn in_memory(name: &str, agent: Agent) -> Self {
        let (tell, summary) = oneshot::channel();
        let once = Mutex::new(Some((agent, tell)));
        let backend = MemoryBackend::new().with_program("agent", move |context| {
            let once = once.lock().unwrap().take();
            let (agent, tell) = once.expect("it is started once");
            async move {
                let ended = agent.run(context.stop_token()).await;
                let code = i32::from(ended.is_err());
                // A trial may have forgotten it.
                let _ = tell.send(ended);
                code
            }
        });
        let (id, spec) = (id(name), AgentSpec::new(name, ["agent"]));
        let spawned = backend.spawn(&id, &spec, SpawnOptions::default()).await;
        spawned.unwrap();
        Self::until_cancelled(summary, |cancel| async move {
            cancel.cancelled().await;
            let exit = backend.stop(&id, StopOptions::default()).await.unwrap();
            assert!(exit.is_success(), "{exit}");
        })
    }

    /// As a task of its own.
    fn alone(agent: Agent) -> Self {
        let (tell, summary) = oneshot::channel();
        Self::until_cancelled(summary, |cancel| async move {
            // A trial may have forgotten it.
            let _ = tell.send(agent.run(cancel).await);
        })
    }

    fn until_cancelled<F: Future<Output = ()> + Send + 'static>(
        summary: oneshot::Receiver<alveary_agent::Result<Summary>>,
        run: impl FnOnce(CancellationToken) -> F,
    ) -> Self {
        let cancel = CancellationToken::new();
        Self {
            summary,
            ended: tokio::spawn(run(cancel.clone())),
            _until: cancel.clone().drop_guard(),
            cancel,
        }
    }

    /// Tells it to end, and waits until it has.
    pub(crate) async fn end(self) -> Summary {
        self.cancel.cancel();
        let ended = tokio::time::timeout(PATIENCE, self.ended).await;
        ended.expect("the agent does not end").unwrap();
        self.summary.await.unwrap().unwrap()
    }
}
