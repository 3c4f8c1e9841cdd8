//! The bare floor of the Engine API: create and start, over one connection that is kept.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use alveary::{AgentId, AgentInfo, SwarmUid};
use serde_json::Value;

use super::bare::Bare;
use super::{Handle, Started, Way, renamed};

/// Where an agent's secrets are mounted. What is there is one agent's own, and gone with it.
pub(super) const SECRETS: &str = "/run/secrets/alveary";

/// The container that an agent of ours was, made by two plain calls.
pub(crate) struct ByApi {
    socket: PathBuf,
    api: String,
    /// What `create` is asked for, and under which name; the model's id stands for that of the next.
    body: String,
    name: String,
    model: AgentId,
    connections: Mutex<Vec<Bare>>,
}

impl ByApi {
    /// After the model of an agent that is there. It becomes one of the swarm `bare`, which finds it where it is left.
    pub(crate) fn after(
        endpoint: &str,
        api: &str,
        model: &AgentInfo,
        ours: &super::super::hive::Names,
        bare: &super::super::hive::Names,
    ) -> io::Result<Self> {
        // It is said in words: "the engine at unix:///…".
        let at = endpoint
            .find("unix://")
            .and_then(|at| endpoint.get(at + "unix://".len()..));
        let Some(socket) = at.map(PathBuf::from) else {
            return Err(io::Error::other(format!(
                "{endpoint} is behind no socket of this host"
            )));
        };
        let handle = model.handle.as_deref().unwrap_or_default();
        let found = Bare::connect(&socket)?.call(
            "GET",
            &format!("/v{api}/containers/{handle}/json"),
            b"",
        )?;
        let changes = as_of(ours.uid, bare.uid);
        let name = found["Name"]
            .as_str()
            .unwrap_or_default()
            .trim_start_matches('/');
        Ok(Self {
            name: name.replace(ours.swarm.as_str(), bare.swarm.as_str()),
            body: body_of(found, &changes),
            api: api.to_owned(),
            model: model.id.clone(),
            connections: Mutex::new(Vec::new()),
            socket,
        })
    }

    fn with<T>(&self, act: impl FnOnce(&mut Bare) -> io::Result<T>) -> io::Result<T> {
        let free = || {
            self.connections
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
        };
        let kept = free().pop();
        let mut bare = kept.map_or_else(|| Bare::connect(Path::new(&self.socket)), Ok)?;
        // One on which something failed is not used again.
        let done = act(&mut bare)?;
        free().push(bare);
        Ok(done)
    }
}

/// How the marks of the swarm `ours` become those of the swarm `bare`.
pub(super) fn as_of(ours: SwarmUid, bare: SwarmUid) -> BTreeMap<String, String> {
    BTreeMap::from([(ours.to_string(), bare.to_string())])
}

/// What was asked for when this container was made, but for what is one agent's own.
fn body_of(mut found: Value, changes: &BTreeMap<String, String>) -> String {
    let mut body = found["Config"].take();
    body["HostConfig"] = found["HostConfig"].take();
    // This one is its own id.
    body["Hostname"] = Value::Null;
    let host = &mut body["HostConfig"];
    if let Some(mounts) = host["Mounts"].as_array_mut() {
        mounts.retain(|mount| mount["Target"] != SECRETS);
    }
    // Podman's `inspect` says `RLIMIT_NOFILE`, and its `create` knows `nofile`.
    for limit in host["Ulimits"].as_array_mut().into_iter().flatten() {
        let name = limit["Name"].as_str().unwrap_or_default().to_lowercase();
        limit["Name"] = name.trim_start_matches("rlimit_").into();
    }
    if let Some(binds) = host["Binds"].as_array_mut() {
        binds.retain(|bind| !bind.as_str().is_some_and(|bind| bind.contains(SECRETS)));
    }
    renamed(&body.to_string(), changes)
}

impl Way for ByApi {
    fn what(&self) -> String {
        "bare POST create and start, at the same socket".to_owned()
    }

    fn start(&self) -> io::Result<Started> {
        let id = AgentId::random();
        let next = |text: &str| text.replace(self.model.as_str(), id.as_str());
        let (body, name, api) = (next(&self.body), next(&self.name), &self.api);
        self.with(|bare| {
            let begun = Instant::now();
            let made = bare.call(
                "POST",
                &format!("/v{api}/containers/create?name={name}"),
                body.as_bytes(),
            )?;
            let create = begun.elapsed();
            let container = made["Id"].as_str().unwrap_or_default().to_owned();
            let begun = Instant::now();
            bare.call(
                "POST",
                &format!("/v{api}/containers/{container}/start"),
                b"",
            )?;
            let start = begun.elapsed();
            Ok(Started {
                steps: vec![("create", create), ("start", start)],
                handle: Handle::Container(container),
            })
        })
    }

    fn end(&self, handle: Handle) -> io::Result<()> {
        let Handle::Container(container) = handle else {
            return Ok(());
        };
        let path = format!("/v{}/containers/{container}?force=true&v=true", self.api);
        self.with(|bare| bare.call("DELETE", &path, b"")).map(drop)
    }
}
