//! The way to a coordinator over HTTP.

mod answer;
mod events;
mod tasks;
mod token;

use std::fmt;
use std::time::Duration;

use alveary_core::AgentId;
use async_trait::async_trait;
use reqwest::header::AUTHORIZATION;
use reqwest::redirect::Policy;
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode, Url};
use serde::Serialize;

pub use events::{EventStream, News};
pub use tasks::{MAX_BATCH, TaskClient, TaskPage, TaskQuery};
pub use token::TokenFile;

use crate::error::{Error, ErrorKind, Result};
use crate::protocol::{
    AttemptToken, BidAnswer, Claim, ClaimRequest, Completion, EventId, Failure, NewBid, OpenTasks,
    Pulse, PulseAnswer, Registration, TaskId, Welcome,
};
use crate::transport::Transport;

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(5);

/// How long an answer may take, beyond what it was asked to wait.
const ANSWER: Duration = Duration::from_secs(10);

/// Says how far the coordinator's book is told.
const AFTER: &str = "x-alveary-after";

/// Reaches a coordinator by its URL. It follows no redirect and uses no proxy, and every answer is bounded in time
/// and in size.
#[derive(Clone)]
pub struct HttpTransport {
    client: Client,
    base: Url,
    token: Option<TokenFile>,
}

/// Why a text is no coordinator's URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidUrl {
    /// It is no URL at all.
    #[error("it is no URL (write one such as http://127.0.0.1:8000)")]
    Form,
    /// Another scheme.
    #[error("agents speak http, and not {0} (write http://…, and put what encrypts in between)")]
    Scheme(String),
    /// A password in a URL shows up in logs and in lists of processes.
    #[error("a coordinator's URL holds no name and no password (give a token by a file)")]
    Credentials,
    /// Something behind the path.
    #[error("a coordinator's URL has no `?` and no `#` (leave out what begins with it)")]
    Query,
}

impl HttpTransport {
    /// The way to the coordinator at `url`, with or without a `/` at its end, without a token. Connects when it is
    /// first used.
    pub fn new(url: &str) -> Result<Self, InvalidUrl> {
        let client = Client::builder()
            .redirect(Policy::none())
            .no_proxy()
            .connect_timeout(CONNECT)
            .user_agent(concat!("alveary-agent/", env!("CARGO_PKG_VERSION")))
            .build()
            // Without TLS and proxies there is nothing in it that could fail.
            .map_err(|_| InvalidUrl::Form)?;
        Ok(Self {
            client,
            base: base(url)?,
            token: None,
        })
    }

    /// Shows the token in this file with every call.
    #[must_use]
    pub fn with_token(mut self, token: TokenFile) -> Self {
        self.token = Some(token);
        self
    }

    fn url(&self, path: &[&str]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        url
    }

    /// Calls, within the time that it waits and that of an answer.
    async fn call(
        &self,
        wait: Duration,
        make: impl Fn(&Client) -> RequestBuilder + Send + Sync,
    ) -> Result<Response> {
        self.begin(|client| make(client).timeout(wait + ANSWER))
            .await
    }

    /// Calls. A token that is refused is read again, once: it may have been changed.
    async fn begin(
        &self,
        make: impl Fn(&Client) -> RequestBuilder + Send + Sync,
    ) -> Result<Response> {
        let send = async |fresh: bool| {
            let mut request = make(&self.client);
            if let Some(token) = &self.token {
                request = request.header(AUTHORIZATION, token.bearer(fresh).await?);
            }
            request.send().await.map_err(|error| self.unreached(error))
        };
        let response = send(false).await?;
        match response.status() {
            StatusCode::UNAUTHORIZED if self.token.is_some() => send(true).await,
            _ => Ok(response),
        }
    }

    async fn post(
        &self,
        path: &[&str],
        wait: Duration,
        body: &(impl Serialize + Sync),
    ) -> Result<Response> {
        let json = json_of(body)?;
        let url = self.url(path);
        let response = self
            .call(wait, |client| {
                client
                    .post(url.clone())
                    .header(reqwest::header::CONTENT_TYPE, "application/json")
                    .body(json.clone())
            })
            .await?;
        answer::good(response).await
    }

    fn unreached(&self, error: reqwest::Error) -> Error {
        let base = &self.base;
        let what = match (error.is_timeout(), error.is_connect()) {
            (true, false) => format!("the coordinator at {base} does not answer in time"),
            _ => format!("the coordinator at {base} cannot be reached"),
        };
        // The URL is said already.
        Error::new(ErrorKind::Unavailable, format!("{what}: {}", root(&error)))
            .with_cure("see whether it runs, and whether this is its address")
            .with_source(error.without_url())
    }
}

fn json_of(body: &impl Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(body).map_err(|error| {
        Error::new(ErrorKind::Invalid, "the question cannot be written as JSON")
            .with_cure("report this")
            .with_source(error)
    })
}

/// The innermost reason, which says what the system said.
fn root(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

fn base(url: &str) -> Result<Url, InvalidUrl> {
    let base: Url = url
        .trim_end_matches('/')
        .parse()
        .map_err(|_| InvalidUrl::Form)?;
    if base.scheme() != "http" {
        return Err(InvalidUrl::Scheme(base.scheme().to_owned()));
    }
    if !base.username().is_empty() || base.password().is_some() {
        return Err(InvalidUrl::Credentials);
    }
    if base.query().is_some() || base.fragment().is_some() {
        return Err(InvalidUrl::Query);
    }
    Ok(base)
}

impl fmt::Debug for HttpTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpTransport")
            .field("url", &self.base.as_str())
            .field("token", &self.token)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Transport for HttpTransport {
    async fn register(&self, registration: &Registration) -> Result<Welcome> {
        let response = self
            .post(&["v1", "agents"], Duration::ZERO, registration)
            .await?;
        answer::json(response).await
    }

    async fn open_tasks(&self, after: Option<EventId>, wait: Duration) -> Result<OpenTasks> {
        let mut url = self.url(&["internal", "tasks"]);
        url.query_pairs_mut()
            .append_pair("wait", &format!("{}ms", wait.as_millis()));
        if let Some(after) = after {
            url.query_pairs_mut()
                .append_pair("after", &after.to_string());
        }
        let response = self.call(wait, |client| client.get(url.clone())).await?;
        let response = answer::good(response).await?;
        let after = response.headers().get(AFTER);
        let after = after.and_then(|value| value.to_str().ok()?.parse().ok());
        Ok(OpenTasks {
            tasks: answer::json(response).await?,
            after,
        })
    }

    async fn bid(&self, bid: &NewBid) -> Result<BidAnswer> {
        let response = self
            .post(&["internal", "bids"], Duration::ZERO, bid)
            .await?;
        answer::json(response).await
    }

    async fn claim(&self, request: &ClaimRequest) -> Result<Option<Claim>> {
        let response = self.post(&["v1", "claims"], request.wait, request).await?;
        match response.status() {
            StatusCode::NO_CONTENT => Ok(None),
            _ => answer::json(response).await.map(Some),
        }
    }

    async fn pulse(&self, pulse: &Pulse) -> Result<PulseAnswer> {
        let response = self
            .post(&["v1", "heartbeats"], Duration::ZERO, pulse)
            .await?;
        answer::json(response).await
    }

    async fn complete(&self, task: TaskId, attempt: AttemptToken, result: &str) -> Result<()> {
        let result = result.to_owned();
        let path = ["v1", "tasks", &task.to_string(), "complete"];
        let response = self
            .post(&path, Duration::ZERO, &Completion { attempt, result })
            .await?;
        answer::discard(response).await
    }

    async fn fail(&self, task: TaskId, attempt: AttemptToken, reason: &str) -> Result<()> {
        let reason = reason.to_owned();
        let path = ["v1", "tasks", &task.to_string(), "fail"];
        let response = self
            .post(&path, Duration::ZERO, &Failure { attempt, reason })
            .await?;
        answer::discard(response).await
    }

    async fn leave(&self, agent: &AgentId) -> Result<()> {
        let url = self.url(&["v1", "agents", agent.as_str()]);
        let call = |client: &Client| client.request(Method::DELETE, url.clone());
        let response = self.call(Duration::ZERO, call).await?;
        answer::discard(answer::good(response).await?).await
    }
}

#[cfg(test)]
mod tests;
