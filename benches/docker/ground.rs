//! The engine that is measured on, the swarms on it, and that nothing of either is left.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use alveary::{
    AgentId, AgentInfo, AgentSpec, BackendConfig, ConnectContext, RemoveOptions, StopOptions,
    SwarmManager, SwarmName, SwarmUid,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::bare::Bare;

/// What agents are made from, unless `ALVEARY_BENCH_IMAGE` says so.
const IMAGE: &str = "alveary-test/busybox:1";

#[derive(Clone)]
pub(crate) struct Ground {
    pub(crate) socket: PathBuf,
    pub(crate) program: String,
    pub(crate) image: String,
}

impl Ground {
    /// The first engine that tests are given, else the one that `docker` itself would speak to; or why there
    /// is nothing to measure on.
    pub(crate) fn find() -> Result<Self, String> {
        let said = std::env::var("ALVEARY_TEST_ENGINES").unwrap_or_default();
        let engine = said
            .split(',')
            .next()
            .and_then(|engine| engine.split_once('='));
        let (name, host) = match engine {
            Some((name, host)) => (name.to_owned(), host.to_owned()),
            None => (
                String::new(),
                std::env::var("DOCKER_HOST")
                    .unwrap_or_else(|_| "unix:///var/run/docker.sock".to_owned()),
            ),
        };
        let cure = "set DOCKER_HOST, or ALVEARY_TEST_ENGINES as `tests/engines/engine run` does";
        let Some(socket) = host.strip_prefix("unix://").map(PathBuf::from) else {
            return Err(format!(
                "`{host}` is no unix socket, and others are not measured: {cure}"
            ));
        };
        if let Err(error) = UnixStream::connect(&socket) {
            return Err(format!("no engine answers at `{host}` ({error}): {cure}"));
        }
        let key = name.to_uppercase().replace('-', "_");
        let program = std::env::var(format!("ALVEARY_TEST_CLI_{key}"));
        let image = std::env::var("ALVEARY_BENCH_IMAGE").unwrap_or_else(|_| IMAGE.to_owned());
        let ground = Self {
            program: program.unwrap_or_else(|_| "docker".to_owned()),
            socket,
            image,
        };
        let path = format!("/v1.41/images/{}/json", ground.image);
        match ground.bare().try_call("GET", &path, b"") {
            (200, _) => Ok(ground),
            _ => Err(format!(
                "the engine at `{host}` has no image `{}`: name one that has `sleep` in ALVEARY_BENCH_IMAGE",
                ground.image
            )),
        }
    }

    pub(crate) fn bare(&self) -> Bare {
        Bare::connect(&self.socket)
    }

    pub(crate) fn host(&self) -> String {
        format!("unix://{}", self.socket.display())
    }

    /// The engine's own program, or another one with the engine in its environment.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("DOCKER_HOST", self.host());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    pub(crate) fn version(&self) -> String {
        let version = self.bare().call("GET", "/version", b"");
        version["Version"].as_str().unwrap_or("?").to_owned()
    }
}

/// Takes away every container with one of these labels, also where a bench breaks off.
pub(crate) struct Tidy {
    ground: Ground,
    label: String,
}

impl Tidy {
    pub(crate) fn new(ground: &Ground, label: String) -> Self {
        let ground = ground.clone();
        Self { ground, label }
    }
}

impl Drop for Tidy {
    fn drop(&mut self) {
        let mut bare = self.ground.bare();
        for id in bare.labelled(&self.label) {
            // One that is gone meanwhile is gone.
            let path = format!("/v1.41/containers/{id}?force=true&v=true");
            bare.try_call("DELETE", &path, b"");
        }
    }
}

/// A swarm on the engine, by one of the ways to it.
pub(crate) struct Hive {
    pub(crate) swarm: SwarmManager,
    names: u64,
    _tidy: Tidy,
    _folder: TempDir,
}

impl Hive {
    pub(crate) async fn new<C: BackendConfig + DeserializeOwned>(ground: &Ground) -> Self {
        let program = (C::NAME == "docker-cli").then(|| ground.program.clone());
        Self::with::<C>(ground, ground.host(), program).await
    }

    /// Behind another socket, or with another program.
    pub(crate) async fn with<C: BackendConfig + DeserializeOwned>(
        ground: &Ground,
        host: String,
        program: Option<String>,
    ) -> Self {
        let (folder, uid) = (tempfile::tempdir().unwrap(), SwarmUid::random());
        let state = folder.path().join(C::NAME);
        fs::create_dir(&state).unwrap();
        let mut settings = json!({
            "image": ground.image,
            "host": host,
            "name_prefix": format!("bench-{uid}"),
            "timeout": { "start": "60s", "remove": "60s", "ask": "30s" },
        });
        if let Some(program) = program {
            settings["program"] = program.into();
        }
        let config: C = serde_json::from_value(settings).unwrap();
        let context = ConnectContext::new(SwarmName::new("bench").unwrap(), uid);
        let backend = config.connect(context.with_state_dir(state)).await.unwrap();
        backend.check().await.unwrap();
        Self {
            swarm: SwarmManager::new(backend),
            names: 0,
            _tidy: Tidy::new(ground, format!("alveary.swarm={uid}")),
            _folder: folder,
        }
    }

    fn spec(&mut self) -> AgentSpec {
        self.names += 1;
        AgentSpec::new(format!("sleep-{}", self.names), ["sleep", "100000"])
    }

    pub(crate) async fn spawn(&mut self) -> AgentInfo {
        let spec = self.spec();
        self.swarm.spawn(spec).await.unwrap()
    }

    pub(crate) async fn spawn_many(&mut self, count: usize) -> Vec<AgentId> {
        let specs: Vec<_> = (0..count).map(|_| self.spec()).collect();
        let started = self.swarm.spawn_many(specs).await;
        started.into_iter().map(|agent| agent.unwrap().id).collect()
    }

    pub(crate) async fn end(&self, id: &AgentId) {
        self.swarm.stop(id, StopOptions::by_force()).await.unwrap();
        let plainly = RemoveOptions::default();
        self.swarm.remove(id, plainly).await.unwrap();
    }

    pub(crate) async fn end_all(&self, ids: &[AgentId]) {
        futures_util::future::join_all(ids.iter().map(|id| self.end(id))).await;
    }
}

/// What `create` is asked for, to make the very container that an agent of ours is.
pub(crate) fn body_of(ground: &Ground, agent: &AgentInfo, label: &str) -> Vec<u8> {
    let id = agent.handle.as_deref().unwrap();
    let path = format!("/v1.41/containers/{id}/json");
    let mut found = ground.bare().call("GET", &path, b"");
    let mut body = found["Config"].take();
    body["HostConfig"] = found["HostConfig"].take();
    // This one is its own id.
    body["Hostname"] = Value::Null;
    body["Labels"]["alveary.swarm"] = label.into();
    serde_json::to_vec(&body).unwrap()
}

/// What our backend says to the program when it makes a container: caught on its way by a script that stands
/// where the program is.
pub(crate) struct Caught {
    pub(crate) args: Vec<String>,
    pub(crate) input: PathBuf,
    _folder: TempDir,
}

impl Caught {
    /// The script, and where to read what it has caught.
    pub(crate) fn script(ground: &Ground) -> (PathBuf, TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("docker");
        let text = format!(
            "#!/bin/sh\nif [ \"$1\" = create ]; then cat >'{at}/input'; printf '%s\\0' \"$@\" >'{at}/args'; exec <'{at}/input'; fi\nexec {program} \"$@\"\n",
            at = folder.path().display(),
            program = ground.program,
        );
        fs::write(&script, text).unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
        (script, folder)
    }

    pub(crate) fn read(folder: TempDir, label: &str) -> Self {
        let said = fs::read_to_string(folder.path().join("args")).unwrap();
        let args = said.split_terminator('\0');
        let foreign = |arg: &str| match arg {
            _ if arg.starts_with("--label=alveary.swarm=") => {
                format!("--label=alveary.swarm={label}")
            }
            _ => arg.to_owned(),
        };
        Self {
            args: args
                .filter(|arg| !arg.starts_with("--name="))
                .map(foreign)
                .collect(),
            input: folder.path().join("input"),
            _folder: folder,
        }
    }

    /// Runs it as this verb, and gives the id that it prints.
    pub(crate) fn run(&self, ground: &Ground, verb: &[&str]) -> String {
        let output = ground
            .command(&ground.program)
            .args(verb)
            .args(&self.args[1..])
            .stdin(fs::File::open(&self.input).unwrap())
            .stdout(Stdio::piped())
            .output()
            .unwrap();
        assert!(output.status.success(), "{verb:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}

/// Docker's compose, where it is to be had, and a project of the same agents.
pub(crate) struct Compose {
    words: Vec<String>,
    ground: Ground,
    folder: TempDir,
}

impl Compose {
    pub(crate) fn find(ground: &Ground) -> Option<Self> {
        let candidates = [
            vec![ground.program.clone(), "compose".to_owned()],
            vec!["docker-compose".to_owned()],
        ];
        let words = candidates.into_iter().find(|words| {
            let mut command = ground.command(&words[0]);
            let version = command.args(&words[1..]).arg("version").status();
            version.is_ok_and(|status| status.success())
        })?;
        let folder = tempfile::Builder::new()
            .prefix("alvearybench")
            .tempdir()
            .unwrap();
        let service = json!({
            "image": ground.image,
            "command": ["sleep", "100000"],
            "init": true,
            "network_mode": "bridge",
            "cap_drop": ["ALL"],
            "security_opt": ["no-new-privileges"],
            "logging": { "driver": "local" },
        });
        // JSON is YAML.
        let project = json!({ "services": { "agent": service } });
        let file = folder.path().join("docker-compose.yml");
        fs::write(file, project.to_string()).unwrap();
        Some(Self {
            words,
            ground: ground.clone(),
            folder,
        })
    }

    fn run(&self, args: &[&str]) {
        let folder: &Path = self.folder.path();
        let mut command = self.ground.command(&self.words[0]);
        command
            .args(&self.words[1..])
            .args(args)
            .current_dir(folder);
        assert!(command.status().unwrap().success(), "compose {args:?}");
    }

    pub(crate) fn up(&self, count: usize) {
        self.run(&["up", "-d", "--scale", &format!("agent={count}")]);
    }

    pub(crate) fn down(&self) {
        self.run(&["kill"]);
        self.run(&["rm", "-f"]);
    }
}

impl Drop for Compose {
    fn drop(&mut self) {
        self.down();
    }
}
