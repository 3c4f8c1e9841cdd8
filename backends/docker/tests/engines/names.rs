//! Agents of one network, who find each other by name.

use alveary_core::{AgentId, AgentSpec, SpawnOptions};

use crate::common::TestEngine;
use crate::here::{Here, remove_all, sh, written};

/// Networks of a trial's own, gone at its end.
pub(crate) struct Networks<'a> {
    engine: &'a TestEngine,
    pub(crate) names: [String; 2],
}

impl<'a> Networks<'a> {
    pub(crate) fn on(here: &'a Here) -> Self {
        let engine = &here.engine;
        let names = ["one", "two"].map(|name| format!("{}-{name}", here.prefix()));
        for name in &names {
            engine.client(&["network", "create", name]);
        }
        Self { engine, names }
    }
}

impl Drop for Networks<'_> {
    fn drop(&mut self) {
        for name in &self.names {
            self.engine.try_client(&["network", "rm", name]);
        }
    }
}

fn called(name: &str, networks: &[String], script: &str) -> AgentSpec {
    let mut spec = sh(script);
    name.clone_into(&mut spec.name);
    spec.container.networks = networks.to_vec();
    spec
}

pub(crate) async fn agents_of_one_network_find_each_other_by_name(engine: TestEngine) {
    let here = Here::on(&engine);
    let networks = Networks::on(&here);
    let [one, two] = &networks.names;
    for backend in [here.api().await, here.cli().await] {
        let spawn = async |spec: &AgentSpec| {
            let id = AgentId::random();
            let spawned = backend.spawn(&id, spec, SpawnOptions::default()).await;
            spawned.expect("it starts");
            id
        };
        let both = [one.clone(), two.clone()];
        let queen = spawn(&called("queen", &both, "sleep 1000")).await;
        // In the network that she is made in and in the one that she joins.
        for network in [one, two] {
            let format =
                format!("{{{{(index .NetworkSettings.Networks \"{network}\").IPAddress}}}}");
            let format = format!("--format={format}");
            let address = engine.client(&["inspect", &format, &here.name_of(&queen)]);
            let script = "until nslookup queen; do sleep 0.1; done; exec sleep 1000";
            let scout = spawn(&called("scout", std::slice::from_ref(network), script)).await;
            written(&*backend, &scout, &format!("Address: {address}")).await;
        }
        remove_all(&*backend).await;
    }
}
