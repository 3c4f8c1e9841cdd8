//! Ports that an engine publishes.

use std::net::SocketAddr;
use std::time::Duration;

use alveary_core::{AgentId, ListOptions, PortProtocol, PublishedPort, SpawnOptions, StopOptions};
use serde_json::Value;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::common::TestEngine;
use crate::here::{Here, remove_all, sh};

pub(crate) async fn where_an_engine_has_published_a_port_is_told_by_either_way(engine: TestEngine) {
    let here = Here::on(&engine);
    let ways = [here.api().await, here.cli().await];
    for (way, backend) in ways.iter().enumerate() {
        let id = AgentId::random();
        let word = format!("word of {id}");
        let mut spec = sh(&format!("while :; do echo '{word}' | nc -l -p 8000; done"));
        spec.container.ports = vec!["127.0.0.1:0:8000".to_owned(), "0:5300/udp".to_owned()];
        let spawned = backend
            .spawn(&id, &spec, SpawnOptions::default())
            .await
            .expect("it starts");
        assert_eq!(
            spawned.ports,
            backend.inspect(&id).await.expect("an answer").ports
        );
        let listed = ways[1 - way]
            .list(ListOptions::default())
            .await
            .expect("an answer");
        assert_eq!(
            spawned.ports, listed[0].ports,
            "the other way tells the same"
        );

        let format = "--format={{json .NetworkSettings.Ports}}";
        let theirs = engine.client(&["inspect", format, &here.name_of(&id)]);
        let theirs: Value = serde_json::from_str(&theirs).expect("JSON");
        // Podman says nothing where it means every address.
        let everywhere = |address: &str| {
            if address.is_empty() {
                "0.0.0.0"
            } else {
                address
            }
            .to_owned()
        };
        let said = |inside: &str| -> Vec<SocketAddr> {
            let bindings = theirs[inside].as_array().into_iter().flatten();
            let text = |value: &Value| value.as_str().expect("a text").to_owned();
            let of = |binding: &Value| {
                let address = everywhere(&text(&binding["HostIp"]))
                    .parse()
                    .expect("an address");
                SocketAddr::new(address, text(&binding["HostPort"]).parse().expect("a port"))
            };
            let mut said: Vec<SocketAddr> = bindings.map(of).collect();
            said.sort_unstable();
            said
        };
        let told = |container, protocol| -> Vec<SocketAddr> {
            let of =
                |port: &&PublishedPort| (port.container, port.protocol) == (container, protocol);
            spawned
                .ports
                .iter()
                .filter(of)
                .map(|port| port.host)
                .collect()
        };
        assert_eq!(told(8000, PortProtocol::Tcp), said("8000/tcp"));
        assert_eq!(told(5300, PortProtocol::Udp), said("5300/udp"));
        assert!(!said("5300/udp").is_empty(), "{theirs}");
        let [tcp] = told(8000, PortProtocol::Tcp)[..] else {
            panic!("one place: {:?}", spawned.ports);
        };
        assert!(tcp.ip().is_loopback() && tcp.port() != 0, "{tcp}");
        assert_eq!(heard_at(tcp, &word).await, word);
        let forced = StopOptions::by_force();
        backend.stop(&id, forced).await.expect("it ends");
        assert!(
            backend
                .inspect(&id)
                .await
                .expect("an answer")
                .ports
                .is_empty()
        );
        remove_all(&**backend).await;
    }
}

/// What is said there, once anything is: whoever listens for an engine does so before the agent does.
async fn heard_at(host: SocketAddr, word: &str) -> String {
    let heard = async {
        loop {
            let mut heard = String::new();
            if let Ok(mut connection) = TcpStream::connect(host).await
                && connection.read_to_string(&mut heard).await.is_ok()
                && heard.contains('\n')
            {
                return heard.trim().to_owned();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), heard)
        .await
        .unwrap_or_else(|_| panic!("`{word}` is not said at {host}"))
}
