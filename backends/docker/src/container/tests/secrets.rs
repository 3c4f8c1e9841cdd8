//! What becomes of an agent's secrets while it lives, and where a start is broken off.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use alveary_core::{Incarnation, Secret, SecretSpec};

use super::*;

struct Vault {
    engine: Fake,
    containers: Containers<Fake>,
    dir: tempfile::TempDir,
}

/// A swarm with a folder of secrets, on an engine that has all images.
fn vault() -> Vault {
    let (engine, dir) = (Fake::default(), tempfile::tempdir().unwrap());
    *engine.0.fetched.lock().unwrap() = true;
    let context = ConnectContext::new(SwarmName::new("demo").unwrap(), SwarmUid::random())
        .with_secrets_dir(dir.path());
    let containers = Containers::new(engine.clone(), Settings::default(), &context).unwrap();
    Vault {
        engine,
        containers,
        dir,
    }
}

fn with(keys: &[&str]) -> AgentSpec {
    keys.iter().fold(spec(), |spec, key| {
        let value = SecretSpec::given(Secret::new(format!("hunter2 of {key}")));
        spec.secret(*key, value)
    })
}

impl Vault {
    async fn spawn(
        &self,
        id: &AgentId,
        spec: &AgentSpec,
        incarnation: Incarnation,
    ) -> Result<AgentInfo> {
        let options = SpawnOptions::default().with_incarnation(incarnation);
        self.containers.spawn(id, spec, options).await
    }

    /// Where the secrets of this start lie.
    fn folder(&self, id: &AgentId, spec: &AgentSpec, incarnation: Incarnation) -> PathBuf {
        let start = format!("{incarnation}-{}", spec.hash());
        self.dir.path().join(id.as_str()).join(start)
    }
}

/// What lies there, by its name.
fn lie_in(folder: &Path) -> Vec<(String, String)> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found: Vec<_> = entries
        .map(|entry| {
            let name = entry.file_name().into_string().unwrap();
            (name, std::fs::read_to_string(entry.path()).unwrap())
        })
        .collect();
    found.sort();
    found
}

fn of(keys: &[&str]) -> Vec<(String, String)> {
    let lie = keys.iter();
    lie.map(|key| ((*key).to_owned(), format!("hunter2 of {key}")))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_start_from_another_spec_touches_no_secret_of_one_that_lives() {
    let vault = vault();
    let (id, start) = (AgentId::random(), Incarnation::random());
    let lives = with(&["KEY"]);
    vault.spawn(&id, &lives, start).await.unwrap();
    for other in [with(&["KEY", "MORE"]), with(&["OTHER"]), with(&[])] {
        let refused = vault.spawn(&id, &other, start).await;
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(lie_in(&vault.folder(&id, &lives, start)), of(&["KEY"]));
        // And nothing stays of the other.
        let folders = std::fs::read_dir(vault.dir.path().join(id.as_str()));
        assert_eq!(folders.unwrap().count(), 1);
    }
}

/// As the value is by now where it comes from.
#[tokio::test(start_paused = true)]
async fn the_same_start_with_another_value_changes_nothing_of_one_that_lives() {
    let vault = vault();
    let (id, start) = (AgentId::random(), Incarnation::random());
    let lives = with(&["KEY"]);
    let turned = spec().secret("KEY", SecretSpec::given(Secret::new("turned")));
    assert_eq!(lives.hash(), turned.hash());
    vault.spawn(&id, &lives, start).await.unwrap();
    vault.spawn(&id, &turned, start).await.unwrap();
    assert_eq!(lie_in(&vault.folder(&id, &lives, start)), of(&["KEY"]));
}

#[tokio::test(start_paused = true)]
async fn the_same_start_again_that_fails_leaves_the_secrets_of_one_that_lives() {
    let vault = vault();
    let (id, start) = (AgentId::random(), Incarnation::random());
    let mut lives = with(&["KEY"]);
    lives.container.pull = Pull::Always;
    vault.engine.0.come.notify_one();
    vault.spawn(&id, &lives, start).await.unwrap();
    *vault.engine.0.unwell.lock().unwrap() = true;
    let failed = vault.spawn(&id, &lives, start).await.unwrap_err();
    assert_eq!(failed.kind(), ErrorKind::Engine, "{failed}");
    assert_eq!(lie_in(&vault.folder(&id, &lives, start)), of(&["KEY"]));
}

#[tokio::test(start_paused = true)]
async fn a_start_that_comes_to_nothing_leaves_no_secret() {
    let vault = vault();
    let (id, start) = (AgentId::random(), Incarnation::random());
    *vault.engine.0.fetched.lock().unwrap() = false;
    let mut never = with(&["KEY"]);
    never.container.pull = Pull::Never;
    let failed = vault.spawn(&id, &never, start).await;
    assert_eq!(failed.unwrap_err().kind(), ErrorKind::ImageNotFound);
    assert!(!vault.dir.path().join(id.as_str()).exists());
}

/// As one leaves it who was killed while he wrote.
#[tokio::test(start_paused = true)]
async fn what_was_written_by_halves_is_whole_before_its_agent_starts() {
    let vault = vault();
    let (id, start) = (AgentId::random(), Incarnation::random());
    let spec = with(&["KEY", "MORE", "OTHER"]);
    let folder = vault.folder(&id, &spec, start);
    std::fs::create_dir_all(&folder).unwrap();
    for (key, half) in [("KEY", ""), ("MORE", "hunt")] {
        std::fs::write(folder.join(key), half).unwrap();
    }
    vault.spawn(&id, &spec, start).await.unwrap();
    assert_eq!(lie_in(&folder), of(&["KEY", "MORE", "OTHER"]));
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder.join("KEY")), 0o444);
    assert_eq!(mode(&folder), 0o755);
    // Nobody else of this host gets there.
    assert_eq!(mode(folder.parent().unwrap()), 0o700);
}
