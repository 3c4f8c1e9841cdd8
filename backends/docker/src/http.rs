//! Requests to an engine, in the version that the engine was found to speak, bounded in time and size, and never
//! shown. Whatever makes a connection carries them: both ways to an engine have what only the API can say.

pub(crate) mod archive;
mod connection;
pub(crate) mod exec;
mod facts;
mod kept;
mod line;
pub(crate) mod links;
pub(crate) mod lost;
mod owners;
pub(crate) mod stats;

use std::convert::Infallible;
use std::fmt::{self, Write as _};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use ::http::{HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use async_trait::async_trait;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1::SendRequest;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::classify::{Class, Trouble};
use connection::Fresh;
use kept::Kept;

pub(crate) use facts::Facts;
pub(crate) use line::Line;
pub(crate) use lost::{lost, no_answer};

/// A connection to an engine, whatever carries it.
pub(crate) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// What makes connections to an engine. Its `Display` says which.
#[async_trait]
pub(crate) trait Dial: fmt::Display + Send + Sync {
    async fn dial(&self) -> Result<Box<dyn Io>, Trouble>;

    /// Whether the engine's host is this one.
    fn is_local(&self) -> bool;

    /// Whether making a connection costs much, as a login does. Such a one is kept for the next request, and is
    /// seen to work before it bears one: whatever is the matter with it has had no effect.
    fn is_dear(&self) -> bool {
        false
    }
}

/// More than any id of an engine's object, with what belongs to it.
pub(crate) const SMALL: usize = 4 << 20;

/// How much of an error is read.
pub(crate) const MAX_ERROR: usize = 64 << 10;

/// Cloning gives another handle on the same.
#[derive(Clone)]
pub(crate) struct Http(Arc<Inner>);

struct Inner {
    dial: Box<dyn Dial>,
    /// How long an engine's first word is waited for.
    patience: Duration,
    /// What the engine was found to be, until it is another one.
    facts: Mutex<Option<Facts>>,
    kept: Kept,
}

pub(crate) type Sent = Pin<Box<dyn Body<Data = Bytes, Error = io::Error> + Send>>;

/// `key=value&…`, each in the alphabet of URLs.
pub(crate) fn query(pairs: &[(&str, &str)]) -> String {
    let mut text = String::new();
    for (key, value) in pairs {
        if !text.is_empty() {
            text.push('&');
        }
        text.push_str(key);
        text.push('=');
        for byte in value.bytes() {
            if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
                text.push(char::from(byte));
            } else {
                // Writing to a String cannot fail.
                let _ = write!(text, "%{byte:02X}");
            }
        }
    }
    text
}

impl Http {
    pub(crate) fn new(dial: impl Dial + 'static, patience: Duration) -> Self {
        Self(Arc::new(Inner {
            dial: Box::new(dial),
            patience,
            facts: Mutex::default(),
            kept: Kept::default(),
        }))
    }

    pub(crate) fn is_local(&self) -> bool {
        self.0.dial.is_local()
    }

    /// How long an answer is waited for.
    pub(crate) fn patience(&self) -> Duration {
        self.0.patience
    }

    /// The answer, where it is no refusal. An engine that refuses the version that it was found to speak is of another
    /// one since: the next request asks it first.
    pub(crate) async fn said_well(
        &self,
        response: Response<Incoming>,
    ) -> Result<Response<Incoming>, Trouble> {
        let answer = said_well(response).await;
        if let Err(trouble) = &answer
            && trouble.class == Class::Version
        {
            *self.0.facts.lock().await = None;
        }
        answer
    }

    pub(crate) async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        limit: Duration,
        most: usize,
    ) -> Result<T, Trouble> {
        self.call(Method::GET, path, None, limit, most).await
    }

    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: Vec<u8>,
        limit: Duration,
        most: usize,
    ) -> Result<T, Trouble> {
        self.call(Method::POST, path, Some(body), limit, most).await
    }

    async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<Vec<u8>>,
        limit: Duration,
        most: usize,
    ) -> Result<T, Trouble> {
        let path = self.versioned(path).await?;
        within(limit, async {
            let response = self.send(request(method, &path, body)?).await?;
            read_json(self.said_well(response).await?, most).await
        })
        .await
    }

    /// One header of what would be answered; `None` where there is no such thing.
    pub(crate) async fn head(
        &self,
        path: &str,
        name: &str,
        limit: Duration,
    ) -> Result<Option<Vec<u8>>, Trouble> {
        let path = self.versioned(path).await?;
        within(limit, async {
            let response = self.send(request(Method::HEAD, &path, None)?).await?;
            if response.status() == StatusCode::NOT_FOUND {
                return Ok(None);
            }
            let response = self.said_well(response).await?;
            let value = response.headers().get(name);
            Ok(value.map(|value| value.as_bytes().to_vec()))
        })
        .await
    }

    /// An answer that flows for as long as the engine has something to say; its beginning is bounded in time.
    pub(crate) async fn stream(&self, method: Method, path: &str) -> Result<Incoming, Trouble> {
        within(self.0.patience, async {
            let path = self.versioned(path).await?;
            self.flowing(request(method, &path, None)?).await
        })
        .await
    }

    /// The same of an image that is fetched, whose beginning the caller bounds; with the login at its registry.
    #[cfg(feature = "api")]
    pub(crate) async fn fetching(
        &self,
        path: &str,
        login: Option<HeaderValue>,
    ) -> Result<Incoming, Trouble> {
        let path = self.versioned(path).await?;
        let mut request = request(Method::POST, &path, None)?;
        if let Some(login) = login {
            request.headers_mut().insert("x-registry-auth", login);
        }
        self.flowing(request).await
    }

    async fn flowing(&self, request: Request<Sent>) -> Result<Incoming, Trouble> {
        let response = self.send(request).await?;
        Ok(self.said_well(response).await?.into_body())
    }

    /// A connection that from now on is the caller's own.
    pub(crate) async fn upgrade(
        &self,
        path: &str,
        body: Vec<u8>,
        limit: Duration,
    ) -> Result<hyper::upgrade::Upgraded, Trouble> {
        let path = self.versioned(path).await?;
        within(limit, async {
            let mut request = request(Method::POST, &path, Some(body))?;
            let headers = request.headers_mut();
            headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
            headers.insert(header::UPGRADE, HeaderValue::from_static("tcp"));
            let response = self.send(request).await?;
            if response.status() != StatusCode::SWITCHING_PROTOCOLS {
                self.said_well(response).await?;
                return Err(Trouble::new(
                    Class::Other,
                    "it does not hand over its connection",
                ));
            }
            let upgraded = hyper::upgrade::on(response).await;
            upgraded.map_err(|error| lost(&error))
        })
        .await
    }

    /// A request of which nothing is wanted but that it is done.
    pub(crate) async fn done(&self, path: &str, limit: Duration) -> Result<(), Trouble> {
        let path = self.versioned(path).await?;
        within(limit, async {
            let response = self.send(request(Method::POST, &path, None)?).await?;
            self.said_well(response).await?;
            Ok(())
        })
        .await
    }

    pub(crate) async fn versioned(&self, path: &str) -> Result<String, Trouble> {
        Ok(format!("/v{}{path}", self.facts().await?.api))
    }

    /// A connection that takes one request after another, until it ends.
    async fn connection(&self) -> Result<SendRequest<Sent>, Trouble> {
        if !self.0.dial.is_dear() {
            return Ok(self.connect().await?.into_sender());
        }
        let _turn = match self.0.kept.one_or_turn().await {
            Ok(kept) => return Ok(kept),
            Err(turn) => turn,
        };
        let fresh = self.connect().await?;
        within(self.0.patience, fresh.tried()).await
    }

    async fn connect(&self) -> Result<Fresh, Trouble> {
        Fresh::over(self.0.dial.dial().await?).await
    }

    pub(crate) async fn send(&self, request: Request<Sent>) -> Result<Response<Incoming>, Trouble> {
        let mut request = request;
        loop {
            let mut sender = self.connection().await?;
            match sender.try_send_request(request).await {
                Ok(answer) => {
                    if self.0.dial.is_dear() {
                        Kept::keep(&self.0, sender);
                    }
                    return Ok(answer);
                }
                Err(mut error) => match error.take_message() {
                    // One that was kept had ended meanwhile: nothing of the request has left.
                    Some(unsent) if self.0.dial.is_dear() && error.error().is_canceled() => {
                        request = unsent;
                    }
                    _ => return Err(lost(error.error())),
                },
            }
        }
    }
}

impl fmt::Display for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.dial.fmt(f)
    }
}

async fn within<T>(
    limit: Duration,
    call: impl Future<Output = Result<T, Trouble>>,
) -> Result<T, Trouble> {
    timeout(limit, call)
        .await
        .unwrap_or_else(|_| Err(no_answer(limit)))
}

pub(crate) fn uri(path: &str) -> Result<Uri, Trouble> {
    path.parse()
        .map_err(|error| Trouble::new(Class::BadRequest, format!("{error}")))
}

fn request(method: Method, path: &str, body: Option<Vec<u8>>) -> Result<Request<Sent>, Trouble> {
    let body = Full::new(Bytes::from(body.unwrap_or_default()));
    Request::builder()
        .method(method)
        .uri(uri(path)?)
        .header(header::HOST, "engine")
        .header(header::CONTENT_TYPE, "application/json")
        .body(Box::pin(body.map_err(|never: Infallible| -> io::Error { match never {} })) as Sent)
        .map_err(|error| Trouble::new(Class::BadRequest, error.to_string()))
}

/// The answer, where it is no refusal. Of a refusal no more is read than anybody needs.
async fn said_well(response: Response<Incoming>) -> Result<Response<Incoming>, Trouble> {
    #[derive(Deserialize)]
    struct Refusal {
        message: String,
    }
    let status = response.status();
    if status.is_success() || status == StatusCode::NOT_MODIFIED {
        return Ok(response);
    }
    let text = beginning(response.into_body()).await;
    let words = match serde_json::from_slice::<Refusal>(&text) {
        Ok(refusal) => refusal.message,
        Err(_) => String::from_utf8_lossy(&text).into_owned(),
    };
    Err(Trouble::said(Some(status.as_u16()), words))
}

/// As much of a body as came and is read of an error.
async fn beginning(mut body: Incoming) -> Vec<u8> {
    let mut text = Vec::new();
    while text.len() < MAX_ERROR
        && let Some(Ok(frame)) = body.frame().await
    {
        text.extend_from_slice(frame.data_ref().map_or(&[], |data| data));
    }
    text.truncate(MAX_ERROR);
    text
}

async fn read_json<T: DeserializeOwned>(
    response: Response<Incoming>,
    most: usize,
) -> Result<T, Trouble> {
    let body = Limited::new(response.into_body(), most)
        .collect()
        .await
        .map_err(|error| lost(&*error))?
        .to_bytes();
    serde_json::from_slice(&body).map_err(|error| {
        // What it said may hold an environment; where it went wrong does not.
        let place = format!("line {}, column {}", error.line(), error.column());
        Trouble::new(
            Class::Lost,
            format!("its answer breaks off or is no JSON at {place}"),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_query_means_something_else() {
        assert_eq!(
            query(&[("path", "/a b?x=1&y"), ("filters", "{\"ä\"}")]),
            "path=/a%20b%3Fx%3D1%26y&filters=%7B%22%C3%A4%22%7D"
        );
    }
}
