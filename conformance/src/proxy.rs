//! A proxy before an engine's socket that lets things go wrong: feature `proxy`.
//!
//! For whoever writes a backend that speaks HTTP over a unix socket. The backend is told the proxy's socket in
//! place of the engine's; everything passes unchanged, streams and upgraded connections too, until a test says
//! what goes wrong:
//!
//! ```no_run
//! use alveary_conformance::proxy::{Answer, FaultProxy, Method::{Get, Post}};
//!
//! # async fn test() -> alveary_core::Result<()> {
//! let proxy = FaultProxy::before("unix:///run/docker.sock").await?;
//! let host = proxy.host(); // for the backend's settings
//!
//! proxy.on(Get, "/containers/*/json").first(2).answer(Answer::status(500).json("no JSON"));
//! proxy.on(Post, "/containers/*/start").nth(1).lose_answer();
//! let late = proxy.on(Post, "/containers/create").once().hold_request();
//! // … the backend spawns, and gives up waiting …
//! late.release(); // and the engine carries it out although its client is long gone
//! assert_eq!(proxy.answered(Post, "/containers/create", 1).await.answered, Some(201));
//! assert_eq!(proxy.seen(Post, "/containers/create").len(), 1);
//! # Ok(()) }
//! ```
//!
//! Tests wait for the thing itself: [`FaultProxy::arrived`], [`FaultProxy::answered`], [`Rule::struck`]. None
//! of these has a time limit of its own.

mod answer;
mod back;
mod connection;
mod fault;
mod framing;
mod gate;
mod head;
mod record;
mod rule;
mod side;
mod values;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use alveary_core::{Error, ErrorKind, Operation, Result};
use tempfile::TempDir;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};

pub use answer::Answer;
pub use record::Seen;
pub use rule::{Held, Method, Rule, When};

use gate::Gate;
use record::Record;
use rule::{Pattern, Rules};

/// A proxy before an engine's unix socket; see the [module](self).
///
/// It holds at most 16 MiB of one request and 64 KiB of each other message. Dropping it ends everything: its
/// socket, its connections, and whatever it holds.
pub struct FaultProxy {
    shared: Arc<Shared>,
    socket: PathBuf,
    /// Ends with the proxy, and every connection with it.
    serving: AbortHandle,
    _folder: TempDir,
}

/// What all connections share.
#[derive(Debug)]
struct Shared {
    engine: PathBuf,
    rules: Rules,
    record: Record,
    gate: Gate,
    /// Each change cuts every connection there is.
    cuts: watch::Sender<()>,
}

fn path_of(host: &str) -> &Path {
    Path::new(host.strip_prefix("unix://").unwrap_or(host))
}

impl FaultProxy {
    /// Opens a socket of its own before that of an engine, `unix:///…` or a bare path.
    ///
    /// `EngineUnavailable` where nothing listens there. It serves on the tokio runtime that it is made in.
    pub async fn before(host: &str) -> Result<Self> {
        let engine = path_of(host).to_owned();
        let connected = UnixStream::connect(&engine).await.map_err(|error| {
            let what = format!("nothing answers at `{}`", engine.display());
            Error::new(ErrorKind::EngineUnavailable, Operation::Connect, what)
                .with_cure("start the engine, or name the unix socket that it listens on")
                .with_source(error)
        })?;
        drop(connected);
        let opened = || -> io::Result<_> {
            let folder = tempfile::Builder::new().prefix("alveary-proxy").tempdir()?;
            let socket = folder.path().join("engine.sock");
            Ok((UnixListener::bind(&socket)?, socket, folder))
        };
        let (listener, socket, folder) = opened().map_err(|error| {
            Error::new(
                ErrorKind::Engine,
                Operation::Connect,
                "no socket can be made in the temporary folder",
            )
            .with_cure("set TMPDIR to a short path that can be written")
            .with_source(error)
        })?;
        let shared = Arc::new(Shared {
            engine,
            rules: Rules::default(),
            record: Record::default(),
            gate: Gate::default(),
            cuts: watch::Sender::new(()),
        });
        let serving = tokio::spawn(accept(listener, Arc::clone(&shared))).abort_handle();
        Ok(Self {
            shared,
            socket,
            serving,
            _folder: folder,
        })
    }

    /// Where the proxy listens, as a path.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Where the proxy listens, as `unix:///…`.
    pub fn host(&self) -> String {
        format!("unix://{}", self.socket.display())
    }

    /// Begins to say what goes wrong with requests of this method to this path: without the version of the
    /// API and without the query; `*` is any one segment, `**` at the end whatever follows.
    pub fn on(&self, method: Method, path: &str) -> When<'_> {
        When::new(&self.shared.rules, method, path)
    }

    /// The requests seen so far, in the order of their arrival; of very many the latest 50,000.
    pub fn seen(&self, method: Method, path: &str) -> Vec<Seen> {
        self.shared.record.seen(method, &Pattern::new(path))
    }

    /// Waits until the `nth` such request, counted from 1 and from the proxy's beginning, has arrived.
    pub async fn arrived(&self, method: Method, path: &str, nth: usize) -> Seen {
        let pattern = Pattern::new(path);
        let record = &self.shared.record;
        record.nth(method, &pattern, nth, |_| true).await
    }

    /// Waits until the engine has answered `nth` such requests, whether or not a client was told.
    pub async fn answered(&self, method: Method, path: &str, nth: usize) -> Seen {
        let pattern = Pattern::new(path);
        let is_answered = |seen: &Seen| seen.answered.is_some();
        let record = &self.shared.record;
        record.nth(method, &pattern, nth, is_answered).await
    }

    /// Lets nothing through either way, as an engine that is stopped: clients connect and hear nothing.
    pub fn pause(&self) {
        self.shared.gate.set_open(false);
    }

    /// Lets everything through again, what has waited first.
    pub fn resume(&self) {
        self.shared.gate.set_open(true);
    }

    /// Cuts every connection there is, as an engine that dies; new ones are served as before.
    pub fn cut_all(&self) {
        self.shared.cuts.send_replace(());
    }
}

async fn accept(listener: UnixListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((client, _)) => {
                    connections.spawn(serve(client, Arc::clone(&shared)));
                }
                Err(error) => {
                    tracing::warn!(%error, "the proxy accepts nobody");
                    tokio::time::sleep(std::time::Duration::from_millis(10)).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve(client: UnixStream, shared: Arc<Shared>) {
    let mut cuts = shared.cuts.subscribe();
    tokio::select! {
        served = connection::serve(client, shared) => {
            if let Err(error) = served {
                tracing::trace!(%error, "a connection broke off");
            }
        }
        _ = cuts.changed() => {}
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl fmt::Debug for FaultProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultProxy")
            .field("socket", &self.socket)
            .field("engine", &self.shared.engine)
            .finish_non_exhaustive()
    }
}
