//! The other side of a coordinator: giving tasks, and seeing what becomes of them.

use std::time::Duration;

use reqwest::Url;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{ANSWER, EventStream, HttpTransport, InvalidUrl, TokenFile, answer};
use crate::error::{Error, ErrorKind, Result};
use crate::protocol::{
    AgentView, BidView, EventId, IdempotencyKey, NewTask, TaskId, TaskStatus, TaskView,
};

/// The most tasks that [`TaskClient::add`] sends in one request; by HTTP a coordinator takes no more.
pub const MAX_BATCH: usize = 1_000;

/// Gives tasks to a coordinator over HTTP and looks at them: with the admin's token.
#[derive(Debug, Clone)]
pub struct TaskClient(HttpTransport);

/// Which tasks [`TaskClient::tasks`] asks for; all of them, the oldest first, unless said.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct TaskQuery {
    /// Those that stand so.
    pub status: Option<TaskStatus>,
    /// Those that this agent has, or had last.
    pub agent: Option<alveary_core::AgentId>,
    /// Those that come after this one.
    pub after: Option<TaskId>,
    /// How many on a page, 1 to 500; as many as the coordinator likes unless said.
    pub limit: Option<u32>,
    /// Whether those that were given last come first.
    pub newest_first: bool,
}

impl TaskQuery {
    /// Asks for those that stand so.
    #[must_use]
    pub fn with_status(mut self, status: TaskStatus) -> Self {
        self.status = Some(status);
        self
    }

    /// Asks for those that this agent has, or had last.
    #[must_use]
    pub fn with_agent(mut self, agent: alveary_core::AgentId) -> Self {
        self.agent = Some(agent);
        self
    }

    /// Asks for those that come after this one.
    #[must_use]
    pub fn with_after(mut self, after: TaskId) -> Self {
        self.after = Some(after);
        self
    }

    /// Sets how many there are on a page, 1 to 500.
    #[must_use]
    pub fn with_limit(mut self, limit: u32) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Has those that were given last come first.
    #[must_use]
    pub fn with_newest_first(mut self, newest_first: bool) -> Self {
        self.newest_first = newest_first;
        self
    }
}

/// A page of tasks.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct TaskPage {
    /// The tasks.
    pub tasks: Vec<TaskView>,
    /// What to ask for as [`TaskQuery::after`]; `None` on the last page.
    pub next: Option<TaskId>,
}

impl TaskClient {
    /// The way to the coordinator at `url`, as [`HttpTransport::new`] takes it.
    pub fn new(url: &str) -> Result<Self, InvalidUrl> {
        HttpTransport::new(url).map(Self)
    }

    /// Shows the token in this file with every call.
    #[must_use]
    pub fn with_token(self, token: TokenFile) -> Self {
        Self(self.0.with_token(token))
    }

    /// Where the coordinator is.
    pub fn url(&self) -> &str {
        self.0.base.as_str()
    }

    /// Gives tasks, at most [`MAX_BATCH`], and has an auction opened for each; all of them or none.
    ///
    /// Under a key that was used before, the same tasks have no effect and are given as they stand now; others are
    /// refused. Without a key, a call whose answer was lost may have had its effect.
    pub async fn add(
        &self,
        tasks: &[NewTask],
        key: Option<&IdempotencyKey>,
    ) -> Result<Vec<TaskView>> {
        #[derive(Deserialize)]
        struct Given {
            tasks: Vec<TaskView>,
        }
        let json = super::json_of(&tasks)?;
        let url = self.0.url(&["v1", "tasks"]);
        let call = |client: &reqwest::Client| {
            let request = client
                .post(url.clone())
                .header(reqwest::header::CONTENT_TYPE, "application/json");
            match key {
                Some(key) => request.header("idempotency-key", key.as_str()),
                None => request,
            }
            .body(json.clone())
        };
        let response = self.0.call(Duration::ZERO, call).await?;
        let given: Given = answer::json(answer::good(response).await?).await?;
        Ok(given.tasks)
    }

    /// A page of the tasks.
    pub async fn tasks(&self, query: &TaskQuery) -> Result<TaskPage> {
        let mut url = self.0.url(&["v1", "tasks"]);
        {
            let mut pairs = url.query_pairs_mut();
            if let Some(status) = query.status {
                pairs.append_pair("status", status.as_str());
            }
            if let Some(agent) = &query.agent {
                pairs.append_pair("agent", agent.as_str());
            }
            if let Some(after) = query.after {
                pairs.append_pair("after", &after.to_string());
            }
            if let Some(limit) = query.limit {
                pairs.append_pair("limit", &limit.to_string());
            }
            if query.newest_first {
                pairs.append_pair("order", "newest");
            }
        }
        self.get(url).await
    }

    /// A task as it stands. [`NotFound`](crate::ErrorKind::NotFound) if there is none.
    pub async fn task(&self, task: TaskId) -> Result<TaskView> {
        self.get(self.0.url(&["v1", "tasks", &task.to_string()]))
            .await
    }

    /// Calls a task off: it fails, with the result "Cancelled.", and whoever works on it is told at its next pulse.
    /// [`Superseded`](crate::ErrorKind::Superseded) if it is over, as it also is when a call is made again whose answer
    /// was lost.
    pub async fn cancel(&self, task: TaskId) -> Result<TaskView> {
        let url = self.0.url(&["v1", "tasks", &task.to_string(), "cancel"]);
        let call = |client: &reqwest::Client| client.post(url.clone());
        let response = self.0.call(Duration::ZERO, call).await?;
        answer::json(answer::good(response).await?).await
    }

    /// The bids for a task, the earliest first; the first thousand.
    pub async fn bids(&self, task: TaskId) -> Result<Vec<BidView>> {
        #[derive(Deserialize)]
        struct Bids {
            bids: Vec<BidView>,
        }
        let url = self.0.url(&["v1", "tasks", &task.to_string(), "bids"]);
        self.get(url).await.map(|Bids { bids }| bids)
    }

    /// The agents that were heard of, by id.
    pub async fn agents(&self) -> Result<Vec<AgentView>> {
        #[derive(Deserialize)]
        struct Agents {
            agents: Vec<AgentView>,
        }
        let url = self.0.url(&["v1", "agents"]);
        self.get(url).await.map(|Agents { agents }| agents)
    }

    /// What happens: after an event, or, without one, from the moment at which this answers.
    pub async fn events(&self, after: Option<EventId>) -> Result<EventStream> {
        let mut url = self.0.url(&["v1", "events"]);
        if let Some(after) = after {
            url.query_pairs_mut()
                .append_pair("after", &after.to_string());
        }
        let begun = self.0.begin(|client| client.get(url.clone()));
        let response = tokio::time::timeout(ANSWER, begun).await.map_err(|_| {
            Error::new(
                ErrorKind::Unavailable,
                format!("the coordinator at {} does not answer in time", self.url()),
            )
            .with_cure("see whether it runs, and whether this is its address")
        })??;
        Ok(EventStream::of(answer::good(response).await?))
    }

    async fn get<T: DeserializeOwned>(&self, url: Url) -> Result<T> {
        let call = |client: &reqwest::Client| client.get(url.clone());
        let response = self.0.call(Duration::ZERO, call).await?;
        answer::json(answer::good(response).await?).await
    }
}
