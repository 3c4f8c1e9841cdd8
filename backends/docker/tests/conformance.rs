//! The conformance suite, for each way to each engine.

mod common;
#[path = "conformance/harness.rs"]
mod harness;

use std::process::ExitCode;

use alveary_conformance::{Harness, run};
use common::TestEngine;
use harness::Docker;

const ENGINES: [&str; 3] = ["docker-20", "docker-new", "podman"];

fn main() -> ExitCode {
    let missing = ENGINES.into_iter().find(|name| !TestEngine::is_there(name));
    let tried = cfg!(any(feature = "api", feature = "cli"));
    if let Some(name) = missing.filter(|_| tried && common::in_ci()) {
        panic!("{name}: {}", common::CURE);
    }
    let mut harnesses: Vec<Box<dyn Harness>> = Vec::new();
    for name in ENGINES {
        let engine = TestEngine::named(name);
        #[cfg(feature = "api")]
        harnesses.push(Box::new(Docker::<alveary_docker::DockerApiConfig>::on(
            &engine,
        )));
    }
    for name in ENGINES {
        let engine = TestEngine::named(name);
        #[cfg(feature = "cli")]
        harnesses.push(Box::new(Docker::<alveary_docker::DockerCliConfig>::on(
            &engine,
        )));
    }
    run(std::env::args_os(), harnesses)
}
