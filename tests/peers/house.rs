//! A coordinator that takes anybody, as the original does.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use alveary_agent::protocol::{EventId, Happening, NewTask, TaskId, TaskView};
use alveary_coordinator::http::{Guard, Listeners, Server};
use alveary_coordinator::{Bidders, Coordinator, Database, Settings, Tokens};
use futures_util::StreamExt as _;
use tokio_util::sync::{CancellationToken, DropGuard};

/// How long anything may take before a trial fails.
pub(crate) const PATIENCE: Duration = Duration::from_mins(2);

pub(crate) struct House {
    pub(crate) coordinator: Coordinator,
    pub(crate) port: u16,
    _until: DropGuard,
}

impl House {
    /// One that takes anybody, on loopback and where else it is to be reached.
    pub(crate) async fn open(auction: Duration, also_at: Option<IpAddr>) -> Self {
        let settings = Settings::default().with_bidders(Bidders::Anybody);
        Self::with(settings.with_auction(auction), also_at).await
    }

    pub(crate) async fn with(settings: Settings, also_at: Option<IpAddr>) -> Self {
        let coordinator = Coordinator::open(settings, Database::Memory).await.unwrap();
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut listeners = Listeners::bind(&[any]).await.unwrap();
        let port = listeners.addresses()[0].port();
        if let Some(address) = also_at {
            let there = Listeners::bind(&[SocketAddr::from((address, port))]).await;
            listeners = listeners.and(there.unwrap());
        }
        let mut guard = Guard::default();
        guard.anybody_from_anywhere = also_at.is_some();
        let cancel = CancellationToken::new();
        let server = Server::new(coordinator.clone(), Tokens::random()).with_guard(guard);
        tokio::spawn(server.serve(listeners, cancel.clone()));
        Self {
            coordinator,
            port,
            _until: cancel.drop_guard(),
        }
    }

    /// Gives a task that asks for this.
    pub(crate) async fn add(&self, description: &str, wanted: &str) -> TaskId {
        let task =
            NewTask::new(description.parse().unwrap()).with_capabilities(wanted.parse().unwrap());
        self.coordinator.add(vec![task], None).await.unwrap()[0].id
    }

    /// Waits until this has happened, since the begin.
    pub(crate) async fn until(&self, what: &str, is_it: impl Fn(&Happening) -> bool) {
        let mut events = self.coordinator.events(Some(EventId(0))).await.unwrap();
        let mut story = Vec::new();
        let found = async {
            while let Some(event) = events.next().await {
                let event = event.unwrap();
                if is_it(&event.what) {
                    return;
                }
                story.push(event.what);
            }
        };
        let in_time = tokio::time::timeout(PATIENCE, found).await.is_ok();
        assert!(
            in_time,
            "not within {PATIENCE:?}: {what}; what happened: {story:#?}"
        );
    }

    /// Waits until nothing more will become of a task.
    pub(crate) async fn until_over(&self, wanted: TaskId) -> TaskView {
        self.until("a task is over", |what| match what {
            Happening::Completed { task, .. } | Happening::Failed { task, .. } => *task == wanted,
            _ => false,
        })
        .await;
        self.coordinator.task(wanted).await.unwrap()
    }
}
