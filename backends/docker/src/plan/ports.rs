//! Ports that the host publishes.

use std::net::IpAddr;

use alveary_core::{Error, Escaped, Result};

use super::invalid;

/// A published port. `host` is `None` where the engine chooses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Port {
    pub(crate) address: Option<IpAddr>,
    pub(crate) host: Option<u16>,
    pub(crate) container: u16,
    pub(crate) protocol: &'static str,
}

pub(super) fn read(ports: &[String]) -> Result<Vec<Port>> {
    ports
        .iter()
        .map(|text| one(text).ok_or_else(|| no_port(text)))
        .collect()
}

fn no_port(text: &str) -> Error {
    invalid(
        format!("`{}` is no port to publish", Escaped(text)),
        "write `[address:]host:container[/protocol]`, such as `127.0.0.1:8080:80`; host 0 is any that is free",
    )
}

/// An address of IPv6 stands in brackets.
fn one(text: &str) -> Option<Port> {
    let (text, protocol) = match text.split_once('/') {
        None => (text, "tcp"),
        Some((text, "tcp")) => (text, "tcp"),
        Some((text, "udp")) => (text, "udp"),
        Some((text, "sctp")) => (text, "sctp"),
        Some(_) => return None,
    };
    let (rest, container) = text.rsplit_once(':')?;
    let (address, host) = match rest.rsplit_once(':') {
        None => (None, rest),
        Some((address, host)) => {
            let bare = address.strip_prefix('[').and_then(|a| a.strip_suffix(']'));
            (Some(bare.unwrap_or(address).parse().ok()?), host)
        }
    };
    let container = container.parse().ok().filter(|port| *port != 0)?;
    let host: u16 = host.parse().ok()?;
    Some(Port {
        address,
        host: (host != 0).then_some(host),
        container,
        protocol,
    })
}
