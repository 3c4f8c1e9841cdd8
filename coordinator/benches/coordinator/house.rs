//! A coordinator on a file, served on loopback.

use std::net::SocketAddr;
use std::time::Duration;

use alveary_agent::protocol::{NewTask, Registration, TaskId};
use alveary_coordinator::http::{Guard, Listeners, Rate, Server};
use alveary_coordinator::{Coordinator, Database, Settings, Tokens};
use alveary_core::AgentId;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use super::client::post;

/// Longer than any bench lasts: nothing ends or is lost by itself.
const LONG: Duration = Duration::from_hours(10);

pub(crate) struct House {
    pub(crate) coordinator: Coordinator,
    pub(crate) tokens: Tokens,
    pub(crate) folder: TempDir,
}

pub(crate) fn settings() -> Settings {
    Settings::default().with_auction(LONG).with_heartbeat(LONG)
}

impl House {
    pub(crate) fn open(runtime: &Runtime) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = Database::File(folder.path().join("book"));
        Self {
            coordinator: runtime
                .block_on(Coordinator::open(settings(), file))
                .unwrap(),
            tokens: Tokens::random(),
            folder,
        }
    }

    pub(crate) async fn serve(&self) -> SocketAddr {
        let listeners = Listeners::bind(&["127.0.0.1:0".parse().unwrap()])
            .await
            .unwrap();
        let address = listeners.addresses()[0];
        // What is measured is the work, not the patience with those who ask too often.
        let most = std::num::NonZeroU32::MAX;
        let mut guard = Guard::default();
        guard.rate = Rate {
            per_second: most,
            burst: most,
        };
        let server = Server::new(self.coordinator.clone(), self.tokens.clone()).with_guard(guard);
        tokio::spawn(server.serve(listeners, CancellationToken::new()));
        address
    }

    /// An auction that goes on: somebody who is able and free stays silent.
    pub(crate) async fn open_auction(&self) -> TaskId {
        let silent = Registration::new(AgentId::new("silent").unwrap(), "Silent");
        self.coordinator.register(silent).await.unwrap();
        self.give().await
    }

    pub(crate) async fn give(&self) -> TaskId {
        let task = NewTask::new("sing".parse().unwrap());
        self.coordinator.add(vec![task], None).await.unwrap()[0].id
    }

    /// A bid as it goes over the wire.
    pub(crate) fn bid(&self, task: TaskId, id: &str) -> Vec<u8> {
        let token = self.tokens.agent(&AgentId::new(id).unwrap());
        let body = format!(r#"{{"task_id": "{task}", "agent_id": "{id}", "bid_sats": 10}}"#);
        post("/internal/bids", token.expose(), &body)
    }
}
