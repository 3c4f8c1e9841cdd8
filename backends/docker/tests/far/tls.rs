//! Secured connections to engines that let in only whom they know.

use std::path::PathBuf;

use alveary_core::ErrorKind;
use alveary_docker::{DockerApiConfig, DockerCliConfig};

use crate::common::TestEngine;
use crate::here::Here;
use crate::{an_agent_lives_and_ends, refusal, with};

pub(crate) fn variable(what: &str, engine: &TestEngine) -> String {
    let key = engine.name.to_uppercase().replace('-', "_");
    std::env::var(format!("ALVEARY_TEST_{what}_{key}"))
        .expect("`tests/engines/engine env` names it")
}

pub(crate) fn certificates(engine: &TestEngine) -> PathBuf {
    variable("CERTIFICATES", engine).into()
}

/// A swarm that reaches the engine where it wants to see certificates, with those of this folder.
pub(crate) fn secured(engine: &TestEngine, folder: Option<PathBuf>) -> Here {
    let here = with(Here::on(engine), "host", variable("TCP", engine));
    with(here, "certificates", folder)
}

pub(crate) async fn agents_run_by_a_secured_connection(engine: TestEngine) {
    let here = secured(&engine, Some(certificates(&engine)));
    an_agent_lives_and_ends(&here, &*here.api().await).await;
    an_agent_lives_and_ends(&here, &*here.cli().await).await;
}

pub(crate) async fn who_lets_nobody_in_is_told_with_the_cure(engine: TestEngine) {
    let good = certificates(&engine);
    let without = |left_out: &[&str]| {
        let folder = tempfile::tempdir().expect("a folder can be made");
        for name in ["ca.pem", "cert.pem", "key.pem"] {
            if !left_out.contains(&name) {
                std::fs::copy(good.join(name), folder.path().join(name)).expect("it is there");
            }
        }
        folder
    };
    let nobody = without(&["cert.pem", "key.pem"]);
    let stranger = without(&[]);
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a key");
    std::fs::write(stranger.path().join("ca.pem"), other.cert.pem()).expect("it is ours");
    let trustless = without(&["ca.pem"]);
    for (what, folder, kind, words) in [
        (
            "nobody",
            Some(&nobody),
            ErrorKind::PermissionDenied,
            "wants a certificate from us",
        ),
        (
            "a stranger",
            Some(&stranger),
            ErrorKind::EngineUnavailable,
            "signed by nobody who is trusted",
        ),
        (
            "no authority",
            Some(&trustless),
            ErrorKind::EngineUnavailable,
            "files that secure the connection",
        ),
        (
            "in the clear",
            None,
            ErrorKind::EngineUnavailable,
            "only connections that are secured",
        ),
    ] {
        let here = secured(&engine, folder.map(|folder| folder.path().to_owned()));
        for backend in [
            here.unasked::<DockerApiConfig>().await,
            here.unasked::<DockerCliConfig>().await,
        ] {
            let error = refusal(&*backend).await;
            let said = format!("{what} by {}: {error}", backend.kind());
            assert_eq!(error.kind(), kind, "{said}");
            assert!(error.message().contains(words), "{said}");
        }
    }
}
