//! Listening, and serving connections within bounds.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use futures_util::future::join_all;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use super::app::App;
use super::fleet::Fleet;
use super::guard::Peer;
use super::routes;
use super::settings::Guard;
use crate::token::Tokens;
use crate::{Bidders, Coordinator};

/// The most bytes that the head of a request may have.
const HEAD: usize = 64 * 1024;

/// How long to leave listening alone after the system refused a connection for want of something.
const BREATH: Duration = Duration::from_millis(50);

/// How many connections the system keeps that have not been taken yet. Beyond that it loses some, and their clients
/// wait for seconds until they try again.
const QUEUE: u32 = 4096;

/// How many clients are told at once that there is no place, and how long each may take to hear it. Those beyond are
/// cut off.
const TOLD: usize = 256;
const TELLING: Duration = Duration::from_secs(1);

/// Addresses that are listened on, before anybody is answered.
#[derive(Debug)]
pub struct Listeners {
    listeners: Vec<TcpListener>,
    addresses: Vec<SocketAddr>,
}

impl Listeners {
    /// Listens on each of these addresses; port 0 takes a free one. The error names the address.
    #[expect(
        clippy::unused_async,
        reason = "it needs a runtime, and whoever looks a name up one day waits here"
    )]
    pub async fn bind(addresses: &[SocketAddr]) -> io::Result<Self> {
        let mut bound = Self {
            listeners: Vec::with_capacity(addresses.len()),
            addresses: Vec::with_capacity(addresses.len()),
        };
        for address in addresses {
            let named = |error: io::Error| {
                io::Error::new(error.kind(), format!("cannot listen on {address}: {error}"))
            };
            let listener = listen(*address).map_err(named)?;
            bound.addresses.push(listener.local_addr().map_err(named)?);
            bound.listeners.push(listener);
        }
        Ok(bound)
    }

    /// One that listens already, in whatever way that was brought about.
    pub fn of(listener: std::net::TcpListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let listener = TcpListener::from_std(listener)?;
        Ok(Self {
            addresses: vec![listener.local_addr()?],
            listeners: vec![listener],
        })
    }

    /// These and others.
    #[must_use]
    pub fn and(mut self, others: Self) -> Self {
        self.listeners.extend(others.listeners);
        self.addresses.extend(others.addresses);
        self
    }

    /// The addresses, with the ports that were found for them.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // What an earlier server's connections leave behind does not keep its port.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(QUEUE)
}

/// A coordinator's HTTP server.
#[derive(Debug)]
pub struct Server {
    coordinator: Coordinator,
    tokens: Tokens,
    guard: Guard,
    fleet: Option<Arc<dyn Fleet>>,
}

impl Server {
    /// Serves this coordinator to who bears one of these tokens.
    pub fn new(coordinator: Coordinator, tokens: Tokens) -> Self {
        Self {
            coordinator,
            tokens,
            guard: Guard::default(),
            fleet: None,
        }
    }

    /// The same with other bounds.
    #[must_use]
    pub fn with_guard(mut self, guard: Guard) -> Self {
        self.guard = guard;
        self
    }

    /// The same with a swarm that starts and stops agents.
    #[must_use]
    pub fn with_fleet(mut self, fleet: Arc<dyn Fleet>) -> Self {
        self.fleet = Some(fleet);
        self
    }

    /// Serves until `cancel` is cancelled: then nobody new is let in, who waits is answered, who follows is
    /// let go, and what is under way has [`Guard::drain`] to end.
    ///
    /// Refuses with [`PermissionDenied`](io::ErrorKind::PermissionDenied) to serve anybody without a token
    /// anywhere but on loopback, unless [`Guard::anybody_from_anywhere`] says so. Dropping the future closes
    /// every connection at once.
    pub async fn serve(self, listeners: Listeners, cancel: CancellationToken) -> io::Result<()> {
        let Self {
            coordinator,
            tokens,
            guard,
            fleet,
        } = self;
        refuse_to_be_open(&coordinator, &guard, &listeners.addresses)?;
        let Listeners {
            listeners,
            addresses,
        } = listeners;
        let drain = guard.drain;
        let app = App::new(
            coordinator,
            tokens,
            guard,
            fleet,
            &addresses,
            cancel.clone(),
        );
        let doors = Doors {
            connections: Arc::new(Semaphore::new(places(app.guard().connections))),
            told: Arc::new(Semaphore::new(TOLD)),
            router: routes::all(app.clone()),
            app,
        };
        let mut accepting = JoinSet::new();
        for listener in listeners {
            accepting.spawn(doors.clone().keep(listener, cancel.clone()));
        }
        // Each loop gives back the connections that it began, so that dropping this future ends them too.
        let mut begun = Vec::new();
        while let Some(ended) = accepting.join_next().await {
            begun.push(ended.map_err(io::Error::other)?);
        }
        let drained = begun.iter_mut().map(Begun::drain);
        if tokio::time::timeout(drain, join_all(drained))
            .await
            .is_err()
        {
            tracing::warn!("connections were cut off");
        }
        Ok(())
    }
}

/// How many connections there is place for. The files of the book and of who shares this process are left some.
fn places(wished: usize) -> usize {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let files = limit.current.and_then(|limit| usize::try_from(limit).ok());
    let most = files.map_or(wished, |files| (files / 4 * 3).max(1));
    if most < wished {
        tracing::debug!("there is place for {most} connections, and not for {wished}");
    }
    most.min(wished)
}

fn refuse_to_be_open(
    coordinator: &Coordinator,
    guard: &Guard,
    addresses: &[SocketAddr],
) -> io::Result<()> {
    if coordinator.settings().bidders != Bidders::Anybody || guard.anybody_from_anywhere {
        return Ok(());
    }
    match addresses.iter().find(|address| !address.ip().is_loopback()) {
        None => Ok(()),
        Some(outside) => Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            format!(
                "anybody who reaches {outside} could give tasks and take them, since no token is asked for \
                 (ask for tokens, listen on loopback, or allow it by name)"
            ),
        )),
    }
}

/// The connections that came in at one listener. Dropping it closes them.
#[derive(Debug, Default)]
struct Begun {
    connections: JoinSet<()>,
    graceful: GracefulShutdown,
}

impl Begun {
    /// Lets each connection end what it is about, and no more.
    async fn drain(&mut self) {
        std::mem::take(&mut self.graceful).shutdown().await;
    }
}

/// What is behind every listener.
#[derive(Clone)]
struct Doors {
    app: App,
    router: Router,
    connections: Arc<Semaphore>,
    told: Arc<Semaphore>,
}

impl Doors {
    /// Takes connections in until cancelled, and gives those back that are still open.
    async fn keep(self, listener: TcpListener, cancel: CancellationToken) -> Begun {
        let mut begun = Begun::default();
        loop {
            tokio::select! {
                biased;
                () = cancel.cancelled() => return begun,
                Some(_) = begun.connections.join_next() => {}
                accepted = listener.accept() => match accepted {
                    Ok((_, from)) if !self.app.guard().lets_in(from.ip()) => {
                        tracing::debug!(%from, "a stranger was not let in");
                    }
                    Ok((stream, from)) => match Arc::clone(&self.connections).try_acquire_owned() {
                        Ok(place) => {
                            let watcher = begun.graceful.watcher();
                            begun.connections.spawn(self.clone().serve(stream, from, place, watcher));
                        }
                        Err(_) => {
                            if let Ok(told) = Arc::clone(&self.told).try_acquire_owned() {
                                begun.connections.spawn(refuse(stream, told));
                            }
                        }
                    },
                    Err(error) => {
                        // A client that is gone again, or no descriptors left: neither ends the server.
                        tracing::debug!(%error, "a connection was not taken");
                        tokio::time::sleep(BREATH).await;
                    }
                },
            }
        }
    }

    async fn serve(
        self,
        stream: TcpStream,
        from: SocketAddr,
        _place: OwnedSemaphorePermit,
        watcher: Watcher,
    ) {
        let Ok(reached) = stream.local_addr() else {
            return;
        };
        // Answers are small and waited for.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection will answer late");
        }
        let peer = Peer {
            from: from.ip().to_canonical(),
            reached: reached.ip().to_canonical(),
        };
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(self.app.guard().write_time));
        let router = self.router;
        let service = service_fn(move |mut request: http::Request<hyper::body::Incoming>| {
            request.extensions_mut().insert(peer);
            router.clone().oneshot(request.map(Body::new))
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.app.guard().header_time)
            .max_buf_size(HEAD)
            .serve_connection(TokioIo::new(Box::pin(stream)), service);
        if let Err(error) = watcher.watch(connection).await {
            tracing::debug!(%error, "a connection ended early");
        }
    }
}

/// Tells a client that there is no place, and waits a little until it has heard.
///
/// A connection that is closed with its question unread is reset, and the answer is lost with it.
async fn refuse(mut stream: TcpStream, _told: OwnedSemaphorePermit) {
    const FULL: &[u8] =
        b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\ncontent-length: 0\r\n\
        connection: close\r\n\r\n";
    let telling = async {
        stream.write_all(FULL).await?;
        stream.shutdown().await?;
        let mut unread = [0; 1024];
        while stream.read(&mut unread).await? > 0 {}
        io::Result::Ok(())
    };
    match tokio::time::timeout(TELLING, telling).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "a client was not told that there is no place"),
        Err(_) => tracing::debug!("a client does not go that was told that there is no place"),
    }
}
