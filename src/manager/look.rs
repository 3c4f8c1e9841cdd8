//! One look at an agent from outside: whether it answers now.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::pin::pin;
use std::time::Duration;

use alveary_core::{
    AgentBackend, AgentId, EndedBy, ExecSpec, Exit, ExitStatus, HttpTarget, Incarnation, Probe,
    is_link_local,
};
use futures_util::StreamExt;
use http_body_util::Empty;
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, CONNECTION, HOST, USER_AGENT};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::core::Core;

/// The most that the head of an answer may take.
const HEAD: usize = 16 * 1024;

impl<B: AgentBackend + ?Sized> Core<B> {
    /// Looks once, for no longer than `limit`. The error says what was seen instead, as the end of a sentence.
    ///
    /// Dropping it ends what it began: a connection, or a program, where the engine can end one.
    pub(super) async fn look_at(
        &self,
        id: &AgentId,
        incarnation: Incarnation,
        probe: &Probe,
        limit: Duration,
    ) -> Result<(), String> {
        let look = async {
            match probe {
                Probe::Tcp(address) => match TcpStream::connect(address).await {
                    Ok(_) => Ok(()),
                    Err(error) => Err(format!(
                        "nothing accepted a connection at {address}: {error}"
                    )),
                },
                Probe::Http(url) => get(url).await.map_err(|why| format!("{url} {why}")),
                Probe::Command(command) => self.run_beside(id, incarnation, command).await,
                _ => Err("this version of alveary does not know its check".to_owned()),
            }
        };
        tokio::time::timeout(limit, look).await.unwrap_or_else(|_| {
            let limit = humantime::format_duration(limit);
            Err(match probe {
                Probe::Tcp(address) => format!("{address} accepted no connection within {limit}"),
                Probe::Http(url) => format!("{url} did not answer within {limit}"),
                _ => format!("its check did not end within {limit}"),
            })
        })
    }

    async fn run_beside(
        &self,
        id: &AgentId,
        incarnation: Incarnation,
        command: &[String],
    ) -> Result<(), String> {
        let exec = self
            .backend
            .exec()
            .ok_or("its backend runs no programs beside agents")?;
        let spec = ExecSpec::new(command).incarnation(incarnation);
        let mut running = exec
            .run(id, &spec)
            .await
            .map_err(|error| format!("its check could not be run: {}", error.message()))?;
        // What it writes is for nobody. It is read all the same: one that nobody reads does not end.
        let output = running.output.take();
        let unread = async {
            if let Some(mut output) = output {
                while output.next().await.is_some() {}
            }
            std::future::pending().await
        };
        let status = tokio::select! {
            status = running.wait() => status,
            never = unread => never,
        };
        match status {
            Ok(ExitStatus::Code(0)) => Ok(()),
            Ok(status) => Err(format!("its check {}", Exit::new(status, EndedBy::Itself))),
            Err(error) => Err(format!(
                "it is not known how its check ended: {}",
                error.message()
            )),
        }
    }
}

/// Asks this host. The status is all that is read of the answer, and it leads nowhere else.
async fn get(url: &str) -> Result<(), String> {
    let target: HttpTarget = url
        .parse()
        .map_err(|why| format!("cannot be asked: {why}"))?;
    let stream = connect(&target).await?;
    let answer = async {
        let (mut sender, connection) = http1::Builder::new()
            .max_buf_size(HEAD)
            .handshake(TokioIo::new(stream))
            .await?;
        let request = Request::get(&target.path)
            .header(HOST, authority(&target))
            .header(USER_AGENT, concat!("alveary/", env!("CARGO_PKG_VERSION")))
            .header(ACCEPT, "*/*")
            .header(CONNECTION, "close")
            .body(Empty::<Bytes>::new());
        let Ok(request) = request else {
            return Ok(None);
        };
        let mut asking = pin!(sender.send_request(request));
        let answer = tokio::select! {
            answer = &mut asking => answer,
            // Whether there was an answer before it ended, and why not, is told to who asked.
            _ = connection => asking.await,
        };
        answer.map(|answer| Some(answer.status()))
    };
    match answer.await {
        Ok(Some(status)) if status.is_success() || status.is_redirection() => Ok(()),
        Ok(Some(status)) => Err(format!("answered {status}")),
        Ok(None) => Err("did not answer".to_owned()),
        Err(error) => Err(format!("did not answer: {error}")),
    }
}

fn authority(target: &HttpTarget) -> String {
    if target.host.contains(':') {
        format!("[{}]:{}", target.host, target.port)
    } else {
        format!("{}:{}", target.host, target.port)
    }
}

/// A connection to an address that was looked at: a name is not asked again, what it now says might be another.
async fn connect(target: &HttpTarget) -> Result<TcpStream, String> {
    let found = tokio::net::lookup_host((target.host.as_str(), target.port))
        .await
        .map_err(|error| format!("cannot be found: {error}"))?;
    let here: Vec<SocketAddr> = found.filter(|address| is_this_host(address.ip())).collect();
    let mut last = None;
    for address in here {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = Some(error),
        }
    }
    Err(match last {
        Some(error) => format!("accepted no connection: {error}"),
        None => "is not asked, because that is another host".to_owned(),
    })
}

/// Whether an address is one of this host's. Only those can be bound.
fn is_this_host(address: IpAddr) -> bool {
    let bind = |address| -> io::Result<_> { UdpSocket::bind(SocketAddr::new(address, 0)) };
    let address = address.to_canonical();
    let one = !address.is_multicast() && !address.is_unspecified();
    one && !is_link_local(address) && (address.is_loopback() || bind(address).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_hosts_are_told_from_this_one() {
        for here in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
            assert!(is_this_host(here.parse().unwrap()), "{here}");
        }
        for other in [
            "192.0.2.1",
            "169.254.169.254",
            "fd00:ec2::254",
            "224.0.0.1",
            "0.0.0.0",
            "2001:db8::1",
        ] {
            assert!(!is_this_host(other.parse().unwrap()), "{other}");
        }
    }
}
