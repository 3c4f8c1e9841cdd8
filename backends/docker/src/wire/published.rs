//! Where a container's ports are reached.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use alveary_core::{PortProtocol, PublishedPort};
use serde::Deserialize;

/// What an inspection says of networks.
#[derive(Debug, Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Settings {
    /// By `80/tcp`. A port without bindings is one that the image speaks of and nobody publishes.
    ports: Option<BTreeMap<String, Option<Vec<Binding>>>>,
}

#[derive(Debug, Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Binding {
    host_ip: String,
    host_port: String,
}

impl Settings {
    /// In the order of the ports inside. What cannot be read is left out.
    pub(super) fn ports(self) -> Vec<PublishedPort> {
        let ports = self.ports.unwrap_or_default();
        let mut published: Vec<PublishedPort> = (ports.iter())
            .flat_map(|(inside, bindings)| {
                let bindings = bindings.iter().flatten();
                bindings.filter_map(|binding| binding.of(inside))
            })
            .collect();
        published.sort_unstable();
        published.dedup();
        published
    }
}

impl Binding {
    fn of(&self, inside: &str) -> Option<PublishedPort> {
        let (port, protocol) = inside.split_once('/')?;
        let protocol = match protocol {
            "tcp" => PortProtocol::Tcp,
            "udp" => PortProtocol::Udp,
            "sctp" => PortProtocol::Sctp,
            _ => return None,
        };
        // Podman names no address where it means all.
        let address: IpAddr = match self.host_ip.as_str() {
            "" => Ipv4Addr::UNSPECIFIED.into(),
            address => address.parse().ok()?,
        };
        let host = SocketAddr::new(address, self.host_port.parse().ok()?);
        Some(PublishedPort::new(port.parse().ok()?, protocol, host))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(ports: &str) -> Vec<String> {
        let settings: Settings = serde_json::from_str(&format!(r#"{{"Ports":{ports}}}"#)).unwrap();
        settings.ports().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn ports_are_told_as_either_engine_says_them_in_the_order_of_those_inside() {
        assert_eq!(
            told(
                r#"{"443/tcp":[{"HostIp":"0.0.0.0","HostPort":"49154"},{"HostIp":"::","HostPort":"49155"}],
                    "80/tcp":[{"HostIp":"127.0.0.1","HostPort":"49153"}],
                    "53/udp":[{"HostIp":"","HostPort":"5353"}],
                    "9/sctp":[{"HostIp":"::1","HostPort":"9"}]}"#
            ),
            [
                "[::1]:9->9/sctp",
                "0.0.0.0:5353->53/udp",
                "127.0.0.1:49153->80/tcp",
                "0.0.0.0:49154->443/tcp",
                "[::]:49155->443/tcp",
            ]
        );
    }

    #[test]
    fn what_is_published_nowhere_or_cannot_be_read_is_left_out() {
        assert!(told("null").is_empty());
        assert!(told("{}").is_empty());
        assert!(
            told(
                r#"{"80/tcp":null,"81/tcp":[],"82/tcp":[{"HostIp":"x","HostPort":"1"}],
                    "83/tcp":[{"HostIp":"","HostPort":""}],"84/new":[{"HostIp":"","HostPort":"1"}]}"#
            )
            .is_empty()
        );
    }
}
