//! A swarm on an engine behind a fault proxy, and what that engine itself shows of it.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use alveary_conformance::proxy::{FaultProxy, Method};
use alveary_core::{
    AgentBackend, AgentId, AgentInfo, AgentSpec, BackendConfig, ConnectContext, Declared,
    DiscardOptions, Error, ErrorKind, Exit, ListOptions, NetworkSpec, RemoveOptions, Secret,
    SpawnOptions, StopOptions, SwarmName, SwarmUid, VolumeSpec,
};
use alveary_docker::{DockerApiConfig, DockerCliConfig};
use libtest_mimic::{Completion, Failed};
use tempfile::TempDir;
use tokio::time::{Instant, sleep, timeout};

use crate::common::IMAGE;
use crate::kinds::Set;
use crate::stranger::Stranger;
use crate::table::{self, Row};

/// How long the backend waits for the engine.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    start: Duration,
    ask: Duration,
}

impl Limits {
    pub(crate) const SHORT: Self = Self::of(4, 2);
    pub(crate) const LONG: Self = Self::of(60, 20);

    const fn of(start: u64, ask: u64) -> Self {
        Self {
            start: Duration::from_secs(start),
            ask: Duration::from_secs(ask),
        }
    }

    /// Longer than any call may take: one goes to the engine several times.
    fn bound(self) -> Duration {
        (self.start + self.ask) * 6
    }
}

/// What a trial's swarm declares as its own, under these names.
const NETWORK: &str = "net";
const VOLUME: &str = "data";
/// The folder of its secrets, in that of its state.
const SECRETS: &str = "secrets";

/// So long what was removed may be called dead, and so often it is looked at.
const AT_REST: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(100);

/// The longest that an engine needs for what was held back.
const LATE: Duration = Duration::from_secs(20);

fn declared(swarm: SwarmUid) -> Declared {
    let (mut network, mut volume) = (NetworkSpec::default(), VolumeSpec::default());
    network.name = Some(format!("faults-{swarm}-{NETWORK}"));
    volume.name = Some(format!("faults-{swarm}-{VOLUME}"));
    Declared::new(
        [(NETWORK.to_owned(), network)].into(),
        [(VOLUME.to_owned(), volume)].into(),
    )
}

/// How long a retried call may need to come to its end once nothing goes wrong any more.
const PATIENCE: Duration = Duration::from_mins(2);

pub(crate) struct Ground {
    pub(crate) backend: Arc<dyn AgentBackend>,
    way: Way,
    pub(crate) proxy: FaultProxy,
    pub(crate) swarm: SwarmUid,
    pub(crate) row: Row,
    limits: Limits,
    notes: Vec<String>,
    pub(crate) engine: String,
    stranger: Stranger,
    state: TempDir,
}

/// An agent that is to be.
#[derive(Clone)]
pub(crate) struct Wanted {
    pub(crate) id: AgentId,
    pub(crate) spec: AgentSpec,
    pub(crate) options: SpawnOptions,
}

impl Wanted {
    pub(crate) fn new() -> Self {
        Self::running(["sleep", "100000"])
    }

    /// The same in the network, with the volume and with a secret of the swarm's own.
    pub(crate) fn furnished() -> Self {
        let mut wanted = Self::new();
        wanted.spec = wanted
            .spec
            .secret("TOKEN", Secret::new("of a trial of faults"));
        wanted.spec.container.networks = vec![NETWORK.to_owned()];
        wanted.spec.container.mounts = vec![format!("{VOLUME}:/data").parse().unwrap()];
        wanted
    }

    pub(crate) fn running<const N: usize>(command: [&str; N]) -> Self {
        Self {
            id: AgentId::random(),
            spec: AgentSpec::new("a", command),
            options: SpawnOptions::default(),
        }
    }
}

/// A container, as the engine itself lists it.
#[derive(Debug)]
pub(crate) struct Shown {
    pub(crate) agent: String,
    pub(crate) state: String,
}

/// By which way the engine is reached.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Way {
    Api,
    /// By this program.
    Cli(String),
}

pub(crate) async fn connect(
    way: &Way,
    host: &str,
    swarm: SwarmUid,
    limits: Limits,
    state: &Path,
) -> Arc<dyn AgentBackend> {
    let mut settings = serde_json::json!({
        "image": IMAGE,
        "host": host,
        "name_prefix": format!("faults-{swarm}"),
        "timeout": {
            "start": format!("{}s", limits.start.as_secs()),
            "remove": format!("{}s", limits.start.as_secs()),
            "ask": format!("{}s", limits.ask.as_secs()),
            "pull": format!("{}s", limits.ask.as_secs()),
        },
    });
    let (state, secrets) = (state.join("docker-api"), state.join(SECRETS));
    std::fs::create_dir_all(&state).unwrap();
    std::fs::create_dir_all(&secrets).unwrap();
    let context = ConnectContext::new(SwarmName::new("faults").unwrap(), swarm)
        .with_declared(declared(swarm))
        .with_state_dir(state)
        .with_secrets_dir(secrets);
    match way {
        Way::Api => {
            let config: DockerApiConfig = serde_json::from_value(settings).unwrap();
            config.connect(context).await.unwrap()
        }
        Way::Cli(program) => {
            settings["program"] = program.as_str().into();
            let config: DockerCliConfig = serde_json::from_value(settings).unwrap();
            config.connect(context).await.unwrap()
        }
    }
}

impl Ground {
    pub(crate) async fn on(host: &str, limits: Limits) -> Self {
        Self::by(Way::Api, host, limits).await
    }

    pub(crate) async fn by(way: Way, host: &str, limits: Limits) -> Self {
        let proxy = FaultProxy::before(host).await.unwrap();
        let swarm = SwarmUid::random();
        let state = tempfile::tempdir().unwrap();
        let engine = host.trim_start_matches("unix://").to_owned();
        let stranger = Stranger::beside(&engine, swarm);
        let backend = connect(&way, &proxy.host(), swarm, limits, state.path()).await;
        let mut ground = Self {
            backend,
            way,
            proxy,
            swarm,
            row: Row::default(),
            limits,
            notes: Vec::new(),
            engine,
            stranger,
            state,
        };
        // What is learnt once is not learnt in the midst of a fault.
        let backend = Arc::clone(&ground.backend);
        let checked = ground.at_last("a check", || backend.check()).await;
        checked.unwrap().unwrap();
        ground
    }

    pub(crate) fn state(&self) -> &Path {
        self.state.path()
    }

    /// The program by which the engine is reached, where one is.
    pub(crate) fn program(&self) -> Option<&str> {
        match &self.way {
            Way::Api => None,
            Way::Cli(program) => Some(program),
        }
    }

    /// Another manager of the same swarm.
    pub(crate) async fn another_manager(&self) -> Arc<dyn AgentBackend> {
        let host = self.proxy.host();
        connect(&self.way, &host, self.swarm, self.limits, self.state()).await
    }

    pub(crate) fn wrong(&mut self, what: impl Into<String>) {
        self.row.wrong += 1;
        self.notes.push(what.into());
    }

    /// Every container that bears this swarm's label, in the engine's own words.
    pub(crate) fn shown(&self) -> Vec<Shown> {
        let listed = self.labelled("containers/json?all=1&");
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        let shown = |container: &serde_json::Value| Shown {
            agent: text(&container["Labels"]["alveary.agent-id"]),
            state: text(&container["State"]),
        };
        let shown = listed.as_array().unwrap().iter().map(shown);
        // What is being removed is no longer anybody's.
        shown.filter(|one| one.state != "removing").collect()
    }

    /// What bears this swarm's label.
    fn labelled(&self, path: &str) -> serde_json::Value {
        let filters = format!(
            "filters=%7B%22label%22%3A%5B%22alveary.swarm%3D{}%22%5D%7D",
            self.swarm
        );
        let listed = ask(&self.engine, "GET", &format!("/v1.41/{path}{filters}"));
        serde_json::from_slice(&listed).unwrap()
    }

    /// Its networks and its volumes.
    pub(crate) fn belongings(&self) -> Vec<String> {
        let networks = self.labelled("networks?");
        let volumes = self.labelled("volumes?");
        let networks = networks.as_array().unwrap().iter();
        let volumes = volumes["Volumes"].as_array().into_iter().flatten();
        let named = networks.chain(volumes).map(|one| one["Name"].to_string());
        named.collect()
    }

    /// The networks that it is in.
    pub(crate) fn networks_of(&self, id: &AgentId) -> Vec<String> {
        let listed = self.labelled("containers/json?all=1&");
        let mine =
            |container: &&serde_json::Value| container["Labels"]["alveary.agent-id"] == id.as_str();
        let mine = listed.as_array().unwrap().iter().find(mine);
        let networks = mine.and_then(|one| one["NetworkSettings"]["Networks"].as_object());
        networks
            .into_iter()
            .flatten()
            .map(|(name, _)| name.clone())
            .collect()
    }

    /// Waits until the engine shows the same for a while: nothing tells when it has done what nobody waits for
    /// any more.
    pub(crate) async fn until_still(&self) {
        let (mut before, mut looks) = (String::new(), 0);
        while looks < 4 {
            let now = format!("{:?}", self.shown());
            looks = if now == before { looks + 1 } else { 0 };
            before = now;
            sleep(Duration::from_millis(500)).await;
        }
    }

    pub(crate) fn shown_of(&self, id: &AgentId) -> Vec<Shown> {
        let mut shown = self.shown();
        shown.retain(|container| container.agent == id.as_str());
        shown
    }

    pub(crate) fn runs(&self, id: &AgentId) -> bool {
        self.shown_of(id)
            .iter()
            .any(|shown| shown.state == "running")
    }

    /// Nothing goes wrong any more, and what is late of this request is carried out.
    pub(crate) async fn goes_well_again(&mut self, set: &Set, (method, path): (Method, &str)) {
        set.undo(&self.proxy);
        if let Set::Held(_) | Set::Late(_) = set {
            let sent = self.proxy.seen(method, path).len();
            let answered = self.proxy.answered(method, path, sent);
            if timeout(LATE, answered).await.is_err() {
                self.wrong("what was held was never carried out");
            }
        }
    }

    /// A call, within the time that each has to end in.
    pub(crate) async fn bounded<T>(
        &mut self,
        what: &str,
        call: impl Future<Output = Result<T, Error>>,
    ) -> Option<Result<T, Error>> {
        let answer = timeout(self.limits.bound(), call).await.ok();
        if answer.is_none() {
            self.wrong(format!("{what} did not end"));
        }
        answer
    }

    pub(crate) async fn spawn(&mut self, wanted: &Wanted) -> Option<Result<AgentInfo, Error>> {
        let backend = Arc::clone(&self.backend);
        let Wanted { id, spec, options } = wanted;
        self.bounded("a spawn", backend.spawn(id, spec, options.clone()))
            .await
    }

    /// The same call again and again until it says how things are, now that nothing goes wrong any more.
    pub(crate) async fn at_last<T, F>(
        &mut self,
        what: &str,
        call: impl Fn() -> F,
    ) -> Option<Result<T, Error>>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let until = Instant::now() + PATIENCE;
        loop {
            match self.bounded(what, call()).await? {
                Err(error) if passes(&error) && Instant::now() < until => {
                    sleep(Duration::from_millis(50)).await;
                }
                answer => return Some(answer),
            }
        }
    }

    /// The same spawn again makes this agent be there, once.
    pub(crate) async fn comes_to_be(&mut self, wanted: &Wanted) -> Option<AgentInfo> {
        let backend = Arc::clone(&self.backend);
        let Wanted { id, spec, options } = wanted;
        let spawned = self
            .at_last("a spawn", || backend.spawn(id, spec, options.clone()))
            .await;
        let info = match spawned? {
            Ok(info) => info,
            Err(error) => {
                self.row.lost += 1;
                self.notes.push(format!("the spawn again: {error}"));
                return None;
            }
        };
        match self.shown_of(id).len() {
            0 => {
                self.row.lost += 1;
                self.notes.push("the engine shows nothing of it".to_owned());
            }
            1 => {}
            many => {
                self.row.doubled += many - 1;
                self.notes.push(format!("{:?}", self.shown_of(id)));
            }
        }
        Some(info)
    }

    pub(crate) async fn stops(&mut self, id: &AgentId) -> Option<Exit> {
        let backend = Arc::clone(&self.backend);
        let options = StopOptions::default().with_grace(Duration::from_secs(5));
        let stopped = self
            .at_last("a stop", || backend.stop(id, options.clone()))
            .await?;
        match stopped {
            Ok(exit) => {
                if self.runs(id) {
                    self.wrong("a stop that was answered, and it runs");
                }
                Some(exit)
            }
            Err(error) => {
                self.wrong(format!("the stop again: {error}"));
                None
            }
        }
    }

    /// The agents that the backend lists, once it answers.
    pub(crate) async fn listed(&mut self) -> Vec<AgentInfo> {
        let backend = Arc::clone(&self.backend);
        let listed = self
            .at_last("a list", || backend.list(ListOptions::default()))
            .await;
        match listed {
            Some(Ok(listed)) => listed,
            Some(Err(error)) => {
                self.wrong(format!("the list: {error}"));
                Vec::new()
            }
            None => Vec::new(),
        }
    }

    /// What the backend lists is what the engine shows, once a removal that was under way is over: for a moment Docker 28
    /// calls `dead` what it has removed.
    pub(crate) async fn lists_what_is_there(&mut self) -> Vec<AgentInfo> {
        let mut listed = self.listed().await;
        let mut shown = self.shown();
        let until = Instant::now() + AT_REST;
        while shown.iter().any(|one| one.state == "dead") && Instant::now() < until {
            sleep(LOOK).await;
            listed = self.listed().await;
            shown = self.shown();
        }
        for container in &shown {
            if !listed
                .iter()
                .any(|info| info.id.as_str() == container.agent)
            {
                self.row.lost += 1;
                self.notes.push(format!("not listed: {container:?}"));
            }
        }
        for info in &listed {
            let containers = shown.iter().filter(|one| one.agent == info.id.as_str());
            let containers = containers.count();
            if containers == 0 {
                self.wrong(format!("listed and not there: {}", info.id));
            }
            self.row.doubled += containers.saturating_sub(1);
        }
        listed
    }

    pub(crate) async fn removes(&mut self, id: &AgentId) {
        let backend = Arc::clone(&self.backend);
        let options = RemoveOptions::default().with_force(true);
        let removed = self
            .at_last("a removal", || backend.remove(id, options.clone()))
            .await;
        match removed {
            Some(Err(error)) if error.kind() != ErrorKind::NotFound => {
                self.wrong(format!("the removal: {error}"));
            }
            _ if self.state().join(SECRETS).join(id.as_str()).exists() => {
                self.row.leaked += 1;
                self.notes.push(format!("the secrets of {id} are left"));
            }
            _ => {}
        }
    }

    /// Takes away what is the swarm's own and used by nobody any more.
    async fn discards(&mut self) {
        let backend = Arc::clone(&self.backend);
        let belongings = backend.belongings().unwrap();
        let options = DiscardOptions::default().with_volumes(true);
        let discarded = self
            .at_last("a discard", || belongings.discard(options.clone()))
            .await;
        match discarded {
            Some(Ok(discarded)) if discarded.left.is_empty() => {}
            other => self.wrong(format!("the discard: {other:?}")),
        }
    }

    /// Removes all that is listed, and then nothing may be left.
    pub(crate) async fn finish(mut self, scenario: &str) -> Result<Completion, Failed> {
        self.row.runs = self.row.runs.max(1);
        for info in self.listed().await {
            self.removes(&info.id).await;
        }
        self.discards().await;
        for left in self.shown() {
            self.row.leaked += 1;
            self.notes.push(format!("left behind: {left:?}"));
        }
        for left in self.belongings() {
            self.row.leaked += 1;
            self.notes.push(format!("left behind: {left}"));
        }
        if let Some(harm) = self.stranger.harm(&self.engine) {
            self.row.harmed += 1;
            self.notes.push(format!("the stranger beside them: {harm}"));
        }
        table::add(scenario, &self.row);
        if self.row.is_clean() {
            Ok(Completion::Completed)
        } else {
            Err(format!("{:?}: {}", self.row, self.notes.join("; ")).into())
        }
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        // Of a trial that failed something may be left, and its engine be gone.
        let Ok(shown) = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.shown()))
        else {
            return;
        };
        for container in shown {
            let name = format!("faults-{}-{}", self.swarm, container.agent);
            ask(
                &self.engine,
                "DELETE",
                &format!("/v1.41/containers/{name}?force=true"),
            );
        }
        self.stranger.goes(&self.engine);
    }
}

/// Whether the same call may come to something else.
pub(crate) fn passes(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Indeterminate
            | ErrorKind::Timeout
            | ErrorKind::EngineUnavailable
            | ErrorKind::StillRunning
    ) || error.retry() != alveary_core::Retry::Never
}

/// Asks the engine itself.
pub(crate) fn ask(socket: &str, method: &str, path: &str) -> Vec<u8> {
    ask_with(socket, method, path, "")
}

/// The same with a body of JSON. HTTP of old has no chunks and one answer.
pub(crate) fn ask_with(socket: &str, method: &str, path: &str, body: &str) -> Vec<u8> {
    let mut engine = UnixStream::connect(socket).unwrap();
    let request = format!(
        "{method} {path} HTTP/1.0\r\nHost: engine\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    engine.write_all(request.as_bytes()).unwrap();
    let mut said = Vec::new();
    engine.read_to_end(&mut said).unwrap();
    let head = said.windows(4).position(|bytes| bytes == b"\r\n\r\n");
    said.split_off(head.unwrap() + 4)
}
