//! Files, as the API carries them: archives, and a header that tells of a path.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ::http::{Method, Request, Response, StatusCode, header};
use alveary_core::{Error, ErrorKind, Operation, TarStream};
use base64::Engine as _;
use bytes::Bytes;
use futures_core::stream::BoxStream;
use futures_util::{StreamExt, stream};
use http_body_util::{BodyStream, StreamBody};
use hyper::body::{Frame, Incoming};
use serde::Deserialize;
use tokio::time::{sleep, timeout};

pub(crate) use super::owners::Owner;
use super::owners::{Given, NoArchive};
use super::{Http, Sent, lost, no_answer, query, uri};
use crate::classify::{Class, Trouble};
use crate::engine::Ref;

/// What is told of a path, in Go's words.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Stat {
    pub(crate) size: i64,
    pub(crate) mode: u32,
    #[serde(default)]
    pub(crate) mtime: String,
    /// Where a link leads in the end, and not what is written in it.
    #[serde(default)]
    pub(crate) link_target: String,
}

/// Go's bits of a file's mode.
const GO_DIR: u32 = 1 << 31;
const GO_SYMLINK: u32 = 1 << 27;
const GO_OTHER: u32 = (1 << 26) | (1 << 25) | (1 << 24) | (1 << 21) | (1 << 19);
const GO_SETUID: u32 = 1 << 23;
const GO_SETGID: u32 = 1 << 22;
const GO_STICKY: u32 = 1 << 20;

impl Stat {
    pub(crate) fn is_folder(&self) -> bool {
        self.mode & GO_DIR != 0
    }

    pub(crate) fn is_link(&self) -> bool {
        self.mode & GO_SYMLINK != 0
    }

    pub(crate) fn is_other(&self) -> bool {
        self.mode & GO_OTHER != 0
    }

    /// As `chmod` takes it.
    pub(crate) fn permissions(&self) -> u32 {
        let bit = |go: u32, unix: u32| if self.mode & go == 0 { 0 } else { unix };
        (self.mode & 0o777)
            | bit(GO_SETUID, 0o4000)
            | bit(GO_SETGID, 0o2000)
            | bit(GO_STICKY, 0o1000)
    }
}

/// How an archive is to be unpacked.
pub(crate) struct Unpack {
    pub(crate) replace_kinds: bool,
    /// To whom all of it is given.
    pub(crate) owner: To,
}

/// To whom what is unpacked is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum To {
    /// Whom the archive names.
    Named,
    /// This one.
    Number(Owner),
    /// The container's own user, whom the engine looks up.
    OfContainer,
}

/// How the putting of an archive failed.
pub(crate) enum Failed {
    Trouble(Trouble),
    /// The archive itself could not be read.
    Source(Error),
}

impl From<Trouble> for Failed {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}

fn url(container: &Ref, pairs: &[(&str, &str)]) -> String {
    format!(
        "/containers/{}/archive?{}",
        container.as_str(),
        query(pairs)
    )
}

/// Whether it is the path that is not there, or no folder, and not the container.
fn is_no_path(trouble: &Trouble, status: StatusCode) -> bool {
    let words = trouble.words.to_lowercase();
    (status == StatusCode::NOT_FOUND && trouble.class != Class::NoContainer)
        || words.contains("could not find the file")
        || words.contains("could not be found on container")
        || (is_no_folder(trouble) && !words.contains("cannot overwrite"))
}

/// Whether a path leads through what is no folder, so that nothing can be there.
fn is_no_folder(trouble: &Trouble) -> bool {
    let words = trouble.words.to_lowercase();
    (["not a directory", "not a folder"].iter()).any(|said| words.contains(said))
}

/// `None`: there is nothing at this path.
async fn there(
    http: &Http,
    response: Response<Incoming>,
) -> Result<Option<Response<Incoming>>, Trouble> {
    let status = response.status();
    match http.said_well(response).await {
        Ok(response) => Ok(Some(response)),
        Err(trouble) if is_no_path(&trouble, status) => Ok(None),
        Err(trouble) => Err(trouble),
    }
}

/// What a path is; `None` where nothing stands there.
pub(crate) async fn look(
    http: &Http,
    container: &Ref,
    path: &str,
) -> Result<Option<Stat>, Trouble> {
    let header = "x-docker-container-path-stat";
    let url = url(container, &[("path", path)]);
    let value = match http.head(&url, header, http.patience()).await {
        Ok(Some(value)) => value,
        Ok(None) => return Ok(None),
        Err(trouble) if trouble.words.is_empty() => return why(http, &url, trouble).await,
        Err(trouble) => return Err(trouble),
    };
    base64::engine::general_purpose::STANDARD
        .decode(value)
        .ok()
        .and_then(|json| serde_json::from_slice(&json).ok())
        .map(Some)
        .ok_or_else(|| Trouble::new(Class::Other, "it tells of a path in words unknown here"))
}

/// Why it cannot look at a path an engine says to who asks for all of it: a look has no words. `None`: nothing can be
/// there.
async fn why(http: &Http, url: &str, mut silent: Trouble) -> Result<Option<Stat>, Trouble> {
    let limit = http.patience();
    let path = http.versioned(url).await?;
    let asked = async {
        let request = super::request(Method::GET, &path, None)?;
        http.said_well(http.send(request).await?).await
    };
    let answer = timeout(limit, asked).await;
    match answer.unwrap_or_else(|_| Err(no_answer(limit))) {
        Err(trouble) if is_no_folder(&trouble) => return Ok(None),
        Err(trouble) => silent.words = trouble.words,
        Ok(_) => {}
    }
    Err(silent)
}

/// An archive as it comes.
pub(crate) type Pieces = BoxStream<'static, Result<Bytes, Trouble>>;

/// The archive of what stands at a path, one with something in it; `None` where nothing does. Each piece comes in
/// time.
pub(crate) async fn get(
    http: &Http,
    container: &Ref,
    path: &str,
) -> Result<Option<Pieces>, Trouble> {
    let limit = http.patience();
    let path = http.versioned(&url(container, &[("path", path)])).await?;
    let asked = async {
        let request = super::request(Method::GET, &path, None)?;
        there(http, http.send(request).await?).await
    };
    let answer = timeout(limit, asked)
        .await
        .unwrap_or_else(|_| Err(no_answer(limit)))?;
    let Some(answer) = answer else {
        return Ok(None);
    };
    let mut pieces = pieces(answer.into_body(), limit).peekable();
    // An archive of nothing has an end at least.
    if Pin::new(&mut pieces).peek().await.is_none() {
        return Err(Trouble::new(Class::Lost, "the archive has no byte"));
    }
    Ok(Some(pieces.boxed()))
}

fn pieces(body: Incoming, limit: Duration) -> Pieces {
    stream::unfold(Some(BodyStream::new(body)), move |body| async move {
        let mut body = body?;
        loop {
            let piece = match timeout(limit, body.next()).await {
                Ok(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) => Ok(data),
                    Err(_) => continue,
                },
                Ok(Some(Err(error))) => Err(lost(&error)),
                Ok(None) => return None,
                Err(_) => Err(no_answer(limit)),
            };
            let next = piece.is_ok().then_some(body);
            return Some((piece, next));
        }
    })
    .boxed()
}

/// Who keeps the other waiting: an engine may do so for so long and no longer, the archive's source for ever.
#[derive(Clone)]
struct Pace(Arc<Mutex<Option<Instant>>>);

impl Pace {
    fn waits_for_engine(&self, since: Option<Instant>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = since;
    }

    /// Completes when the engine has taken nothing for so long.
    async fn exceeds(&self, limit: Duration) {
        loop {
            let since = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let left = since.map_or(limit, |since| limit.saturating_sub(since.elapsed()));
            if left.is_zero() {
                return;
            }
            sleep(left).await;
        }
    }
}

/// An archive while it is sent.
struct Source {
    archive: TarStream,
    given: Option<Given>,
    pace: Pace,
    failed: Arc<Mutex<Option<Error>>>,
    over: bool,
}

impl Source {
    async fn next(&mut self) -> Option<io::Result<Frame<Bytes>>> {
        if self.over {
            return None;
        }
        self.pace.waits_for_engine(None);
        let piece = self.archive.next().await;
        self.pace.waits_for_engine(Some(Instant::now()));
        let bytes = match piece {
            None => {
                self.over = true;
                self.given.as_mut().map(Given::rest).unwrap_or_default()
            }
            Some(Ok(bytes)) => match &mut self.given {
                None => bytes,
                Some(given) => match given.push(&bytes) {
                    Ok(bytes) => bytes,
                    Err(NoArchive) => return Some(self.fail(no_archive())),
                },
            },
            Some(Err(error)) => return Some(self.fail(error)),
        };
        Some(Ok(Frame::data(bytes)))
    }

    fn fail<T>(&mut self, error: Error) -> io::Result<T> {
        self.over = true;
        *self.failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        Err(io::Error::other("the archive cannot be read"))
    }
}

fn no_archive() -> Error {
    Error::new(
        ErrorKind::InvalidSpec,
        Operation::PutFiles,
        "what is put is no tar archive that can be given to the agent's user",
    )
    .with_cure("put an uncompressed archive in the form of POSIX or GNU, without sparse files")
}

/// Unpacks an archive. `false`: there is no such folder.
pub(crate) async fn put(
    http: &Http,
    container: &Ref,
    into: &str,
    archive: TarStream,
    how: Unpack,
) -> Result<bool, Failed> {
    let flag = |on: bool| if on { "true" } else { "false" };
    let url = url(
        container,
        &[
            ("path", into),
            ("noOverwriteDirNonDir", flag(!how.replace_kinds)),
            ("copyUIDGID", flag(how.owner == To::OfContainer)),
        ],
    );
    let path = http.versioned(&url).await?;
    let pace = Pace(Arc::new(Mutex::new(Some(Instant::now()))));
    let failed = Arc::new(Mutex::new(None));
    let source = Source {
        archive,
        given: match how.owner {
            To::Number(owner) => Some(Given::new(owner)),
            To::Named | To::OfContainer => None,
        },
        pace: pace.clone(),
        failed: Arc::clone(&failed),
        over: false,
    };
    let frames = stream::unfold(source, |mut source| async {
        source.next().await.map(|frame| (frame, source))
    });
    let request = Request::builder()
        .method(Method::PUT)
        .uri(uri(&path)?)
        .header(header::HOST, "engine")
        .header(header::CONTENT_TYPE, "application/x-tar")
        .body(Box::pin(StreamBody::new(frames)) as Sent)
        .map_err(|error| Trouble::new(Class::BadRequest, error.to_string()))?;
    let asked = async { there(http, http.send(request).await?).await };
    let answer = tokio::select! {
        answer = asked => answer,
        () = pace.exceeds(http.patience()) => Err(no_answer(http.patience())),
    };
    if let Some(error) = failed.lock().unwrap_or_else(PoisonError::into_inner).take() {
        return Err(Failed::Source(error));
    }
    Ok(answer?.is_some())
}
