//! Where peers run.

use std::collections::BTreeMap;
use std::net::IpAddr;

use alveary::{DownOptions, Fleet, LoadOptions, OpenOptions, Opened, StopOptions, UpOptions};
use rustix::process::Signal;
use tempfile::TempDir;

use crate::common::TestEngine;
use crate::hand::Hand;

/// The folder of the peers.
pub(crate) const PEERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers");

/// Debian's Python.
const IMAGE: &str = "alveary-test/python:1";

/// How the three are started: `timmy` and `echo` bid, and `hands` does what `timmy` has won.
const AGENTS: [(&str, &[&str], &str); 3] = [
    (
        "timmy",
        &[
            "python3",
            "-m",
            "swarm.agent_runner",
            "--agent-id",
            "timmy",
            "--name",
            "timmy",
        ],
        "talk,work",
    ),
    (
        "echo",
        &[
            "python3",
            "-m",
            "swarm.agent_runner",
            "--agent-id",
            "echo",
            "--name",
            "echo",
        ],
        "talk",
    ),
    ("hands", &["python3", "-m", "timmy.docker_agent"], ""),
];

/// Where peers run.
pub(crate) struct Ground {
    backend: Option<&'static str>,
    engine: Option<TestEngine>,
}

/// Peers that run.
pub(crate) enum Peers {
    ByHand(Vec<Hand>),
    InSwarm(Box<Opened>, TempDir),
}

impl Ground {
    /// By hand.
    pub(crate) fn hand() -> Self {
        Self {
            backend: None,
            engine: None,
        }
    }

    /// In a swarm of processes.
    pub(crate) fn process() -> Self {
        Self {
            backend: Some("process"),
            engine: None,
        }
    }

    /// In a swarm of containers.
    pub(crate) fn containers(way: &'static str, engine: TestEngine) -> Self {
        Self {
            backend: Some(way),
            engine: Some(engine),
        }
    }

    /// Where the host is for who is in a container.
    pub(crate) fn gateway(&self) -> Option<IpAddr> {
        let engine = self.engine.as_ref()?;
        let said = engine.client(&[
            "network",
            "inspect",
            "bridge",
            "--format={{(index .IPAM.Config 0).Gateway}}",
        ]);
        Some(said.parse().unwrap())
    }

    /// Brings up all three. Their coordinator's URL ends with a slash, as people write it.
    pub(crate) async fn up(&self, port: u16) -> Peers {
        let host = if self.engine.is_some() {
            "host.docker.internal"
        } else {
            "127.0.0.1"
        };
        let url = format!("http://{host}:{port}/");
        match self.backend {
            None => Peers::ByHand(by_hand(&url)),
            Some(backend) => self.in_swarm(backend, &url).await,
        }
    }

    async fn in_swarm(&self, backend: &str, url: &str) -> Peers {
        let folder = tempfile::tempdir().unwrap();
        let load = LoadOptions::default().with_state_dir(folder.path().join("state"));
        let text = self.fleet(backend, url);
        let fleet = Fleet::parse(&text, folder.path().join("alveary.toml"), &load).unwrap();
        let options = OpenOptions::new().secrets_root(folder.path().join("secrets"));
        let opened = options.open_fleet(fleet).await.unwrap();
        let up = opened.swarm.up(&opened.fleet, UpOptions::default()).await;
        let up = up.unwrap();
        let failures: Vec<_> = up.failures().collect();
        assert!(failures.is_empty(), "{failures:?}");
        Peers::InSwarm(Box::new(opened), folder)
    }

    /// The same agents, whatever runs them: the backend is one word.
    fn fleet(&self, backend: &str, url: &str) -> String {
        let mut fleet = format!("swarm = \"peers\"\nbackend = \"{backend}\"\n");
        if let Some(engine) = &self.engine {
            let (host, own) = (&engine.host, std::process::id());
            fleet += &lines(&[
                format!("[backends.{backend}]"),
                format!("image = {IMAGE:?}"),
                format!("host = {host:?}"),
                // Two trials may be on one engine at once, and no two swarms bear the same names.
                format!("name_prefix = \"peers-{own}-{backend}\""),
            ]);
            if backend == "docker-cli" {
                fleet += &lines(&[format!("program = {:?}", engine.program())]);
            }
        }
        fleet += &lines(&[
            "[defaults.env]".to_owned(),
            format!("COORDINATOR_URL = {url:?}"),
            format!("PYTHONPATH = {PEERS:?}"),
            "PYTHONDONTWRITEBYTECODE = \"1\"".to_owned(),
            "PEER_INTERVAL = \"0.2\"".to_owned(),
            "TIMMY_AGENT_ID = \"timmy\"".to_owned(),
            "[defaults.container]".to_owned(),
            format!("mounts = [\"{PEERS}:{PEERS}:ro\"]"),
            "extra_hosts = [\"host.docker.internal:host-gateway\"]".to_owned(),
        ]);
        for (name, command, able) in AGENTS {
            let able: Vec<&str> = able.split(',').filter(|able| !able.is_empty()).collect();
            fleet += &lines(&[
                format!("[agents.{name}]"),
                format!("command = {command:?}"),
                format!("capabilities = {able:?}"),
            ]);
        }
        fleet
    }
}

fn lines(lines: &[String]) -> String {
    lines.join("\n") + "\n"
}

fn by_hand(url: &str) -> Vec<Hand> {
    let start = |(_, command, able): (&str, &[&str], &str)| {
        let env = BTreeMap::from([
            ("COORDINATOR_URL", url.to_owned()),
            ("AGENT_CAPABILITIES", able.to_owned()),
            ("PEER_INTERVAL", "0.2".to_owned()),
        ]);
        Hand::start(command, &env)
    };
    AGENTS.map(start).into()
}

impl Peers {
    /// Asks each to end, and sees that it does so of itself and well.
    pub(crate) async fn end(self) {
        match self {
            Self::ByHand(all) => {
                for (hand, signal) in all
                    .into_iter()
                    .zip([Signal::TERM, Signal::INT, Signal::TERM])
                {
                    let ended = hand.end(signal).await;
                    assert!(ended.success(), "{signal:?}: {ended}");
                }
            }
            Self::InSwarm(opened, _folder) => {
                let swarm = &opened.swarm;
                for (name, ..) in AGENTS {
                    let agent = swarm.find(name).await.unwrap().unwrap();
                    let exit = swarm
                        .stop(agent.id(), StopOptions::default())
                        .await
                        .unwrap();
                    assert!(exit.is_success(), "{name}: {exit:?}");
                }
                let down = swarm.down(DownOptions::default()).await.unwrap();
                assert!(down.is_complete(), "{down:?}");
            }
        }
    }
}
