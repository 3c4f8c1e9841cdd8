//! A coordinator that is open and listens.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use alveary::{CoordinatorTable, Subnet};
use alveary_coordinator::http::{Fleet, Guard, Listeners, Server};
use alveary_coordinator::{Coordinator, Database, Tokens};
use futures_util::future::try_join_all;
use rustix::net::{self, AddressFamily, SocketFlags, SocketType};
use tokio_util::sync::CancellationToken;

use super::{Place, settings};
use crate::failure::Failure;
use crate::outcome::Outcome;

/// How many connections may wait to be taken in.
const BACKLOG: i32 = 1024;

/// A coordinator whose file is open and whose addresses are taken, before anybody is answered.
#[derive(Debug)]
pub(crate) struct Service {
    coordinator: Coordinator,
    tokens: Tokens,
    guard: Guard,
    listeners: Listeners,
    /// Where containers on this host come in, and from which addresses.
    inner: Vec<(Listeners, Subnet)>,
    fleet: Option<Arc<dyn Fleet>>,
}

impl Service {
    /// Opens its file, listens, and leaves the admin's token where the admin finds it.
    ///
    /// `said` is by what the address was said, so that one knows where to say another.
    pub(crate) async fn open(
        table: &CoordinatorTable,
        place: &Place,
        listen: SocketAddr,
        said: &str,
    ) -> Result<Self, Failure> {
        let tokens = place.tokens()?;
        let database = Database::File(place.db.clone());
        let coordinator = Coordinator::open(settings::settings(table), database).await?;
        let listeners = match Listeners::bind(&[listen]).await {
            Ok(listeners) => listeners,
            Err(error) => {
                coordinator.close().await;
                return Err(not_there(&error, said));
            }
        };
        place.leave(&tokens.admin())?;
        Ok(Self {
            coordinator,
            tokens,
            guard: settings::guard(table),
            listeners,
            inner: Vec::new(),
            fleet: None,
        })
    }

    /// Listens at a network's end on this host, too, to its containers and to this host.
    pub(super) fn listen_too(&mut self, address: SocketAddr, members: Subnet) -> io::Result<()> {
        let listeners = Listeners::of(listener_at(address)?)?;
        self.inner.push((listeners, members));
        Ok(())
    }

    /// Starts and stops agents of this swarm for who asks for it by the original's routes.
    pub(super) fn with_fleet(mut self, fleet: Arc<dyn Fleet>) -> Self {
        self.fleet = Some(fleet);
        self
    }

    pub(super) fn coordinator(&self) -> &Coordinator {
        &self.coordinator
    }

    /// Closes its file, and has served nobody.
    pub(super) async fn close(self) {
        self.coordinator.close().await;
    }

    /// Where it listens.
    pub(crate) fn addresses(&self) -> &[SocketAddr] {
        self.listeners.addresses()
    }

    /// Serves until it is called off; then answers what it was asked before, and closes its file.
    pub(crate) async fn serve(self, cancel: CancellationToken) -> Result<(), Failure> {
        let Self {
            coordinator,
            tokens,
            guard,
            listeners,
            inner,
            fleet,
        } = self;
        // Where only containers come in, `auth = "none"` needs no other word. Linux answers at that address by whatever way
        // a packet comes, so that who comes is looked at.
        let inner = inner.into_iter().map(|(listeners, members)| {
            let mut guard = guard.clone();
            guard.anybody_from_anywhere = true;
            guard.from = vec![members];
            (listeners, guard)
        });
        let inner: Vec<_> = inner.collect();
        let served = [(listeners, guard)]
            .into_iter()
            .chain(inner)
            .map(|(listeners, guard)| {
                let server = Server::new(coordinator.clone(), tokens.clone()).with_guard(guard);
                let server = match &fleet {
                    Some(fleet) => server.with_fleet(Arc::clone(fleet)),
                    None => server,
                };
                server.serve(listeners, cancel.clone())
            });
        let served = try_join_all(served).await;
        coordinator.close().await;
        served.map(drop).map_err(|error| Failure::Coordinator {
            what: format!("the coordinator ended: {error}"),
            cure: Some("bring it up once more: its tasks are kept".to_owned()),
            outcome: Outcome::Backend,
        })
    }
}

/// Why it cannot listen where it is to.
fn not_there(error: &io::Error, said: &str) -> Failure {
    let cure = match error.kind() {
        io::ErrorKind::AddrInUse => {
            format!("end what listens there, or say another by {said}: port 0 takes a free one")
        }
        io::ErrorKind::AddrNotAvailable => format!("say an address of this machine by {said}"),
        io::ErrorKind::PermissionDenied => {
            format!("say a port from 1024 on by {said}: those below are root's")
        }
        _ => format!("say another address by {said}"),
    };
    Failure::input(format!("the coordinator {error}"), cure)
}

/// Listens at an address that this host may come to have only with the first container of its network.
fn listener_at(address: SocketAddr) -> io::Result<TcpListener> {
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let socket = net::socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    net::sockopt::set_socket_reuseaddr(&socket, true)?;
    #[cfg(target_os = "linux")]
    match address {
        SocketAddr::V4(_) => net::sockopt::set_ip_freebind(&socket, true)?,
        SocketAddr::V6(_) => net::sockopt::set_ipv6_freebind(&socket, true)?,
    }
    net::bind(&socket, &address)?;
    net::listen(&socket, BACKLOG)?;
    Ok(socket.into())
}
