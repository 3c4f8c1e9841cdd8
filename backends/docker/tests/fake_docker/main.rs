//! The backend over a program at its worst: what an agent's author sees of it. A script plays the program, and
//! an engine of at most one container; see `docker` beside this file.
#![cfg(feature = "cli")]

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use alveary_core::{
    AgentBackend, AgentId, AgentSpec, AgentState, BackendConfig, ConnectContext, ErrorKind,
    ListOptions, SpawnOptions, SwarmName, SwarmUid,
};
use alveary_docker::DockerCliConfig;
use tempfile::TempDir;

/// An engine of one container, in shell: `made` holds its name and labels, `status` how it stands.
const ENGINE: [(&str, &str); 6] = [
    ("cp", "cd $here; : >sleep; chmod +x sleep; tar cf - sleep"),
    ("start", "echo running >$here/status; echo $id"),
    ("ps", "[ ! -e $here/made ] || echo $id"),
    ("rm", "rm $here/made; echo $id"),
    (
        "create",
        "if [ -e $here/made ]; then echo 'Error response from daemon: Conflict. The name is already in use by container x' >&2; exit 1; fi; make \"$@\" >$here/made; echo $id",
    ),
    (
        "inspect",
        "if [ ! -e $here/made ]; then echo '[]'; echo 'Error: No such container: x' >&2; exit 1; fi; tell",
    ),
];

/// What the engine's verbs have in common.
const COMMON: &str = r#"
id=3d0a9009a5e15771f9373986c942e77cb4e0d0672874894fd2735a0671121900
make() {
    cat >/dev/null
    echo created >"$here/status"
    labels=
    for arg; do
        case $arg in
        --name=*) name=${arg#--name=} ;;
        --label=*)
            label=${arg#--label=}
            labels="$labels,\"${label%%=*}\":\"${label#*=}\""
            ;;
        esac
    done
    echo "\"Name\":\"/$name\",\"Config\":{\"Cmd\":[\"/bin/sleep\"],\"Labels\":{${labels#,}}}"
}
tell() {
    echo "[{\"Id\":\"$id\",\"State\":{\"Status\":\"$(cat "$here/status")\"},$(cat "$here/made")}]"
}
"#;

struct Fake {
    folder: TempDir,
    backend: Arc<dyn AgentBackend>,
}

impl Fake {
    /// With these verbs in place of the engine's own.
    async fn with(verbs: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("the temporary folder can be written");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fake_docker/docker");
        let program = folder.path().join("docker");
        std::os::unix::fs::symlink(script, &program).expect("it can be linked");
        for (verb, commands) in ENGINE.iter().chain(verbs) {
            let path = folder.path().join(format!("on-{verb}"));
            fs::write(path, format!("{COMMON}\n{commands}\n")).expect("it can be written");
        }
        let backend = connect(program.to_str().expect("a name in UTF-8")).await;
        Self { folder, backend }
    }

    fn calls(&self, verb: &str) -> usize {
        let calls = fs::read_to_string(self.folder.path().join("calls")).unwrap_or_default();
        calls
            .lines()
            .filter(|call| call.split(' ').next() == Some(verb))
            .count()
    }
}

async fn connect(program: &str) -> Arc<dyn AgentBackend> {
    let config: DockerCliConfig = serde_json::from_value(serde_json::json!({
        "program": program,
        "host": "unix:///nonexistent.sock",
        "image": "busybox",
        "timeout": { "start": "3s", "remove": "8s", "ask": "8s" },
    }))
    .expect("good settings");
    let context = ConnectContext::new(
        SwarmName::new("demo").expect("a good name"),
        SwarmUid::random(),
    );
    config.connect(context).await.expect("it needs no engine")
}

fn spec() -> AgentSpec {
    AgentSpec::new("echo", ["/bin/sleep", "1000"])
}

/// The engine does what it is asked, and what the program then says of it varies.
#[tokio::test]
async fn a_create_that_was_carried_out_is_found_whatever_was_said_of_it() {
    for (what, create) in [
        (
            "an id and a failure",
            "make \"$@\" >$here/made; echo $id; exit 1",
        ),
        ("no word", "make \"$@\" >$here/made"),
        (
            "a failure without a word",
            "make \"$@\" >$here/made; exit 125",
        ),
        (
            "garbage",
            "make \"$@\" >$here/made; head -c 5000 /dev/urandom",
        ),
        (
            "more than anybody reads",
            "make \"$@\" >$here/made; exec yes",
        ),
        (
            "nothing, for ever",
            "make \"$@\" >$here/made; trap '' TERM; sleep 1000",
        ),
    ] {
        let create = format!("if [ -e $here/made ]; then exit 1; fi; {create}");
        let fake = Fake::with(&[("create", &create)]).await;
        let info = fake
            .backend
            .spawn(&AgentId::random(), &spec(), SpawnOptions::default())
            .await
            .unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(info.state, AgentState::Running, "{what}");
        assert_eq!(
            (fake.calls("create"), fake.calls("start")),
            (1, 1),
            "{what}"
        );
    }
}

#[tokio::test]
async fn a_create_that_comes_late_is_inert_and_the_same_call_goes_on_with_it() {
    let late = "if [ -e $here/made ]; then echo 'Conflict. The name is already in use by container x' >&2; exit 1; fi; make \"$@\" >$here/later; sleep 1000";
    let fake = Fake::with(&[("create", late)]).await;
    let (id, options) = (AgentId::random(), SpawnOptions::default());
    let spawned = fake.backend.spawn(&id, &spec(), options.clone()).await;
    assert_eq!(spawned.unwrap_err().kind(), ErrorKind::Indeterminate);
    let listed = fake.backend.list(ListOptions::default()).await.unwrap();
    assert_eq!(listed, []);

    let folder = fake.folder.path();
    fs::rename(folder.join("later"), folder.join("made")).unwrap();
    let listed = fake.backend.list(ListOptions::default()).await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].state, AgentState::Pending);
    let info = fake.backend.spawn(&id, &spec(), options).await.unwrap();
    assert_eq!(info.state, AgentState::Running);
    assert_eq!(fake.calls("start"), 1);
}

#[tokio::test]
async fn a_start_that_was_carried_out_is_a_start_whatever_was_said_of_it() {
    for (what, start) in [
        (
            "nothing, for ever",
            "echo running >$here/status; sleep 1000",
        ),
        (
            "a failure and the name",
            "echo running >$here/status; echo $id; exit 1",
        ),
        (
            "a connection that broke off",
            "echo running >$here/status; echo 'error during connect: Post \"http://x\": EOF' >&2; exit 1",
        ),
    ] {
        let fake = Fake::with(&[("start", start)]).await;
        let spawned = fake
            .backend
            .spawn(&AgentId::random(), &spec(), SpawnOptions::default())
            .await
            .unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(spawned.state, AgentState::Running, "{what}");
        assert_eq!(fake.calls("rm"), 0, "{what}");
    }
}

#[tokio::test]
async fn a_start_that_is_refused_leaves_nothing() {
    let refused = "echo 'Error response from daemon: OCI runtime create failed: exec: \"x\": executable file not found in $PATH: unknown' >&2; echo 'Error: failed to start containers: x' >&2; exit 1";
    let fake = Fake::with(&[("start", refused)]).await;
    let spawned = fake
        .backend
        .spawn(&AgentId::random(), &spec(), SpawnOptions::default())
        .await;
    assert_eq!(spawned.unwrap_err().kind(), ErrorKind::InvalidSpec);
    assert_eq!(fake.backend.list(ListOptions::default()).await.unwrap(), []);
}

#[tokio::test]
async fn an_engine_that_is_not_to_be_had_is_told_with_its_cure() {
    let error = connect("/nonexistent/docker")
        .await
        .check()
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::EngineUnavailable);
    assert!(
        error
            .cure()
            .is_some_and(|cure| cure.contains("Docker Desktop"))
    );
    for (said, kind) in [
        (
            "Cannot connect to the Docker daemon at unix:///x.sock. Is the docker daemon running?",
            ErrorKind::EngineUnavailable,
        ),
        (
            "Got permission denied while trying to connect to the Docker daemon socket at unix:///x.sock",
            ErrorKind::PermissionDenied,
        ),
        (
            "Error response from daemon: client version 1.51 is too new. Maximum supported API version is 1.39",
            ErrorKind::EngineUnavailable,
        ),
    ] {
        // The program tells of itself all the same.
        let version = format!(
            "echo '{{\"Client\":{{\"Version\":\"28\"}},\"Server\":null}}'; echo '{said}' >&2; exit 1"
        );
        let fake = Fake::with(&[("version", &version)]).await;
        let error = fake.backend.check().await.unwrap_err();
        assert_eq!(error.kind(), kind, "{said}");
        assert!(error.cure().is_some_and(|cure| !cure.is_empty()));
        assert_eq!(error.engine_words(), Some(said));
    }
}

#[tokio::test]
async fn a_program_that_hangs_holds_up_no_call_for_longer_than_its_time() {
    let hang = "trap '' TERM HUP; sleep 1000";
    let fake = Fake::with(&[("start", hang), ("inspect", hang)]).await;
    let (id, spec) = (AgentId::random(), spec());
    let spawn = fake.backend.spawn(&id, &spec, SpawnOptions::default());
    let spawned = tokio::time::timeout(Duration::from_mins(2), spawn).await;
    let error = spawned.expect("it ends").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Indeterminate);
}
