//! Contexts of Docker's program that have certificates of their own.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use alveary_core::ErrorKind;
use alveary_docker::{DockerApiConfig, DockerCliConfig};

use crate::common::TestEngine;
use crate::here::Here;
use crate::tls::{certificates, variable};
use crate::{an_agent_lives_and_ends, with};

/// Names the engine to a process of its own: which context counts is said by the environment, which all trials of a
/// process share.
const WITHIN: &str = "ALVEARY_TEST_WITHIN_A_CONTEXT";

const LIVES: &str = "an agent lives and ends";

/// Whose context this process is to look at.
pub(crate) fn within() -> Option<TestEngine> {
    let name = std::env::var(WITHIN).ok()?;
    Some(TestEngine::named(&name))
}

/// Says what comes of the context that counts here: a line for each way.
pub(crate) async fn tell(engine: TestEngine) {
    let here = with(Here::on(&engine), "host", ());
    for backend in [
        here.unasked::<DockerApiConfig>().await,
        here.unasked::<DockerCliConfig>().await,
    ] {
        let said = match backend.check().await {
            Ok(_) => {
                an_agent_lives_and_ends(&here, &*backend).await;
                LIVES.to_owned()
            }
            Err(error) => {
                let (kind, message) = (error.kind(), error.message());
                format!("{kind:?}: {message}: {}", error.cure().unwrap_or_default())
            }
        };
        writeln!(std::io::stdout(), "{said}").expect("somebody reads it");
    }
}

/// What is told of a context in a folder of settings, where it counts because it is named, or was chosen there.
fn told(engine: &TestEngine, folder: &Path, named: Option<&str>) -> Vec<String> {
    let mut itself = Command::new(std::env::current_exe().expect("this program is a file"));
    for variable in [
        "DOCKER_HOST",
        "DOCKER_CONTEXT",
        "DOCKER_TLS",
        "DOCKER_TLS_VERIFY",
        "DOCKER_CERT_PATH",
    ] {
        itself.env_remove(variable);
    }
    if let Some(context) = named {
        itself.env("DOCKER_CONTEXT", context);
    }
    itself
        .env("DOCKER_CONFIG", folder)
        .env(WITHIN, &engine.name);
    let output = itself.output().expect("this program can be started");
    let panic = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{panic}");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    said.lines().map(ToOwned::to_owned).collect()
}

/// Has Docker's program make it, so that it is where and as that program has it.
fn make(engine: &TestEngine, folder: &Path, name: &str, files: &Path) {
    let config = format!("--config={}", folder.display());
    let [ca, cert, key] = ["ca", "cert", "key"].map(|file| {
        let path = files.join(format!("{file}.pem"));
        format!("{file}={}", path.display())
    });
    let endpoint = format!(
        "--docker=host={},{ca},{cert},{key}",
        variable("TCP", engine)
    );
    engine.client(&[&config, "context", "create", name, &endpoint]);
}

pub(crate) async fn what_a_context_has_secures_its_connections(engine: TestEngine) {
    let good = certificates(&engine);
    let stranger = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a key");
    let (certificate, key) = (stranger.cert.pem(), stranger.signing_key.serialize_pem());
    let folder = tempfile::tempdir().expect("a folder can be made");
    let files = |name: &str, ours: &[(&str, &String)]| {
        let files = folder.path().join(format!("files of {name}"));
        fs::create_dir(&files).expect("the folder can be written");
        for file in ["ca.pem", "cert.pem", "key.pem"] {
            fs::copy(good.join(file), files.join(file)).expect("it is there");
        }
        for (file, text) in ours {
            fs::write(files.join(file), text).expect("it is ours");
        }
        make(&engine, folder.path(), name, &files);
        // The program has put them where it keeps them.
        fs::remove_dir_all(files).expect("they are ours");
    };
    files("known", &[]);
    files("stranger", &[("cert.pem", &certificate), ("key.pem", &key)]);
    files("other", &[("ca.pem", &certificate)]);

    let config = format!("--config={}", folder.path().display());
    engine.client(&[&config, "context", "use", "known"]);
    assert_eq!(told(&engine, folder.path(), None), [LIVES, LIVES]);
    for (context, kind, words) in [
        (
            "stranger",
            ErrorKind::PermissionDenied,
            "wants a certificate from us",
        ),
        (
            "other",
            ErrorKind::EngineUnavailable,
            "signed by nobody who is trusted",
        ),
    ] {
        let told = told(&engine, folder.path(), Some(context));
        assert_eq!(told.len(), 2, "{told:?}");
        for said in told {
            assert!(said.starts_with(&format!("{kind:?}: ")), "{said}");
            assert!(said.contains(words), "{said}");
            assert!(said.contains("into the context") || said.contains("in the context"));
        }
    }
}
