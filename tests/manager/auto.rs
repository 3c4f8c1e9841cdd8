//! A backend that is chosen by what can be reached stays the one that was chosen.

use std::collections::HashSet;
use std::sync::{Arc, LazyLock, Mutex};

use alveary::{
    AgentBackend, AgentSpec, BackendConfig, ConnectContext, DownOptions, Error, ErrorKind, Fleet,
    LoadOptions, MemoryBackend, OpenOptions, Opened, Operation, Registry, Result,
};
use async_trait::async_trait;

use crate::house::{House, InMemory, memory, names};

/// The houses in which nobody answers but memory.
static AWAY: LazyLock<Mutex<HashSet<String>>> = LazyLock::new(Mutex::default);

/// An engine that is tried first, and is away sometimes.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Sometimes {
    house: String,
}

#[async_trait]
impl BackendConfig for Sometimes {
    const NAME: &'static str = "sometimes";

    async fn connect(self, _: ConnectContext) -> Result<Arc<dyn AgentBackend>> {
        let away = AWAY.lock().expect("nobody panics with it");
        if away.contains(&self.house) {
            return Err(Error::new(
                ErrorKind::EngineUnavailable,
                Operation::Connect,
                "it is away",
            ));
        }
        let backend: MemoryBackend = memory();
        Ok(Arc::new(backend))
    }
}

fn is_away(house: &House, away: bool) {
    let mut all = AWAY.lock().expect("nobody panics with it");
    if away {
        all.insert(house.engine().to_owned());
    } else {
        all.remove(house.engine());
    }
}

fn both() -> Registry {
    Registry::new().with::<Sometimes>().with::<InMemory>()
}

async fn open_with(house: &House, backend: &str, registry: Registry) -> Result<Opened> {
    open_by(house, backend, OpenOptions::new().registry(registry)).await
}

async fn open_by(house: &House, backend: &str, options: OpenOptions) -> Result<Opened> {
    let engine = house.engine();
    let text = format!(
        "swarm = \"demo\"\nbackend = \"{backend}\"\n[backends.memory]\nengine = \"{engine}\"\n\
         [backends.sometimes]\nhouse = \"{engine}\"\n[agents.echo]\ncommand = [\"stay\"]\n"
    );
    let nowhere: [(&str, &str); 0] = [];
    let load = LoadOptions::default()
        .with_state_dir(house.path())
        .with_environment(nowhere);
    let fleet = Fleet::parse(&text, house.path().join("alveary.toml"), &load)?;
    options
        .supervise(false)
        .secrets_root(house.path().join("secrets"))
        .open_fleet(fleet)
        .await
}

async fn open(house: &House, backend: &str) -> Result<Opened> {
    open_with(house, backend, both()).await
}

#[tokio::test]
async fn a_swarm_stays_on_the_backend_that_was_taken_until_it_is_down() {
    let house = House::new();
    is_away(&house, true);
    let first = open(&house, "auto").await.unwrap();
    assert_eq!(first.auto.unwrap().taken, "memory");
    let echo = first.swarm.spawn(AgentSpec::new("echo", ["stay"])).await;
    echo.unwrap();

    is_away(&house, false);
    let second = open(&house, "auto").await.unwrap();
    assert_eq!(second.auto, None);
    assert_eq!(second.record.backend.as_deref(), Some("memory"));
    assert_eq!(names(&second.swarm.list().await.unwrap()), ["echo"]);

    second.swarm.down(DownOptions::default()).await.unwrap();
    let third = open(&house, "auto").await.unwrap();
    assert_eq!(third.auto.unwrap().taken, "sometimes");
}

/// Whatever was opened in between: where the agents were started is what counts.
#[tokio::test]
async fn who_follows_is_where_the_agents_are_and_where_the_file_says_once_there_are_none() {
    let house = House::new();
    let follow = || OpenOptions::new().registry(both()).follow(true);
    let first = open(&house, "memory").await.unwrap();
    let early = open_by(&house, "sometimes", follow()).await.unwrap();
    assert_eq!(early.record.backend.as_deref(), Some("sometimes"));
    let echo = first.swarm.spawn(AgentSpec::new("echo", ["stay"])).await;
    echo.unwrap();

    let error = open(&house, "sometimes").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    // Nor need the file's word be that of a backend, for those who only look.
    for says in ["sometimes", "memory", "nowhere"] {
        let second = open_by(&house, says, follow()).await.unwrap();
        assert_eq!(second.record.backend.as_deref(), Some("memory"));
        assert_eq!(second.followed, says != "memory");
        assert_eq!(second.fleet.backend.as_str(), "memory");
        assert_eq!(names(&second.swarm.list().await.unwrap()), ["echo"]);
    }
    let second = open_by(&house, "sometimes", follow()).await.unwrap();

    second.swarm.down(DownOptions::default()).await.unwrap();
    let third = open_by(&house, "sometimes", follow()).await.unwrap();
    assert_eq!(third.record.backend.as_deref(), Some("sometimes"));
}

#[tokio::test]
async fn a_swarm_on_a_backend_that_this_program_does_not_have_is_not_opened_on_another() {
    let house = House::new();
    is_away(&house, true);
    let first = open(&house, "auto").await.unwrap();
    let echo = first.swarm.spawn(AgentSpec::new("echo", ["stay"])).await;
    echo.unwrap();
    is_away(&house, false);
    // Its settings are a word that nobody here knows, too: only those of the other are read.
    let fleet = "swarm = \"demo\"\nbackend = \"auto\"\n[agents.echo]\ncommand = [\"stay\"]\n";
    let nowhere: [(&str, &str); 0] = [];
    let load = LoadOptions::default()
        .with_state_dir(house.path())
        .with_environment(nowhere);
    let fleet = Fleet::parse(fleet, house.path().join("alveary.toml"), &load).unwrap();
    let error = OpenOptions::new()
        .registry(Registry::new().with::<Sometimes>())
        .open_fleet(fleet)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(error.to_string().contains("run on `memory`"), "{error}");
}

/// Two open an empty swarm, each on another backend; the second to start anything is told.
#[tokio::test]
async fn of_two_that_took_different_backends_one_records_agents_and_the_other_is_refused() {
    let house = House::new();
    is_away(&house, true);
    let one = open(&house, "auto").await.unwrap();
    is_away(&house, false);
    let other = open(&house, "auto").await.unwrap();
    assert_eq!(other.record.backend.as_deref(), Some("sometimes"));

    let spec = |name| AgentSpec::new(name, ["stay"]);
    one.swarm.spawn(spec("one")).await.unwrap();
    let error = other.swarm.spawn(spec("other")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(error.to_string().contains("run on `memory`"), "{error}");
    let error = other.swarm.down(DownOptions::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    // What the folder says of itself is what its agents say.
    let third = open(&house, "auto").await.unwrap();
    assert_eq!(third.record.backend.as_deref(), Some("memory"));
    assert_eq!(names(&third.swarm.list().await.unwrap()), ["one"]);
    assert_eq!(
        open(&house, "sometimes").await.unwrap_err().kind(),
        ErrorKind::Conflict
    );

    // Once the last of them is removed, by whatever verb, it is free again.
    third
        .swarm
        .stop_all(alveary::StopOptions::default())
        .await
        .unwrap();
    let one = third.swarm.find("one").await.unwrap().unwrap();
    let remove = alveary::RemoveOptions::default();
    third.swarm.remove(one.id(), remove).await.unwrap();
    let fourth = open(&house, "sometimes").await.unwrap();
    fourth.swarm.spawn(spec("four")).await.unwrap();
    let fifth = open(&house, "auto").await.unwrap();
    assert_eq!(fifth.record.backend.as_deref(), Some("sometimes"));
}
