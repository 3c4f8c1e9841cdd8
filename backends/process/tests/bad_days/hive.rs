//! A swarm to maltreat.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use alveary_conformance::ProcWitness;
use alveary_core::{
    AgentBackend, AgentId, AgentInfo, AgentSpec, AgentState, BackendConfig, ConnectContext,
    ListOptions, LogItem, LogOptions, LogStreamKind, SpawnOptions, SwarmName, SwarmUid,
};
use alveary_process::ProcessConfig;
use futures_util::StreamExt;
use tempfile::TempDir;

/// How long anything that is waited for may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Hive {
    name: SwarmName,
    uid: SwarmUid,
    folder: PathBuf,
    config: ProcessConfig,
    _root: TempDir,
}

impl Hive {
    pub(crate) fn new(name: &str) -> Self {
        let root = tempfile::tempdir().expect("a temporary folder can be made");
        let uid = SwarmUid::random();
        // What a list of processes shows of its keeper: like no other's.
        let name = format!("{}-{uid}", &name[..name.len().min(20)].replace('_', "-"));
        Self {
            name: SwarmName::new(name).expect("a good name"),
            uid,
            folder: root.path().to_owned(),
            config: ProcessConfig::default(),
            _root: root,
        }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn move_to(&mut self, folder: PathBuf) {
        self.folder = folder;
    }

    pub(crate) fn configure(&mut self, configure: impl FnOnce(&mut ProcessConfig)) {
        configure(&mut self.config);
    }

    /// A manager of the swarm.
    pub(crate) async fn open(&self) -> Arc<dyn AgentBackend> {
        let context = ConnectContext::new(self.name.clone(), self.uid).with_state_dir(&self.folder);
        self.config
            .clone()
            .connect(context)
            .await
            .expect("the backend connects")
    }

    /// A manager that would have this program keep its agents.
    pub(crate) async fn open_with_keeper(&self, program: &str) -> Arc<dyn AgentBackend> {
        let context = ConnectContext::new(self.name.clone(), self.uid)
            .with_state_dir(&self.folder)
            .with_keeper(program);
        self.config
            .clone()
            .connect(context)
            .await
            .expect("the backend connects")
    }

    /// A manager of another swarm that was given the same folder.
    pub(crate) async fn open_as_another_swarm(&self) -> Arc<dyn AgentBackend> {
        let context =
            ConnectContext::new(self.name.clone(), SwarmUid::random()).with_state_dir(&self.folder);
        self.config
            .clone()
            .connect(context)
            .await
            .expect("the backend connects")
    }

    pub(crate) fn uid(&self) -> SwarmUid {
        self.uid
    }

    /// What a list of processes shows of the keeper.
    pub(crate) fn keepers_name(&self) -> String {
        format!("alveary-keeper {}", self.name)
    }

    /// The keeper's number, as anybody can see it.
    pub(crate) fn keeper(&self) -> Option<u32> {
        process_named(&self.keepers_name())
    }

    pub(crate) fn kill_keeper(&self) {
        let keeper = self.keeper().expect("there is a keeper");
        signal(keeper, rustix::process::Signal::KILL);
        wait_until(|| !exists(keeper), "the keeper to be gone");
    }

    /// Every living process of the swarm's agents.
    pub(crate) fn living(&self) -> Vec<u32> {
        let mark = format!("ALVEARY_SWARM={}", self.uid);
        processes()
            .filter(|&pid| environment(pid).contains(&mark))
            .collect()
    }
}

impl Drop for Hive {
    fn drop(&mut self) {
        // Whatever a failed trial has left: the keeper first, so that it restarts nothing and writes nothing.
        for pid in self.keeper().into_iter().chain(self.living()) {
            signal(pid, rustix::process::Signal::KILL);
        }
        // A keeper takes them away; a killed one leaves that to the next, which there is not.
        let leaf = format!("alveary-{}", self.uid);
        let groups: Vec<_> = mounts_of_groups()
            .map(|mount| mount.join(&leaf))
            .filter(|group| group.exists())
            .collect();
        let until = Instant::now() + PATIENCE;
        while !groups.iter().all(|group| remove_group(group)) && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

fn mounts_of_groups() -> impl Iterator<Item = PathBuf> {
    let mounts = std::fs::read_to_string("/proc/mounts").unwrap_or_default();
    let groups: Vec<_> = mounts
        .lines()
        .filter_map(|line| {
            let mut words = line.split(' ').skip(1);
            let (place, kind) = (words.next()?, words.next()?);
            kind.starts_with("cgroup").then(|| PathBuf::from(place))
        })
        .collect();
    groups.into_iter()
}

/// With those beneath it; `false` while a process is in one of them.
fn remove_group(group: &Path) -> bool {
    let beneath = std::fs::read_dir(group).into_iter().flatten().flatten();
    for beneath in beneath.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
        remove_group(&beneath.path());
    }
    match std::fs::remove_dir(group) {
        Ok(()) => true,
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    }
}

pub(crate) fn process_named(title: &str) -> Option<u32> {
    processes().find(|&pid| {
        std::fs::read(format!("/proc/{pid}/cmdline"))
            .is_ok_and(|cmdline| cmdline.split(|&byte| byte == 0).next() == Some(title.as_bytes()))
    })
}

pub(crate) fn processes() -> impl Iterator<Item = u32> {
    std::fs::read_dir("/proc")
        .expect("/proc is there")
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

fn environment(pid: u32) -> Vec<String> {
    let bytes = ProcWitness::environment(pid).unwrap_or_default();
    bytes
        .split(|&byte| byte == 0)
        .map(|line| String::from_utf8_lossy(line).into_owned())
        .collect()
}

/// Whether there is such a process that has not ended.
pub(crate) fn exists(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| {
        !stat
            .rsplit(')')
            .next()
            .is_some_and(|rest| rest.starts_with(" Z"))
    })
}

pub(crate) fn signal(pid: u32, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_raw(pid.try_into().expect("a number")).expect("not zero");
    // It may have ended by itself meanwhile.
    let _gone = rustix::process::kill_process(pid, signal);
}

/// Waits for something that somebody else does.
pub(crate) fn wait_until(mut is_so: impl FnMut() -> bool, what: &str) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

pub(crate) fn sh(script: &str) -> AgentSpec {
    AgentSpec::new("agent", ["/bin/sh", "-c", script])
}

pub(crate) async fn spawn(backend: &Arc<dyn AgentBackend>, spec: &AgentSpec) -> AgentInfo {
    backend
        .spawn(&AgentId::random(), spec, SpawnOptions::default())
        .await
        .expect("the agent starts")
}

/// Spawns an agent and waits until it has written this line.
pub(crate) async fn spawn_until(
    backend: &Arc<dyn AgentBackend>,
    spec: &AgentSpec,
    line: &str,
) -> AgentInfo {
    let info = spawn(backend, spec).await;
    let mut log = backend
        .logs(&info.id, LogOptions::default().with_follow(true))
        .await
        .expect("its log can be followed");
    let mut text = String::new();
    while !text.lines().any(|found| found == line) {
        match tokio::time::timeout(PATIENCE, log.next())
            .await
            .expect("it writes")
            .expect("it writes")
        {
            Ok(LogItem::Piece(piece)) => text.push_str(&String::from_utf8_lossy(&piece.bytes)),
            other => panic!("its log says {other:?}"),
        }
    }
    info
}

pub(crate) async fn output(backend: &Arc<dyn AgentBackend>, id: &AgentId) -> String {
    let log = backend
        .logs(id, LogOptions::default())
        .await
        .expect("its log can be read");
    let bytes = log
        .collect_bytes(LogStreamKind::Stdout)
        .await
        .expect("its log can be read");
    String::from_utf8_lossy(&bytes).into_owned()
}

pub(crate) async fn state(backend: &Arc<dyn AgentBackend>, id: &AgentId) -> AgentState {
    backend.inspect(id).await.expect("it is known").state
}

pub(crate) async fn listed(backend: &Arc<dyn AgentBackend>) -> Vec<AgentInfo> {
    backend
        .list(ListOptions::default())
        .await
        .expect("the agents can be listed")
}
