//! A client of an engine's socket, by hyper: another reading of HTTP than the proxy's own.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use hyper::{Request, Response, header};
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;

pub(crate) type Connection = SendRequest<Full<Bytes>>;

/// A status and a body.
pub(crate) type Said = (u16, Bytes);

#[derive(Clone)]
pub(crate) struct Client(PathBuf);

impl Client {
    pub(crate) fn of(socket: &Path) -> Self {
        Self(socket.to_owned())
    }

    pub(crate) async fn connect(&self) -> std::io::Result<Connection> {
        let stream = UnixStream::connect(&self.0).await?;
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(std::io::Error::other)?;
        tokio::spawn(connection.with_upgrades());
        Ok(sender)
    }

    /// Asks on a connection of its own; the answer's body is still to come.
    pub(crate) async fn open(&self, what: &str) -> hyper::Result<Response<Incoming>> {
        let mut connection = self.connect().await.unwrap();
        open(&mut connection, what, "").await
    }

    pub(crate) async fn ask(&self, what: &str, body: impl Into<Bytes>) -> hyper::Result<Said> {
        let mut connection = self.connect().await.unwrap();
        ask(&mut connection, what, body).await
    }

    /// The same as a task, which another can wait for or abort.
    pub(crate) fn asking(
        &self,
        what: &'static str,
    ) -> tokio::task::JoinHandle<hyper::Result<Said>> {
        let client = self.clone();
        tokio::spawn(async move { client.ask(what, "").await })
    }
}

/// Sends `GET /path`.
pub(crate) async fn open(
    connection: &mut Connection,
    what: &str,
    body: impl Into<Bytes>,
) -> hyper::Result<Response<Incoming>> {
    let (method, path) = what.split_once(' ').unwrap();
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::HOST, "engine")
        .header(header::CONTENT_TYPE, "application/json");
    let request = if path.ends_with("/tunnel") || path.contains("/attach") {
        request
            .header(header::CONNECTION, "Upgrade")
            .header(header::UPGRADE, "tcp")
    } else {
        request
    };
    connection.ready().await?;
    let request = request.body(Full::new(body.into())).unwrap();
    connection.send_request(request).await
}

pub(crate) async fn ask(
    connection: &mut Connection,
    what: &str,
    body: impl Into<Bytes>,
) -> hyper::Result<Said> {
    let response = open(connection, what, body).await?;
    let status = response.status().as_u16();
    Ok((status, response.into_body().collect().await?.to_bytes()))
}

/// What comes of a body up to its end, or to where it breaks off.
pub(crate) async fn heard(mut body: Incoming) -> (Vec<u8>, hyper::Result<()>) {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => bytes.extend_from_slice(&frame.into_data().unwrap_or_default()),
            Err(error) => return (bytes, Err(error)),
        }
    }
    (bytes, Ok(()))
}

/// The next piece of a body.
pub(crate) async fn piece(body: &mut Incoming) -> Bytes {
    let frame = body.frame().await.unwrap().unwrap();
    frame.into_data().unwrap()
}
